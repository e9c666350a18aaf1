"""What the tab of a run shows: its figures, its curves beside floors, and samples that grow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from saltus.extras import needs
from saltus.studies.pages import MARKERS, PALETTE, literal
from saltus.studio.equivalents import Equivalent, command
from saltus.studio.html import heading, page, paragraph, plot, table
from saltus.studio.views.growing import Snapshot, shown
from saltus.studio.views.run import Floor, Watched

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["as_page", "curves", "equivalent"]

_PANELS = 8  # steps that have a panel of their own
_ACROSS = 4
_SMOOTHED = 10  # lines of metrics that the mean of the loss is of
_STYLES = ("--", ":", "-.")


def curves(found: Watched, floors: Mapping[str, Floor] | None = None) -> dict[str, tuple[Figure, str]]:
    """The plots of a run and what each shows, by the names of their files.

    Args:
        found: the run.
        floors: of closed forms, drawn as lines.
    """
    floors, made = floors or {}, dict[str, tuple["Figure", str]]()
    if len(found.updates) > 1:
        made["loss"] = _loss(found), "loss in nats per dimension over updates; the bold line is a running mean"
    bounds = [(update, told.bits_per_dim) for update, told in found.validations if told.bits_per_dim is not None]
    if bounds:
        dashed = "; dashed and dotted: closed forms" if floors else ""
        made["bound"] = _bound(bounds, floors), f"bound on validation items in bits per dimension over updates{dashed}"
    if found.validations:
        made["nats_per_level"] = _levels(found, floors)
        if any(units is not None for units in found.validations[-1][1].active_units):
            made["active_units"] = _units(found), "active units of the latent of each step over updates"
    return made


def _figure(height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, Sequence[Axes]]:
    figure: Figure = needs("matplotlib.figure", extra="studio").Figure(figsize=(6.4, height), layout="constrained")
    axes = [*figure.subplots(rows, columns, squeeze=False).flat]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _loss(found: Watched) -> Figure:
    figure, (axes, *_) = _figure(2.8)
    axes.plot(found.updates, found.loss, color=PALETTE[0], linewidth=0.8, alpha=0.45)
    means = [_mean(found.loss[max(0, k + 1 - _SMOOTHED) : k + 1]) for k in range(len(found.loss))]
    axes.plot(found.updates, means, color=PALETTE[0], linewidth=1.8)
    axes.set(xlabel="updates", ylabel="loss, nats per dimension")
    return figure


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan


def _bound(bounds: Sequence[tuple[int, float]], floors: Mapping[str, Floor]) -> Figure:
    figure, (axes, *_) = _figure(2.8)
    updates, bits = zip(*bounds, strict=True)
    axes.plot(updates, bits, marker="o", markersize=3, color=PALETTE[0], label="this run")
    for (name, floor), style in zip(floors.items(), _STYLES, strict=False):
        axes.axhline(floor.bits_per_dim, color="black", linewidth=1, linestyle=style, label=literal(name))
    axes.set(xlabel="updates", ylabel="bits per dimension")
    axes.legend(frameon=False, fontsize=8)
    return figure


def _levels(found: Watched, floors: Mapping[str, Floor]) -> tuple[Figure, str]:
    """A panel for each step, cleanest first, since their nats differ by orders; of many steps the first and the last ones."""
    L = len(found.validations[-1][1].per_level)
    steps = [*range(L)] if L <= _PANELS else [*range(_PANELS // 2), *range(L - _PANELS // 2, L)]
    across = min(_ACROSS, len(steps))
    figure, axes = _figure(0.4 + 1.9 * math.ceil(len(steps) / across), math.ceil(len(steps) / across), across)
    for axis, step in zip(axes, steps, strict=False):
        points = [(update, told.per_level[step]) for update, told in found.validations if len(told.per_level) == L]
        axis.plot(*zip(*points, strict=True), marker="o", markersize=2.5, color=PALETTE[0])
        for (_, floor), style in zip(floors.items(), _STYLES, strict=False):
            if len(floor.per_level) == L:
                axis.axhline(floor.per_level[step], color="black", linewidth=1, linestyle=style)
        axis.set_title(f"step {step + 1}", fontsize=9)
        axis.tick_params(labelsize=7)
        axis.locator_params(axis="x", nbins=3)
    for axis in axes[len(steps) :]:
        axis.set_visible(False)
    figure.supxlabel("updates", fontsize=9)
    figure.supylabel("nats an item", fontsize=9)
    named = "; ".join(f"{style}: {name}" for name, style in zip(floors, ("dashed", "dotted", "dash-dotted"), strict=False))
    left_out = f"; {L - len(steps)} steps between them are left out" if len(steps) < L else ""
    words = "nats an item of each step, the one to data first"
    return figure, f"{words}{left_out}{f'; closed forms {named}' if named else ''}"


def _units(found: Watched) -> Figure:
    figure, (axes, *_) = _figure(2.8)
    L = len(found.validations[-1][1].active_units)
    for step in range(L):
        points = [(update, told.active_units[step]) for update, told in found.validations if len(told.active_units) == L]
        known = [(update, units) for update, units in points if units is not None]
        if known:
            marker, colour = MARKERS[step % len(MARKERS)], PALETTE[step % len(PALETTE)]
            label = f"step {step + 1}" if step < _PANELS else None
            axes.plot(*zip(*known, strict=True), marker=marker, color=colour, markersize=3, label=label)
    axes.set(xlabel="updates", ylabel="active units")
    axes.set_ylim(0, max(1.0, axes.get_ylim()[1]))
    axes.legend(frameon=False, fontsize=8, ncols=2)
    return figure


def as_page(found: Watched, floors: Mapping[str, Floor], grown: Sequence[Snapshot], state: str = "") -> str:
    """What the tab shows, as markup; `state` is what is known of the training beside its folder."""
    figures = found.figures() | ({"state": state} if state else {})
    parts = [table([found.name, ""], [*figures.items()], f"how far {found.name} is")]
    if floors:
        parts.append(table(["closed form", "nats an item", "bits per dimension"], _floors(floors), "floors that a run must beat"))
    parts += [plot(figure, words=words, file=name) for name, (figure, words) in curves(found, floors).items()]
    if not found.updates:
        parts.append(paragraph("The training has not begun, or the run came without its metrics."))
    if grown:
        parts.append(heading("Samples, the same noise at each checkpoint"))
        parts += shown(grown)
    return page(parts, f"the run {found.name}")


def _floors(floors: Mapping[str, Floor]) -> list[list[str]]:
    return [[name, f"{floor.total:.5g}", f"{floor.bits_per_dim:.4g}"] for name, floor in floors.items()]


def equivalent(place: str, *, floors: bool) -> Equivalent:
    """What writes the same curves and samples; `floors` are measured too."""
    measured = "floors_of(folder)" if floors else "{}"
    return Equivalent(
        command("show", "run", place, floors=floors, out="watched"),
        f"""from saltus.pretrained import run_folder
from saltus.studio.views.growing import snapshot
from saltus.studio.views.run import floors_of, watched
from saltus.studio.views.run_page import curves

folder = run_folder({place!r})
run = watched(folder)
print(run.figures())
for name, (figure, words) in curves(run, {measured}).items():
    figure.savefig(f"{{name}}.svg")
samples = snapshot(folder)
""",
    )

"""`index.html` of the collapse study: what was found in sentences, plots, tables and, for images, samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean, geometric_mean
from typing import TYPE_CHECKING, Any

from saltus.data import DataSet
from saltus.extras import needs
from saltus.files import write_atomically
from saltus.studies.collapse.experiment import Exact, Plan, Record, Sampled, SamplerKind, Source, Trained
from saltus.studies.pages import MARKERS, PALETTE, Table, markup, picture, render, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["write_page"]

_DIM = "#999"
_LAST_TIME, _SPREAD_FIRST, _SPREAD_LAST = map(markup, ("t<sub>L</sub>", "spread of z<sub>L−1</sub>", "spread of z<sub>0</sub>"))


def write_page(data: DataSet, plan: Plan, records: Sequence[Record], summary: dict[str, Any], file: Path) -> None:
    """Write the page of a whole study; `summary` holds its first sentence under "finding" and all others under "claims"."""
    exact = sorted((r for r in records if isinstance(r, Exact)), key=lambda e: e.levels[-1])
    trained = [r for r in records if isinstance(r, Trained)]
    sampled = [r for r in records if isinstance(r, Sampled)]
    late = next(e for e in exact if e.levels[-1] == plan.late)
    networks = [r for r in trained if r.levels == late.levels]
    long = [r for r in networks if r.updates == plan.updates[-1]]
    pictured = data.encoding.shown if data.encoding.layout.is_image else None
    text = render(
        "collapse.html",
        title=f"The collapse of the deterministic decoder: {data.name}",
        finding=summary["finding"],
        claims=summary["claims"],
        summary=summary,
        plan=plan,
        times=", ".join(f"{t:.3g}" for t in late.levels),
        plots={
            "last_time": svg(_by_last_time(exact)),
            "level": svg(_by_level(late, networks)),
            "growth": svg(_growth(late, long)),
            "diversity": svg(_diversities(sampled)),
        },
        tables={"exact": _exact_table(exact), "trained": _trained_table(trained), "sampled": _sampled_table(sampled)},
        shown={
            "exact": _pictures([[f"t = {e.levels[-1]:g}" for e in exact]], [exact], pictured),
            "trained": _pictures(*_by_width(networks, plan), pictured),
            "sampled": _pictures(*_by_sampler(sampled), pictured),
        },
    )
    write_atomically(file, text)


def _figure(panels: int) -> tuple[Figure, list[Axes]]:
    figure = needs("matplotlib.figure", extra="study").Figure(figsize=(3.4 * max(2, panels), 3.2), layout="constrained")
    axes = list(figure.subplots(1, panels, sharey=True, squeeze=False)[0])
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _by_last_time(exact: Sequence[Exact]) -> Figure:
    figure, (axis,) = _figure(1)
    times = [e.levels[-1] for e in exact]
    for i, (place, label) in enumerate(((-2, "$z_{L-1}$, after one step"), (0, "$z_0$, the samples"))):
        axis.plot(times, [e.descent.spread[place] for e in exact], color=PALETTE[i], marker=MARKERS[i], label=label)
    axis.set(xscale="log", yscale="log", xlabel="last time $t_L$", ylabel="spread", xticks=times, xticklabels=[f"{t:g}" for t in times])
    axis.minorticks_off()
    axis.legend(frameon=False)
    return figure


def _by_level(late: Exact, networks: Sequence[Trained]) -> Figure:
    widths = sorted({r.width for r in networks})
    updates = sorted({r.updates for r in networks})
    figure, axes = _figure(len(widths))
    for axis, width in zip(axes, widths, strict=True):
        axis.plot(late.descent.spread, "k--", label="exact optimum")
        for r in networks:
            if r.width == width:
                axis.plot(r.descent.spread, color=_colour(updates.index(r.updates)), linewidth=1)
        for i, n in enumerate(updates):
            axis.plot([], color=_colour(i), label=f"{n} updates")
        axis.set(title=f"width {width}", yscale="log", xlabel="$z_l$, l =")
        _levels_from_the_left(axis, range(len(late.levels)))
    axes[0].set_ylabel("spread")
    figure.legend(*axes[0].get_legend_handles_labels(), frameon=False, loc="outside right center")
    return figure


def _growth(late: Exact, long: Sequence[Trained]) -> Figure:
    figure, axes = _figure(2)
    levels = range(1, len(late.levels))
    least = min(min(r.descent.pairs + r.descent.small) for r in long)
    for axis, name, title in zip(axes, ("pairs", "small"), ("two samples", "small differences"), strict=True):
        axis.axhline(1, color=_DIM, linewidth=1)
        axis.plot(levels, getattr(late.descent, name), "k--", label="exact optimum")
        for i, width in enumerate(sorted({r.width for r in long})):
            factors = zip(*(getattr(r.descent, name) for r in long if r.width == width), strict=True)
            means = [geometric_mean(f) if min(f) > 0 else 0.0 for f in factors]
            axis.plot(levels, means, color=_colour(i), marker=MARKERS[i % len(MARKERS)], label=f"width {width}")
        axis.set(title=title, yscale="log", xlabel="level l, from $z_l$ to $z_{l-1}$")
        _levels_from_the_left(axis, levels)
    axes[0].set_ylabel("growth")
    if least > 0:
        axes[0].set_ylim(bottom=least / 2)  # the exact optimum's first step would take all the room
    figure.legend(*axes[0].get_legend_handles_labels(), frameon=False, loc="outside right center")
    return figure


def _levels_from_the_left(axis: Axes, levels: Iterable[int]) -> None:
    axis.set_xticks(list(levels))
    axis.invert_xaxis()


def _diversities(sampled: Sequence[Sampled]) -> Figure:
    figure, (axis,) = _figure(1)
    kinds: list[SamplerKind] = [kind for kind in SamplerKind if kind is not SamplerKind.NONE]
    axis.axhline(next(r.diversity for r in sampled if r.source is Source.REAL), color=_DIM, linewidth=1)
    for source, colour, marker in ((Source.EXACT, "black", "D"), (Source.NETWORK, PALETTE[0], "o")):
        shown = [r for r in sampled if r.source is source]
        places, diversity = [kinds.index(r.sampler) for r in shown], [r.diversity for r in shown]
        axis.plot(places, diversity, color=colour, marker=marker, linestyle="none", label=source.value, alpha=0.7)
    axis.set(xticks=range(len(kinds)), xticklabels=[kind.value for kind in kinds], ylabel="diversity", ylim=(-0.05, None))
    axis.legend(frameon=False)
    return figure


def _exact_table(exact: Sequence[Exact]) -> Table:
    headings = [
        _LAST_TIME,
        markup("KL(q(z<sub>L</sub>|y) ‖ N(0, I)), nats"),
        markup("z<sub>L−1</sub> from E y"),
        _SPREAD_FIRST,
        _SPREAD_LAST,
        "largest difference",
    ]
    rows = [
        [f"{e.levels[-1]:g}", *map(_number, (e.prior_cost, d.first_from_mean, d.spread[-2], d.spread[0], d.between_samples))]
        for e in exact
        for d in [e.descent]
    ]
    return Table(headings, rows)


def _trained_table(trained: Sequence[Trained]) -> Table:
    """One row for each kind of run, means over seeds and the range of the diversity."""
    kinds = dict.fromkeys((r.levels[-1], r.width, r.updates) for r in trained)
    headings = [
        _LAST_TIME,
        "width",
        "parameters",
        "updates",
        markup("z<sub>L−1</sub> from the optimum’s"),
        _SPREAD_FIRST,
        _SPREAD_LAST,
        "diversity",
    ]
    rows = []
    for kind in kinds:
        runs = [r for r in trained if (r.levels[-1], r.width, r.updates) == kind]
        last, width, updates = kind
        means = [
            fmean(values) for values in zip(*((r.first_from_exact, r.descent.spread[-2], r.descent.spread[0]) for r in runs), strict=True)
        ]
        diversity = _range([r.descent.diversity for r in runs])
        rows.append([f"{last:g}", str(width), f"{runs[0].parameters:,}", str(updates), *map(_number, means), diversity])
    return Table(headings, rows)


def _sampled_table(sampled: Sequence[Sampled]) -> Table:
    rows = []
    for source, kind in dict.fromkeys((r.source, r.sampler) for r in sampled):
        runs = [r for r in sampled if (r.source, r.sampler) == (source, kind)]
        name = source.value if kind is SamplerKind.NONE else f"{source}, {kind}"
        figures = (_range([r.diversity for r in runs]), _range([r.sliced_wasserstein for r in runs]))
        rows.append([name, str(runs[0].calls), *figures])
    return Table(["items", "calls", "diversity", "sliced Wasserstein distance"], rows)


def _by_width(networks: Sequence[Trained], plan: Plan) -> tuple[list[list[str]], list[list[Trained]]]:
    """Samples of the first seed by width (rows) and updates (columns)."""
    seed = min(r.seed for r in networks)
    rows = [[r for r in networks if (r.seed, r.width) == (seed, width)] for width in plan.widths]
    return [[f"width {row[0].width}, {r.updates} updates" for r in row] for row in rows], rows


def _by_sampler(sampled: Sequence[Sampled]) -> tuple[list[list[str]], list[list[Sampled]]]:
    """Real items, then samples of the exact optimum, then of the first network, by sampler."""
    seed = min(r.seed for r in sampled if r.seed is not None)
    rows = [[r for r in sampled if r.source is source and r.seed in (None, seed)] for source in Source]
    names = [["real items" if r.sampler is SamplerKind.NONE else f"{r.source}, {r.sampler}" for r in row] for row in rows]
    return names, rows


def _pictures(names: Sequence[Sequence[str]], rows: Sequence[Sequence[Record]], shown: tuple[float, float] | None) -> list[Table]:
    """Tables of pictures under their names; none for data that are no images."""
    if shown is None:
        return []
    return [
        Table(labels, [[picture(r.images, shown=shown, words=label) for label, r in zip(labels, row, strict=True)]])
        for labels, row in zip(names, rows, strict=True)
    ]


def _colour(i: int) -> str:
    return PALETTE[i % len(PALETTE)]


def _range(values: Sequence[float]) -> str:
    mean = f"{fmean(values):.3f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.3f} to {max(values):.3f})"


def _number(value: float) -> str:
    return f"{value:.2g}"

"""`index.html` of the collapse study: what was found in sentences, plots, tables and, for images, samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean, geometric_mean
from typing import TYPE_CHECKING, Any

from saltus.data import DataSet
from saltus.studies.collapse.experiment import Exact, Plan, Record, Sampled, Source, Trained, Way
from saltus.studies.pages import Raw, image, page, paragraph, plot, section, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["write_page"]

_INTRODUCTION = (
    "A denoiser that is trained by equation (1), least squares, learns the mean of all data that may lie behind a noisy z_t. "
    "Equation (2) takes that mean for the next z. Noise comes in as z_L and nowhere else, so if z_L tells nothing of the data, a "
    "perfect denoiser gives the mean item first, whatever the noise was, and then the same final item for everybody. Why are trained "
    "networks more diverse? Below, what z_L still tells of the data and what the network does wrong are kept apart, by running the exact "
    "optimum, which is known for a finite data set, on the same levels as the networks."
)
_INGREDIENTS = (
    "One network, one function yhat(z_t, t), four samplers with as many calls. Equation (2) forgets z_t; DDIM keeps the noise that is "
    "left in z_t and draws none; the bridge step keeps a part of z_t and draws the noise that is missing, for a yhat without error; the "
    "Gaussian step also makes room for the error of yhat, as measured on validation items. Grain counts as diversity too: read it "
    "together with the distance from real items, and with the pictures."
)
_DIM = "#999"


def write_page(data: DataSet, plan: Plan, records: Sequence[Record], summary: dict[str, Any], file: Path) -> None:
    """Write the page of a whole study; `summary` holds its sentences under "claims"."""
    exact = sorted((r for r in records if isinstance(r, Exact)), key=lambda e: e.levels[-1])
    trained = [r for r in records if isinstance(r, Trained)]
    sampled = [r for r in records if isinstance(r, Sampled)]
    late = next(e for e in exact if e.levels[-1] == plan.late)
    networks = [r for r in trained if r.levels == late.levels]
    long = [r for r in networks if r.updates == plan.updates[-1]]
    pictured = data.encoding.shown if data.encoding.layout.is_image else None
    parts = [
        paragraph(_INTRODUCTION),
        section("What was found"),
        *map(paragraph, summary["claims"]),
        section("(a), (b): the exact optimum, by its last time"),
        plot(_by_last_time(exact), "Spread over samples, in spreads of the data: 1 is as diverse as real items."),
        _exact_table(exact),
        *_pictures([[f"t = {e.levels[-1]:g}" for e in exact]], [exact], pictured),
        section("(b), (c): trained networks, level by level"),
        plot(_by_level(late, networks), "Spread of the samples as they come down, first z_L at the left; thin lines are training seeds."),
        plot(
            _growth(late, long),
            "Growth of differences at each level after the longest training: above the line they are amplified. "
            "Of values below the plot only the line towards them is seen.",
        ),
        _trained_table(trained),
        *_pictures(*_by_width(networks, plan), pictured),
        section("What brings diversity back"),
        paragraph(_INGREDIENTS),
        plot(_diversities(sampled), "Diversity of the samples; the line is that of real items. One dot for each training seed."),
        _sampled_table(sampled),
        *_pictures(*_by_way(sampled), pictured),
        section("How it was measured"),
        *map(paragraph, _conditions(plan, late, summary)),
    ]
    file.write_text(page(f"The collapse of the deterministic decoder: {data.name}", parts))


def _figure(panels: int) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4 * max(2, panels), 3.2), layout="constrained")
    axes = list(figure.subplots(1, panels, sharey=True, squeeze=False)[0])
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _by_last_time(exact: Sequence[Exact]) -> Figure:
    figure, (axis,) = _figure(1)
    times = [e.levels[-1] for e in exact]
    for place, label in ((-2, "z_{L-1}, after one step"), (0, "z_0, the samples")):
        axis.plot(times, [e.descent.spread[place] for e in exact], "o-", label=f"${label.replace(', ', '$, ', 1)}")
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
                axis.plot(r.descent.spread, color=f"C{updates.index(r.updates)}", linewidth=1)
        for colour, n in enumerate(updates):
            axis.plot([], color=f"C{colour}", label=f"{n} updates")
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
        for width in sorted({r.width for r in long}):
            factors = zip(*(getattr(r.descent, name) for r in long if r.width == width), strict=True)
            axis.plot(levels, [geometric_mean(f) if min(f) > 0 else 0.0 for f in factors], "o-", label=f"width {width}")
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
    ways: list[Way] = [way for way in Way if way is not Way.NONE]
    axis.axhline(next(r.diversity for r in sampled if r.source is Source.REAL), color=_DIM, linewidth=1)
    for source, marker in ((Source.EXACT, "kD"), (Source.NETWORK, "C0o")):
        shown = [r for r in sampled if r.source is source]
        axis.plot([ways.index(r.way) for r in shown], [r.diversity for r in shown], marker, linestyle="none", label=source.value, alpha=0.7)
    axis.set(xticks=range(len(ways)), xticklabels=[way.value for way in ways], ylabel="diversity", ylim=(-0.05, None))
    axis.legend(frameon=False)
    return figure


def _exact_table(exact: Sequence[Exact]) -> Raw:
    headings = ["t_L", "KL(q(z_L|y) || N(0, I)), nats", "z_{L-1} from E y", "spread of z_{L-1}", "spread of z_0", "largest difference"]
    rows = [
        [f"{e.levels[-1]:g}", *map(_number, (e.prior_cost, d.first_from_mean, d.spread[-2], d.spread[0], d.between_samples))]
        for e in exact
        for d in [e.descent]
    ]
    return table(headings, rows)


def _trained_table(trained: Sequence[Trained]) -> Raw:
    """One row for each kind of run, means over seeds and the range of the diversity."""
    kinds = dict.fromkeys((r.levels[-1], r.width, r.updates) for r in trained)
    headings = ["t_L", "width", "parameters", "updates", "z_{L-1} from the optimum's", "spread of z_{L-1}", "spread of z_0", "diversity"]
    rows = []
    for kind in kinds:
        runs = [r for r in trained if (r.levels[-1], r.width, r.updates) == kind]
        last, width, updates = kind
        means = [
            fmean(values) for values in zip(*((r.first_from_exact, r.descent.spread[-2], r.descent.spread[0]) for r in runs), strict=True)
        ]
        diversity = _range([r.descent.diversity for r in runs])
        rows.append([f"{last:g}", str(width), f"{runs[0].parameters:,}", str(updates), *map(_number, means), diversity])
    return table(headings, rows)


def _sampled_table(sampled: Sequence[Sampled]) -> Raw:
    kinds = dict.fromkeys((r.source, r.way) for r in sampled)
    rows = []
    for source, way in kinds:
        runs = [r for r in sampled if (r.source, r.way) == (source, way)]
        name = source.value if way is Way.NONE else f"{source}, {way}"
        figures = (_range([r.diversity for r in runs]), _range([r.sliced_wasserstein for r in runs]))
        rows.append([name, str(runs[0].calls), *figures])
    return table(["items", "calls", "diversity", "sliced Wasserstein distance"], rows)


def _by_width(networks: Sequence[Trained], plan: Plan) -> tuple[list[list[str]], list[list[Trained]]]:
    """Samples of the first seed by width (rows) and updates (columns)."""
    seed = min(r.seed for r in networks)
    rows = [[r for r in networks if (r.seed, r.width) == (seed, width)] for width in plan.widths]
    return [[f"width {row[0].width}, {r.updates} updates" for r in row] for row in rows], rows


def _by_way(sampled: Sequence[Sampled]) -> tuple[list[list[str]], list[list[Sampled]]]:
    """Real items, then samples of the exact optimum, then of the first network, by way."""
    seed = min(r.seed for r in sampled if r.seed is not None)
    rows = [[r for r in sampled if r.source is source and r.seed in (None, seed)] for source in Source]
    names = [["real items" if r.way is Way.NONE else f"{r.source}, {r.way}" for r in row] for row in rows]
    return names, rows


def _pictures(names: Sequence[Sequence[str]], rows: Sequence[Sequence[Record]], shown: tuple[float, float] | None) -> list[Raw]:
    """Tables of pictures under their names; none for data that are no images."""
    if shown is None:
        return []
    return [
        table(labels, [[image(r.images, shown=shown, alt=label) for label, r in zip(labels, row, strict=True)]])
        for labels, row in zip(names, rows, strict=True)
    ]


def _conditions(plan: Plan, late: Exact, summary: dict[str, Any]) -> list[str]:
    times = ", ".join(f"{t:.3g}" for t in late.levels)
    return [
        f"{summary['data']}. Levels t = {times} unless said otherwise.",
        "Networks are multi-layer perceptrons trained by equation (1), each length of training a run of its own, "
        f"{plan.runs} seed{'s' * (plan.runs > 1)} from {summary['seed']} on. All samples of equation (2) start from the same {plan.paths} "
        "draws of N(0, I) in every row.",
        f"In the comparison of samplers the network has width {plan.widths[-1]} and {plan.updates[-1]} updates, trained at all times; "
        f"{plan.generated} samples are held against {min(plan.generated, summary['held_out'])} test items, and the real items of the table "
        "are training items. Diversity is the mean distance of two items, over that of real ones.",
        f"All numbers are in collapse.json. {summary['seconds']:g} seconds on {summary['machine']}.",
    ]


def _range(values: Sequence[float]) -> str:
    mean = f"{fmean(values):.3f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.3f} to {max(values):.3f})"


def _number(value: float) -> str:
    return f"{value:.2g}"

"""`compare.html`: curves of each figure over network calls, tables, samples side by side."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from saltus.evaluation import METRICS
from saltus.studies.compare.models import PERFECT
from saltus.studies.pages import Raw, image, page, paragraph, plot, section, table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["bound_figure", "cell", "curves", "plus_minus", "tabulated", "write_page"]

Row = dict[str, Any]


def write_page(summary: dict[str, Any], file: Path, *, pictured: Callable[[Row], Tensor] | None, shown: tuple[float, float]) -> None:
    """Write the page; `pictured` gives the samples of a row, None for data that are no images."""
    parts = [paragraph(line) for line in _conventions(summary)]
    for name in _metrics(summary):
        parts += [section(METRICS[name].title), plot(curves(summary, name), _caption(name)), _numbers(summary, name)]
    if any(row["bound"] for row in summary["rows"]):
        parts += [section("Bound on the negative log-likelihood"), _bounds(summary)]
    parts += [section("Seconds for 1000 samples"), _table(summary, lambda row: f"{row['seconds_per_1000']:.2f}")]
    if pictured is not None:
        parts += [section("Samples, the same noise in every cell of a column"), _pictures(summary, pictured, shown)]
    file.write_text(page(f"Samplers at equal network calls: {summary['data'].split(':')[0]}", parts))


def tabulated(summary: dict[str, Any], value: Callable[[Row], str]) -> list[list[str]]:
    """A table over models, ways and calls, its first row the headings; blank where a way does not take part."""
    calls = sorted({row["calls"] for row in summary["rows"]})
    cells = {(row["model"], row["way"], row["calls"]): value(row) for row in summary["rows"]}
    headings = ["network: step", *(f"{n} call{'s' * (n > 1)}" for n in calls)]
    rows = [[f"{model}: {way}", *(cells.get((model, way, n), "") for n in calls)] for model, way in _lines(summary)]
    return [headings, *(row for row in rows if any(row[1:]))]


def cell(row: Row, name: str) -> str:
    """A figure and its spread, and for a distance what it has above the floor."""
    figure = row["metrics"][name]
    above = "" if figure["above_floor"] is None else f" ({figure['above_floor']:+.3g})"
    return plus_minus(figure) + above


def plus_minus(figure: dict[str, Any], digits: int = 4) -> str:
    """A mean and its spread, if there is one."""
    if figure["mean"] is None:
        return "diverged"
    rounded = "" if figure["spread"] is None else f"{figure['spread']:.1g}"
    spread = f" ± {float(rounded):g}" if rounded else ""  # 20, not 2e+01
    mean = f"{figure['mean']:#.{digits}g}".rstrip(".")  # 10.0, not 10
    return f"{mean}{spread}"


def _lines(summary: dict[str, Any]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((row["model"], row["way"]) for row in summary["rows"]))


def _metrics(summary: dict[str, Any]) -> list[str]:
    return [name for name in METRICS if name in summary["rows"][0]["metrics"]]


def _conventions(summary: dict[str, Any]) -> list[str]:
    some, most = (f(len(row["figures"]) for row in summary["rows"]) for f in (min, max))
    figures = f"{some}" if some == most else f"{some} to {most}"
    runs = (
        f"{name}: {', '.join(network['run'] for network in networks)}" for name, networks in summary["models"].items() if name != PERFECT
    )
    return [
        f"{summary['data']}.",
        f"{summary['n_generated']} samples against {summary['n_real']} test items; the last step gives its median, unless a draw of "
        f"continuous data was chosen (diffusers' samplers always end in the network's prediction). Each figure is a mean over {figures} "
        f"sets of samples, with their standard deviation: of networks that differ in their seed, in turns where they are fewer, each "
        f"sampled with another seed.",
        f"Runs: {'; '.join(runs)}.",
        f"Chosen on validation items: {summary['choice']}. A chain of fixed levels has its own grid. Heun, which calls twice a step, "
        f"takes the steps that fit.",
        f"{summary['features']}",
        f"“{PERFECT}” has no error of a network: what is left of a distance there is the fault of the kind of step alone. "
        f"The floor is the figure of real training items in place of samples.",
        f"Machine: {'; '.join(summary['machines'])}; {summary['seconds']:.0f} seconds since the command was last started.",
    ]


def _caption(name: str) -> str:
    better = {True: "Smaller is better.", False: "Larger is better.", None: "Best at the level of real items."}[
        METRICS[name].smaller_is_better
    ]
    return f"{better} Dashed: a perfect denoiser. Dotted: real items."


def curves(summary: dict[str, Any], name: str) -> Figure:
    """A figure of matplotlib: one metric over network calls, a colour for each way."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axes = figure.subplots()
    lines = _lines(summary)
    colours = {key: colormaps["tab20"](i % 20) for i, key in enumerate(dict.fromkeys(_coloured(*line) for line in lines))}
    for model, way in lines:
        rows = [row for row in summary["rows"] if (row["model"], row["way"]) == (model, way)]
        perfect = model == PERFECT
        named = not perfect or way not in {other for trained, other in lines if trained != PERFECT}
        axes.errorbar(
            [row["network_calls"] for row in rows],
            [_number(row["metrics"][name]["mean"]) for row in rows],
            [row["metrics"][name]["spread"] or 0 for row in rows],
            color=colours[_coloured(model, way)],
            linestyle="--" if perfect else "-",
            linewidth=1.2,
            marker="." if len(rows) > 1 else "*",
            markersize=6 if len(rows) > 1 else 12,
            label=f"{model}: {way}" if named else None,
        )
    axes.axhline(summary["floor"][name]["mean"], color="0.4", linestyle=":", label="real items")
    axes.set(xlabel="network calls", ylabel=METRICS[name].title, xscale="log")
    means = [row["metrics"][name]["mean"] for row in summary["rows"] if row["metrics"][name]["mean"] is not None]
    if METRICS[name].is_distance and min(means, default=0) > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
    calls = sorted({row["network_calls"] for row in summary["rows"] if row["network_calls"] == row["calls"]})
    axes.set_xticks(calls, [str(n) for n in calls])
    axes.xaxis.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _number(value: float | None) -> float:
    """What matplotlib leaves out: NaN, for a figure that has diverged."""
    return math.nan if value is None else value


def _coloured(model: str, way: str) -> str:
    """What has a colour: a way, whoever's network it is around; but chains of fixed levels each have their own."""
    return f"{model}: {way}" if "levels" in model else way


def _numbers(summary: dict[str, Any], name: str) -> Raw:
    floor = summary["floor"][name]
    above = "; in brackets, what is above it" if METRICS[name].is_distance else ""
    return Raw(_table(summary, lambda row: cell(row, name)) + paragraph(f"Floor: {plus_minus(floor)}{above}."))


def _table(summary: dict[str, Any], value: Callable[[Row], str]) -> Raw:
    headings, *rows = tabulated(summary, value)
    return table(headings, rows)


def bound_figure(row: dict[str, Any]) -> str:
    """The bound of a row, and how it is tightened; nothing where there is none."""
    bound = row["bound"]
    return plus_minus(bound["value"]) + bound.get("tightened", "") if bound else ""


def _bounds(summary: dict[str, Any]) -> Raw:
    bounds = [row["bound"] for row in summary["rows"] if row["bound"]]
    error = max(bound["standard_error_over_items"] for bound in bounds)
    first = bounds[0]
    note = f"In {first['unit']}, on {first['items']} test items: {first['convention']}. Standard error over items: at most {error:.2g}."
    written = _table(summary, bound_figure)
    return Raw(written + paragraph(note))


def _pictures(summary: dict[str, Any], pictured: Callable[[Row], Tensor], shown: tuple[float, float]) -> Raw:
    return _table(summary, lambda row: image(pictured(row), shown=shown, alt=f"{row['way']}, {row['calls']} calls"))

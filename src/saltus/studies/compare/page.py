"""`compare.html`: curves of each figure over network calls, tables, samples side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from torch import Tensor

from saltus.evaluation import METRICS
from saltus.extras import needs
from saltus.files import write_atomically
from saltus.studies.compare.models import PERFECT
from saltus.studies.compare.samplers import STARTED
from saltus.studies.pages import MARKERS, PALETTE, Picture, Table, literal, picture, render, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["bound_figure", "cell", "curves", "finding", "plus_minus", "tabulated", "write_page"]

T = TypeVar("T")
_FILLS: tuple[Literal["full", "none", "left", "top"], ...] = ("full", "none", "left", "top")
"""Of marks: they tell networks apart where a sampler is around several."""
_Dashes = tuple[int, tuple[int, ...]] | str
_LINES: tuple[tuple[_Dashes, _Dashes], ...] = (("-", ":"), ("-.", (0, (3, 1, 1, 1, 1, 1))))
"""Of each round of colours: from N(0, I), and from a mixture.  A perfect network has dashes."""
Row = dict[str, Any]
"""A sampler of a model at a number of calls.

`model`, `sampler` and `calls` name it.  `network_calls` are those that it makes, `multiply_adds` those of one sample (None
where nobody counted), `grid` is its levels' name.  `metrics` are its figures, `bound` that of its likelihood (None where there
is none), and `pictured` names the file of its first samples.
"""


def write_page(summary: dict[str, Any], file: Path, *, pictured: Callable[[Row], Tensor] | None, shown: tuple[float, float]) -> None:
    """Write the page; `pictured` gives the samples of a row, None for data that are no images."""
    title = f"Samplers at equal network calls: {summary['data'].split(':')[0]}"
    metrics = [_metric(summary, name) for name in METRICS if name in summary["rows"][0]["metrics"]]
    more = list(_more(summary, pictured, shown))
    sets, found = _sets(summary), [said.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}") for said in finding(summary)]
    text = render("compare.html", title=title, summary=summary, sets=sets, perfect=PERFECT, finding=found, metrics=metrics, more=more)
    write_atomically(file, text)


def finding(summary: dict[str, Any]) -> list[str]:
    """What was found, in sentences: the nearest sampler at each number of network calls by the first distance, and the least bound."""
    sentences = []
    name = next((name for name, metric in METRICS.items() if metric.is_distance and name in summary["rows"][0]["metrics"]), None)
    if name is not None:
        floor, title = plus_minus(summary["floor"][name]), METRICS[name].title
        sentences.append(f"The {title} of real items is {floor}; samples that come near to it are good.")
        for calls in sorted({row["network_calls"] for row in summary["rows"] if row["model"] != PERFECT}):
            best = _least([row for row in summary["rows"] if row["network_calls"] == calls], lambda row: row["metrics"][name]["mean"])
            if best is not None:
                sentences.append(f"{_calls(calls)}, {_who(best)} has the least distance, {plus_minus(best['metrics'][name])}.")
    best = _least(summary["rows"], lambda row: row["bound"] and row["bound"]["value"]["mean"])
    if best is not None:
        bound = f"{bound_figure(best)} {best['bound']['unit']}"
        sentences.append(f"{_calls(best['network_calls'])}, {_who(best)} has the least bound on the negative log-likelihood, {bound}.")
    return sentences


def _calls(n: int) -> str:
    """How a sentence begins."""
    return f"With {n} network call{'s' * (n != 1)}" if n else "Without a network"


def _who(row: Row) -> str:
    """A sampler and its model, in a sentence."""
    sampler = row["sampler"].removesuffix(STARTED)
    start = ", started from a mixture," if sampler != row["sampler"] else ""
    return f"the sampler “{sampler}” of the model “{row['model']}”{start}"


def _least(rows: Sequence[Row], value: Callable[[Row], float | None]) -> Row | None:
    """The row of a trained or closed model with the least value; None where none has one."""
    known = [(found, place) for place, row in enumerate(rows) if row["model"] != PERFECT and (found := value(row)) is not None]
    return rows[min(known)[1]] if known else None


def _sets(summary: dict[str, Any]) -> str:
    """How many sets of samples a row is of."""
    fewest, most = (f(len(row["figures"]) for row in summary["rows"]) for f in (min, max))
    return f"{fewest}" if fewest == most else f"{fewest} to {most}"


def _metric(summary: dict[str, Any], name: str) -> dict[str, Any]:
    """A section of the page: one metric, its curves and its table."""
    metric = METRICS[name]
    better = {True: "Smaller is better.", False: "Larger is better.", None: "Best at the level of real items."}
    above = "; in brackets, what is above it" if metric.is_distance else ""
    return {
        "name": name,
        "title": metric.title,
        "best": _best(summary, name),
        "plot": svg(curves(summary, name)),
        "caption": f"{better[metric.smaller_is_better]} Dashed: a perfect denoiser. Dotted: real items.",
        "table": _table(summary, lambda row: cell(row, name)),
        "note": f"Floor: {plus_minus(summary['floor'][name])}{above}.",
    }


def _best(summary: dict[str, Any], name: str) -> str:
    """A line on the best figure of a metric; of one that has no better end, on real items alone."""
    floor, sign = plus_minus(summary["floor"][name]), {True: 1, False: -1, None: 0}[METRICS[name].smaller_is_better]

    def signed(row: Row) -> float | None:
        mean = row["metrics"][name]["mean"]
        return None if mean is None else sign * mean

    best = _least(summary["rows"], signed) if sign else None
    return f"real items {floor}" if best is None else f"best {plus_minus(best['metrics'][name])}, {_line(best)}; real items {floor}"


def _more(summary: dict[str, Any], pictured: Callable[[Row], Tensor] | None, shown: tuple[float, float]) -> Iterator[dict[str, Any]]:
    """The sections that are a table and no more: name, title, table and note."""

    def part(name: str, title: str, value: Callable[[Row], str | Picture], note: str = "") -> dict[str, Any]:
        return {"name": name, "title": title, "table": _table(summary, value), "note": note}

    if any(row["bound"] for row in summary["rows"]):
        yield part("bound", "Bound on the negative log-likelihood", bound_figure, _bound_note(summary))
    if any(row["multiply_adds"] is not None for row in summary["rows"]):
        note = "Calls of a small network are not calls of a large one: this is the work that they are."
        yield part("multiply-adds", "Multiply-adds for one sample", _multiply_adds, note)
    yield part("seconds", "Seconds for 1000 samples", lambda row: f"{row['seconds_per_1000']:.2f}")
    if pictured is not None:
        title = "Samples, the same noise in every cell of a column"
        yield part("samples", title, lambda row: picture(pictured(row), shown=shown, words=f"{_line(row)}, {row['calls']} calls"))


def tabulated(summary: dict[str, Any], value: Callable[[Row], T]) -> list[list[T | str]]:
    """A table over models, samplers and calls, its first row the headings; blank where a sampler does not take part."""
    calls = sorted({row["calls"] for row in summary["rows"]})
    cells: dict[tuple[str, int], T] = {(_line(row), row["calls"]): value(row) for row in summary["rows"]}
    headings: list[T | str] = ["network: sampler", *(f"{n} call{'s' * (n > 1)}" for n in calls)]
    rows: list[list[T | str]] = [[line, *(cells.get((line, n), "") for n in calls)] for line in dict.fromkeys(map(_line, summary["rows"]))]
    return [headings, *(row for row in rows if any(row[1:]))]


def _table(summary: dict[str, Any], value: Callable[[Row], str | Picture]) -> Table:
    headings, *rows = tabulated(summary, value)
    return Table([str(heading) for heading in headings], rows)


def _line(row: Row) -> str:
    """The name of a row of a table, or of a curve."""
    return f"{row['model']}: {row['sampler']}"


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


def bound_figure(row: Row) -> str:
    """The bound of a row, and how many importance samples it takes; nothing where there is none."""
    bound = row["bound"]
    if not bound:
        return ""
    K = bound["importance_samples"]
    return plus_minus(bound["value"]) + (f", importance-weighted with {K} samples a step" if K > 1 else "")


def _bound_note(summary: dict[str, Any]) -> str:
    bounds = [row["bound"] for row in summary["rows"] if row["bound"]]
    error = max(bound["standard_error_over_items"] for bound in bounds)
    first = bounds[0]
    return f"In {first['unit']}, on {first['items']} test items: {first['convention']}. Standard error over items: at most {error:.2g}."


def _multiply_adds(row: Row) -> str:
    return "" if row["multiply_adds"] is None else f"{row['multiply_adds']:,}"


def curves(summary: dict[str, Any], name: str) -> Figure:
    """A figure of matplotlib: one metric over network calls; a colour and mark each sampler, dashes each start, fills each network."""
    figure: Figure = needs("matplotlib.figure", extra="compare").Figure(figsize=(9, 4.2), layout="constrained")
    axes = figure.subplots()
    lines = {_line(row): [other for other in summary["rows"] if _line(other) == _line(row)] for row in summary["rows"]}
    trained = {row["sampler"] for row in summary["rows"] if row["model"] != PERFECT}
    families = {family: i for i, family in enumerate(dict.fromkeys(_style(row).removesuffix(STARTED) for row in summary["rows"]))}
    networks: dict[str, list[str]] = {}  # that have a style in common
    last: dict[str, float] = {}  # where the curve of each label ends
    for line, rows in lines.items():
        perfect, style = rows[0]["model"] == PERFECT, _style(rows[0])
        place, started = families[style.removesuffix(STARTED)], style.endswith(STARTED)
        colour, dashes = PALETTE[place % len(PALETTE)], _LINES[place // len(PALETTE) % len(_LINES)][started]
        last[literal(line)] = _number(rows[-1]["metrics"][name]["mean"])
        if rows[0]["network_calls"] == 0:  # a closed form is at no place on an axis of calls
            axes.axhline(last[literal(line)], color=colour, linestyle=dashes, linewidth=1.2, label=literal(line))
            continue
        if not perfect:
            networks.setdefault(style, []).append(line)
        axes.errorbar(
            [row["network_calls"] for row in rows],
            [_number(row["metrics"][name]["mean"]) for row in rows],
            [row["metrics"][name]["spread"] or 0 for row in rows],
            color=colour,
            linestyle="--" if perfect else dashes,
            linewidth=0.8 if perfect else 1.4,
            marker=MARKERS[place % len(MARKERS)],
            markersize=5 if len(rows) > 1 else 8,
            fillstyle="full" if perfect else _FILLS[networks[style].index(line) % len(_FILLS)],
            label=None if perfect and rows[0]["sampler"] in trained else literal(line),
        )
    axes.axhline(summary["floor"][name]["mean"], color="0.5", linestyle=":", label="real items")
    axes.set(xlabel="network calls", ylabel=METRICS[name].title, xscale="log")
    means = [row["metrics"][name]["mean"] for row in summary["rows"] if row["metrics"][name]["mean"] is not None]
    if METRICS[name].is_distance and min(means, default=0) > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(needs("matplotlib.ticker", extra="compare").LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
    calls = sorted({row["network_calls"] for row in summary["rows"] if row["network_calls"] == row["calls"]})
    axes.set_xticks(calls, [str(n) for n in calls])
    axes.xaxis.set_minor_locator(needs("matplotlib.ticker", extra="compare").NullLocator())
    axes.spines[["top", "right"]].set_visible(False)
    shown = sorted(zip(*axes.get_legend_handles_labels(), strict=True), key=lambda each: -last.get(each[1], -math.inf))
    settings: dict[str, Any] = {"frameon": False, "fontsize": 7, "handlelength": 3.5, "loc": "center left", "bbox_to_anchor": (1, 0.5)}
    axes.legend(*zip(*shown, strict=True), **settings)  # in the order in which curves end
    return figure


def _number(value: float | None) -> float:
    """What matplotlib leaves out: NaN, for a figure that has diverged."""
    return math.nan if value is None else value


def _style(row: Row) -> str:
    """What has a colour: a sampler, whichever network it is around; but chains of fixed levels each have their own."""
    return _line(row) if "levels" in row["model"] else str(row["sampler"])

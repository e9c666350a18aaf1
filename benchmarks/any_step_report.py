"""The page of `any_step.py` and its picture, from the figures that `compare` kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cases import Case, decoder_parameters
from saltus.chain import Chain
from saltus.evaluation import METRICS
from saltus.studies.compare.page import bound_figure, plus_minus, tabulated
from saltus.studies.pages import MARKERS, PALETTE

Row = dict[str, Any]
PICTURED = ("frechet", "energy")
"""The distances of the picture, of which the table has the second alone where there are no features."""
FIXED, _FIXED_TITLE = "VAE for", "VAEs for fixed grids"
_INTRODUCTION = """# One model for every number of calls

Made by `python benchmarks/any_step.py train FOLDER`, `... compare FOLDER` and `... report`. An any-step VAE and an any-step Gaussian
kernel are compared with VAEs that are each trained for their own cosine grid. Every network has as many parameters as the decoder of
a VAE (within 5%) and was trained for the same CPU time, validations included; one more any-step VAE was trained
for the time of the four fixed grids together. The planned grid is the one with the least bound on validation items of all grids of
16 times. Eta, temperature and the last step of continuous data are chosen on validation items by sliced Wasserstein distance; figures
are taken on test items. Mean ± standard deviation over networks trained with different seeds, each sampled with another seed.
"""


def write_page(kept: Path, cases: Mapping[str, Case], page: Path) -> None:
    """The page, with every case that was compared."""
    files = {name: kept / name / "compare" / "compare.json" for name in cases}
    summaries = {name: in_order(json.loads(file.read_text())) for name, file in files.items() if file.exists()}
    lines = [_INTRODUCTION]
    for name, summary in summaries.items():
        lines += [f"## {name}", "", *_case(kept / name, summary)]
    page.parent.mkdir(parents=True, exist_ok=True)
    if summaries:
        picture = page.with_suffix(".png")
        curves(summaries).savefig(picture, dpi=110)
        lines += [f"![distances and bounds over network calls]({picture.name})", ""]
    page.write_text("\n".join(lines))


def in_order(summary: dict[str, Any]) -> dict[str, Any]:
    """The rows of each model together."""
    models = list(summary["models"])
    return summary | {"rows": sorted(summary["rows"], key=lambda row: models.index(row["model"]))}


def _case(folder: Path, summary: dict[str, Any]) -> list[str]:
    lines = [
        f"{summary['data']}. {summary['n_generated']} samples against {summary['n_real']} test items. {summary['features']}",
        f"Machine: {'; '.join(summary['machines'])}.",
        "",
        *_runs(folder),
    ]
    bounds = [row["bound"] for row in summary["rows"] if row["bound"]]
    lines += [f"Bound, {bounds[0]['unit']}, on {bounds[0]['items']} test items: {bounds[0]['convention']}", ""]
    lines += _table(summary, bound_figure)
    for metric, floor in summary["floor"].items():
        lines += [f"{METRICS[metric].title}; real training items: {plus_minus(floor, 3)}", ""]
        lines += _table(summary, partial(_figure, metric))
    return lines


def _figure(metric: str, row: Row) -> str:
    return plus_minus(row["metrics"][metric], 3)


def _table(summary: dict[str, Any], value: Callable[[Row], str]) -> list[str]:
    headings, *rows = tabulated(summary, value)
    return ["| " + " | ".join(headings) + " |", "|---" * len(headings) + "|", *("| " + " | ".join(row) + " |" for row in rows), ""]


def _runs(folder: Path) -> list[str]:
    """What was trained, and what the planning of grids took."""
    lines = ["| run | parameters of the sampled network | updates | CPU seconds of training | of planning grids |", "|---|---|---|---|---|"]
    for file in sorted(folder.glob("*/time.json")):
        spent, grids = json.loads(file.read_text()), file.with_name("grids.json")
        planning = f"{json.loads(grids.read_text())['cpu_seconds']:.0f}" if grids.exists() else ""
        size = decoder_parameters(Chain.load(file.parent))
        lines.append(f"| {file.parent.name} | {size} | {spent['updates']} | {spent['cpu_seconds']:.0f} | {planning} |")
    return [*lines, ""]


def curves(summaries: Mapping[str, dict[str, Any]]) -> Figure:
    """For each case the distances and the bound over network calls; fixed grids are one line, a model at each of its points."""
    figure = Figure(figsize=(12.5, 3.6 * len(summaries)), layout="constrained")
    grid = figure.subplots(len(summaries), len(PICTURED) + 1, squeeze=False)
    for (name, summary), line in zip(summaries.items(), grid, strict=True):
        for axes, metric in zip(line, PICTURED, strict=False):
            _draw(axes, summary, lambda row, metric=metric: row["metrics"][metric])  # type: ignore[misc]
            axes.axhline(summary["floor"][metric]["mean"], color="0.5", linestyle=":", label="real items")
            axes.set(yscale="log")
            axes.set_title(f"{name}: {METRICS[metric].title}", fontsize=9)
        unit = next(row["bound"]["unit"] for row in summary["rows"] if row["bound"])
        _draw(line[-1], summary, lambda row: row["bound"] and row["bound"]["value"])
        line[-1].set_title(f"{name}: bound, {unit}", fontsize=9)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize="small")
    return figure


def _draw(axes: Axes, summary: dict[str, Any], value: Callable[[Row], dict[str, Any] | None]) -> None:
    """A colour for each model, and dashes for planned grids."""
    lines: dict[tuple[str, str], list[tuple[int, dict[str, Any]]]] = {}
    for row in summary["rows"]:
        is_fixed, found = row["model"].startswith(FIXED), value(row)
        if found and found["mean"] is not None:
            key = (_FIXED_TITLE, "") if is_fixed else (row["model"], row["sampler"].rpartition(", ")[2])
            lines.setdefault(key, []).append((row["calls"], found))
    styles = {model: i for i, model in enumerate(dict.fromkeys(model for model, _ in lines))}
    for (model, grid), points in lines.items():
        axes.errorbar(
            [calls for calls, _ in points],
            [figure["mean"] for _, figure in points],
            [figure["spread"] or 0 for _, figure in points],
            label=f"{model}, {grid}" if grid else model,
            color=PALETTE[styles[model]],
            marker=MARKERS[styles[model]],
            linestyle="--" if grid.startswith("planned") else "-",
            capsize=2,
        )
    ticks = sorted({row["calls"] for row in summary["rows"]})
    axes.set(xlabel="network calls", xscale="log")
    axes.set_xticks(ticks, [str(calls) for calls in ticks])
    axes.minorticks_off()

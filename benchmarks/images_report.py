"""docs/results/images.md and its pictures, from the figures that `images.py compare` kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from saltus.chain import Chain
from saltus.evaluation import METRICS, draw_rows
from saltus.kernels import VAEKernel
from saltus.studies.cells import Cells
from saltus.studies.compare_page import curves, plus_minus, tabulated
from saltus.studies.models import PERFECT

TABLES = ("frechet", "sliced_wasserstein", "recall")
CURVE = "frechet"
PICTURED_CALLS, PICTURED = 4, 12


INTRODUCTION = f"""# Kernels and rivals at equal network calls

Made by `python benchmarks/images.py train FOLDER`, `... compare FOLDER` and `... report`; its docstring says how sizes and
times are matched. Every figure is a mean ± standard deviation over networks trained with different seeds, each sampled
with another seed (where there are fewer than three, in turns until there are three figures). Grids are chosen for each rival
and number of calls on validation items, by sliced Wasserstein distance for samples and by the bound for likelihoods; figures
are taken on test items. The last step gives its mean. The Fréchet distance is in the features of a classifier trained for
each data set, by which nothing here was chosen. "{PERFECT}" replaces the network by E[y | z_t] of the training items (of the
true law for digits-mixture): what it leaves is the fault of the kind of step. Heun takes as many steps as the calls pay for.
"""


def write_report(kept: Path, cases: Mapping[str, Sequence[int]], report: Path) -> None:
    """The page, with every case that was compared, and what is not measured yet of the numbers of calls that it asks for."""
    lines = [INTRODUCTION]
    for name, calls in cases.items():
        file = kept / name / "compare" / "compare.json"
        if file.exists():
            summary = json.loads(file.read_text())
            lines += ["", *_case(kept / name, name, summary, report.parent), *_missing(summary, calls)]
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text("\n".join(lines) + "\n")
    print(f"the tables are in {report}")


def _case(folder: Path, name: str, summary: dict[str, Any], out: Path) -> list[str]:
    lines = [
        f"## {name}",
        "",
        f"{summary['data']}. {summary['n_generated']} samples against {summary['n_real']} test items. {summary['features']}",
    ]
    lines += [f"Machine: {'; '.join(summary['machines'])}.", "", *_runs(folder)]
    for metric in (metric for metric in TABLES if metric in summary["floor"]):
        floor = summary["floor"][metric]
        lines += ["", f"{METRICS[metric].title}; real training items: {plus_minus(floor, 3)}", ""]
        lines += _table(summary, lambda row, metric=metric: plus_minus(row["metrics"][metric], 3))
    bounds = [row["bound"] for row in summary["rows"] if row["bound"]]
    lines += ["", f"Bound, {bounds[0]['unit']}, on {bounds[0]['items']} test items: {bounds[0]['convention']}", ""]
    lines += _table(summary, lambda row: plus_minus(row["bound"]["value"]) if row["bound"] else "")
    lines += ["", "Seconds for 1000 samples, on a machine that did other work too", ""]
    lines += _table(summary, lambda row: f"{row['seconds_per_1000']:.3g}")
    curves(summary, CURVE).savefig(out / f"images_{name}.png", dpi=110)
    lines += ["", f"![{METRICS[CURVE].title} over network calls](images_{name}.png)"]
    calls = max(row["calls"] for row in summary["rows"] if row["calls"] <= PICTURED_CALLS)  # fewer while a comparison goes on
    _draw_samples(folder, summary, calls, out / f"images_{name}_samples.png")
    return [*lines, "", f"Samples at {calls} calls:", "", f"![samples](images_{name}_samples.png)"]


def _missing(summary: dict[str, Any], asked: Sequence[int]) -> list[str]:
    """A line for each number of calls at which ways that take any number have no row: the comparison was stopped."""
    done = {(row["model"], row["way"], row["calls"]) for row in summary["rows"]}
    any_number = {(model, way) for model, way, _ in done if model != PERFECT and not model.startswith("VAE")}
    lacking = {calls: [f"{model}: {way}" for model, way in sorted(any_number) if (model, way, calls) not in done] for calls in asked}
    lines = [
        f"* {calls} calls: {'every way' if len(ways) == len(any_number) else ', '.join(ways)}" for calls, ways in lacking.items() if ways
    ]
    return ["", "Not measured yet:", "", *lines] if lines else []


def _runs(folder: Path) -> list[str]:
    lines = ["| run | decoder's parameters | encoder's | updates | CPU seconds of training |", "|---|---|---|---|---|"]
    for run in sorted(folder.glob("*-*/time.json")):
        kernel, time = Chain.load(run.parent).kernel(1), json.loads(run.read_text())
        total = sum(p.numel() for p in kernel.parameters())
        decoder = sum(p.numel() for p in kernel.decoder.parameters()) if isinstance(kernel, VAEKernel) else total
        lines.append(f"| {run.parent.name} | {decoder} | {total - decoder or ''} | {time['updates']} | {time['cpu_seconds']:.0f} |")
    missing = [run.name for run in folder.glob("*.unfinished")]
    return [*lines, *([f"Not finished: {', '.join(missing)}."] if missing else [])]


def _table(summary: dict[str, Any], value: Callable[[dict[str, Any]], str]) -> list[str]:
    headings, *rows = tabulated(summary, value)
    return ["| " + " | ".join(headings) + " |", "|---" * len(headings) + "|", *("| " + " | ".join(row) + " |" for row in rows)]


def _draw_samples(folder: Path, summary: dict[str, Any], calls: int, file: Path) -> None:
    kept = Cells(folder / "compare" / "figures")
    rows = [row for row in summary["rows"] if row["calls"] == calls]
    draw_rows({f"{row['model']}: {row['way']}": kept.load(row["pictured"])[:PICTURED] for row in rows}, file, shown=(-1.0, 1.0))

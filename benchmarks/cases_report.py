"""The page of a benchmark of cases and its pictures, from the figures that its `compare` kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cases import Case, decoder_parameters
from saltus.chain import Chain
from saltus.evaluation import METRICS, draw_rows
from saltus.studies.cache import ResultCache
from saltus.studies.compare.models import PERFECT
from saltus.studies.compare.page import bound_figure, curves, plus_minus, tabulated

OF_IMAGES = ("frechet", "sliced_wasserstein", "recall")
PICTURED_CALLS, PICTURED = 4, 12
LISTED = 4  # steps whose nats are told one by one, at most
IMAGES = 4  # dimensions of a batch of them


INTRODUCTION = f"""# Kernels and rivals at equal network calls

Made by `python benchmarks/{{name}}.py train FOLDER`, `... compare FOLDER` and `... report`; `benchmarks/cases.py` says how sizes and
times are matched. Every figure is a mean ± standard deviation over networks trained with different seeds, each sampled
with another seed (where there are fewer than three, in turns until there are three figures). Grids, etas and temperatures
are chosen for each sampler and number of calls on validation items, by the Fréchet distance (of tables by the sliced Wasserstein
distance) for samples and by the bound for likelihoods; figures are taken on test items. The last step gives what its head ends in,
a mode or a sample, or the other where that was chosen; diffusers' samplers end in the network's prediction. The Fréchet distance is
in the features of a classifier trained for each data set, on its training items.
"{PERFECT}" replaces the network by E[y | z_t] of the training items (of the true distribution for digits-mixture): what it leaves is
the fault of the kind of step. Heun takes as many steps as the calls pay for.
"""


def write_report(kept: Path, cases: Mapping[str, Case], report: Path, metrics: Sequence[str] = OF_IMAGES) -> None:
    """The page, with every case that was compared and what it still lacks; curves are of the first metric."""
    lines = [INTRODUCTION.format(name=report.stem)]
    for name, case in cases.items():
        file = kept / name / "compare" / "compare.json"
        if file.exists():
            summary = json.loads(file.read_text())
            picture = report.with_name(f"{report.stem}_{name}")
            lines += ["", *_case(kept / name, summary, picture, metrics), *_missing(summary, case)]
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text("\n".join(lines) + "\n")
    print(f"the tables are in {report}")


def _case(folder: Path, summary: dict[str, Any], picture: Path, metrics: Sequence[str]) -> list[str]:
    lines = [
        f"## {folder.name}",
        "",
        f"{summary['data']}. {summary['n_generated']} samples against {summary['n_real']} test items. {summary['features']}",
    ]
    lines += [f"Machine: {'; '.join(summary['machines'])}.", "", *_runs(folder)]
    for metric in (metric for metric in metrics if metric in summary["floor"]):
        floor = summary["floor"][metric]
        lines += ["", f"{METRICS[metric].title}; real training items: {plus_minus(floor, 3)}", ""]
        lines += _table(summary, partial(_figure, metric))
    bounds = [row["bound"] for row in summary["rows"] if row["bound"]]
    lines += ["", f"Bound, {bounds[0]['unit']}, on {bounds[0]['items']} test items: {bounds[0]['convention']}", ""]
    lines += _table(summary, bound_figure)
    lines += ["", "Its nats step by step, the cleanest first", ""]
    lines += _table(summary | {"rows": [row for row in summary["rows"] if row["calls"] <= LISTED]}, _nats)
    lines += ["", "Multiply-adds for one sample, in millions", ""]
    lines += _table(summary, lambda row: "" if row["multiply_adds"] is None else f"{row['multiply_adds'] / 1e6:.1f}")
    lines += ["", "Seconds for 1000 samples, of the clock", ""]
    lines += _table(summary, lambda row: f"{row['seconds_per_1000']:.3g}")
    curves(summary, metrics[0]).savefig(picture.with_suffix(".png"), dpi=110)
    lines += ["", f"![{METRICS[metrics[0]].title} over network calls]({picture.name}.png)"]
    return lines + _samples(folder, summary, picture.with_name(f"{picture.name}_samples.png"))


def _figure(metric: str, row: dict[str, Any]) -> str:
    return plus_minus(row["metrics"][metric], 3)


def _nats(row: dict[str, Any]) -> str:
    return " / ".join(f"{nats:.1f}" for nats in row["bound"]["per_level"]) if row["bound"] else ""


def _missing(summary: dict[str, Any], case: Case) -> list[str]:
    """A line for each number of calls at which a sampler that takes any number, or the perfect denoiser, has no row yet."""
    done = {(row["model"], row["sampler"], row["calls"]) for row in summary["rows"]}
    any_number = {(model, sampler) for model, sampler, _ in done if model != PERFECT and " levels" not in model}
    lacking = {
        calls: [f"{model}: {name}" for model, name in sorted(any_number) if (model, name, calls) not in done] for calls in case.calls
    }
    lines = [
        f"* {calls} calls: {'every sampler' if len(names) == len(any_number) else ', '.join(names)}"
        for calls, names in lacking.items()
        if names
    ]
    perfect = {calls for model, _, calls in done if model == PERFECT}
    lines += [f"* {calls} calls: {PERFECT}" for calls in case.perfect if calls not in perfect]
    return ["", "Not measured yet:", "", *lines] if lines else []


def _runs(folder: Path) -> list[str]:
    lines = ["| run | decoder's parameters | encoder's | updates | CPU seconds of training |", "|---|---|---|---|---|"]
    for run in sorted(folder.glob("*-*/time.json")):
        chain, time = Chain.load(run.parent), json.loads(run.read_text())
        total, decoder = sum(p.numel() for p in chain.parameters()), decoder_parameters(chain)
        lines.append(f"| {run.parent.name} | {decoder} | {total - decoder or ''} | {time['updates']} | {time['cpu_seconds']:.0f} |")
    missing = [run.name for run in folder.glob("*.unfinished")]
    return [*lines, *([f"Not finished: {', '.join(missing)}."] if missing else [])]


def _table(summary: dict[str, Any], value: Callable[[dict[str, Any]], str]) -> list[str]:
    headings, *rows = tabulated(summary, value)
    return ["| " + " | ".join(headings) + " |", "|---" * len(headings) + "|", *("| " + " | ".join(row) + " |" for row in rows)]


def _samples(folder: Path, summary: dict[str, Any], file: Path) -> list[str]:
    """A picture of what every sampler gives, for images."""
    calls = max(row["calls"] for row in summary["rows"] if row["calls"] <= PICTURED_CALLS)  # fewer while a comparison goes on
    kept = ResultCache(folder / "compare" / "figures")
    drawn = {f"{row['model']}: {row['sampler']}": kept.load(row["pictured"])[:PICTURED] for row in summary["rows"] if row["calls"] == calls}
    if next(iter(drawn.values())).ndim < IMAGES:
        return []
    draw_rows(drawn, file, shown=(-1.0, 1.0))
    return ["", f"Samples at {calls} calls:", "", f"![samples]({file.name})"]

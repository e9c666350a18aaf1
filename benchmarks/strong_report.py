"""What `strong.py` was asked to reach against what it measured, and distances over the length of training."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cases import Case
from saltus.evaluation import METRICS
from saltus.studies.compare.models import PERFECT
from saltus.studies.compare.page import plus_minus

Row = dict[str, Any]

COMPARED = ("frechet", "sliced_wasserstein")
CALLS, ANCESTRAL_CALLS = (2, 4), 250
GAUSSIAN, LEARNED = "Gaussian, any step", "Gaussian step, learned variance"
"""Names of models, or how they begin."""
GAUSSIAN_STEP, DDIM = "Gaussian step", "DDIM"
NAMED = (GAUSSIAN_STEP, DDIM, "DPM-Solver++ 2M", "UniPC")
"""The rivals that must be beaten; an aim is a share of the distance of the best of all."""
AIMS = {2: 1 / 4, 4: 1 / 2}
"""The share of the best rival's distance that is aimed at."""
NEAR_ANCESTRAL = 1.2
BEST, TIMED = "best rival", 4
COLOURS = {"VAE": "C0", GAUSSIAN_STEP: "C1", BEST: "C2"}
LESS_BITS = 0.15
MORE_CALLS = 10
"""At which the Gaussian kernel's bound is to be beaten too."""


class Summary:
    """The rows of one comparison."""

    def __init__(self, file: Path) -> None:
        self.rows: list[Row] = json.loads(file.read_text())["rows"]

    def vae(self, calls: int, metric: str) -> Row | None:
        """The VAE of so many levels; the best by a metric, where there are several."""
        return self._best([row for row in self.rows if row["calls"] == calls and row["model"].startswith("VAE")], metric)

    def rival(self, calls: int, metric: str, samplers: Collection[str] | None = None) -> Row | None:
        """The best sampler of the Gaussian kernel's network, of all or of some."""
        rows = [row for row in self.rows if row["calls"] == calls and row["model"] == GAUSSIAN]
        return self._best([row for row in rows if samplers is None or row["sampler"] in samplers], metric)

    def bounds(self, calls: int, kind: str) -> list[dict[str, Any]]:
        """Of every model whose name begins so."""
        rows = [row for row in self.rows if row["calls"] == calls and row["bound"] and row["model"].startswith(kind)]
        return [row["bound"]["value"] for row in rows]

    @staticmethod
    def _best(rows: Iterable[Row], metric: str) -> Row | None:
        return min(rows, key=lambda row: distance(row, metric), default=None)

    def of(self, sampler: str, calls: int, *, perfect: bool = False) -> Row | None:
        """One sampler on the Gaussian kernel's network or on the perfect denoiser."""
        model = PERFECT if perfect else GAUSSIAN
        return next((row for row in self.rows if (row["model"], row["sampler"], row["calls"]) == (model, sampler, calls)), None)


def distance(row: Row, metric: str) -> float:
    """Above the floor; infinite where a sampler diverged."""
    above = row["metrics"][metric]["above_floor"]
    return math.inf if above is None else float(above)


def shown(row: Row, metric: str) -> str:
    figure = row["metrics"][metric]
    return plus_minus({**figure, "mean": figure["above_floor"]}, 3)


def targets(summary: Summary) -> list[str]:
    """A table: each target, what was measured, and whether it is met."""
    lines = ["| calls | target | VAE | against | met |", "|---|---|---|---|---|"]
    for calls in CALLS:
        for metric in COMPARED:
            vae = summary.vae(calls, metric)
            if vae is not None:
                lines += [f"| {calls} | {target} |" for target in _distances(summary, calls, metric, vae)]
        lines += [f"| {calls} | {target} |" for target in _bounds(summary, calls)]
    return lines


def _distances(summary: Summary, calls: int, metric: str, vae: Row) -> Iterable[str]:
    title, own = METRICS[metric].title, distance(vae, metric)
    named, best = summary.rival(calls, metric, NAMED), summary.rival(calls, metric)
    if named is not None and best is not None:
        spread = math.hypot(vae["metrics"][metric]["spread"] or 0, named["metrics"][metric]["spread"] or 0)
        words = f"{shown(vae, metric)} | {named['sampler']} {shown(named, metric)}"
        below = met(own + spread < distance(named, metric))
        yield f"must: {title} below {', '.join(NAMED)}, beyond the spread | {words} | {below}"
        words = f"{_share(own, best, metric)} of it | {best['sampler']} {shown(best, metric)}"
        yield f"aim: at most {AIMS[calls]:g} of the best rival's | {words} | {met(own <= AIMS[calls] * distance(best, metric))}"
    ancestral = summary.of(GAUSSIAN_STEP, ANCESTRAL_CALLS)
    if ancestral is not None:
        words = f"{_share(own, ancestral, metric)} times | {shown(ancestral, metric)}"
        near = met(own <= NEAR_ANCESTRAL * distance(ancestral, metric))
        yield f"aim: at most {NEAR_ANCESTRAL} times {ANCESTRAL_CALLS}-call ancestral sampling | {words} | {near}"
    for sampler in (GAUSSIAN_STEP, DDIM):
        perfect = summary.of(sampler, calls, perfect=True)
        if perfect is not None:
            words = f"{shown(vae, metric)} | {shown(perfect, metric)}"
            yield f"stretch: below the {sampler} with a perfect denoiser | {words} | {met(own < distance(perfect, metric))}"


def _share(own: float, rival: Row, metric: str) -> str:
    """What share of a rival's distance; none where the rival is at the floor."""
    theirs = distance(rival, metric)
    return f"{own / theirs:.2f}" if theirs > 0 else "no share"


def _bounds(summary: Summary, calls: int) -> Iterable[str]:
    """Of the chain that is judged by its samples too, against the best of each kind of rival."""
    vae, rivals = summary.vae(calls, COMPARED[0]), [(GAUSSIAN, calls, LESS_BITS), (LEARNED, calls, LESS_BITS), (GAUSSIAN, MORE_CALLS, 0.0)]
    for kind, at, share in rivals:
        theirs = summary.bounds(at, kind)
        if vae is not None and theirs:
            own, rival = vae["bound"]["value"], min(theirs, key=lambda value: value["mean"])
            less = 1 - own["mean"] / rival["mean"]
            whose = f"at least {share:.0%} below" if share else "below"
            target = f"bits/dim {whose} the Gaussian kernel's{' with learned variance' * (kind == LEARNED)} at {at} calls"
            yield f"{target} | {plus_minus(own)} ({less:.1%} less) | {plus_minus(rival)} | {met(less >= share)}"


def met(is_met: bool) -> str:
    """In a word."""
    return "yes" if is_met else "no"


def over_time(summaries: Mapping[float, Summary]) -> Figure:
    """Distances above the floor, and bounds, at `TIMED` calls over the length of training."""
    figure = Figure(figsize=(4.2 * (len(COMPARED) + 1), 3.6), layout="constrained")
    *distances, bounds = figure.subplots(1, len(COMPARED) + 1)
    for metric, axes in zip(COMPARED, distances, strict=True):
        found = {name: [(seconds / 60, row) for seconds, row in _timed(summaries, name, metric)] for name in COLOURS}
        for name, points in found.items():
            minutes = [minute for minute, _ in points]
            _curve(axes, name, minutes, [row["metrics"][metric] | {"mean": distance(row, metric)} for _, row in points])
            if metric == COMPARED[0] and name != BEST:
                _curve(bounds, name, minutes, [row["bound"]["value"] for _, row in points])
        axes.set(title=f"{METRICS[metric].title}, {TIMED} calls", ylabel="above the floor", yscale="log")
    bounds.set(title=f"bound, {TIMED} calls", ylabel="bits/dim")
    for axes in (*distances, bounds):
        axes.set(xlabel="CPU minutes of training")
    figure.legend(*distances[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(COLOURS), fontsize="small")
    return figure


def _timed(summaries: Mapping[float, Summary], name: str, metric: str) -> Iterator[tuple[float, Row]]:
    """Seconds of training, and the row of a curve's name."""
    for seconds, summary in sorted(summaries.items()):
        row = {"VAE": summary.vae(TIMED, metric), GAUSSIAN_STEP: summary.of(GAUSSIAN_STEP, TIMED), BEST: summary.rival(TIMED, metric)}[name]
        if row is not None:
            yield seconds, row


def _curve(axes: Axes, name: str, minutes: Sequence[float], figures: Sequence[dict[str, Any]]) -> None:
    means, spreads = [figure["mean"] for figure in figures], [figure["spread"] or 0 for figure in figures]
    axes.errorbar(minutes, means, spreads, label=name, color=COLOURS[name], marker="o", capsize=2)
    axes.set_xticks(minutes, [f"{minute:g}" for minute in minutes])


def write_targets(kept: Path, cases: Mapping[str, Case], report: Path) -> None:
    """Add the targets of each case, and the curves of each data set, to a report that is there."""
    lines = [report.read_text().rstrip("\n"), "", "# Targets", "", "Distances are above the floor of real items, on test items.", ""]
    summaries: dict[str, dict[float, Summary]] = {}
    for name, case in cases.items():
        file = kept / name / "compare" / "compare.json"
        if file.exists():
            summary = summaries.setdefault(case.data, {})[case.seconds] = Summary(file)
            if len(case.seeds) > 1:
                lines += [f"## {name}", "", *targets(summary), ""]
    for data, of_lengths in summaries.items():
        if len(of_lengths) > 1:
            picture = report.with_name(f"{report.stem}_{data}_time.png")
            over_time(of_lengths).savefig(picture, dpi=110)
            lines += [f"## {data} over the length of training", "", f"![distances over minutes]({picture.name})", ""]
    report.write_text("\n".join(lines))

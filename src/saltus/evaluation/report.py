"""One sampler, or one file of samples, measured several times against real items and their floor."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

from saltus.chain import Chain
from saltus.errors import SaltusError
from saltus.evaluation.evaluator import Evaluator, Figures, Part, Progress, silent
from saltus.evaluation.metrics import METRICS
from saltus.kernels import Sampling

__all__ = ["THIRDS", "ChainSampler", "Report", "Result", "Sampler", "evaluate", "evaluate_items"]

THIRDS = 3
"""Sets that a file of samples is measured in."""


class Sampler(Protocol):
    """Anything that generates items."""

    def sample(self, n: int, *, seed: int) -> Tensor:
        """n items (n, *E) of a seed."""
        ...


@dataclass(frozen=True)
class ChainSampler:
    """A chain, and how its steps are sampled."""

    chain: Chain
    how: Sampling

    def sample(self, n: int, *, seed: int) -> Tensor:
        return self.chain.sample(n, seed=seed, how=self.how)


@dataclass(frozen=True)
class Result:
    """One metric.

    Attributes:
        generated: the figures of generated items.
        floor: those of real items in their place.
        above_floor: the difference of the means, where the metric is a distance.
    """

    generated: Figures
    floor: Figures
    above_floor: float | None


@dataclass(frozen=True)
class Report:
    """What was measured, and how.

    Attributes:
        data: the data set, in words.
        fingerprint: of the data set.
        part: which real items.
        n_real: how many of them.
        n_generated: how many generated items each time.
        repeats: what differs between the values of a metric: seeds of a sampler, or thirds of a file.
        seeds: numbers of the seeds, or of the thirds.
        seconds: wall time, floor and sampling included.
        features: the classifier in whose features items were compared, in words.
        feature_accuracy: its share of test items that are classified right; None if there is none.
        feature_hash: of its weights.
        metrics: by name.
    """

    data: str
    fingerprint: str
    part: Part
    n_real: int
    n_generated: int
    repeats: Literal["seeds", "thirds"]
    seeds: tuple[int, ...]
    seconds: float
    features: str
    feature_accuracy: float | None
    feature_hash: str | None
    metrics: dict[str, Result]


def evaluate(sampler: Sampler, evaluator: Evaluator, seeds: Sequence[int] = (0, 1, 2), *, progress: Progress = silent) -> Report:
    """Measure a sampler, once for each seed.

    Raises:
        SaltusError: for no seed, or if samples have another shape than the data, or values that are not finite.
    """
    if not seeds:
        raise SaltusError("there is no seed; expected at least one: give some")

    def draws() -> Iterable[Tensor]:
        for seed in seeds:
            progress(f"seed {seed}: {evaluator.n} samples")
            yield sampler.sample(evaluator.n, seed=seed)

    return _report(draws(), evaluator, "seeds", seeds, progress)


def evaluate_items(x: Tensor, evaluator: Evaluator, *, progress: Progress = silent) -> Report:
    """Measure items that are there already, (N, *E) with N >= 3 n: three disjoint sets of n, in their order.

    Raises:
        SaltusError: if they are too few.
    """
    if len(x) < THIRDS * evaluator.n:
        raise SaltusError(
            f"{len(x)} samples make no {THIRDS} sets of {evaluator.n}; expected at least {THIRDS * evaluator.n}: give more, or a smaller n"
        )
    return _report(x.split(evaluator.n)[:THIRDS], evaluator, "thirds", range(THIRDS), progress)


def _report(
    draws: Iterable[Tensor], evaluator: Evaluator, repeats: Literal["seeds", "thirds"], seeds: Sequence[int], progress: Progress
) -> Report:
    start, found = time.monotonic(), []
    for number, x in enumerate(draws, 1):
        progress(f"measuring, {number} of {len(seeds)}")
        found.append(evaluator.measure(x))
    return Report(
        data=evaluator.data.describe(),
        fingerprint=evaluator.data.fingerprint,
        part=evaluator.part,
        n_real=evaluator.n_real,
        n_generated=evaluator.n,
        repeats=repeats,
        seeds=tuple(seeds),
        features=evaluator.features_note,
        feature_accuracy=evaluator.features.accuracy if evaluator.features else None,
        feature_hash=evaluator.features.hash if evaluator.features else None,
        metrics={name: _result(name, Figures.of([values[name] for values in found]), evaluator.floor[name]) for name in evaluator.metrics},
        seconds=round(time.monotonic() - start, 1),
    )


def _result(name: str, generated: Figures, floor: Figures) -> Result:
    return Result(generated, floor, generated.mean - floor.mean if METRICS[name].is_distance else None)

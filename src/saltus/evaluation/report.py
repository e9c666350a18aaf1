"""Measures a sampler, or items from a file, several times against real items, and reports the figures with their floor."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from saltus.chain import Chain
from saltus.errors import SaltusError
from saltus.evaluation.evaluator import Evaluator, Figures, Part, Progress, silent
from saltus.evaluation.metrics import METRICS
from saltus.evaluation.shares import shared_samples
from saltus.kernels import Sampling
from saltus.processes import Processes

__all__ = ["THIRDS", "ChainSampler", "Report", "Result", "Sampler", "drawn_conditions", "evaluate", "evaluate_items"]

THIRDS = 3
"""The number of sets that items from a file are divided into."""


class Sampler(Protocol):
    """Anything that generates items."""

    def sample(self, n: int, *, seed: int) -> Tensor:
        """n items (n, *E) of a seed."""
        ...


@dataclass(frozen=True)
class ChainSampler:
    """A chain with options for its sampling.

    Attributes:
        chain: generates the items.
        sampling: the options of every step.
        conditions: those of real items, among which those of the generated ones are drawn; None for a chain without a condition.
        processes: those that share the items, and all get them.
    """

    chain: Chain
    sampling: Sampling
    conditions: Tensor | None = None
    processes: Processes = field(default_factory=Processes)

    def sample(self, n: int, *, seed: int) -> Tensor:
        """n items (n, *E) of a seed."""
        condition = drawn_conditions(self.conditions, n, seed=seed)
        return shared_samples(self.chain, n, self.processes, seed=seed, sampling=self.sampling, condition=condition)


def drawn_conditions(conditions: Tensor | None, n: int, *, seed: int) -> Tensor | None:
    """n of the conditions of real items (N, ...), with replacement; None of none."""
    if conditions is None:
        return None
    return conditions[torch.from_numpy(np.random.default_rng(seed).integers(len(conditions), size=n))]


@dataclass(frozen=True)
class Result:
    """One metric.

    Attributes:
        generated: the figures of generated items.
        floor: those of real items in their place.
        above_floor: the difference of the means; None if the metric is no distance.
    """

    generated: Figures
    floor: Figures
    above_floor: float | None


@dataclass(frozen=True, repr=False)
class Report:
    """The figures of a sampler or a file, and the protocol by which they were measured.

    Attributes:
        data: the data set, in words.
        fingerprint: fingerprint of the data set.
        part: the part of the real items.
        n_real: the number of real items.
        n_generated: the number of generated items in each set.
        repeats: whether the sets come from seeds of a sampler or are thirds of a file.
        seeds: numbers of the seeds, or of the thirds.
        seconds: wall time of the whole, floor and sampling included.
        features: the classifier in whose features items were compared, in words.
        feature_accuracy: the share of the test items that it classifies correctly; None if no metric uses it.
        feature_hash: hash of its weights; None if no metric uses it.
        metrics: the results, by name.
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

    def __repr__(self) -> str:
        figures = ", ".join(f"{name}={result.generated.mean:.4g}" for name, result in self.metrics.items())
        sets = f"{len(self.seeds)} {self.repeats} of {self.n_generated} items against {self.n_real} {self.part} items"
        return f"Report({self.data.partition(':')[0]}, {sets}: {figures})"


def evaluate(sampler: Sampler, evaluator: Evaluator, seeds: Sequence[int] = (0, 1, 2), *, progress: Progress = silent) -> Report:
    """Measure a sampler, once for each seed.

    Raises:
        SaltusError: if there is no seed, or samples have another shape than the data or values that are not finite.
    """
    if not seeds:
        raise SaltusError("there is no seed; expected at least one: give some")

    def sets() -> Iterable[Tensor]:
        for seed in seeds:
            progress(f"seed {seed}: {evaluator.n} samples")
            yield sampler.sample(evaluator.n, seed=seed)

    return _report(sets(), evaluator, "seeds", seeds, progress)


def evaluate_items(x: Tensor, evaluator: Evaluator, *, progress: Progress = silent) -> Report:
    """Measure given items (N, *E), N >= 3 n, as three disjoint sets of n in their order.

    Raises:
        SaltusError: if there are fewer.
    """
    if len(x) < THIRDS * evaluator.n:
        raise SaltusError(
            f"{len(x)} samples make no {THIRDS} sets of {evaluator.n}; expected at least {THIRDS * evaluator.n}: give more, or a smaller n"
        )
    return _report(x.split(evaluator.n)[:THIRDS], evaluator, "thirds", range(THIRDS), progress)


def _report(
    sets: Iterable[Tensor], evaluator: Evaluator, repeats: Literal["seeds", "thirds"], seeds: Sequence[int], progress: Progress
) -> Report:
    start, found = time.monotonic(), []
    for number, x in enumerate(sets, 1):
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

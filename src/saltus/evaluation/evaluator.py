"""A fixed protocol for comparing generated items with real ones.

Real items are those of one part of the data set, at most 10,000 of them, which the seed chooses.  Generated items are first
decoded and encoded again, because users receive decoded items: values that are not rounded would be easy to tell from real ones.

The floor is the figure of real items in place of generated ones.  It is measured with up to three disjoint sets of n training
items against the same real items.  The floor of memorisation needs items that training never saw.  It is measured with three
thirds of the validation items if the real items are test items, and the other way round.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from saltus.data import DataSet, subsample
from saltus.errors import SaltusError
from saltus.evaluation.features import Features, features_for
from saltus.evaluation.inception import inception_features, inception_network
from saltus.evaluation.metrics import DEFAULT_METRICS, FEATURE_METRICS, INCEPTION_METRICS, MEMORISATION_METRICS, METRICS, SampleSet, measure

__all__ = ["MOST_ITEMS", "Evaluator", "Figures", "Part", "Progress", "measurable", "silent"]

MOST_ITEMS = 10_000
"""The largest number of real items: more would cost more and add little."""
_FLOOR_SETS = 3

Part = Literal["test", "validation"]
Progress = Callable[[str], object]
"""Receives a few words about the next piece of work."""


def silent(words: str) -> None:
    """Progress that nobody follows."""


@dataclass(frozen=True)
class Figures:
    """The values of one metric.

    Attributes:
        mean: mean of the values.
        spread: their standard deviation; nan for one value, or if one is not finite.
        values: one for each set of items.
    """

    mean: float
    spread: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Figures:
        """From one value or more."""
        spread = statistics.stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else math.nan
        return cls(statistics.fmean(values), spread, tuple(values))


def measurable(data: DataSet, n: int, metrics: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The metrics for which n generated items and the test items are enough; and a sentence about those for which they are not."""
    others = len(data.validation) // _FLOOR_SETS
    items = {name: min(n, len(data.test), others if name in MEMORISATION_METRICS else n) for name in metrics}
    kept = tuple(name for name in metrics if items[name] >= METRICS[name].fewest)
    lacking = [f"{METRICS[name].title} ({METRICS[name].fewest} items, and there are {items[name]})" for name in metrics if name not in kept]
    return kept, f"not measured for want of items: {', '.join(lacking)}" if lacking else ""


class Evaluator:
    """Measures sets of n generated items against the real items of one part of a data set.

    Args:
        data: the data set.
        n: the number of generated items.  Distances depend on it: compare figures of equal n only.
        part: "test" for figures that are reported, "validation" for choices.
        seed: chooses the real items and the sets of the floor, and seeds the metrics that use random numbers.
        metrics: names in `METRICS`.  Without one of `FEATURE_METRICS` no features are trained.
        progress: receives a few words about the next piece of work.

    Raises:
        ValueError: for another part, no metric or an unknown one.
        SaltusError: if n or the real items are too few for a metric, n is larger than the training part, or the Inception
            network is not available.
    """

    def __init__(
        self,
        data: DataSet,
        n: int,
        *,
        part: Part = "test",
        seed: int = 0,
        metrics: Sequence[str] = DEFAULT_METRICS,
        progress: Progress = silent,
    ) -> None:
        if part not in get_args(Part) or not metrics or not set(metrics) <= set(METRICS):
            raise ValueError(
                f"part = {part!r}, metrics = {tuple(metrics)}; expected one of {get_args(Part)}, and names of {tuple(METRICS)}"
            )
        self.data, self.n, self.part, self.seed, self.metrics, self._progress = data, n, part, seed, tuple(metrics), progress
        parts: dict[Part, Tensor] = {"test": data.test, "validation": data.validation}
        self._real_items, self._held_out_items = (subsample(parts[name], MOST_ITEMS, seed=seed) for name in (part, *(set(parts) - {part})))
        self._inception = _inception(data) if set(metrics) & set(INCEPTION_METRICS) else None
        self._check()

    def __repr__(self) -> str:
        return (
            f"Evaluator({self.data.name!r}, n={self.n}, part={self.part!r}, seed={self.seed}: "
            f"{len(self.metrics)} metrics against {self.n_real} real items)"
        )

    def _check(self) -> None:
        most_demanding = METRICS[max(self.metrics, key=lambda name: METRICS[name].fewest)]
        fewest = most_demanding.fewest
        for count, what in ((self.n, "generated"), (self.n_real, self.part)):
            if count < fewest:
                raise SaltusError(f"{count} {what} items are too few for the {most_demanding.title}; expected at least {fewest}: give more")
        others, needed = len(self._held_out_items), _FLOOR_SETS * METRICS[MEMORISATION_METRICS[0]].fewest
        if set(self.metrics) & set(MEMORISATION_METRICS) and others < needed:
            other = "validation" if self.part == "test" else "test"
            raise SaltusError(f"{others} {other} items are too few for the floor of memorisation; expected at least {needed}: give more")
        if self.n > len(self.data.train):
            raise SaltusError(
                f"{self.n} generated items are more than the {len(self.data.train)} training items of {self.data.name}, and the floor "
                f"is measured with as many of them; ask for fewer"
            )

    @property
    def n_real(self) -> int:
        """The number of real items."""
        return len(self._real_items)

    @property
    def real(self) -> Tensor:
        """The real items, (n_real, *E)."""
        return self._real_items

    @cached_property
    def features(self) -> Features | None:
        """The classifier in whose features items are compared; None if no metric uses it."""
        if not set(self.metrics) & set(FEATURE_METRICS):
            return None
        self._progress("features of the data set, trained once")
        return features_for(self.data)

    @property
    def features_note(self) -> str:
        """One line about the features, for humans."""
        return self.features.describe() if self.features else "no features"

    @cached_property
    def floor(self) -> dict[str, Figures]:
        """For each metric, the figures of real items in place of generated ones."""
        order = torch.from_numpy(np.random.default_rng(self.seed).permutation(len(self.data.train)))
        subsets = order.split(self.n)[: min(_FLOOR_SETS, len(order) // self.n)]
        names = [name for name in self.metrics if name not in MEMORISATION_METRICS]
        held_out = [name for name in self.metrics if name in MEMORISATION_METRICS]
        found = []
        for number, subset in enumerate(subsets if names else (), 1):
            self._progress(f"the floor, real items against real items: {number} of {len(subsets)}")
            found.append(measure(self._sample_set(self.data.train[subset]), self._real, names, seed=self.seed))
        figures = {name: Figures.of([values[name] for values in found]) for name in names}
        if held_out:
            self._progress("the floor of memorisation, held-out items against real items")
            thirds = [self._sample_set(items) for items in self._held_out_items.tensor_split(_FLOOR_SETS)]
            measured = [measure(third, self._real, held_out, seed=self.seed) for third in thirds]
            figures |= {name: Figures.of([values[name] for values in measured]) for name in held_out}
        return {name: figures[name] for name in self.metrics}

    def measure(self, x: Tensor) -> dict[str, float]:
        """The figures of generated items (n, *E), by name.

        Raises:
            SaltusError: if their number is not n, they have another shape, or a value is not finite.
        """
        if len(x) != self.n:
            raise SaltusError(
                f"{len(x)} generated items where {self.n} were expected; figures are compared at equal numbers only: give {self.n}"
            )
        encoding = self.data.encoding
        return measure(self._sample_set(encoding.encode(encoding.decode(x))), self._real, self.metrics, seed=self.seed)

    @cached_property
    def _real(self) -> SampleSet:
        return self._sample_set(self._real_items)

    def _sample_set(self, items: Tensor) -> SampleSet:
        return SampleSet(items, self.data.train, self._extract, self._extract_inception)

    def _extract(self, items: Tensor) -> Tensor:
        assert self.features is not None
        return self.features.extract(items)

    def _extract_inception(self, items: Tensor) -> Tensor:
        assert self._inception is not None
        return inception_features(items, self._inception, shown=self.data.encoding.shown)


def _inception(data: DataSet) -> nn.Module:
    if not data.encoding.layout.is_image:
        raise SaltusError(f"{data.name} holds {data.encoding.summary()}, and Inception distances are of images; leave them out")
    return inception_network()

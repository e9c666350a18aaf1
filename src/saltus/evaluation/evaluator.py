"""A fixed protocol for comparing generated items with real ones.

Real items are those of one part, or 10,000 of them drawn by the seed where there are more.  Generated items are first
written and read again, since whoever gets them gets files: unrounded values would give the game away.

The floor is what real items would get in place of generated ones: for up to three disjoint draws of n training items,
by the seed, against the same real items.  For memorisation it is that of items held out, which training never saw: three
thirds of the validation items where the real ones are test items, and the other way round.
"""

from __future__ import annotations

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

__all__ = ["MOST_ITEMS", "Evaluator", "Figures", "Part", "Progress", "silent"]

MOST_ITEMS = 10_000
"""Real items, at most; more would cost more and tell hardly more."""
_DRAWS = 3

Part = Literal["test", "validation"]
Progress = Callable[[str], object]
"""Is told in a few words what comes next."""


def silent(words: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Figures:
    """The values of one metric.

    Attributes:
        mean: of the values.
        spread: their standard deviation; nan for one value.
        values: one for each draw.
    """

    mean: float
    spread: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Figures:
        """From one value or more."""
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else float("nan"), tuple(values))


class Evaluator:
    """Measures sets of n generated items against the real items of one part of a data set.

    Args:
        data: the data set.
        n: how many items are generated; distances depend on it, so figures are compared at equal n only.
        part: "test" for what is reported, "validation" for choices.
        seed: of the real items, the floor's draws, and whatever is random in a metric.
        metrics: names in `METRICS`.  Without one of `FEATURE_METRICS` no features are trained.
        progress: told what is done next.

    Raises:
        ValueError: for another part, or no metric or an unknown one.
        SaltusError: if n or the real items are too few for a metric, n is more than there are training items, or Inception
            cannot be had.
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
        self._real_items, self._other_items = (subsample(parts[name], MOST_ITEMS, seed=seed) for name in (part, *(set(parts) - {part})))
        self._inception = _inception(data) if set(metrics) & set(INCEPTION_METRICS) else None
        self._check()

    def _check(self) -> None:
        dearest = max(self.metrics, key=lambda name: METRICS[name].fewest)
        fewest = METRICS[dearest].fewest
        for count, what in ((self.n, "generated"), (self.n_real, self.part)):
            if count < fewest:
                raise SaltusError(
                    f"{count} {what} items are too few for the {METRICS[dearest].title}; expected at least {fewest}: give more"
                )
        others, needed = len(self._other_items), _DRAWS * METRICS[MEMORISATION_METRICS[0]].fewest
        if set(self.metrics) & set(MEMORISATION_METRICS) and others < needed:
            other = "validation" if self.part == "test" else "test"
            raise SaltusError(f"{others} {other} items are too few for the floor of memorisation; expected at least {needed}: give more")
        if self.n > len(self.data.train):
            raise SaltusError(
                f"{self.n} generated items are more than the {len(self.data.train)} training items of {self.data.name}, of which "
                f"as many are measured for comparison; ask for fewer"
            )

    @property
    def n_real(self) -> int:
        """How many real items there are."""
        return len(self._real_items)

    @property
    def real(self) -> Tensor:
        """The real items, (n_real, *E)."""
        return self._real_items

    @cached_property
    def features(self) -> Features | None:
        """The classifier in whose features items are compared; None if no metric needs it."""
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
        """For each metric the figures of real items in place of generated ones."""
        order = torch.from_numpy(np.random.default_rng(self.seed).permutation(len(self.data.train)))
        draws = list(order.split(self.n)[: min(_DRAWS, len(order) // self.n)])
        names = [name for name in self.metrics if name not in MEMORISATION_METRICS]
        held_out = [name for name in self.metrics if name in MEMORISATION_METRICS]
        found = []
        for number, draw in enumerate(draws if names else [], 1):
            self._progress(f"the floor, real items against real items: {number} of {len(draws)}")
            found.append(measure(self._side(self.data.train[draw]), self._real, names, seed=self.seed))
        figures = {name: Figures.of([values[name] for values in found]) for name in names}
        if held_out:
            self._progress("the floor of memorisation, items held out")
            thirds = [self._side(items) for items in self._other_items.tensor_split(_DRAWS)]
            kept = [measure(side, self._real, held_out, seed=self.seed) for side in thirds]
            figures |= {name: Figures.of([values[name] for values in kept]) for name in held_out}
        return {name: figures[name] for name in self.metrics}

    def measure(self, x: Tensor) -> dict[str, float]:
        """The figures of generated items (n, *E), by name.

        Raises:
            SaltusError: if there are not n, they have another shape, or a value is not finite.
        """
        if len(x) != self.n:
            raise SaltusError(
                f"{len(x)} generated items where {self.n} were expected; figures are compared at equal numbers only: give {self.n}"
            )
        encoding = self.data.encoding
        return measure(self._side(encoding.encode(encoding.decode(x))), self._real, self.metrics, seed=self.seed)

    @cached_property
    def _real(self) -> SampleSet:
        return self._side(self._real_items)

    def _side(self, items: Tensor) -> SampleSet:
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

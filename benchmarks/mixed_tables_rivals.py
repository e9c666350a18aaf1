"""Makers of synthetic rows: TVAE and CTGAN of ctgan, the Gaussian copula of copulas, and ForestDiffusion.

They see tables without gaps (`Completed`), and their numbers are put in the range and on the values of the training rows, as SDV does it.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from mixed_tables_cells import Array
from mixed_tables_models import Completed, Model, NotFinished, clock

PATIENCE = 3.0  # times the time that is given: when a fit is given up
_LEVELS, _PILOT_LEVELS, _MOST_COPIES = 20, 2, 100  # of ForestDiffusion: steps of time, and noisy copies of each row


class Synthesiser(Model):
    """What they share."""

    can = frozenset({"sample"})

    def fit(self, train: Any, seconds: float, seed: int) -> None:
        end = clock() + seconds
        self.completed = Completed(self.schema, train)
        self.learn(self.completed.forward(train), end, seed)

    def sample(self, n: int) -> Any:
        return self.completed.backward(self.draw(n))

    def learn(self, rows: Any, end: float, seed: int) -> None:
        """From rows without gaps, before a time of `clock`."""
        raise NotImplementedError

    def draw(self, n: int) -> Any:
        """n rows without gaps."""
        raise NotImplementedError


class Neural(Synthesiser):
    """A network of ctgan with its defaults, trained by its own loop for as many epochs as there is time for."""

    needs = "ctgan"
    modules = ("ctgan.synthesizers.tvae", "ctgan.synthesizers.ctgan", "sklearn.mixture")
    timed = True
    name: ClassVar[str]
    module: ClassVar[str]

    def learn(self, rows: Any, end: float, seed: int) -> None:
        place: Any = importlib.import_module(self.module)
        self.model: Any = getattr(place, self.name)(enable_gpu=False)
        self.model.set_random_state(seed)
        epochs = 0

        def until(_: Iterable[int], **__: Any) -> Iterator[int]:
            """In place of the bar of progress that the loop goes along."""
            nonlocal epochs
            for epochs in itertools.count(1):
                yield epochs
                self.model.loss_values = self.model.loss_values.iloc[:0]  # which is copied at every epoch
                if clock() >= end:
                    return

        bar, place.tqdm = place.tqdm, until
        try:
            self.model.fit(rows, self.completed.discrete)
        finally:
            place.tqdm = bar
        self.told = {"epochs": epochs}

    def draw(self, n: int) -> Any:
        return self.model.sample(n)


class TVAE(Neural):
    """The variational autoencoder of Xu et al. (2019, https://arxiv.org/abs/1907.00503)."""

    name, module = "TVAE", "ctgan.synthesizers.tvae"


class CTGAN(Neural):
    """The adversarial network of the same paper."""

    name, module = "CTGAN", "ctgan.synthesizers.ctgan"


class Copula(Synthesiser):
    """A Gaussian copula as SDV makes it: beta marginals, and categories as numbers of [0, 1] by rdt's UniformEncoder.

    The marginals that the library chooses otherwise are kernel densities where there are many rows: 3,563 samples take 98 seconds.
    """

    needs = "copulas"
    modules = ("copulas.multivariate", "rdt.transformers")

    def learn(self, rows: Any, end: float, seed: int) -> None:
        from copulas.multivariate import GaussianMultivariate
        from copulas.univariate import BetaUnivariate
        from rdt.transformers import UniformEncoder

        np.random.seed(seed)
        self._encoders = [(name, UniformEncoder()) for name in self.completed.discrete]
        for name, encoder in self._encoders:
            encoder.fit(rows[[name]], name)
            rows[name] = encoder.transform(rows[[name]])[name]
        self.model = GaussianMultivariate(distribution=BetaUnivariate, random_state=seed)
        self.model.fit(rows.astype(np.float64))

    def draw(self, n: int) -> Any:
        rows = self.model.sample(n)
        for name, encoder in self._encoders:
            rows[name] = encoder.reverse_transform(rows[[name]].clip(0.0, 1.0))[name]
        return rows


class Forest(Synthesiser):
    """Flow matching by boosted trees (Jolicoeur-Martineau et al. 2023, https://arxiv.org/abs/2309.09968).

    Each class of a target has a model of its own.  A pilot of two steps of time tells how many noisy copies of each row there is time for.
    """

    needs = "ForestDiffusion"
    modules = ("ForestDiffusion",)
    timed = True

    def learn(self, rows: Any, end: float, seed: int) -> None:
        begun = clock()
        given = end - begun
        target = self.schema.target if self.schema.target in self.schema.categories else ""
        self._names = [*self.completed.discrete, *self.schema.numbers]  # its categories are to be among the first ten
        self._names = [name for name in self._names if name != target] + ([target] if target else [])
        self._values = {name: sorted(rows[name].unique()) for name in self.completed.discrete}
        numbers = np.stack([self._coded(rows, name) for name in self._names], axis=1)
        self._fitted(numbers, target, _PILOT_LEVELS, 1, seed)
        level = (clock() - begun) / _PILOT_LEVELS
        if _LEVELS * level > PATIENCE * given:
            raise NotFinished(f"with one noisy copy of each row a fit would take {_LEVELS * level:.0f} s")
        copies = int(np.clip((given - _PILOT_LEVELS * level) / (_LEVELS * level), 1, _MOST_COPIES))
        self.model = self._fitted(numbers, target, _LEVELS, copies, seed)
        self.told = {"levels": _LEVELS, "copies": copies}

    def _coded(self, rows: Any, name: str) -> Array:
        if name not in self._values:
            numbers: Array = rows[name].to_numpy(dtype=np.float64)
            return numbers
        codes: Array = pd.Categorical(rows[name], categories=self._values[name]).codes.astype(np.float64)
        return codes

    def _fitted(self, numbers: Array, target: str, levels: int, copies: int, seed: int) -> Any:
        from ForestDiffusion import ForestDiffusionModel

        names = self._names[:-1] if target else self._names
        sizes = {j: len(self._values[name]) for j, name in enumerate(names) if name in self._values}
        return ForestDiffusionModel(
            numbers[:, : len(names)],
            label_y=numbers[:, -1] if target else None,
            n_t=levels,
            duplicate_K=copies,
            cat_indexes=[j for j, size in sizes.items() if size > 2],
            bin_indexes=[j for j, size in sizes.items() if size <= 2],
            n_jobs=1,
            seed=seed,
            nthread=1,
        )

    def draw(self, n: int) -> Any:
        found = self.model.generate(batch_size=n)
        columns: dict[str, Any] = {}
        for name, column in zip(self._names, found.T, strict=True):
            if name in self._values:
                values = np.asarray(self._values[name], dtype=object)
                columns[name] = values[np.clip(np.rint(column), 0, len(values) - 1).astype(int)]
            else:
                columns[name] = column
        return pd.DataFrame(columns)

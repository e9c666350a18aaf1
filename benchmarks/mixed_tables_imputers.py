"""Rivals that fill missing cells: scikit-learn's, miceforest, and draws from the columns as the floor."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from mixed_tables_cells import Array, cells_of
from mixed_tables_data import matrix, typed
from mixed_tables_models import Model

_ROUNDS = 4  # of miceforest, whose models of a round fill new rows in the same round


class Imputer(Model):
    """What they share."""

    can = frozenset({"impute"})

    def fit(self, train: Any, seconds: float, seed: int) -> None:
        self.train, self.seed, self.rng = train, seed, np.random.default_rng(seed)
        self.learn()

    def learn(self) -> None:
        """From `train`."""


class Middle(Imputer):
    """Means and most frequent categories, by SimpleImputer: one guess."""

    modules = ("sklearn.impute",)

    def learn(self) -> None:
        from sklearn.impute import SimpleImputer

        self._by = {name: SimpleImputer(strategy="most_frequent" if name in self.schema.categories else "mean") for name in self.train}
        for name, imputer in self._by.items():
            imputer.fit(self._column(self.train, name))

    def impute(self, holes: Any, draws: int) -> list[Any]:
        return [pd.DataFrame({name: imputer.transform(self._column(holes, name))[:, 0] for name, imputer in self._by.items()})]

    def _column(self, rows: Any, name: str) -> Any:
        column = rows[[name]]
        return column.astype(object).where(column.notna(), np.nan) if name in self.schema.categories else column.astype(np.float64)


class ColumnDraws(Imputer):
    """A value of the same column of the training rows: the floor of draws."""

    def impute(self, holes: Any, draws: int) -> list[Any]:
        return [self._filled(holes) for _ in range(draws)]

    def _filled(self, holes: Any) -> Any:
        found = holes.copy()
        for name in found:
            missing, there = found[name].isna().to_numpy(), self.train[name].dropna().to_numpy()
            found.loc[missing, name] = self.rng.choice(there, missing.sum())
        return found


class Chained(Imputer):
    """IterativeImputer with draws from the posterior of a Bayesian ridge regression.

    Categories are zeros and ones, all but the first, of which the largest counts: with the first too, each would be told by the others of
    its column, and would stay at its mean.
    """

    modules = ("sklearn.impute", "sklearn.linear_model")

    def learn(self) -> None:
        from sklearn.experimental import enable_iterative_imputer  # noqa: F401
        from sklearn.impute import IterativeImputer

        numbers = matrix(self.schema, self.train)
        self.cells = {name: cells_of(self.train[name].to_numpy()) for name in self.schema.numbers}
        self._mean, self._std = np.nanmean(numbers, axis=0), np.nanstd(numbers, axis=0)
        wide = self._wide(numbers)
        low, high = np.nanmin(wide, axis=0), np.nanmax(wide, axis=0)
        self.model = IterativeImputer(
            sample_posterior=True, random_state=self.seed, min_value=low, max_value=np.maximum(high, low + 1e-9), keep_empty_features=True
        )
        self.model.fit(wide)

    def impute(self, holes: Any, draws: int) -> list[Any]:
        wide = self._wide(matrix(self.schema, holes))
        return [self._narrow(holes, self.model.transform(wide)) for _ in range(draws)]

    def _wide(self, numbers: Array) -> Array:
        parts: list[Array] = []
        for j, name in enumerate(self.schema.names):
            column = numbers[:, j : j + 1]
            if name in self.schema.categories:
                ones = (column == np.arange(1, len(self.schema.categories[name]))).astype(np.float64)
                parts.append(np.where(np.isnan(column), np.nan, ones))
            else:
                parts.append((column - self._mean[j]) / self._std[j])
        return np.concatenate(parts, axis=1)

    def _narrow(self, holes: Any, wide: Array) -> Any:
        found, start = holes.copy(), 0
        for j, name in enumerate(self.schema.names):
            missing = holes[name].isna().to_numpy()
            if name in self.schema.categories:
                values = np.asarray(self.schema.categories[name], dtype=object)
                shares = wide[:, start : start + len(values) - 1]
                start += len(values) - 1
                drawn = values[np.column_stack([1 - shares.sum(1), shares]).argmax(1)]
            else:
                drawn = self.cells[name].settled(wide[:, start] * self._std[j] + self._mean[j])
                start += 1
            found.loc[missing, name] = drawn[missing]
        return found


class Miceforest(Imputer):
    """miceforest: boosted trees in turns, numbers by the value of a row that is predicted alike, categories by their probabilities."""

    needs = "miceforest"
    modules = ("miceforest",)

    def learn(self) -> None:
        from miceforest import ImputationKernel

        rows = typed(self.schema, self.train)
        strategy = {name: "fast" if name in self.schema.categories else "normal" for name in self.schema.names}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of rare categories
            self.kernel = ImputationKernel(
                rows, num_datasets=1, variable_schema=list(self.schema.names), mean_match_strategy=strategy, random_state=self.seed
            )
            self.kernel.mice(_ROUNDS, num_threads=1, verbosity=-1)

    def impute(self, holes: Any, draws: int) -> list[Any]:
        rows = typed(self.schema, holes)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = [self.kernel.impute_new_data(rows, random_state=self.seed + draw) for draw in range(draws)]
        # of its last round, which is to be named: rows of no round are returned otherwise
        tables = [imputed.complete_data(0, iteration=_ROUNDS) for imputed in found]
        return [table.astype(dict.fromkeys(self.schema.categories, object)) for table in tables]

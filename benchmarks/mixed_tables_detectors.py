"""Rivals that tell strange rows: scikit-learn's isolation forest and local outlier factor, and ECOD of pyod.

They see standardised numbers, categories as zeros and ones (`Plain`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mixed_tables_cells import Array
from mixed_tables_data import Plain
from mixed_tables_models import Model


class Detector(Model):
    """What they share."""

    can = frozenset({"anomaly"})

    def fit(self, train: Any, seconds: float, seed: int) -> None:
        self.plain = Plain(self.schema, train)
        self.model = self.made(seed)
        self.model.fit(self.plain(train))

    def anomaly(self, rows: Any) -> dict[str, Array]:
        return {"score": self.scores(self.plain(rows))}

    def made(self, seed: int) -> Any:
        """The library's."""
        raise NotImplementedError

    def scores(self, numbers: Array) -> Array:
        """Higher for stranger rows."""
        return -np.asarray(self.model.score_samples(numbers))


class Isolation(Detector):
    """IsolationForest."""

    modules = ("sklearn.ensemble",)

    def made(self, seed: int) -> Any:
        from sklearn.ensemble import IsolationForest

        return IsolationForest(random_state=seed)


class Local(Detector):
    """LocalOutlierFactor."""

    modules = ("sklearn.neighbors",)

    def made(self, seed: int) -> Any:
        from sklearn.neighbors import LocalOutlierFactor

        return LocalOutlierFactor(novelty=True)


class Ecod(Detector):
    """ECOD: tails of each column's empirical distribution (Li et al. 2022, https://arxiv.org/abs/2201.00382)."""

    needs = "pyod"
    modules = ("pyod.models.ecod",)

    def made(self, seed: int) -> Any:
        from pyod.models.ecod import ECOD

        return ECOD()

    def scores(self, numbers: Array) -> Array:
        return np.asarray(self.model.decision_function(numbers))

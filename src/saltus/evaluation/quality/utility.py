r"""What rows are worth for a prediction: train on them, test on real rows (Esteban et al. 2017, https://arxiv.org/abs/1706.02633).

A histogram gradient boosting model predicts one column of held-out rows from the others.  Each test row gets points, and their mean is the
score:

| target | points of a row | score |
|---|---|---|
| a category | 1 if it is predicted, 0 if not | accuracy |
| a number | 1 - (error of the row)^2 / (mean squared deviation from the mean of the test rows) | R^2 |

The same rows are tested whatever was learned from, so that the difference of two scores has the standard error of the difference of points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from saltus.data.layout import Array
from saltus.errors import SaltusError
from saltus.evaluation.quality.cells import few_categories

__all__ = ["MOST_CLASSES", "Utility", "difference", "utility"]

MOST_CLASSES = 20
"""Categories of a target that are told apart: those beyond are taken for one."""
_FEWEST = 10  # rows to learn from, and to test on


@dataclass(frozen=True)
class Utility:
    """How well one column is predicted.

    Attributes:
        score: the accuracy, or R^2, which is below 0 where the mean would be better.
        error: its standard error over test rows.
        constant: the score of the best constant: the most frequent category of the training rows, or their mean.
        points: of each test row, (n,); their mean is the score.
        learned, tested: how many rows.
    """

    score: float
    error: float
    constant: float
    points: Array
    learned: int
    tested: int


def utility(sets: Sequence[Array], test: Array, categorical: Array, target: int, *, seed: int = 0) -> list[Utility]:
    """For each set of rows (N, d), how well a model that learned from them predicts a column of test rows (M, d).

    Args:
        sets, test: cells, see `saltus.evaluation.quality.cells`; rows whose target is missing are left out.
        categorical: which columns hold categories, (d,) bool.
        target: the number of the column.
        seed: of the models.

    Raises:
        SaltusError: if too few rows have a target, or it does not vary in the test rows.
    """
    others = np.delete(np.arange(test.shape[1]), target)
    is_class = np.arange(test.shape[1]) == target
    tables = few_categories([*sets, test], categorical & ~is_class)
    tables = few_categories(tables, categorical & is_class, MOST_CLASSES)
    tables = [table[~np.isnan(table[:, target])] for table in tables]
    if min(map(len, tables)) < _FEWEST:
        raise SaltusError(
            f"{min(map(len, tables))} rows have a value of the target; expected at least {_FEWEST}: give another with --target"
        )
    if not np.ptp(tables[-1][:, target]):
        raise SaltusError("the target is the same in all rows that are tested; expected one that varies: give another with --target")
    *learned, tested = tables
    predict = _accuracy if categorical[target] else _r_squared
    kinds = categorical[others]
    return [predict(rows[:, others], rows[:, target], tested[:, others], tested[:, target], kinds, seed % 2**32) for rows in learned]


def difference(one: Utility, other: Utility) -> tuple[float, float]:
    """By how much the first score is above the second, and the standard error of that."""
    points = one.points - other.points
    return float(points.mean()), float(points.std(ddof=1)) / math.sqrt(len(points))


def _accuracy(x: Array, y: Array, tested: Array, truth: Array, categorical: Array, state: int) -> Utility:
    from sklearn.ensemble import HistGradientBoostingClassifier

    kinds, counts = np.unique(y, return_counts=True)
    usual = kinds[counts.argmax()]
    guessed = np.full(len(truth), usual)
    if len(kinds) > 1 and tested.shape[1]:
        model = HistGradientBoostingClassifier(categorical_features=categorical, early_stopping=False, random_state=state)
        guessed = model.fit(x, y).predict(tested)
    return _made((guessed == truth).astype(np.float64), float((truth == usual).mean()), len(y))


def _r_squared(x: Array, y: Array, tested: Array, truth: Array, categorical: Array, state: int) -> Utility:
    from sklearn.ensemble import HistGradientBoostingRegressor

    guessed, deviation = np.full(len(truth), y.mean()), float(truth.var())
    constant = 1 - float(((truth - guessed) ** 2).mean()) / deviation
    if np.ptp(y) and tested.shape[1]:
        model = HistGradientBoostingRegressor(categorical_features=categorical, early_stopping=False, random_state=state)
        guessed = model.fit(x, y).predict(tested)
    return _made(1 - (truth - guessed) ** 2 / deviation, constant, len(y))


def _made(points: Array, constant: float, learned: int) -> Utility:
    return Utility(float(points.mean()), float(points.std(ddof=1)) / math.sqrt(len(points)), constant, points, learned, len(points))

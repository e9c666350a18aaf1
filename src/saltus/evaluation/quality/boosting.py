r"""A two-sample test for rows of mixed types: how often boosted trees tell other rows from real ones.

The test is that of Lopez-Paz and Oquab (2017, https://arxiv.org/abs/1610.06545).  A histogram gradient boosting classifier
(Ke et al. 2017, https://papers.nips.cc/paper/6907) learns to tell n other rows from n real ones in 5 stratified, shuffled folds; categories
are split as categories, and a missing cell is a value of its own.  Let $c_i$ be whether row i is classified correctly by the fold that has
not seen it.  Then

    accuracy = (mean of c over real rows + mean of c over other rows) / 2,

which is 1/2 if both have one distribution, and 1 if they can always be told apart.  Of fewer than 1,000 real rows the figure is the mean
over up to 5 disjoint draws of n other rows, if there are so many.  For two means p and q of R draws its standard error is

    sqrt(p (1-p) / n + q (1-q) / (R n)) / 2,

that of independent rows: draws make the other rows more, but not the real ones.

The importance of a column is what the accuracy loses when the cells of that column alone are shuffled among rows that were not learned from
(Breiman 2001, https://doi.org/10.1023/A:1010933404324).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from saltus.data.layout import Array
from saltus.evaluation.quality.cells import few_categories, some_rows

__all__ = ["FOLDS", "Effort", "TwoSample", "by_column", "told_apart"]

FOLDS = 5
_FEW = 1000  # real rows: of more, one draw of other rows is exact enough
_MANY = 50  # columns: from here on there is less effort for each
_MOST_ALONE = 5000  # rows of each set that a column alone is told by
_MOST_SHUFFLED = 2**25  # cells of the rows of a fold with each column shuffled in turn
_SHUFFLES = 5  # of each column in each fold, where they are few
_AT_ONCE = 2**22  # of them that are predicted at a time: a prediction has work of its own


@dataclass(frozen=True)
class Effort:
    """How much is spent.

    Attributes:
        trees: of a classifier.
        leaves: of a tree, at most.
        draws: of other rows where the real ones are few, at most.
        shuffled: draws that the importance of columns is the mean over, at most.
    """

    trees: int = 100
    leaves: int = 31
    draws: int = 5
    shuffled: int = 5


_WHOLE, _WIDE = Effort(), Effort(leaves=8, shuffled=1)  # rows of few columns and of many
_ALONE, _ALONE_OF_MANY = Effort(trees=30, leaves=8), Effort(trees=30, leaves=8, draws=1)  # a column


@dataclass(frozen=True)
class TwoSample:
    """How often other rows are told from real ones.

    Attributes:
        accuracy: 1/2 if never better than by chance, 1 if always.
        error: its standard error.
        rows: of each of the two sets.
        draws: of other rows that the figure is the mean over.
        importance: accuracy that is lost without each column, (d,); empty where it was not asked for.
    """

    accuracy: float
    error: float
    rows: int
    draws: int
    importance: tuple[float, ...] = ()


def told_apart(
    rows: Array, real: Array, categorical: Array, *, seed: int = 0, importance: bool = False, effort: Effort | None = None
) -> TwoSample:
    """Tell rows (N, d) from real ones (M, d), as many of each.

    Args:
        rows, real: cells, see `saltus.evaluation.quality.cells`.
        categorical: which columns hold categories, (d,) bool.
        seed: chooses rows, folds and shuffles.
        importance: whether to measure that of each column too.
        effort: of the classifier; by the number of columns unless given.

    Raises:
        ValueError: for fewer than 5 rows of either.
    """
    n, effort = min(len(rows), len(real)), effort or (_WHOLE if rows.shape[1] <= _MANY else _WIDE)
    if n < FOLDS:
        raise ValueError(f"{len(rows)} rows and {len(real)} real ones; expected at least {FOLDS} of each")
    rows, real = few_categories([rows, real], categorical)
    rng = np.random.default_rng(seed)
    real, order = real[rng.permutation(len(real))[:n]], rng.permutation(len(rows))
    draws = min(effort.draws, len(rows) // n) if n < _FEW else 1
    made = [
        _folds(
            rows[order[k * n : (k + 1) * n]], real, categorical, seed=seed + k, importance=importance and k < effort.shuffled, effort=effort
        )
        for k in range(draws)
    ]
    correct = np.stack([correct for correct, _ in made])  # (draws, 2 n)
    of_real, of_rows = float(correct[:, :n].mean()), float(correct[:, n:].mean())
    error = math.sqrt(of_real * (1 - of_real) / n + of_rows * (1 - of_rows) / (draws * n)) / 2
    return TwoSample(
        (of_real + of_rows) / 2, error, n, draws, tuple(np.mean([lost for _, lost in made[: effort.shuffled]], axis=0).tolist())
    )


def by_column(rows: Array, real: Array, categorical: Array, *, seed: int = 0) -> list[TwoSample]:
    """The same by each column alone, from at most 5,000 rows of each set; a column that is missing in all rows tells nothing."""
    rng = np.random.default_rng(seed)
    n = min(len(rows), len(real), _MOST_ALONE)
    effort = _ALONE if rows.shape[1] <= _MANY else _ALONE_OF_MANY
    most = effort.draws * n if n < _FEW else n
    rows, real = (table[rng.permutation(len(table))[:count]] for table, count in ((rows, most), (real, n)))
    tell = partial(told_apart, seed=seed, effort=effort)
    return [tell(rows[:, [j]], real[:, [j]], categorical[[j]]) for j in range(rows.shape[1])]


def _folds(rows: Array, real: Array, categorical: Array, *, seed: int, importance: bool, effort: Effort) -> tuple[Array, Array]:
    """Which of real and other rows, as many, are classified correctly, (2 n,); and the importance of each column, (d,) or (0,)."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold

    x, y = np.concatenate([real, rows]), np.repeat([0, 1], len(real))
    state, correct, lost = seed % 2**32, np.zeros(len(x)), []
    for learned, asked in StratifiedKFold(FOLDS, shuffle=True, random_state=state).split(x, y):
        options = {
            "max_iter": effort.trees,
            "max_leaf_nodes": effort.leaves,
            "early_stopping": False,
            "random_state": state,
        }
        classifier = HistGradientBoostingClassifier(categorical_features=categorical, **options).fit(x[learned], y[learned])
        correct[asked] = classifier.predict(x[asked]) == y[asked]
        if importance:
            some = some_rows(asked, max(1, _MOST_SHUFFLED // x.shape[1] ** 2), seed=seed)
            lost.append(_lost(classifier, x[some], y[some], seed))
    return correct, np.mean(lost, axis=0) if lost else np.zeros(0)


def _lost(classifier: Any, x: Array, y: Array, seed: int) -> Array:
    """The accuracy on rows (n, d) that is lost when each column is shuffled, (d,)."""
    rng, (n, d) = np.random.default_rng(seed), x.shape
    columns = np.array_split(np.arange(d), max(1, math.ceil(n * d * d / _AT_ONCE)))
    times = int(np.clip(_MOST_SHUFFLED // (n * d * d), 1, _SHUFFLES))
    found = np.zeros(d)
    for some in columns * times:
        copies = np.repeat(x[None], len(some), axis=0)
        for copy, j in zip(copies, some, strict=True):
            copy[:, j] = rng.permutation(x[:, j])
        found[some] += (classifier.predict(copies.reshape(-1, d)).reshape(len(some), n) == y).mean(1) / times
    return float((classifier.predict(x) == y).mean()) - found

r"""The order of categories on an axis: similar ones beside each other.

Categories of several columns are similar where they come with the same values of all columns.  With one indicator for each category and one
standardised column for each number, the first principal component of all of them gives each row a score; categories are ordered by the
mean score of their rows.  Of two columns of categories alone this is the first axis of a correspondence analysis
(Benzecri 1973; Greenacre 2017), up to weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from saltus.data.layout import Array

__all__ = ["ordered"]

_ROWS = 20_000  # looked at
_MOST = 64  # categories of a column that the component is made of: the others' scores follow


def ordered(train: Array, categories: Mapping[int, Sequence[str]]) -> dict[int, list[int]]:
    """For each column of categories their places in order.

    Args:
        train: cells (n, d); places in the lists of categories, NaN for missing ones.
        categories: the lists, by column.
    """
    if not categories:
        return {}
    cells = np.random.default_rng(0).permutation(len(train))[:_ROWS]
    rows = train[np.sort(cells)].astype(np.float64)
    score = _component(np.concatenate([_of_column(rows[:, j], j in categories) for j in range(rows.shape[1])], axis=1))
    return {j: _by_mean(rows[:, j], score, len(names)) for j, names in categories.items()}


def _of_column(cells: Array, categorical: bool) -> Array:
    """A column as standardised ones, missing cells at the mean."""
    if categorical:
        values, counts = np.unique(cells[~np.isnan(cells)], return_counts=True)
        often = values[np.argsort(-counts, kind="stable")[:_MOST]]
        wide = (cells[:, None] == often).astype(np.float64)
        weight = np.sqrt(np.maximum(wide.mean(0), 1e-12))  # as correspondence analysis has it: a column of categories counts once
        found: Array = (wide - wide.mean(0)) / weight / np.sqrt(max(1, len(often)))
        return found
    there = ~np.isnan(cells)
    spread = cells[there].std() if there.any() else 0.0
    standard = np.where(there, (cells - (cells[there].mean() if there.any() else 0.0)) / (spread or 1.0), 0.0)
    return np.clip(standard, -3, 3)[:, None]  # so that one cell does not make the component


def _component(wide: Array) -> Array:
    """The first principal component's score of each row."""
    _, vectors = np.linalg.eigh(wide.T @ wide)
    score: Array = wide @ vectors[:, -1]
    return score


def _by_mean(cells: Array, score: Array, n: int) -> list[int]:
    """Places by the mean score of their rows; those without rows last."""
    there = ~np.isnan(cells)
    which = cells[there].astype(np.int64)
    count, total = np.bincount(which, minlength=n), np.bincount(which, score[there], minlength=n)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.inf)
    return [int(place) for place in np.argsort(mean, kind="stable")]

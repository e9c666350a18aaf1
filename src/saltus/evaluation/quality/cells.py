"""Cells of several tables with the same columns, prepared for what takes few categories and few rows.

Rows are float64 (n, d), as `saltus.data.cells` has them: numbers as they are, categories by their place in a list, NaN for a missing cell.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from saltus.data.layout import Array

__all__ = ["MOST_CATEGORIES", "few_categories", "some_rows"]

MOST_CATEGORIES = 255
"""Categories that boosting tells apart in a column: it has as many bins."""


def few_categories(tables: Sequence[Array], categorical: Array, most: int = MOST_CATEGORIES) -> list[Array]:
    """The tables with at most so many categories in a column.

    The most frequent category of all tables together becomes 0, the next 1, and so on; those beyond the limit become one.

    Args:
        tables: rows (n, d) each.
        categorical: which columns hold categories, (d,) bool.
        most: categories of a column.
    """
    found = [table.astype(np.float64) for table in tables]
    for j in np.flatnonzero(categorical):
        known, counts = np.unique(np.concatenate([table[:, j] for table in tables]), return_counts=True)
        there = ~np.isnan(known)
        known, counts = known[there], counts[there]
        places = np.empty(len(known))
        places[np.argsort(-counts, kind="stable")] = np.minimum(np.arange(len(known)), most - 1)
        for table in found:
            cells = table[:, j]
            present = ~np.isnan(cells)
            cells[present] = places[np.searchsorted(known, cells[present])]
    return found


def some_rows(table: Array, n: int, *, seed: int = 0) -> Array:
    """n rows drawn without replacement, or all in their order if there are no more."""
    return table if len(table) <= n else table[np.random.default_rng(seed).permutation(len(table))[:n]]

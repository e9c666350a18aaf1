"""The axes of columns that others follow from: of both a network sees these columns alone.

Numbers whose neighbours are a wrong guess are listed, so that draws are values that came.  Categories are put in the order of a column of
numbers that follows from them, where other columns go along with that more than with the order that they had: how much of the variance of
each, summed over columns, lies between sixteenths of the axis.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from saltus.data.category_columns import CategoryColumn
from saltus.data.coded import MOST_KEYS, is_named
from saltus.data.columns import Column, ListedColumn, MissingColumn, NumberColumn, StepColumn
from saltus.data.determined_columns import DeterminedColumn
from saltus.data.layout import Array
from saltus.data.shares import shared
from saltus.data.values import nearest

__all__ = ["listed", "with_orders"]

_ROWS = 20_000  # looked at
_PIECES = 16  # of an axis


def listed(column: Column, parts: Sequence[Array], train: Array) -> Column:
    """A column of numbers by a list of all that came, unless there are too many; others as they are.

    Args:
        column: its kind.
        parts: all its cells, (n,) each.
        train: those to train on, (n,).
    """
    plain = column.column if isinstance(column, MissingColumn) else column
    given, learned = np.concatenate(parts).astype(np.float64), train.astype(np.float64)
    values = np.unique(given[~np.isnan(given)])
    if not isinstance(plain, NumberColumn | StepColumn) or len(values) > MOST_KEYS:
        return column
    number = shared(len(values), nearest(values, learned[~np.isnan(learned)]))
    return _like(column, ListedColumn(values.tolist(), number))


def with_orders(columns: Sequence[Column], train: Array) -> list[Column]:
    """Columns of which those of categories that others follow from are in the order that tells most of the columns that do not.

    Args:
        columns: their kinds, (d,).
        train: the rows to train on, (n, d).
    """
    rows = train[np.random.default_rng(0).permutation(len(train))[:_ROWS]].astype(np.float64)
    leaders: dict[int, list[int]] = {}
    for j, column in enumerate(columns):
        if isinstance(column, DeterminedColumn) and not is_named(column.column):
            leaders.setdefault(column.sources[0], []).append(j)
    found = list(columns)
    for j, followers in leaders.items():
        if _may_order(columns[j]):
            others = [_along(columns[k], rows[:, k]) for k in range(len(columns)) if k != j and not columns[k].sources]
            found[j] = _ordered(columns[j], rows[:, j], rows[:, followers], others, train[:, j])
    return found


def _may_order(column: Column) -> bool:
    """Whether cells are places of categories whose order was found, and not given."""
    return type(column.column if isinstance(column, MissingColumn) else column) is CategoryColumn


def _ordered(column: Column, cells: Array, followers: Array, others: Sequence[Array], train: Array) -> Column:
    plain = column.column if isinstance(column, MissingColumn) else column
    assert isinstance(plain, CategoryColumn)
    there = ~np.isnan(cells)
    places = cells[there].astype(np.int64)
    orders = [plain.order, *(_by_mean(places, follower[there], len(plain.order)) for follower in followers.T)]
    best = max(orders, key=lambda order: sum(_between(np.argsort(order)[places], other[there]) for other in others))
    if best is plain.order:
        return column
    learned = train[~np.isnan(train)] if train.dtype.kind == "f" else train
    number = shared(len(best), np.argsort(best)[learned.astype(np.int64)])
    return _like(column, CategoryColumn(plain.categories, best, number))


def _like(column: Column, plain: Column) -> Column:
    """A column with missing cells where another has them."""
    if not isinstance(column, MissingColumn):
        return plain
    for number in plain.axes:
        number.optional = True
    return MissingColumn(plain, column.there)


def _along(column: Column, cells: Array) -> Array:
    """Standardised numbers of cells (n,), 0 for missing ones."""
    number = column.numbers(cells)[:, -1]
    there = ~np.isnan(number)
    spread = float(number[there].std()) if there.any() else 0.0
    return np.where(there, number - (number[there].mean() if spread else 0.0), 0.0) / (spread or 1.0)


def _by_mean(places: Array, values: Array, n: int) -> list[int]:
    """Categories by the mean value of their rows; those without one last."""
    there = ~np.isnan(values)
    count, total = np.bincount(places[there], minlength=n), np.bincount(places[there], values[there], minlength=n)
    order = np.argsort(np.where(count > 0, total / np.maximum(count, 1), np.inf), kind="stable")
    return [int(place) for place in order]


def _between(positions: Array, values: Array) -> float:
    """The variance between pieces of an axis."""
    pieces = np.searchsorted(np.quantile(positions, np.arange(1, _PIECES) / _PIECES), positions)
    count, total = np.bincount(pieces, minlength=_PIECES), np.bincount(pieces, values, minlength=_PIECES)
    return float((total**2 / np.maximum(count, 1)).sum() / max(1, len(values)) - values.mean() ** 2)

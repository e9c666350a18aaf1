r"""Which columns of a table follow from others, by the training rows.

B is taken to follow from A, which is one column or two whose values are counted, where

* all training rows with one value of A have one value of B, a missing cell being a value;
* that is no accident.  Rows that repeat a value of A are questions.  If B had nothing to do with A, each would agree with the first row of
  its value by a chance of at most p = (c + 1) / (n + 1) where c of n rows have B's most common value, and all r of them by p^r.  This is to
  be below 1e-6 divided by the number of questions that are asked of the table, so that of a million tables without such columns one has
  one found (Bonferroni).  For a pair of columns p is that among the rows with one value of one of them, so that the other one is needed;
* values of A that never came matter little.  The share of rows that have one is that of values that came once (Good 1953,
  https://doi.org/10.2307/2333344), times the share of known values whose B is not guessed right from the others: at most a tenth.

Rows that are copies of others are counted once, unless most are: by copies every column follows from one whose values seldom repeat.

Of columns that determine each other the first is kept.  All that follows from a column that follows is written from its root, which may get
another axis (`saltus.data.determined_axes`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np

from saltus.data.category_columns import CategoryColumn, CodeColumn
from saltus.data.coded import Coded, CodedRows, is_named
from saltus.data.columns import Column, MissingColumn
from saltus.data.determined_axes import listed, with_orders
from saltus.data.determined_columns import MappedColumn, PairedColumn
from saltus.data.determined_pairs import Pair, chosen_pairs
from saltus.data.determined_sums import Sum, SummedColumn, chosen_sums
from saltus.data.layout import Array

__all__ = ["CHANCE", "with_determined"]

CHANCE = 1e-6
"""Of a table without columns that follow from others to have one found."""
_GUESSED = 0.1  # share of fresh rows that may be guessed wrong


def with_determined(
    columns: Sequence[Column], parts: Sequence[Array], train: Array, fixed: Collection[int] = (), *, chance: float = CHANCE
) -> list[Column]:
    """Columns of a table, in their order, those replaced that follow from others.

    Args:
        columns: their kinds, (d,).
        parts: all rows, (n, d) each: they tell which values there are.
        train: the rows to train on, (n, d), by which columns are judged.
        fixed: columns whose steps and range are given, and stay.
        chance: of a table without columns that follow from others to have one found.
    """
    table = CodedRows(columns, train)
    asked = len(table.keyed) * max(1, len(table.coded) - 1)
    asked += math.comb(len(table.keyed), 2) * max(0, len(table.coded) - 2)
    needed = math.log(max(1, asked) / chance)
    roots = _roots(_singles(table, needed), table)
    sums = chosen_sums(table, [j for j in range(len(columns)) if j not in roots], needed)
    modelled = [j for j in table.coded if j not in roots and j not in sums]
    pairs = chosen_pairs(table, modelled, needed, _GUESSED)
    found = list(columns)
    for target, root in roots.items():
        pair = pairs.get(root)
        found[target] = _paired(target, pair, table, parts) if pair else _mapped(target, root, table, parts)
    for target, made in sums.items():
        found[target] = _summed(target, made, table, parts)
    for target, pair in pairs.items():
        found[target] = _paired(target, pair, table, parts)
    ill_guessed = {root for target, root in roots.items() if root not in pairs and _guessed(table, root, target) < 1 - _GUESSED}
    ill_guessed |= {j for pair in pairs.values() if pair.guessed < 1 - _GUESSED for j in pair.sources}
    for j in ill_guessed - sums.keys() - set(fixed):
        found[j] = listed(columns[j], [part[:, j] for part in parts], train[:, j])
    return with_orders(found, train) if roots or pairs or sums else found


def _singles(table: CodedRows, needed: float) -> dict[int, list[int]]:
    """For each column those that it follows from, none of which goes back to it by others: finer ones come before coarser ones, and of
    equal ones the first."""
    found: dict[int, list[int]] = {j: [] for j in table.coded}

    def place(j: int) -> tuple[int, int]:
        return -table.coded[j].size, j

    for source in table.keyed:
        after = [j for j in table.coded if j != source and (j not in table.keyed or place(source) < place(j))]
        for target in table.agreeing(table.coded[source], after):
            if _is_taken(table, source, target, needed):
                found[target].append(source)
    return found


def _is_taken(table: CodedRows, source: int, target: int, needed: float) -> bool:
    """Whether a column that agrees with another is taken to follow from it."""
    keys, n = table.coded[source], len(table.different)
    by_chance = (n - keys.size) * math.log((table.counts(table.coded[target]).max() + 1) / (n + 1))
    fresh = (table.counts(keys) == 1).sum() / n
    return bool(by_chance <= -needed and fresh * (1 - _guessed(table, source, target)) <= _GUESSED)


def _guessed(table: CodedRows, source: int, target: int) -> float:
    """The share of values of a column whose other cell is guessed right from those of the others, by the rule of succession."""
    keys, values = table.coded[source], table.coded[target]
    followers = values.codes[table.first(keys)]
    if is_named(table.columns[source]):
        right = followers == table.counts(values).argmax()
    else:
        there = keys.values[~np.isnan(keys.values)]
        right = followers[_neighbours(there)] == followers[: len(there)]
    return float(right.sum() + 1) / (len(right) + 2)


def _neighbours(values: Array) -> Array:
    """Of increasing values the place of the nearest other one."""
    if len(values) < 2:
        return np.zeros(len(values), dtype=np.int64)
    gaps = np.concatenate([[np.inf], np.diff(values), [np.inf]])
    found: Array = np.arange(len(values)) + np.where(gaps[:-1] < gaps[1:], -1, 1)
    return found


def _roots(sources: dict[int, list[int]], table: CodedRows) -> dict[int, int]:
    """For each column that follows from others the one that it is written from, by those with the fewest values."""
    nearest = {target: min(found, key=lambda j: (table.coded[j].size, j)) for target, found in sources.items() if found}
    roots = {}
    for target, root in nearest.items():
        while root in nearest:
            root = nearest[root]
        roots[target] = root
    return roots


def _mapped(target: int, source: int, table: CodedRows, parts: Sequence[Array]) -> MappedColumn:
    keys, values, column = table.coded[source], table.coded[target], table.columns[target]
    return MappedColumn(
        column,
        source,
        keys.keys,
        _cells(values, table.first(keys)),
        values.keys[int(table.counts(values).argmax())],
        is_named(table.columns[source]),
        _others(column, [part[:, target] for part in parts]),
        max(0, len(table.different) - keys.size),
        _guessed(table, source, target),
    )


def _paired(target: int, pair: Pair, table: CodedRows, parts: Sequence[Array]) -> PairedColumn:
    values, column = table.coded[target], table.columns[target]
    return PairedColumn(
        column,
        pair.sources,
        [table.coded[j].keys for j in pair.sources],
        [is_named(table.columns[j]) for j in pair.sources],
        pair.places.tolist(),
        _cells(values, pair.rows),
        _cells(values, pair.guesses),
        _cells(values, np.array([pair.usual]))[0],
        _others(column, [part[:, target] for part in parts]),
        pair.repeats,
        pair.guessed,
    )


def _summed(target: int, made: Sum, table: CodedRows, parts: Sequence[Array]) -> SummedColumn:
    column = table.columns[target]
    others = _others(column, [part[:, target] for part in parts])
    repeats = max(0, len(table.different) - len(made.sources) - 1)
    return SummedColumn(column, made.sources, made.weights, made.constant, made.digits, made.precision, others, repeats)


def _cells(values: Coded, rows: Array) -> list[float | None]:
    """The cells of rows."""
    return [values.keys[place] for place in values.codes[rows].tolist()]


def _others(column: Column, parts: Sequence[Array]) -> int:
    """How many cells a column may have besides one of them."""
    plain = column.column if isinstance(column, MissingColumn) else column
    if isinstance(plain, CategoryColumn | CodeColumn):
        return len(plain.order) - 1 + isinstance(column, MissingColumn)
    return len(np.unique(np.concatenate(parts).astype(np.float64)))

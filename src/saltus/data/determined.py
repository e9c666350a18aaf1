r"""Which columns of a table follow from others, by the training rows.

B is taken to follow from A, whose values are counted, where

* all training rows with one value of A have one value of B, a missing cell being a value;
* that is no accident.  Of n rows with a values of A, n - a repeat a value.  If B had nothing to do with A, each of these would agree with
  the first by a chance of at most p, the share of B's most common value, and all of them by at most p^(n - a).  This is to be below 1e-6
  divided by the number of pairs of columns, so that in one table of a million without such columns one is found (Bonferroni);
* values of A that never came matter little.  The share of rows that have one is that of values that came once (Good 1953,
  https://doi.org/10.2307/2333344), times the share of known values whose B is not guessed right from the others: at most a tenth.

Rows that are copies of others are counted once, unless most are: by copies every column follows from one whose values seldom repeat.

Of columns that determine each other the first is kept.  All that follows from a column that follows is written from its root.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from saltus.data.columns import CategoryColumn, Column, MissingColumn
from saltus.data.determined_columns import DeterminedColumn, MappedColumn
from saltus.data.layout import Array

__all__ = ["CHANCE", "with_determined"]

CHANCE = 1e-6
"""Of a table without columns that follow from others to have one found."""
_MOST_KEYS = 2**14  # values of a column that others follow from
_FIRST = (2**12, 2**16)  # rows that rule most pairs of columns out, before all rows are looked at
_GUESSED = 0.1  # share of fresh rows that may be guessed wrong
_COPIES = 0.5  # of the rows: more than a file that was joined to itself has


def with_determined(columns: Sequence[Column], parts: Sequence[Array], train: Array, *, chance: float = CHANCE) -> list[Column]:
    """Columns of a table, in their order, those replaced that follow from others.

    Args:
        columns: their kinds, (d,).
        parts: all rows, (n, d) each: they tell which values there are.
        train: the rows to train on, (n, d), by which columns are judged.
        chance: of a table without columns that follow from others to have one found.
    """
    table = _Table(columns, train, chance)
    roots = _roots({target: table.sources_of(target) for target in table.coded}, table)
    return [_mapped(j, roots[j], table, parts) if j in roots else column for j, column in enumerate(columns)]


@dataclass(frozen=True, eq=False)
class _Coded:
    """The cells of a column: its values in order, the place of each row's among them, and how often each comes."""

    values: Array
    codes: Array

    @cached_property
    def first(self) -> Array:
        """A row for each value, (k,)."""
        found = np.empty(len(self.values), dtype=np.int64)
        found[self.codes] = np.arange(len(self.codes))
        return found

    @cached_property
    def keys(self) -> list[float | None]:
        return [None if math.isnan(value) else value for value in self.values.tolist()]


class _Table:
    """The training rows, and what is asked of them."""

    def __init__(self, columns: Sequence[Column], train: Array, chance: float) -> None:
        self.columns, self.train = columns, train
        self.order = np.random.default_rng(0).permutation(len(train))
        self.coded = {j: found for j in range(len(columns)) if (found := self._coded(j))}
        self.keyed = [j for j in self.coded if all(number.step for number in columns[j].axes)]
        questions = max(1, len(self.keyed) * (len(self.coded) - 1))
        self.needed = math.log(questions / chance)

    def _coded(self, j: int) -> _Coded | None:
        """None where there is one value, or more than one of a key."""
        cells = self.train[:, j].astype(np.float64)
        if len(np.unique(cells[self.order[: _FIRST[-1]]])) > _MOST_KEYS:
            return None
        values, codes = np.unique(cells, return_inverse=True)
        return _Coded(values, codes.astype(np.int32)) if 1 < len(values) <= _MOST_KEYS else None

    @cached_property
    def different(self) -> Array:
        """The rows that are counted."""
        n, d = self.train.shape
        mixed = np.zeros(n, dtype=np.uint64)
        factors = np.random.default_rng(0).integers(2**63, size=(d,)).astype(np.uint64) * np.uint64(2) + np.uint64(1)
        for j in range(d):
            bits = (self.train[:, j].astype(np.float64) + 0.0).view(np.uint64)  # 0 makes 0.0 of -0.0
            mixed += _mixed(_mixed(bits) * factors[j])
        rows = np.unique(mixed, return_index=True)[1]
        return np.arange(n) if len(rows) < (1 - _COPIES) * n else rows

    @cached_property
    def counts(self) -> dict[int, Array]:
        """How many of the counted rows each value of a column has."""
        return {j: np.bincount(coded.codes[self.different], minlength=len(coded.values)) for j, coded in self.coded.items()}

    def agree(self, source: int, target: int) -> bool:
        """Whether all training rows with one value of a column have one of the other."""
        keys, values = self.coded[source], self.coded[target]
        if len(keys.values) < len(values.values):
            return False
        for n in (n for n in _FIRST if n < len(self.train)):
            rows = self.order[:n]
            some = values.codes[rows]
            first = np.empty(len(keys.values), dtype=np.int32)
            first[keys.codes[rows]] = some
            if (first[keys.codes[rows]] != some).any():
                return False
        return bool((values.codes[keys.first[keys.codes]] == values.codes).all())

    def repeats(self, source: int) -> int:
        """Counted rows that repeat a value of a column."""
        return len(self.different) - len(self.coded[source].values)

    def guessed(self, source: int, target: int) -> float:
        """The share of values of a column whose other cell is guessed right from those of the others, by the rule of succession."""
        keys, values = self.coded[source], self.coded[target]
        followers = values.codes[keys.first]
        if named(self.columns[source]):
            right = followers == self.counts[target].argmax()
        else:
            there = keys.values[~np.isnan(keys.values)]
            right = followers[_neighbours(there)] == followers[: len(there)]
        return float(right.sum() + 1) / (len(right) + 2)

    def follows(self, source: int, target: int) -> bool:
        """Whether a column is taken to follow from another."""
        if not self.agree(source, target):
            return False
        surest = self.counts[target].max() / len(self.different)
        fresh = (self.counts[source] == 1).sum() / len(self.different)
        by_chance = self.repeats(source) * math.log(surest)
        return by_chance <= -self.needed and fresh * (1 - self.guessed(source, target)) <= _GUESSED

    def sources_of(self, target: int) -> list[int]:
        """The columns that one follows from, of which none goes back to it by others."""
        return [j for j in self.keyed if j != target and self._before(j, target) and self.follows(j, target)]

    def _before(self, source: int, target: int) -> bool:
        """Finer ones come before coarser ones, and of equal ones the first."""
        if target not in self.keyed:
            return True
        return (-len(self.coded[source].values), source) < (-len(self.coded[target].values), target)


def _mixed(bits: Array) -> Array:
    """Bits of which each tells of the others."""
    found: Array = (bits ^ (bits >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio
    found ^= found >> np.uint64(29)
    return found


def named(column: Column) -> bool:
    """Whether cells are categories, or missing."""
    return isinstance(column.column if isinstance(column, MissingColumn) else column, CategoryColumn)


def _neighbours(values: Array) -> Array:
    """Of increasing values the place of the nearest other one."""
    if len(values) < 2:
        return np.zeros(len(values), dtype=np.int64)
    gaps = np.concatenate([[np.inf], np.diff(values), [np.inf]])
    found: Array = np.arange(len(values)) + np.where(gaps[:-1] < gaps[1:], -1, 1)
    return found


def _roots(sources: dict[int, list[int]], table: _Table) -> dict[int, int]:
    """For each column that follows from others the one that it is written from, by those with the fewest values."""
    nearest = {target: max(found, key=lambda j: (-len(table.coded[j].values), -j)) for target, found in sources.items() if found}
    roots = {}
    for target, root in nearest.items():
        while root in nearest:
            root = nearest[root]
        roots[target] = root
    return roots


def _mapped(target: int, source: int, table: _Table, parts: Sequence[Array]) -> DeterminedColumn:
    keys, values, column = table.coded[source], table.coded[target], table.columns[target]
    followers = [values.keys[place] for place in values.codes[keys.first].tolist()]
    usual = values.keys[int(table.counts[target].argmax())]
    return MappedColumn(
        column,
        source,
        keys.keys,
        followers,
        usual,
        named(table.columns[source]),
        _others(column, [part[:, target] for part in parts]),
        max(0, table.repeats(source)),
        table.guessed(source, target),
    )


def _others(column: Column, parts: Sequence[Array]) -> int:
    """How many cells a column may have besides one of them."""
    plain = column.column if isinstance(column, MissingColumn) else column
    if isinstance(plain, CategoryColumn):
        return len(plain.categories) - 1 + isinstance(column, MissingColumn)
    return len(np.unique(np.concatenate(parts).astype(np.float64)))

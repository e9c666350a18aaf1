"""Training rows by the places of their cells among the different cells of each column: what asking for dependences takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from saltus.data.category_columns import CategoryColumn, CodeColumn
from saltus.data.columns import Column, MissingColumn
from saltus.data.layout import Array

__all__ = ["MOST_KEYS", "Coded", "CodedRows", "is_named"]

MOST_KEYS = 2**14
"""Different cells of what others follow from."""
_FIRST = (2**12, 2**16)  # rows that rule most columns out, before all rows are looked at
_COPIES = 0.5  # of the rows: more than a file that was joined to itself has
_COUNTED = 2**20  # whole numbers that lie so near to each other are counted


@dataclass(frozen=True, eq=False)
class Coded:
    """The cells of a column, or of several: how many different ones there are, and the place of each row's among them, int32 (n,).

    Attributes:
        values: the different cells of one column, increasing, NaN last.
    """

    size: int
    codes: Array
    values: Array

    @cached_property
    def keys(self) -> list[float | None]:
        """The different cells, None for a missing one."""
        return [None if math.isnan(value) else value for value in self.values.tolist()]


class CodedRows:
    """Training rows (n, d).

    Args:
        columns: their kinds, (d,).
        train: the rows.

    Attributes:
        coded: the columns of 2 to 16,384 different cells, by their places.
        keyed: those of them whose numbers are counted.
    """

    def __init__(self, columns: Sequence[Column], train: Array) -> None:
        self.columns, self.train, self._numbers = columns, train, np.arange(len(train))
        order = np.random.default_rng(0).permutation(len(train))
        self._samples: list[Any] = [*(order[:n] for n in _FIRST if n < len(train)), slice(None)]
        self.coded = {j: found for j in range(len(columns)) if (found := self._coded(j))}
        self.keyed = [j for j in self.coded if all(number.step for number in columns[j].axes)]

    def _coded(self, j: int) -> Coded | None:
        cells = self.train[:, j].astype(np.float64)
        if any(len(np.unique(cells[rows])) > MOST_KEYS for rows in self._samples[:-1]):
            return None
        values, codes = _values(cells)
        return Coded(len(values), codes, values) if 1 < len(values) <= MOST_KEYS else None

    @cached_property
    def different(self) -> Array:
        """The rows that are evidence: copies of others are not, unless most rows are."""
        n, d = self.train.shape
        mixed = np.zeros(n, dtype=np.uint64)
        factors = np.random.default_rng(0).integers(2**63, size=(d,)).astype(np.uint64) * np.uint64(2) + np.uint64(1)
        for j in range(d):
            bits = (self.train[:, j].astype(np.float64) + 0.0).view(np.uint64)  # 0 makes 0.0 of -0.0
            mixed += _mixed(_mixed(bits) * factors[j])
        rows = np.unique(mixed, return_index=True)[1]
        return np.arange(n) if len(rows) < (1 - _COPIES) * n else rows

    def agreeing(self, keys: Coded, targets: Sequence[int]) -> list[int]:
        """Those columns of which all training rows with one key have one value."""
        left = [j for j in targets if self.coded[j].size <= keys.size]
        for rows in self._samples:
            if not left:
                break
            codes = keys.codes[rows]
            first = np.empty(keys.size, dtype=np.int64)
            first[codes] = self._numbers[rows]
            same = first[codes]
            left = [j for j in left if np.array_equal(self.coded[j].codes[same], self.coded[j].codes[rows])]
        return left

    def first(self, keys: Coded) -> Array:
        """A row for each key, (k,)."""
        found = np.empty(keys.size, dtype=np.int64)
        found[keys.codes] = self._numbers
        return found

    def counts(self, keys: Coded) -> Array:
        """How many of the rows that are evidence have each key, (k,)."""
        return np.bincount(keys.codes[self.different], minlength=keys.size)


def is_named(column: Column) -> bool:
    """Whether cells are categories, or missing."""
    return isinstance(column.column if isinstance(column, MissingColumn) else column, CategoryColumn | CodeColumn)


def _mixed(bits: Array) -> Array:
    """Bits of which each tells of the others."""
    found: Array = (bits ^ (bits >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio
    found ^= found >> np.uint64(29)
    return found


def _values(cells: Array) -> tuple[Array, Array]:
    """The different cells, increasing, and the place of each among them, int32; whole numbers of a small range are counted, not sorted."""
    low, high = float(cells.min()), float(cells.max())  # NaN where one is
    if high - low < _COUNTED and ((cells - low).astype(np.int32) + low == cells).all():
        places = (cells - low).astype(np.int32)
        there = np.bincount(places) > 0
        return low + np.flatnonzero(there), (np.cumsum(there, dtype=np.int32) - 1)[places]
    values, codes = np.unique(cells, return_inverse=True)
    return values, codes.astype(np.int32)

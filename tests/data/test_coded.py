"""Rows by the places of their cells: the same whether values are counted or sorted, and what agrees in all rows."""

from __future__ import annotations

import numpy as np
import pytest

from saltus.data import NumberColumn
from saltus.data.coded import MOST_KEYS, Coded, CodedRows
from saltus.likelihoods import Number

KIND = NumberColumn(Number(0, 9, step=1.0))


@pytest.mark.parametrize(
    "cells", [[3, 1, 3, -5], [0.5, 2, 0.5, 1], [np.nan, 2, np.nan, 7], [1e30, 2, 1e30, 3], [2.0**40, 2.0**40 + 2, 1, 1]]
)
def test_codes_are_places_of_values(cells: list[float]) -> None:
    table = CodedRows([KIND], np.array(cells)[:, None])
    found = table.coded[0]
    values, codes = np.unique(cells, return_inverse=True)
    np.testing.assert_array_equal(found.values, values)
    assert (found.codes.tolist(), found.size) == (codes.tolist(), len(values))
    assert found.keys == [None if value != value else value for value in values.tolist()]
    np.testing.assert_array_equal(table.counts(found), np.bincount(codes[table.different]))
    np.testing.assert_array_equal(codes[table.first(found)], range(len(values)))


def test_columns_of_one_value_or_too_many_are_left_out_and_others_are_no_keys() -> None:
    n = 2 * MOST_KEYS
    rows = np.stack([np.arange(n), np.arange(n) // 2, np.zeros(n), np.arange(n) % 7], 1)
    table = CodedRows([KIND, NumberColumn(Number(0, 9)), KIND, KIND], rows)
    assert (list(table.coded), table.keyed) == ([1, 3], [3])
    assert table.coded[1].size == MOST_KEYS


@pytest.mark.parametrize("n", [100, 5000, 70_000])
def test_one_row_of_many_is_seen(n: int) -> None:
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 20, n)
    off = keys % 3
    row = np.flatnonzero(keys == 7)[-1]
    off[row] = 2
    table = CodedRows([KIND] * 3, np.stack([keys, keys % 3, off], 1))
    assert table.agreeing(table.coded[0], [1, 2]) == [1]
    assert table.agreeing(table.coded[1], [0]) == []
    assert table.agreeing(Coded(60, 3 * keys.astype(np.int32) + off.astype(np.int32), np.empty(0)), [1, 2]) == [1, 2]


def test_copies_are_no_evidence_unless_most_rows_are() -> None:
    rng = np.random.default_rng(0)
    rows = np.stack([rng.permutation(1000), rng.normal(size=1000)], 1)
    rows[:, 1] *= np.where(np.arange(1000) == 3, 0.0, 1.0)
    copied = np.concatenate([rows, rows[:400]])
    copied[1003, 1] = -0.0
    table = CodedRows([KIND] * 2, copied)
    assert sorted(table.different.tolist()) == list(range(1000))
    assert len(CodedRows([KIND] * 2, np.concatenate([rows] * 3)).different) == 3000

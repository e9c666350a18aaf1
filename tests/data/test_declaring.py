"""Cells are what was said of them, or the first that is not is named; and what is said is in the units of the cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saltus.data import CodeColumn, Columns, DataSet, Declared, declarations, load
from saltus.data.declaring import MOST_CATEGORIES, settled
from saltus.errors import SaltusError
from tests.helpers.checks import assert_one_sentence

CELLS = np.array([0.0, 1.5, np.nan, 3.0])


def settle(said: dict[str, Any], cells: np.ndarray = CELLS, dtype: str = "float64") -> Declared:
    return settled("a", [cells], dtype, Declared.of("a", said))


def test_ends_and_codes_are_in_the_units_of_the_cells() -> None:
    assert settle({"kind": "number", "step": 0.5, "low": -1, "high": 5}).high == 5.0
    assert settle({"kind": "boolean"}, np.array([0, 1, 1])) == Declared("boolean", low=0.0, high=1.0)
    assert settle({"kind": "category"}).order == (0.0, 1.5, 3.0)
    assert settle({"kind": "ordinal", "order": [3, 0, 1.5, 9]}).order == (3.0, 0.0, 1.5, 9.0)
    days = settle({"kind": "date", "low": "1970-01-02", "high": "1970-02-01"}, np.array([3.0, np.nan]), "date32[day]")
    assert (days.low, days.high) == (1, 31)
    times = settle({"kind": "date", "low": "1970-01-01T01:00:00+01:00", "high": "1970-01-01 00:00:05"}, np.array([7.0]), "timestamp[ms]")
    assert (times.low, times.high) == (0, 5000)


@pytest.mark.parametrize(
    ("said", "cells", "dtype", "words"),
    [
        ({"kind": "integer"}, CELLS, "float64", "holds 1.5 in row 1 where its kind integer expects whole numbers"),
        ({"kind": "boolean"}, CELLS, "float64", "holds 1.5 in row 1 where its kind boolean expects 0 and 1"),
        ({"kind": "number", "low": 1}, CELLS, "float64", "holds 0 in row 0, below low = 1"),
        ({"kind": "number", "high": 2}, CELLS, "float64", "holds 3 in row 3, above high = 2"),
        ({"kind": "number", "step": 1}, CELLS, "float64", "holds 1.5 in row 1 where steps of 1 from 0 on"),
        ({"kind": "number", "step": 1.5, "low": 0, "high": 4}, CELLS, "float64", "high = 4 of the column a is not in steps of 1.5"),
        ({"kind": "number", "step": 1.5, "low": -1}, CELLS, "float64", "holds 0 in row 0 where steps of 1.5 from -1 on"),
        ({"kind": "ordinal", "order": [0, 3]}, CELLS, "float64", "holds 1.5 in row 1, which its order lacks"),
        ({"kind": "ordinal", "order": ["x", "y"]}, CELLS, "float64", "has text in it (x, y)"),
        ({"kind": "ordinal", "order": ["x", "y"]}, CELLS, "date32[day]", "holds dates, and an order is of text or numbers"),
        ({"kind": "number"}, CELLS, "timestamp[us]", "holds times where its kind number expects numbers; give the kind date"),
        ({"kind": "date"}, CELLS, "float64", "holds numbers where its kind date expects dates or times; give the kind number"),
        ({"kind": "date", "low": "2024-01-01"}, CELLS, "time32[s]", "holds times of day, which have no low and high"),
        (
            {"kind": "category"},
            np.arange(10.0**6),
            "float64",
            "has 1,000,000 different values where its kind category expects at most 16,384",
        ),
    ],
)
def test_a_cell_that_is_not_as_was_said_is_named_with_its_row(said: dict[str, Any], cells: np.ndarray, dtype: str, words: str) -> None:
    with pytest.raises(SaltusError) as caught:
        settle(said, cells, dtype)
    assert_one_sentence(caught.value, "column a", words)
    assert MOST_CATEGORIES == 16_384


def test_columns_of_arrays_are_called_by_their_names_or_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.integers(1, 6, 200), rng.integers(0, 90, 200), rng.integers(0, 2, 200)])
    said = {"0": "category", "2": "skip"}
    data = DataSet.from_arrays(rows, columns=said)
    assert isinstance(data.encoding, Columns)
    assert isinstance(data.encoding.columns[0], CodeColumn)
    assert (data.columns, data.encoding.shape) == (("0", "1"), (2,))
    back = data.encoding.decode(data.train)
    assert set(back[:, 0]) == {1, 2, 3, 4, 5}  # codes, as the array has them
    np.save(tmp_path / "a.npy", rows)
    assert load(tmp_path / "a.npy", columns=said).fingerprint == data.fingerprint == load(rows, columns=declarations(said)).fingerprint
    np.savez(tmp_path / "a.npz", x=rows, columns=["grade", "age", "flag"])
    assert load(tmp_path / "a.npz", columns={"grade": "category", "flag": "skip"}).columns == ("grade", "age")
    for columns, words in (
        ({"3": "skip"}, "the column 3, which is not there; expected one of 0, 1, 2"),
        ({"0": "date"}, "the column 0 holds numbers where its kind date expects dates"),
        (dict.fromkeys("012", "skip"), "all columns are skipped"),
    ):
        with pytest.raises(SaltusError) as caught:
            load(tmp_path / "a.npy", columns=columns)
        assert_one_sentence(caught.value, "a.npy", words)
    with pytest.raises(SaltusError, match=r"items of shape \(9, 9\), which are no rows; leave --columns out"):
        DataSet.from_arrays(np.zeros((60, 9, 9)), columns={"0": "skip"})

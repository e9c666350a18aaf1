"""Cells of columns: every kind goes one way and comes back in its type; what cannot be learned says why."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from saltus.data.cells import cells_of
from saltus.data.column_cells import Expected
from saltus.data.dtypes import as_arrow, is_dtype
from saltus.errors import SaltusError
from tests.helpers.checks import assert_one_sentence

DAY = datetime.datetime(2021, 3, 4)
COLUMNS: dict[str, tuple[pa.Array, str]] = {
    "integers": (pa.array([3, 1, 2, 3], pa.int16()), "int16"),
    "integers with a gap": (pa.array([3, None, 2, 3], pa.uint8()), "uint8"),
    "floats": (pa.array([0.5, None, 2.5, 0.5]), "float64"),
    "narrow floats": (pa.array([0.5, 1.5, 2.5, 0.5], pa.float32()), "float32"),
    "decimals": (pa.array([decimal.Decimal("1.25"), None, decimal.Decimal("2.50")] * 2, pa.decimal128(6, 2)), "decimal128(6, 2)"),
    "booleans": (pa.array([True, False, True]), "bool"),
    "booleans with a gap": (pa.array([True, None, False]), "bool"),
    "text": (pa.array(["b", "a", None, "b", "a"]), "text"),
    "empty text": (pa.array(["", "a", "", "a"]), "text"),
    "dates": (pa.array([DAY.date(), None, datetime.date(1969, 1, 1)]), "date32[day]"),
    "seconds": (pa.array([DAY, None, DAY.replace(hour=5)], pa.timestamp("s")), "timestamp[s]"),
    "microseconds": (pa.array([DAY, DAY.replace(microsecond=7)], pa.timestamp("us")), "timestamp[us]"),
    "times with a zone": (
        pa.array([DAY, None, DAY.replace(hour=7)], pa.timestamp("us", "Europe/Berlin")),
        "timestamp[us, tz=Europe/Berlin]",
    ),
    "narrow decimals": (pa.array([decimal.Decimal("-0.5"), decimal.Decimal(3)], pa.decimal64(4, 1)), "decimal64(4, 1)"),
    "times": (pa.array([datetime.time(5), datetime.time(6, 1)], pa.time32("s")), "time32[s]"),
    "durations": (pa.array([datetime.timedelta(5), None], pa.duration("ms")), "duration[ms]"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_cells_come_back_in_their_type(name: str) -> None:
    column, dtype = COLUMNS[name]
    found = cells_of([pa.chunked_array([column])], name)
    assert (found.unfit, found.dtype) == ("", dtype)
    assert is_dtype(dtype)
    back = as_arrow(found.parts[0], found.dtype, found.categories)
    assert back.equals(column)
    assert as_arrow(np.zeros(0), found.dtype, found.categories).type == back.type


def test_nanoseconds_become_microseconds() -> None:
    zoned = pa.chunked_array([pa.array([DAY, DAY.replace(hour=7)], pa.timestamp("ns"))])
    found = cells_of([zoned], "when")
    assert found.dtype == "timestamp[us]"
    assert as_arrow(found.parts[0], found.dtype).to_pylist() == [DAY, DAY.replace(hour=7)]


def test_numbers_get_the_nearest_value_of_their_type() -> None:
    values = np.array([-200.7, 0.4, 0.6, 1e300])
    assert as_arrow(values, "int8").to_pylist() == [-128, 0, 1, 127]
    assert as_arrow(values, "int64").to_pylist()[:3] == [-201, 0, 1]
    assert as_arrow(values, "int64")[3].as_py() > 2**62
    assert as_arrow(values, "bool").to_pylist() == [False, False, True, True]
    assert as_arrow(np.array([True, False]), "bool").to_pylist() == [True, False]
    assert as_arrow(np.array([0.4, np.nan]), "int32").to_pylist() == [0, None]
    assert as_arrow(np.array([3, 7]), "uint8").type == pa.uint8()


def test_a_pandas_category_keeps_its_order() -> None:
    sizes = pa.DictionaryArray.from_arrays(pa.array([2, 0, 1, 0, 2, 1]), ["small", "middle", "large"])
    found = cells_of([pa.chunked_array([sizes])], "size")
    assert found.categories == ("small", "middle", "large")
    np.testing.assert_array_equal(found.parts[0], [2, 0, 1, 0, 2, 1])


@pytest.mark.parametrize(
    ("column", "name", "why"),
    [
        (pa.array([f"n{k}" for k in range(50)]), "name", "of text of its own in most rows"),
        (pa.array([f"n{k % 1200}" for k in range(6000)]), "code", "of text with more than 1,000 different values"),
        (pa.array(["x"] * 9), "same", "constant"),
        (pa.array([None] * 9, pa.string()), "none", "empty"),
        (pa.array([None] * 9, pa.float64()), "none", "empty"),
        (pa.nulls(9), "none", "empty"),
        (pa.array([1.0, np.inf, None]), "far", "with infinite values"),
        (pa.array([2**60, 1]), "huge", "of integers beyond 2**53"),
        (pa.array([2**63 + 1, 1], pa.uint64()), "huge", "of integers beyond 2**53"),
        (pa.array([decimal.Decimal(2**53), 1], pa.decimal128(20, 2)), "sum", "of decimals of more than 15 digits"),
        (pa.array([f"{k}.5" for k in range(50)]), "price", "of text that looks like numbers"),
        (pa.array([f"2024-01-01 00:{k}:00" for k in range(10, 60)]), "when", "of text that looks like dates"),
        (pa.array(range(9)), "id", "of row numbers"),
        (pa.array([[1], [2]]), "list", "nested"),
        (pa.array([b"a", b"b"]), "bytes", "of bytes, or text that is not in UTF-8"),
        (pa.array([7, 7, 7]), "seven", "constant"),
        (pa.array([DAY, DAY]), "day", "constant"),
    ],
)
def test_columns_that_are_not_learned_say_why(column: Any, name: str, why: str) -> None:
    assert cells_of([pa.chunked_array([column])], name).unfit == why


def test_a_value_that_is_always_the_same_or_missing_is_learned() -> None:
    assert not cells_of([pa.chunked_array([pa.array([7, None, 7])])], "seven").unfit
    assert not cells_of([pa.chunked_array([pa.array(["x", None, "x"] * 3)])], "text").unfit


def test_known_categories_are_the_only_ones() -> None:
    column = pa.chunked_array([pa.array(["b", "c", None])])
    np.testing.assert_array_equal(cells_of([column], "kind", expected=Expected("text", ("a", "b", "c"))).parts[0], [1, 2, np.nan])
    for known, words in ((("a", "b"), 'holds "c" in row 1, which is none of its 2 categories'), (("\x1b", "c"), 'holds "b" in row 0')):
        with pytest.raises(SaltusError) as caught:
            cells_of([column], "kind", expected=Expected("text", known))
        assert_one_sentence(caught.value, "the column kind", words)
    with pytest.raises(SaltusError, match="holds int64 where text was expected"):
        cells_of([pa.chunked_array([pa.array([1, 2])])], "kind", expected=Expected("", ("a",)))


def test_other_categories_count_as_missing_where_they_may() -> None:
    column = pa.chunked_array([pa.array(["b", "z", None])])
    found = cells_of([column], "kind", expected=Expected("text", ("a", "b"), others=True))
    np.testing.assert_array_equal(found.parts[0], [1, np.nan, np.nan])


def test_a_text_where_numbers_were_is_told() -> None:
    column = pa.chunked_array([pa.array([None, "c", "b"])])
    for text in (column, column.dictionary_encode()):
        with pytest.raises(SaltusError) as caught:
            cells_of([text], "price", expected=Expected("float64"))
        assert_one_sentence(caught.value, 'the column price holds "c" in row 1 where numbers were expected')


@pytest.mark.parametrize(
    ("column", "dtype", "cells"),
    [
        (pa.array([DAY, None], pa.timestamp("ns")), "timestamp[s]", [1614816000, np.nan]),
        (pa.array([DAY, None], pa.timestamp("s", "Europe/Berlin")), "timestamp[us, tz=UTC]", [1614816000e6, np.nan]),
        (pa.array([DAY, None], pa.timestamp("s")), "date32[day]", [18690, np.nan]),
        (pa.array([DAY.date(), None]), "timestamp[s]", [1614816000, np.nan]),
        (pa.array([datetime.timedelta(seconds=2)], pa.duration("us")), "duration[ms]", [2000]),
        (pa.array([datetime.time(5)], pa.time64("us")), "time32[s]", [18000]),
    ],
)
def test_times_are_read_in_the_unit_that_was_learned(column: Any, dtype: str, cells: list[float]) -> None:
    found = cells_of([pa.chunked_array([column])], "when", expected=Expected(dtype))
    np.testing.assert_array_equal(found.parts[0], cells)
    assert found.dtype == dtype


def test_what_is_no_time_is_told() -> None:
    for values, words in (([1.5], "holds numbers where dates were expected"), (["2021-03-04"], 'holds "2021-03-04" in row 0 where dates')):
        with pytest.raises(SaltusError) as caught:
            cells_of([pa.chunked_array([pa.array(values)])], "when", expected=Expected("date32[day]"))
        assert_one_sentence(caught.value, f"the column when {words}")
    nothing = pa.chunked_array([pa.array([None, None], pa.float64())])
    assert np.isnan(cells_of([nothing], "when", expected=Expected("date32[day]")).parts[0]).all()

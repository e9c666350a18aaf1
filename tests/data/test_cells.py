"""Cells of columns: every kind goes one way and comes back in its type; what cannot be learned says why."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from saltus.data.cells import DTYPES, as_arrow, cells_of, in_unit
from saltus.errors import SaltusError
from tests.helpers.checks import assert_one_sentence

DAY = datetime.datetime(2021, 3, 4)
COLUMNS: dict[str, tuple[pa.Array, str]] = {
    "integers": (pa.array([3, 1, 2, 3], pa.int16()), "int16"),
    "integers with a gap": (pa.array([3, None, 2, 3], pa.uint8()), "uint8"),
    "floats": (pa.array([0.5, None, 2.5, 0.5]), "float64"),
    "narrow floats": (pa.array([0.5, 1.5, 2.5, 0.5], pa.float32()), "float32"),
    "decimals": (pa.array([decimal.Decimal("1.25"), None, decimal.Decimal("2.50")] * 2, pa.decimal128(6, 2)), "float64"),
    "booleans": (pa.array([True, False, True]), "bool"),
    "booleans with a gap": (pa.array([True, None, False]), "bool"),
    "text": (pa.array(["b", "a", None, "b", "a"]), "text"),
    "empty text": (pa.array(["", "a", "", "a"]), "text"),
    "dates": (pa.array([DAY.date(), None, datetime.date(1969, 1, 1)]), "date32[day]"),
    "seconds": (pa.array([DAY, None, DAY.replace(hour=5)], pa.timestamp("s")), "timestamp[s]"),
    "microseconds": (pa.array([DAY, DAY.replace(microsecond=7)], pa.timestamp("us")), "timestamp[us]"),
    "times": (pa.array([datetime.time(5), datetime.time(6, 1)], pa.time32("s")), "time32[s]"),
    "durations": (pa.array([datetime.timedelta(5), None], pa.duration("ms")), "duration[ms]"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_cells_come_back_in_their_type(name: str) -> None:
    column, dtype = COLUMNS[name]
    found = cells_of([pa.chunked_array([column])], name)
    assert (found.unfit, found.dtype) == ("", dtype)
    assert dtype in DTYPES
    back = as_arrow(found.parts[0], found.dtype, found.categories)
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    assert back.equals(column)
    assert as_arrow(np.zeros(0), found.dtype, found.categories).type == back.type


def test_nanoseconds_and_zones_become_microseconds_in_utc() -> None:
    zoned = pa.chunked_array([pa.array([DAY, DAY.replace(hour=7)], pa.timestamp("ns", "Europe/Berlin"))])
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
        (pa.array(range(9)), "id", "of row numbers"),
        (pa.array([[1], [2]]), "list", "nested"),
        (pa.array([b"a", b"b"]), "bytes", "of another kind"),
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
    np.testing.assert_array_equal(cells_of([column], "kind", known=("a", "b", "c"), any_values=True).parts[0], [1, 2, np.nan])
    for known, words in ((("a", "b"), 'holds "c" in row 1, which is none of its 2 categories'), (("\x1b", "c"), 'holds "b" in row 0')):
        with pytest.raises(SaltusError) as caught:
            cells_of([column], "kind", known=known, any_values=True)
        assert_one_sentence(caught.value, "the column kind", words)
    with pytest.raises(SaltusError, match="holds int64 where text was expected"):
        cells_of([pa.chunked_array([pa.array([1, 2])])], "kind", known=("a",))


def test_a_text_where_numbers_were_is_told() -> None:
    column = pa.chunked_array([pa.array(["b", "c", None])])
    for text in (column, column.dictionary_encode()):
        with pytest.raises(SaltusError) as caught:
            cells_of([text], "price", known=(), any_values=True)
        assert_one_sentence(caught.value, "the column price holds text where numbers were expected")


@pytest.mark.parametrize(
    ("column", "dtype", "cells"),
    [
        (pa.array([DAY, None], pa.timestamp("ns")), "timestamp[s]", [1614816000, np.nan]),
        (pa.array([DAY, None], pa.timestamp("s", "Europe/Berlin")), "timestamp[us]", [1614816000e6, np.nan]),
        (pa.array([DAY, None], pa.timestamp("s")), "date32[day]", [18690, np.nan]),
        (pa.array([DAY.date(), None]), "timestamp[s]", [1614816000, np.nan]),
        (pa.array(["2021-03-04", None]), "date32[day]", [18690, np.nan]),
        (pa.array([datetime.timedelta(seconds=2)], pa.duration("us")), "duration[ms]", [2000]),
        (pa.array([datetime.time(5)], pa.time64("us")), "time32[s]", [18000]),
    ],
)
def test_times_are_read_in_the_unit_that_was_learned(column: Any, dtype: str, cells: list[float]) -> None:
    found = cells_of([in_unit(pa.chunked_array([column]), dtype, "when")], "when", any_values=True)
    np.testing.assert_array_equal(found.parts[0], cells)
    assert found.dtype == dtype
    same = pa.chunked_array([as_arrow(np.zeros(2), dtype)])
    assert in_unit(same, dtype, "when") is same


def test_what_is_no_time_is_told() -> None:
    with pytest.raises(SaltusError) as caught:
        in_unit(pa.chunked_array([pa.array([1.5])]), "date32[day]", "when")
    assert_one_sentence(caught.value, "the column when holds double where date32[day] was expected")
    nothing = pa.chunked_array([pa.array([None, None], pa.float64())])
    assert in_unit(nothing, "date32[day]", "when") is nothing

"""Tables of every library, of which some cells are replaced: nothing else changes, neither types, order nor index."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from saltus.estimators.frames import Frame, to_arrow, with_cells

WHERE = np.array([False, True, False, True])
DAY, OTHER = datetime.date(2024, 1, 5), datetime.date(2024, 3, 1)
NOON = datetime.datetime(2024, 1, 5, 12)

PANDAS: dict[str, tuple[Any, pa.Array, list[Any]]] = {
    "floats": (pd.Series([0.1, np.nan, 0.3, np.nan]), pa.array([1.5, 2.5]), [0.1, 1.5, 0.3, 2.5]),
    "narrow floats": (
        pd.Series([0.1, np.nan, 0.3, np.nan], dtype="float32"),
        pa.array([1.5, 2.5]),
        [np.float32(0.1), 1.5, np.float32(0.3), 2.5],
    ),
    "whole numbers": (pd.Series([1.0, np.nan, 3.0, np.nan]), pa.array([7, 8], pa.int32()), [1.0, 7.0, 3.0, 8.0]),
    "nullable": (pd.Series([2**60 + 1, None, 3, None], dtype="Int64"), pa.array([7, 8]), [2**60 + 1, 7, 3, 8]),
    "nullable and narrow": (pd.Series([1, None, 3, None], dtype="Int8"), pa.array([7, 300]), [1, 7, 3, 300]),
    "text": (pd.Series(["a", None, "b", None]), pa.array(["a", "b"]), ["a", "a", "b", "b"]),
    "objects": (pd.Series(["a", None, "b", None], dtype=object), pa.array(["a", "b"]), ["a", "a", "b", "b"]),
    "booleans": (pd.Series([True, None, False, None], dtype=object), pa.array([False, True]), [True, False, False, True]),
    "categories": (
        pd.Series(pd.Categorical(["a", None, "b", None], ["b", "a"], ordered=True)),
        pa.array(["a", "b"]),
        ["a", "a", "b", "b"],
    ),
    "other categories": (pd.Series(pd.Categorical(["a", None, "a", None], ["a"])), pa.array(["a", "b"]), ["a", "a", "a", "b"]),
    "dates": (pd.Series([DAY, None, DAY, None], dtype=object), pa.array([OTHER, OTHER]), [DAY, OTHER, DAY, OTHER]),
    "nanoseconds": (
        pd.Series(pd.to_datetime(["2024-01-05 12:00:00.123456789", None, "2024-01-05", None], format="mixed")),
        pa.array([NOON] * 2, pa.timestamp("us")),
        [pd.Timestamp("2024-01-05 12:00:00.123456789"), pd.Timestamp(NOON), pd.Timestamp(DAY), pd.Timestamp(NOON)],
    ),
    "zones": (
        pd.Series(pd.to_datetime(["2024-01-05 13:00", None] * 2)).dt.tz_localize("Europe/Berlin"),
        pa.array([NOON] * 2, pa.timestamp("us")),
        [pd.Timestamp("2024-01-05 13:00", tz="Europe/Berlin")] * 4,
    ),
    "decimals": (
        pd.Series([Decimal("1.25"), None] * 2),
        pa.array([1.5, 2.5]),
        [Decimal("1.25"), Decimal("1.50"), Decimal("1.25"), Decimal("2.50")],
    ),
}


@pytest.mark.parametrize("name", PANDAS)
def test_cells_of_pandas_are_replaced_and_nothing_else(name: str) -> None:
    column, new, expected = PANDAS[name]
    table = pd.DataFrame({"x": range(4), 3: column, "lists": [[1], [2], None, [3]]})
    table.index = pd.Index([7, 5, 5, 2], name="row")
    before = table.copy(deep=True)
    found = with_cells(table, {"3": (WHERE, new)})
    assert found[3].tolist() == expected
    pd.testing.assert_frame_equal(table, before)
    pd.testing.assert_frame_equal(found.drop(columns=3), before.drop(columns=3))
    assert list(found.columns) == list(before.columns)
    pd.testing.assert_index_equal(found.index, before.index)
    if name not in ("nullable and narrow", "other categories"):
        assert found[3].dtype == before[3].dtype
    assert found[3][WHERE].notna().all()


@pytest.mark.parametrize(
    ("column", "new"),
    [
        (pd.Series([np.nan] * 4), pa.array(["a", "b", "a", "b"])),
        (pd.Series([None] * 4, dtype=object), pa.array(["a", "b", "a", "b"])),
        (pd.Series([None] * 4, dtype=object), pa.array([1.5, 2.5, 3.5, 4.5])),
        (pd.Series([np.nan] * 4), pa.array([NOON] * 4)),
        (pd.Series([np.nan] * 4), pa.array([1, 2, 3, 4], pa.int16())),
        (pd.Series(pd.Categorical([None] * 4, [])), pa.array(["a", "b", "a", "b"])),
        (pd.Series([pd.NaT] * 4), pa.array([NOON] * 4)),
    ],
)
def test_columns_of_nothing_are_filled(column: Any, new: pa.Array) -> None:
    found = with_cells(pd.DataFrame({"a": column}), {"a": (np.ones(4, dtype=bool), new)})
    assert found["a"].tolist() == new.to_pylist()
    arrow = with_cells(pa.table({"a": pa.nulls(4)}), {"a": (np.ones(4, dtype=bool), new)})
    assert arrow["a"].to_pylist() == new.to_pylist()
    polars = with_cells(pl.DataFrame({"a": [None] * 4}), {"a": (np.ones(4, dtype=bool), new)})
    assert polars["a"].to_list() == new.to_pylist()


ARROW: dict[str, tuple[pa.Array, pa.Array, list[Any]]] = {
    "no number": (pa.array([0.1, np.nan, 0.3, None]), pa.array([1.5, 2.5]), [0.1, 1.5, 0.3, 2.5]),
    "narrow": (pa.array([1, None, 3, None], pa.int8()), pa.array([7, 8]), [1, 7, 3, 8]),
    "too narrow": (pa.array([1, None, 3, None], pa.int8()), pa.array([7, 300]), [1, 7, 3, 300]),
    "text": (pa.array(["a", None, "b", None], pa.large_string()), pa.array(["a", "b"]), ["a", "a", "b", "b"]),
    "dictionary": (pa.array(["a", None, "b", None]).dictionary_encode(), pa.array(["c", "b"]), ["a", "c", "b", "b"]),
    "seconds": (pa.array([NOON, None] * 2, pa.timestamp("s")), pa.array([NOON.replace(microsecond=7)] * 2), [NOON] * 4),
    "dates": (pa.array([DAY, None] * 2), pa.array([OTHER] * 2), [DAY, OTHER] * 2),
    "decimals": (
        pa.array([Decimal("1.25"), None] * 2),
        pa.array([1.5, 2.25]),
        [Decimal("1.25"), Decimal("1.50"), Decimal("1.25"), Decimal("2.25")],
    ),
    "booleans": (pa.array([True, None] * 2), pa.array([False] * 2), [True, False] * 2),
}


@pytest.mark.parametrize("name", ARROW)
def test_cells_of_pyarrow_and_polars_are_replaced_and_nothing_else(name: str) -> None:
    column, new, expected = ARROW[name]
    table = pa.table({"x": pa.array(range(4), pa.int8()), "a": column, "y": pa.array([b"1", None, b"3", b"4"])})
    found = with_cells(table, {"a": (WHERE, new)})
    assert found["a"].to_pylist() == expected
    assert found.drop_columns("a").equals(table.drop_columns("a"))
    assert found.column_names == table.column_names
    assert found.schema.equals(table.schema) is (name != "too narrow")
    frame = pl.DataFrame({"x": range(4)}).with_columns(pl.from_arrow(column).alias("a"))  # type: ignore[union-attr]
    replaced = with_cells(frame, {"a": (WHERE, new)})
    assert replaced["a"].to_list() == expected
    assert replaced["x"].equals(frame["x"])
    assert (replaced.schema == frame.schema) is (name != "too narrow")
    assert frame["a"].null_count() == column.null_count


def test_cells_of_polars_that_are_categories_are_replaced() -> None:
    for kind, same in ((pl.Categorical, True), (pl.Enum(["a", "b", "c"]), True), (pl.Enum(["a", "b"]), False)):
        frame = pl.DataFrame({"a": pl.Series(["a", None, "b", None]).cast(kind)})
        found = with_cells(frame, {"a": (WHERE, pa.array(["c", "b"]))})
        assert found["a"].to_list() == ["a", "c", "b", "b"]
        assert (found.schema == frame.schema) is same


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cells_of_arrays_are_replaced(dtype: type) -> None:
    array = np.array([[0.1, 1.0], [np.nan, 2.0], [0.3, 3.0], [np.nan, np.nan]], dtype=dtype)
    before = array.copy()
    found = with_cells(array, {"column 0": (WHERE, pa.array([1.5, 2.5])), "column 1": (np.arange(4) == 3, pa.array([4]))})
    np.testing.assert_array_equal(found, np.array([[0.1, 1.0], [1.5, 2.0], [0.3, 3.0], [2.5, 4.0]], dtype=dtype))
    assert found.dtype == dtype
    np.testing.assert_array_equal(array, before)
    np.testing.assert_array_equal(with_cells(before.tolist(), {"column 1": (np.arange(4) == 3, pa.array([4]))})[3, 1], 4)


def test_pyarrow_tables_come_back_in_their_types() -> None:
    """By the types themselves, and by the names that are kept of them."""
    table = pa.table(
        {
            "a": pa.array([1, 2], pa.int8()),
            "b": pa.array(["x", "y"]).dictionary_encode(),
            "c": pa.array([NOON] * 2, pa.timestamp("ns")),
            "d": pa.array(["u", "v"], pa.large_string()),
        }
    )
    plain = pa.table({"a": [1, 2], "b": ["x", "y"], "c": pa.array([NOON] * 2, pa.timestamp("us")), "d": ["u", "v"]})
    _, frame = to_arrow(table)
    assert frame.of(plain, range(4)).equals(table)
    named = Frame("pyarrow", frame.names, tuple(map(str, frame.dtypes))).of(plain, range(4))
    assert [str(kind) for kind in named.schema.types] == ["int8", "string", "timestamp[ns]", "large_string"]
    assert frame.of(plain.select([2, 0]), [2, 0]).equals(table.select([2, 0]))

"""Which columns of a table are learned, what is said of the others, and that rows and exact values stay."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from saltus.data import Expected, load, read_items
from saltus.data.tables import cells_in, read_table, table_parts
from saltus.errors import SaltusError
from saltus.networks.conditions import ClassCondition
from tests.helpers.checks import assert_one_sentence

N = 90


def columns() -> dict[str, pa.Array]:
    """One of every kind."""
    rng = np.random.default_rng(0)
    return {
        "age": pa.array(rng.integers(17, 90, N)),
        "flag": pa.array(rng.random(N) < 0.4),
        "small": pa.array(rng.integers(-3, 3, N), pa.int8()),
        "income": pa.array(rng.lognormal(3, 1, N)),
        "price": pa.array([f"{k}.25" for k in range(N)]).cast(pa.decimal128(10, 2)),
        "name": pa.array([f"n{k}" for k in range(N)]),
        "kind": pa.array(["a", "b", "c"] * (N // 3)).dictionary_encode(),
        "born": pa.array([datetime.date(2020, 1, 1 + k % 28) for k in range(N)]),
        "unit": pa.array([3] * N),
        "gap": pa.array([None if k % 7 == 0 else k for k in range(N)]),
        "hole": pa.array([np.nan if k == 5 else k for k in range(N)], pa.float64()),
        "far": pa.array([np.inf if k == 5 else k for k in range(N)], pa.float64()),
        "id": pa.array(2**60 + np.arange(N)),
        "list": pa.array([[k] for k in range(N)]),
        "nothing": pa.nulls(N),
    }


def parts_of(table: pa.Table, condition: str | None = None, wanted: dict[str, Expected] | None = None):
    return table_parts([table, None, None], ["the table", "", ""], condition, wanted)


def test_numbers_and_booleans_are_learned_and_one_line_names_the_rest(tmp_path: Path) -> None:
    table = pa.table(columns())
    parquet.write_table(table, tmp_path / "all.parquet")
    parts = read_table(tmp_path / "all.parquet")
    assert parts.columns == ("age", "flag", "small", "income", "price", "kind", "born", "gap", "hole")
    assert parts.dtypes == ("int64", "bool", "int8", "float64", "decimal128(10, 2)", "text", "date32[day]", "int64", "float64")
    assert parts.categories == ((),) * 5 + (("a", "b", "c"),) + ((),) * 3
    assert parts.train.dtype == np.float64
    assert len(parts.train) == N  # rows are never dropped
    for name, values in zip(parts.columns[:5], parts.train.T, strict=False):
        np.testing.assert_array_equal(values, np.array(table[name].to_pylist(), dtype=np.float64))
    np.testing.assert_array_equal(parts.train[:, 5], np.arange(N) % 3)
    np.testing.assert_array_equal(parts.train[:, 6], 18262 + np.arange(N) % 28)  # days since 1970
    np.testing.assert_array_equal(np.isnan(parts.train[:, 7]), np.arange(N) % 7 == 0)
    np.testing.assert_array_equal(np.isnan(parts.train[:, 8]), np.arange(N) == 5)
    (note,) = parts.notes
    assert note == (
        "6 of 15 columns are left out: 1 of text of its own in most rows (name), 1 constant (unit), 1 with infinite values (far), "
        "1 of integers beyond 2**53 (id), 1 nested (list), 1 empty (nothing)"
    )
    data = load(tmp_path / "all.parquet")
    assert (data.name, data.columns, data.dtypes, data.notes) == ("all", parts.columns, parts.dtypes, parts.notes)


@pytest.mark.parametrize(
    ("names", "dtype"), [(["flag"], np.bool_), (["age", "flag"], np.int64), (["small"], np.int64), (["age", "income"], np.float64)]
)
def test_the_type_of_the_array_holds_every_column(names: list[str], dtype: type) -> None:
    table = pa.table({name: columns()[name] for name in names})
    assert parts_of(table).train.dtype == dtype
    assert parts_of(table).notes == ()


def test_many_columns_are_named_in_few_words() -> None:
    table = pa.table({"a": pa.array(range(N))} | {f"t{k}": pa.array(["x"] * N) for k in range(15)})
    assert parts_of(table).notes[0].endswith("15 constant (t0, t1, t2, t3, t4, t5, t6, t7, t8, t9 and 5 more)")


def test_a_column_that_counts_rows_is_left_out() -> None:
    rows = pa.array(range(1, N + 1))
    assert parts_of(pa.Table.from_arrays([rows, columns()["age"]], ["", "age"])).columns == ("age",)
    assert parts_of(pa.Table.from_arrays([columns()["age"], rows], ["age", "ID"])).columns == ("age",)
    assert parts_of(pa.Table.from_arrays([rows, columns()["age"]], ["year", "age"])).columns == ("year", "age")


def test_labels_are_a_column_where_they_are_asked_for(tmp_path: Path) -> None:
    table = pa.table({"age": columns()["age"], "Label": columns()["kind"].cast(pa.string()), "income": columns()["income"]})
    parquet.write_table(table, tmp_path / "a.parquet")
    data = load(tmp_path / "a.parquet", condition="labels")
    assert isinstance(data.condition, ClassCondition)
    assert data.condition.names == ("a", "b", "c")
    assert data.columns == ("age", "income")
    assert load(tmp_path / "a.parquet").columns == ("age", "Label", "income")
    numbers = pa.table({"age": columns()["age"], "y": pa.array([k % 3 for k in range(N)])})
    assert parts_of(numbers).columns == ("age", "y")  # a column like others
    parts = parts_of(numbers, "labels")
    assert parts.columns == ("age",)
    assert parts.labels is not None
    np.testing.assert_array_equal(parts.labels.train, np.arange(N) % 3)


def test_samples_are_read_by_the_names_of_columns_whatever_they_hold(tmp_path: Path) -> None:
    table = pa.table({"more": ["x", "y"], "b": [1, 1], "a": [0.5, 1.5]})
    parquet.write_table(table, tmp_path / "s.parquet")
    np.testing.assert_array_equal(read_items(tmp_path / "s.parquet", columns={"a": Expected(), "b": Expected()}), [[0.5, 1], [1.5, 1]])
    np.testing.assert_array_equal(read_items(tmp_path / "s.parquet", columns={"more": Expected("text", ("y", "x"))}), [[1], [0]])
    wrong = {
        "there is no column c": {"a": Expected(), "c": Expected()},
        'the column more holds "y" in row 1, which is none of its 2 categories': {"more": Expected("", ("x", "z"))},
        "the column a holds double where text was expected": {"a": Expected("", ("x",))},
    }
    for words, wanted in wrong.items():
        with pytest.raises(SaltusError) as caught:
            read_items(tmp_path / "s.parquet", columns=wanted)
        assert_one_sentence(caught.value, str(tmp_path / "s.parquet"), words)


@pytest.mark.parametrize(
    ("table", "condition", "words"),
    [
        (pa.Table.from_arrays([pa.array([1, 2])] * 2, ["a", "a"]), None, "2 columns are named a"),
        (pa.table({"a": pa.array([], pa.int64())}), None, "there are no rows"),
        (
            pa.table({"a": ["x", "y"], "b": [1, 1]}),
            None,
            "no column to learn from: 2 of 2 columns are left out: 1 of text of its own in most rows (a), 1 constant (b)",
        ),
        (pa.table({"a": [1, 2]}), "labels", "no column of labels"),
        (pa.table({"a": [1, 2], "label": [None, "x"]}), "labels", "the column label"),
    ],
)
def test_a_table_that_cannot_be_learned_is_told_in_one_sentence(table: pa.Table, condition: str | None, words: str) -> None:
    with pytest.raises(SaltusError) as caught:
        parts_of(table, condition)
    assert_one_sentence(caught.value, words)


def test_parts_have_the_same_columns() -> None:
    one, other = pa.table({"a": [1, 1], "b": [2, 2]}), pa.table({"a": [1, 2], "b": [2, 2]})
    parts = table_parts([one, None, other], ["train", "", "test"])
    assert parts.columns == ("a",)  # varies in one of them
    assert parts.test is not None
    with pytest.raises(SaltusError, match="other columns"):
        table_parts([one, other.rename_columns(["a", "c"]), None], ["train", "validation", ""])


def test_cells_are_read_whether_they_are_there_or_not() -> None:
    table = pa.table({"more": ["u", "v", None], "a": [0.5, np.nan, None], "b": pa.array([None] * 3, pa.int8()), "c": ["y", None, "x"]})
    found = cells_in(table, {"c": Expected("text", ("x", "y")), "a": Expected("float64"), "b": Expected("int8")})
    np.testing.assert_array_equal(found, [[1, 0.5, np.nan], [np.nan] * 3, [0, np.nan, np.nan]])
    np.testing.assert_array_equal(cells_in(table, {"c": Expected("text", ("x",))}, others=True)[:, 0], [np.nan, np.nan, 0])
    for wanted, words in (
        ({"d": Expected()}, "there is no column d"),
        ({"c": Expected("text", ("x",))}, 'the column c holds "y" in row 0, which is none of its 1 categories'),
        ({"c": Expected("int64")}, 'the column c holds "y" in row 0 where numbers were expected'),
        ({"a": Expected("text", ("x",))}, "the column a holds double where text was expected"),
    ):
        with pytest.raises(SaltusError) as caught:
            cells_in(table, wanted)
        assert_one_sentence(caught.value, words)
    with pytest.raises(SaltusError, match="the column far holds inf in row 1, where a finite number was expected"):
        cells_in(pa.table({"far": [1.0, np.inf]}), {"far": Expected("float64")})

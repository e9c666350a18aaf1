"""Tables as nobody should write them, and as many do: each mistake is one sentence before anything is learned or written, and what has a
friendly reading is read so."""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from saltus import SaltusError, TableModel
from saltus.data import DataSet, load
from saltus.estimators import Model
from tests.helpers.checks import assert_one_sentence
from tests.helpers.terminal import saltus

N = 80
X = np.random.default_rng(0).normal(size=N)
SEVEN = np.arange(N) % 7
K = SEVEN.tolist()


def frame(**columns: Any) -> pd.DataFrame:
    """Numbers, and these columns."""
    return pd.DataFrame({"x": X, **columns})


class Began(Exception):
    """A training would begin."""


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch) -> Callable[..., DataSet]:
    """The data that a fit would learn from; what is refused is so before that."""

    def train(data: DataSet, *_: Any, **__: Any) -> None:
        raise Began(data)

    def of(table: Any, **options: Any) -> DataSet:
        monkeypatch.setattr(Model, "train", train)
        with pytest.raises(Began) as began:
            TableModel(time="1s", random_state=0, **options).fit(table)
        (data,) = began.value.args
        assert isinstance(data, DataSet)
        return data

    return of


AS_NUMBER = {"columns": {"a": "number"}}
WITH_ZONE = pd.Timestamp("2024-01-01", tz="UTC")
REFUSED: dict[str, tuple[Callable[[], Any], dict[str, Any], tuple[str, ...]]] = {
    "one row": (lambda: frame().head(1), {}, ("1 sample is too few",)),
    "few rows": (lambda: frame().head(9), {}, ("9 samples are too few",)),
    "no rows": (lambda: frame().head(0), {}, ("0 samples are too few",)),
    "no columns": (lambda: pd.DataFrame(index=range(N)), {}, ("there are no columns",)),
    "one name twice": (lambda: pd.DataFrame(np.zeros((N, 2)), columns=["a", "a"]), {}, ("one name, a",)),
    "no name twice": (lambda: pd.DataFrame(np.zeros((N, 2)), columns=["", ""]), {}, ("one name, which is empty",)),
    "one name twice in Arrow": (lambda: pa.Table.from_arrays([pa.array(X)] * 2, names=["a", "a"]), {}, ("2 columns are named a",)),
    "7 and '7'": (lambda: pd.DataFrame({7: X, "7": X}), {}, ("2 columns are named 7",)),
    "all constant": (lambda: pd.DataFrame({"a": [1] * N, "b": ["x"] * N}), {}, ("2 constant (a, b)",)),
    "all missing": (lambda: pd.DataFrame({"a": [None] * N}), {}, ("1 empty (a)",)),
    "infinite values in an array": (
        lambda: np.column_stack([X, np.where(SEVEN > 5, np.inf, X)]),
        {},
        ("column 1 of the array", "infinite"),
    ),
    "mixed types": (lambda: frame(a=[1, 2, "x", 4] * 20), {}, ("column a", "1 in row 0 and 'x' in row 2")),
    "decimals and floats": (lambda: frame(a=[Decimal(1), 1.5] * 40), {}, ("column a", "Decimal('1') in row 0 and 1.5 in row 1")),
    "zones and none": (lambda: frame(a=pd.Series([pd.Timestamp("2024-01-01"), WITH_ZONE] * 40, dtype=object)), {}, ("column a", "row 1")),
    "complex numbers": (lambda: frame(a=X + 1j), {}, ("column a holds complex numbers",)),
    "integers beyond 64 bits": (lambda: frame(a=pd.Series([2**70] * N, dtype=object)), {}, ("column a cannot be read", "too large")),
    "objects": (lambda: frame(a=[object()] * N), {}, ("column a cannot be read",)),
    "integers of 128 bits": (lambda: pl.DataFrame({"a": pl.Series([2**100] * N, dtype=pl.Int128)}), {}, ("column a cannot be read",)),
    "a series": (lambda: pd.Series(X), {}, ("a Series of pandas; expected a DataFrame",)),
    "a lazy frame": (lambda: pl.DataFrame({"x": X}).lazy(), {}, ("a LazyFrame of polars; expected a DataFrame",)),
    "an Arrow array": (lambda: pa.array(X), {}, ("a DoubleArray of pyarrow; expected a Table",)),
    "a dictionary": (lambda: {"x": X}, {}, ("the table is a dict",)),
    "a path": (lambda: "table.csv", {}, ("the table is a str",)),
    "nothing": (lambda: None, {}, ("the table is a NoneType",)),
    "an array of one axis": (lambda: X, {}, ("an array of shape (80,)",)),
    "an array of text": (lambda: np.array([["a", "b"]] * N), {}, ("type <U1",)),
    "very many columns": (lambda: np.zeros((2, 100_000)), {}, ("100,000 columns; expected at most 10,000",)),
    "a kind of no column": (frame, {"columns": {"z": "skip"}}, ("the column z, which is not there",)),
    "a kind that is none": (frame, {"columns": {"x": "numeric"}}, ('the column x is said to be of the kind "numeric"',)),
    "kinds that are none": (frame, {"columns": 7}, ("columns is a int",)),
    "everything skipped": (frame, {"columns": {"x": "skip"}}, ("there is no column to learn from: 1 of 1 columns is left out: 1 skipped",)),
    "infinite values that are numbers": (lambda: frame(a=[1, np.inf] * 40), AS_NUMBER, ("column a holds inf in row 1",)),
    "a word that is a number": (lambda: frame(a=["1", "x"] * 40), AS_NUMBER, ('column a holds "x" in row 1',)),
    "a date that is none": (
        lambda: frame(a=["2024-02-28", "2024-02-30"] * 40),
        {"columns": {"a": "date"}},
        ('column a holds "2024-02-30" in row 1',),
    ),
    "halves that are whole": (lambda: frame(a=SEVEN / 2), {"columns": {"a": "integer"}}, ("column a holds 0.5 in row 1",)),
    "an order that lacks a category": (
        lambda: frame(a=["lo", "hi", "mid", "hi"] * 20),
        {"columns": {"a": {"kind": "ordinal", "order": ["lo", "hi"]}}},
        ('column a holds "mid" in row 2, which its order lacks',),
    ),
    "categories of a million": (
        lambda: pa.table({"a": pa.array(np.arange(10**6)).cast(pa.string())}),
        {"columns": {"a": "category"}},
        ("column a has 1,000,000 different texts where categories are at most 16,384",),
    ),
    "a list that is a number": (lambda: frame(a=[[1]] * N), AS_NUMBER, ("column a holds list<",)),
    "nothing that is a number": (lambda: frame(a=[None] * N), AS_NUMBER, ("column a", "has no value")),
    "integers that are beyond": (lambda: frame(a=2**60 + SEVEN), {"columns": {"a": "integer"}}, (f"column a holds {2**60} in row 0",)),
    "a time that is none": (frame, {"time": "soon"}, ("expected a time such as 90s",)),
    "a seed that is none": (frame, {"random_state": "x"}, ("random_state was given as 'x'",)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_table_that_cannot_be_learned_is_one_sentence_before_training(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, options, words = REFUSED[name]
    if name != "a time that is none":  # which the training's options tell, before it begins
        monkeypatch.setattr("saltus.estimators.model.train", lambda *_, **__: pytest.fail("a training began"))
    with pytest.raises(SaltusError) as caught:
        TableModel(**{"time": "1s", **options}).fit(make())
    assert_one_sentence(caught.value, *words)


READ: dict[str, tuple[Callable[[], Any], dict[str, Any], str, str]] = {
    # the table, options, the type of the column a and what it becomes; or why it is left out
    "integers": (lambda: frame(a=SEVEN.astype("uint64")), {}, "uint64", "counted"),
    "a pandas category with unused ones": (lambda: frame(a=pd.Categorical(["u", "v"] * 40, ["w", "u", "v"])), {}, "text", "categorical"),
    "an ordered category": (lambda: frame(a=pd.Categorical(["u", "v"] * 40, ["v", "u"], ordered=True)), {}, "text", "ordinal"),
    "a category of numbers": (lambda: frame(a=pd.Categorical([3, 1] * 40)), {}, "int64", "categorical"),
    "a category of truth": (lambda: frame(a=pd.Categorical([True, False] * 40)), {}, "bool", "categorical"),
    "bins of numbers": (lambda: frame(a=pd.cut(pd.Series(X), 3)), {}, "text", "ordinal"),
    "a polars category": (lambda: pl.DataFrame({"x": X, "a": pl.Series(["u", "v"] * 40, dtype=pl.Categorical)}), {}, "text", "categorical"),
    "a polars enum": (lambda: pl.DataFrame({"x": X, "a": pl.Series(["u", "v"] * 40, dtype=pl.Enum(["v", "u"]))}), {}, "text", "ordinal"),
    "an Arrow dictionary in pieces": (
        lambda: pa.table({"x": X, "a": pa.chunked_array([pa.array([one, "v"] * 20).dictionary_encode() for one in "uw"])}),
        {},
        "text",
        "categorical",
    ),
    "sparse numbers": (lambda: frame(a=pd.arrays.SparseArray(np.where(X > 1, X, 0.0))), {}, "float64", "with spikes"),
    "truth with missing cells": (lambda: frame(a=[True, None, False, False] * 20), {}, "bool", "counted with missing cells"),
    "a decimal": (lambda: frame(a=[Decimal(k) / 4 for k in K]), {}, "decimal128(3, 2)", "counted"),
    "times with a zone": (lambda: frame(a=WITH_ZONE + pd.to_timedelta(SEVEN, "D")), {}, "timestamp[us, tz=UTC]", "counted"),
    "durations": (lambda: frame(a=pd.to_timedelta(SEVEN, "h")), {}, "duration[us]", "counted"),
    "periods": (lambda: frame(a=pd.PeriodIndex(["2024-01", "2024-03"] * 40, freq="M")), {}, "int64", "counted"),
    "the year 9999": (lambda: frame(a=[dt.datetime(9999, 1, 1 + k) for k in K]), {}, "timestamp[us]", "counted"),
    "masked cells": (
        lambda: np.ma.masked_array(np.column_stack([X, SEVEN]), np.column_stack([X > 9, SEVEN > 5])),
        {},
        "float64",
        "counted with missing cells",
    ),
    "half precision": (lambda: np.column_stack([X, SEVEN]).astype("float16"), {}, "float32", "counted"),
    "numbers with commas": (lambda: frame(a=[f"{k:,}" for k in range(960, 1040)]), AS_NUMBER, "int64", "counted"),
    "percentages": (lambda: frame(a=[f"{k}.5 %" for k in K]), AS_NUMBER, "float64", "counted"),
    "marks among numbers": (lambda: frame(a=["1", "?", "NA"] * 26 + ["3"] * 2), AS_NUMBER, "int64", "counted with missing cells"),
    "numbers as text": (lambda: frame(a=SEVEN.astype(str)), {}, "text", "categorical"),
    "dates as text": (lambda: frame(a=[f"2024-01-0{k + 1}" for k in K]), {"columns": {"a": "date"}}, "date32[day]", "counted"),
    "codes": (lambda: frame(a=SEVEN), {"columns": {"a": "category"}}, "int64", "categorical"),
    "a column that is constant and declared": (lambda: frame(a=7), {"columns": {"a": "integer"}}, "int64", "counted"),
    "a list": (lambda: frame(a=[[1, 2]] * N), {}, "", "nested"),
    "a struct": (lambda: pl.DataFrame({"x": X, "a": [{"k": 1}] * N}), {}, "", "nested"),
    "bytes": (lambda: frame(a=[b"u", b"v"] * 40), {}, "", "of bytes, or text that is not in UTF-8"),
    "intervals": (lambda: frame(a=pd.arrays.IntervalArray.from_breaks(np.arange(N + 1))), {}, "", "nested"),
    "integers beyond 2**53": (lambda: frame(a=2**53 + 1 + SEVEN), {}, "", "of integers beyond 2**53"),
    "unsigned ones": (lambda: frame(a=np.uint64(2**63) + SEVEN.astype("uint64")), {}, "", "of integers beyond 2**53"),
    "long decimals": (lambda: frame(a=[Decimal(10**18 + k) / 100 for k in K]), {}, "", "of decimals of more than 15 digits"),
    "infinite values": (lambda: frame(a=[1, np.inf] * 40), {}, "", "with infinite values"),
    "a million categories": (lambda: frame(a=[f"c{k}" for k in range(N)]), {}, "", "of text of its own in most rows"),
    "numbers with commas alone": (lambda: frame(a=[f"{k:,}" for k in range(960, 1040)]), {}, "", "of text that looks like numbers"),
    "objects that are skipped": (lambda: frame(a=[object()] * N), {"columns": {"a": "skip"}}, "", "skipped"),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_a_table_with_a_friendly_reading_is_read_so(name: str, learned: Callable[..., DataSet]) -> None:
    make, options, dtype, kind = READ[name]
    data = learned(make(), **options)
    if not dtype:
        assert data.columns == ("x",)
        assert data.notes[-1].startswith(f"1 of 2 columns is left out: 1 {kind}")
        return
    assert data.dtypes[1] == dtype
    assert data.encoding.columns[1].kind == kind  # type: ignore[attr-defined]
    note = "the text of a looks like numbers, and is learned as categories; if it is none, say its kind with --columns"
    assert data.notes == ((note,) if name == "numbers as text" else ())


@pytest.mark.parametrize(
    "columns",
    [["a", ""], [" ", "  "], ["a\nb", "c\x1b[31m"], [7, 8], pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])],
    ids=["no name", "spaces", "ends of lines", "numbers", "several levels"],
)
def test_odd_names_come_back(columns: Any) -> None:
    given = pd.DataFrame(np.column_stack([X, SEVEN]), columns=columns)
    drawn = TableModel(time=0.1, random_state=0).fit(given).sample(3)
    assert drawn.columns.equals(given.columns)


ROWS = [f"{k},{x:.4f}" for k, x in zip(SEVEN, X, strict=True)]


def csv(header: str = "a,b", rows: list[str] = ROWS) -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def dates(last: str) -> bytes:
    return csv(rows=[*[f"{k},2024-01-{1 + k:02}" for k in K], f"1,{last}"])


LONG = csv(rows=[f"{k % 7},{k * 0.37:.3f}" for k in range(30_000)])
FILES: dict[str, tuple[str, bytes, tuple[str, ...]]] = {
    "nothing": ("a.csv", b"", ("this is empty",)),
    "names alone": ("a.csv", b"a,b\n", ("there are no rows",)),
    "names without an end": ("a.csv", b"a,b", ("there are no rows",)),
    "one row": ("a.csv", b"a,b\n1,2\n", ("there is one row",)),
    "a long row": ("a.csv", csv() + b"1,2,3\n", ("Row #82: Expected 2 columns, got 3",)),
    "a short row": ("a.csv", csv() + b"1\n", ("Row #82: Expected 2 columns, got 1",)),
    "other separators": ("a.csv", csv().replace(b",", b" "), ("of its own in most rows (a b)", "commas, semicolons, tabs or bars")),
    "UTF-16": ("a.csv", csv().decode().encode("utf-16"), ("UTF-16",)),
    "UTF-16 without a mark": ("a.csv", csv().decode().encode("utf-16-le"), ("NUL bytes",)),
    "NUL bytes": ("a.csv", csv() + bytes(9), ("NUL bytes",)),
    "names in Latin-1": ("a.csv", csv("gr\u00f6\u00dfe,b").decode().encode("latin-1"), ("not in UTF-8",)),
    "half of a gzip": (
        "a.csv.gz",
        gzip.compress(LONG)[: len(gzip.compress(LONG)) * 3 // 4],
        ("Truncated compressed stream", "write it again"),
    ),
    "no gzip": ("a.csv.gz", csv(), ("cannot be read as CSV",)),
    "a gzip by another name": ("a.csv", gzip.compress(csv()), ("this is gzipped",)),
    "no Parquet": ("a.parquet", csv(), ("cannot be read as Parquet",)),
    "one name twice": ("a.csv", csv("a,a"), ("2 columns are named a",)),
    "very many columns": ("a.csv", csv(",".join(f"c{k}" for k in range(100_000)), [",".join("1" * 100_000)]), ("100,000 columns",)),
    "all constant": ("a.csv", csv(rows=["1,x"] * N), ("2 constant (a, b)",)),
    "all missing": ("a.csv", csv(rows=[","] * N), ("2 empty (a, b)",)),
    "excel": ("a.xlsx", b"PK\x03\x04", ("files of the type .xlsx are not read",)),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_learned_is_one_sentence_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    file, content, words = FILES[name]
    (tmp_path / file).write_bytes(content)
    for command in (("data", file, "--columns-out", "c.toml"), ("train", "--data", file, "--updates", "2", "--out", "run")):
        done = saltus(*command, cwd=tmp_path)
        assert done.code == 1
        assert file in done.stderr
        assert all(said in done.stderr for said in words), done.stderr
        assert "Traceback" not in done.stderr
    assert [place.name for place in tmp_path.iterdir()] == [file]


def test_folders_of_tables_are_told_from_folders_of_images(tmp_path: Path) -> None:
    for folder, file in (("a.parquet", "part-0.parquet"), ("tables", "one.csv")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).write_bytes(csv())
    for folder, words in (("a.parquet", "this is a folder where a file was expected"), ("tables", "a folder of tables, such as one.csv")):
        with pytest.raises(SaltusError) as caught:
            load(tmp_path / folder)
        assert_one_sentence(caught.value, folder, words)


@pytest.mark.parametrize(
    ("content", "dtypes", "notes"),
    [
        (csv().decode().encode("utf-8-sig"), ("int64", "float64"), ()),
        (csv('" ","a\nb"'), ("int64", "float64"), ()),
        (csv(",b"), ("int64", "float64"), ()),
        (csv(rows=[*ROWS, ","]), ("int64", "float64"), ()),  # all cells of a row missing
        (
            csv(rows=[*ROWS, "1,?", "2,-", "3,NA", "4,null"]),
            ("int64", "float64"),
            ('read as missing cells: "-" in b, "?" in b',),
        ),
        (
            csv(rows=[f"{k},{'xNA'[k % 3 :][:2]}" for k in range(N)]),
            ("int64", "text"),
            ('read as missing cells: "NA" in b; a mark that is text has to be in quotes',),
        ),
        (
            dates("2024-02-30"),
            ("int64", "text"),
            ('the text of b looks like dates except for "2024-02-30" in row 80, and is learned as categories; ',),
        ),
        (csv(rows=[f"{k},0{k}" for k in K]), ("int64", "text"), ("read as text, as a number would lose digits of it: b",)),
        (csv(rows=[f"{k},{k}%" for k in K]), ("int64", "text"), ("the text of b looks like numbers, and is",)),
        (csv(rows=[f'{k},"{k},000"' for k in K]), ("int64", "text"), ("the text of b looks like numbers",)),
        (csv(rows=[f"{k},9999-12-0{1 + k} 00:00:00" for k in K]), ("int64", "timestamp[s]"), ()),
        (csv(rows=[f"{k},{2**63 + k}" for k in K]), ("int64", "text"), ("read as text, as a number would lose digits of it: b",)),
    ],
)  # fmt: skip
def test_files_with_a_friendly_reading(content: bytes, dtypes: tuple[str, ...], notes: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    data = load(tmp_path / "a.csv")
    assert data.dtypes == dtypes
    told = [note for note in data.notes if "copies" not in note and "determine" not in note]
    assert len(told) == len(notes)
    assert all(note.startswith(words) for note, words in zip(told, notes, strict=True)), told


def test_nested_columns_of_parquet_are_left_out_with_a_word(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"a": X, "l": [[1]] * N, "s": [{"k": 1}] * N, "b": [b"x"] * N}), tmp_path / "a.parquet")
    data = load(tmp_path / "a.parquet")
    assert data.columns == ("a",)
    assert data.notes == ("3 of 4 columns are left out: 2 nested (l, s), 1 of bytes, or text that is not in UTF-8 (b)",)
    with pytest.raises(SaltusError) as caught:
        load(tmp_path / "a.parquet", columns={"l": "category"})
    assert_one_sentence(caught.value, "the column l holds list<element: int64> where numbers, text or dates were expected")

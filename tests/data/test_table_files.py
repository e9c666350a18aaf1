"""CSV as people have it, and tables that are written as they were read."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from saltus.data import TABLES, Expected, TableKind, load, read_items, table_ending, table_writer
from saltus.data.table_files import read_file
from saltus.errors import SaltusError
from tests.helpers.checks import assert_one_sentence

VALUES = np.column_stack([np.arange(60) % 7, np.random.default_rng(0).normal(size=60) * 1e-3])
ROWS = [f"{int(a)},{b!r}" for a, b in VALUES.tolist()]


def lines(header: str | None = "a,b", separator: str = ",", decimal: str = ".") -> str:
    rows = [row.replace(",", "|").replace(".", decimal).replace("|", separator) for row in ROWS]
    return "\n".join([*([] if header is None else [header.replace(",", separator)]), *rows, ""])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", lines().encode(), ()),
        ("a.CSV", lines().encode("utf-8-sig"), ()),
        ("a.csv", lines().replace("\n", "\r\n").encode(), ()),
        ("a.csv.gz", gzip.compress(lines().encode()), ()),
        ("a.tsv", lines(separator="\t").encode(), ()),
        ("a.csv", lines(separator="\t").encode(), ("its columns are separated by tabs",)),
        ("a.csv", lines(separator=";").encode(), ("its columns are separated by semicolons",)),
        (
            "a.csv",
            lines(separator=";", decimal=",").encode(),
            ("its columns are separated by semicolons, its decimals are written with commas",),
        ),
        ("a.csv", lines(None).encode(), ("its first row holds numbers, so that its columns have no names",)),
    ],
)
def test_csv_is_read_to_the_digit_and_what_was_found_out_is_said(tmp_path: Path, name: str, content: bytes, said: tuple[str, ...]) -> None:
    (tmp_path / name).write_bytes(content)
    data = load(tmp_path / name)
    assert data.name == "a"
    assert data.notes == said
    assert data.columns == (() if "no names" in "".join(said) else ("a", "b"))
    assert data.dtypes == ("int64", "float64")
    np.testing.assert_array_equal(read_items(tmp_path / name), VALUES)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"", "this is empty"),
        ("a.csv", b"\n\n", "this is empty"),
        ("a.csv", b"a,b\n", "there are no rows"),
        ("a.csv", (lines() + "1,2,3\n").encode(), "Row #62: Expected 2 columns, got 3: 1,2,3"),
        ("a.csv", (lines() + "1\n").encode(), "Expected 2 columns, got 1"),
        ("a.csv", lines("gr\u00f6\u00dfe,b").encode("latin-1"), "the names of the columns are not in UTF-8"),
        ("a.csv", lines().encode("utf-16"), "UTF-16 where UTF-8"),
        ("a.csv.gz", b"a,b\n1,2\n", "cannot be read as CSV"),
        ("a.csv.gz", gzip.compress(lines().encode(), mtime=0)[:40], "cannot be read as CSV"),
        ("a.csv", lines("a,a").encode(), "2 columns are named a"),
        ("a.parquet", b"PAR1 and no more", "cannot be read as Parquet"),
        ("a.parquet", b"", "cannot be read as Parquet"),
    ],
)
def test_a_file_that_is_no_table_is_told_in_one_sentence(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SaltusError) as caught:
        load(tmp_path / name)
    assert_one_sentence(caught.value, str(tmp_path / name), words)


@pytest.mark.parametrize("ending", TABLES)
def test_what_is_written_is_read_again(tmp_path: Path, ending: str) -> None:
    rows = np.column_stack([VALUES, VALUES[:, 0] > 3])
    file = tmp_path / f"a{ending}"
    with table_writer(file, TableKind(ending, ["a, b", 'c"', "d"], ["int16", "float64", "bool"], label="kind"), labelled=True) as write:
        write(rows[:25], ["x"] * 25)
        write(rows[25:], ["y, z"] * 35)
    table, notes = read_file(file)
    assert notes == ()
    assert table.column_names == ["a, b", 'c"', "d", "kind"]
    assert table["kind"].to_pylist() == ["x"] * 25 + ["y, z"] * 35
    np.testing.assert_array_equal(read_items(file, columns=dict.fromkeys(["a, b", 'c"', "d"], Expected())), rows)
    if ending == ".parquet":  # has always names
        return
    with table_writer(file, TableKind(ending, [], ["int64", "float64", "int64"])) as write:
        write(rows)
    np.testing.assert_array_equal(read_items(file), rows)


def test_tables_are_known_by_their_endings() -> None:
    assert [table_ending(f"a{ending.upper()}") for ending in TABLES] == list(TABLES)
    assert table_ending("a.npy") == table_ending("csv") == ""


@pytest.mark.parametrize("ending", TABLES)
def test_types_that_a_file_cannot_say_are_read_as_the_data_have_them(tmp_path: Path, ending: str) -> None:
    k = np.arange(60) % 7
    table = pa.table(
        {
            "zone": pa.array(1_700_000_000 + 3600 * k).cast(pa.timestamp("s")).cast(pa.timestamp("us", "Europe/Berlin")),
            "sum": pa.array(k / 4).cast(pa.decimal128(8, 2)),
            "code": pa.array(k).dictionary_encode(),
            "spent": pa.array(3600 * k).cast(pa.duration("s")),
            "at": pa.array(3600 * 10**6 * k).cast(pa.time64("us")),
            "flat": pa.array([f"0{number}" for number in k]),
        }
    )
    parquet.write_table(table, tmp_path / "data.parquet")
    data = load(tmp_path / "data.parquet")
    raw, categories = data.encoding.decode(data.train), data.categories
    with table_writer(tmp_path / f"a{ending}", TableKind(ending, data.columns, data.dtypes, categories)) as write:
        write(raw)
    expected = dict(zip(data.columns, map(Expected, data.dtypes, categories), strict=True))
    np.testing.assert_array_equal(read_items(tmp_path / f"a{ending}", columns=expected), raw)


def test_more_rows_than_memory_holds_are_refused_by_what_the_file_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal rows take next to nothing in a file; the twin has room."""
    file = tmp_path / "rows.parquet"
    parquet.write_table(pa.table({"a": [1] * 10**6, "b": [2] * 10**6}), file)
    assert file.stat().st_size < 10**5
    monkeypatch.setattr("saltus.data.table_files.memory", lambda: 15.9e6)
    with pytest.raises(SaltusError) as caught:
        read_file(file)
    assert_one_sentence(caught.value, "1,000,000 rows of 2 columns")
    monkeypatch.setattr("saltus.data.table_files.memory", lambda: 16e6)
    assert read_file(file)[0].num_rows == 10**6

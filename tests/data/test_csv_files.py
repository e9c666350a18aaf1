"""CSV as people write it: what stands for a missing cell is said, codes keep their zeros, and other files are named for what they are."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from saltus.data.csv_files import read_csv
from saltus.errors import SaltusError
from tests.helpers.checks import assert_one_sentence


def read(
    folder: Path, content: bytes, types: dict[str, str] | None = None, *, name: str = "a.csv"
) -> tuple[dict[str, list[object]], tuple[str, ...]]:
    (folder / name).write_bytes(content)
    table, notes = read_csv(folder / name, types or {}, tabs=name.startswith("a.tsv"))
    return table.to_pydict(), notes


def test_marks_of_missing_cells_are_said(tmp_path: Path) -> None:
    found, notes = read(tmp_path, b'a,b,c\n?,NA,x\n1,u,?\n-,,y\n2.5,null,z\n3,"NA",z\n')
    assert found == {"a": [None, 1, None, 2.5, 3], "b": [None, "u", None, None, "NA"], "c": ["x", "?", "y", "z", "z"]}
    assert notes == ('read as missing cells: "-" in a, "?" in a, "NA" in b, "null" in b; a mark that is text has to be in quotes',)
    assert read(tmp_path, b"a\n1\n--\n2\n") == ({"a": [1, None, 2]}, ('read as missing cells: "--" in a',))
    assert read(tmp_path, b"a\nx\n?\n") == ({"a": ["x", "?"]}, ())  # a category
    assert read(tmp_path, b"a,b\n1,x\n,\n") == ({"a": [1, None], "b": ["x", None]}, ())  # nothing needs no words
    assert read(tmp_path, b"a\n1\n?\n", {"a": "text"}) == ({"a": ["1", "?"]}, ())  # as was asked for


def test_marks_are_said_of_files_of_many_blocks(tmp_path: Path) -> None:
    rows = [f"{k % 7},{'NA' if k == 199_990 else 'words'}" for k in range(200_000)]
    found, notes = read(tmp_path, gzip.compress("\n".join(["a,b", *rows]).encode()), name="a.csv.gz")
    assert found["b"][199_990] is None
    assert notes == ('read as missing cells: "NA" in b; a mark that is text has to be in quotes',)


def test_codes_keep_their_zeros(tmp_path: Path) -> None:
    found, notes = read(tmp_path, b"code,n,share\n01234,1,0.5\n99999,2,0\n,0,1\n")
    assert found == {"code": ["01234", "99999", None], "n": [1, 2, 0], "share": [0.5, 0.0, 1.0]}
    assert notes == ("read as text, as a number would lose digits of it: code",)


@pytest.mark.parametrize(
    ("name", "content", "note"),
    [
        ("a.csv", b"a|b\n1|2\n", "its columns are separated by bars"),
        ("a.csv", b"a\tb\n1\t2\n", "its columns are separated by tabs"),
        ("a.csv", b"a;b\n1,5;2\n", "its columns are separated by semicolons, its decimals are written with commas"),
        ("a.tsv", b"a,b\n1,2\n", "its columns are separated by commas"),
        ("a.tsv", b"a\tb,c,d\n1\t2\n", ""),
    ],
)
def test_separators_are_found_out(name: str, content: bytes, note: str, tmp_path: Path) -> None:
    found, notes = read(tmp_path, content, name=name)
    assert len(found) == 2
    assert notes == ((note,) if note else ())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        ("a,b\n1,2\n".encode("utf-16-le"), "NUL bytes"),
        (b"a,b\n1,2\n" + bytes(50), "NUL bytes"),
        (b"a,b\n1,2\n3\n", "Row #3: Expected 2 columns, got 1: 3"),
        (b"a,b\n" + b"1,2\n" * 20_000 + bytes(50), "Expected 2 columns, got 1"),
    ],
)
def test_what_is_no_csv_is_one_sentence(content: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(SaltusError) as caught:
        read(tmp_path, content)
    assert_one_sentence(caught.value, words)

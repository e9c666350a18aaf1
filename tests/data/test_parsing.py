"""Text that stands for numbers, dates and truth is read as such, and as nothing else."""

from __future__ import annotations

import datetime
import math
from typing import Any

import pyarrow as pa
import pytest

from saltus.data import Declared
from saltus.data.parsing import looks_like, number_of, parsed
from saltus.errors import SaltusError
from tests.helpers.checks import assert_one_sentence


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12), (" -3 ", -3), ("1,234", 1234), ("1,234,567.5", 1234567.5), ("12%", 12), ("0.5 %", 0.5), ("1e3", 1000.0), (".5", 0.5),
        ("+7", 7), ("inf", math.inf), ("?", None), ("", None), ("NA", None), ("--", None),
    ],
)  # fmt: skip
def test_numbers_of_text(text: str, number: float | None) -> None:
    found = number_of(text)
    assert found == number
    assert type(found) is type(number)


@pytest.mark.parametrize("text", ["x", "1 2", "12,34", "1,2345", "1_000", "0x10", "12 kg", "%", "1.2.3", "e5", "\u0661"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match=r"^"):
        number_of(text)


def read(texts: list[str | None], kind: str) -> list[Any]:
    (found,) = parsed([pa.chunked_array([texts[:2], texts[2:]], pa.string())], "a", Declared(kind))
    assert isinstance(found, pa.ChunkedArray)
    return found.to_pylist()


def test_columns_of_text_become_what_they_are_said_to_be() -> None:
    assert read(["1", None, "1,234", "?"], "number") == [1, None, 1234, None]
    assert read(["1", "2.5", "1"], "number") == [1.0, 2.5, 1.0]
    assert read(["TRUE", "false", "0", "-"], "boolean") == [True, False, False, None]
    assert read(["2024-01-31", "NA", "2024-02-01"], "date") == [datetime.date(2024, 1, 31), None, datetime.date(2024, 2, 1)]
    noon = datetime.datetime(2024, 1, 31, 12)
    assert read(["2024-01-31", "x"[:0], "2024-01-31T12:00"], "date") == [noon.replace(hour=0), None, noon]
    assert read(["2024-01-31 13:00+01:00", "2024-01-31 12:00Z"], "date") == [noon.replace(tzinfo=datetime.UTC)] * 2
    same = pa.chunked_array([["a", "b"]])
    assert parsed([same], "a", Declared("category")) == [same]
    assert parsed([pa.chunked_array([[1, 2]])], "a", Declared("number"))[0].to_pylist() == [1, 2]


@pytest.mark.parametrize(
    ("texts", "kind", "words"),
    [
        (["1", "2", "3", "1.2.3"], "number", 'holds "1.2.3" in row 3 where its kind number expects a number'),
        (["1", "x\n"], "integer", 'holds "x\\n" in row 1 where its kind integer expects a whole number'),
        (["yes", "no"], "boolean", 'holds "yes" in row 0 where its kind boolean expects true, false, 1 or 0'),
        (["2024-01-31", "31.01.2024"], "date", 'holds "31.01.2024" in row 1 where its kind date expects dates as 2024-12-31'),
        (["2024-01-31", "2024-01-31", "2024-02-30"], "date", 'holds "2024-02-30" in row 2'),
        (["20240131"], "date", 'holds "20240131" in row 0'),
        (["2024-01-31 12:00", "2024-01-31 12:00Z"], "date", 'holds "2024-01-31 12:00Z" in row 1'),
    ],
)
def test_a_text_that_is_none_is_named_with_its_row(texts: list[str | None], kind: str, words: str) -> None:
    with pytest.raises(SaltusError) as caught:
        read(texts, kind)
    assert_one_sentence(caught.value, "the column a", words)


def test_what_text_looks_like() -> None:
    assert looks_like(["1", "2.5", "?", "1,000"]) == ("number", "")
    assert looks_like(["2024-01-01", "2024-01-01 05:00"]) == ("date", "")
    assert looks_like([*"123456789", "x"]) == ("number", "x")
    assert looks_like([*(f"2024-01-{day}" for day in range(10, 32)), "2024-01-32"]) == ("date", "2024-01-32")
    assert [looks_like(texts) for texts in (["1", "x"], ["007", "12"], ["1" * 19, "2"], ["?", "-"], [])] == [("", "")] * 5

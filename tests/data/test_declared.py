"""What is said of columns: read from a mapping or a file, and every mistake in it one sentence."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from saltus.data import Declared, declarations
from saltus.data.declared import check_names
from saltus.errors import SaltusError
from tests.helpers.checks import assert_one_sentence

SAID = {
    "age": {"kind": "integer", "low": 0, "high": 120},
    "hours a week": {"kind": "number", "step": 0.5},
    "grade": {"kind": "ordinal", "order": ["poor", "fair", "good"]},
    "born": {"kind": "date", "low": datetime.date(1900, 1, 1), "high": "2020-12-31T23:59:59"},
    "code": "category",
    "note": "skip",
}
FILE = """
age = {kind = "integer", low = 0, high = 120}
grade = {kind = "ordinal", order = ["poor", "fair", "good"]}
code = "category"
note = "skip"

["hours a week"]
kind = "number"
step = 0.5

[born]
kind = "date"
low = 1900-01-01
high = 2020-12-31T23:59:59
"""


def test_a_mapping_a_file_and_what_a_run_keeps_say_the_same(tmp_path: Path) -> None:
    found = declarations(SAID)
    assert found["age"] == Declared("integer", low=0.0, high=120.0)
    assert found["hours a week"] == Declared("number", step=0.5)
    assert found["grade"].order == ("poor", "fair", "good")
    assert (found["born"].low, found["born"].high) == ("1900-01-01", "2020-12-31T23:59:59")
    assert [found[name].kind for name in ("code", "note")] == ["category", "skip"]
    (tmp_path / "columns.toml").write_text(FILE, encoding="utf-8-sig")
    assert declarations(tmp_path / "columns.toml") == found
    assert declarations(str(tmp_path / "columns.toml")) == found
    assert declarations({name: kind.plain for name, kind in found.items()}) == found
    assert declarations(found) == found
    assert declarations(None) == {}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("numeral", 'said to be of the kind "numeral"; expected one of number, integer, category, ordinal, boolean, date, skip'),
        (7, "of the column a 7 is said; expected its kind"),
        ({"step": 1}, "expected its kind"),
        ({"kind": "category", "step": 1}, "of the kind category has step; expected nothing else"),
        ({"kind": "number", "steps": 1}, "has steps; expected step, low, high"),
        ({"kind": "number", "step": -1}, "the step of the column a is -1"),
        ({"kind": "number", "step": float("nan")}, "the step of the column a is nan"),
        ({"kind": "number", "step": True}, "the step of the column a is True"),
        ({"kind": "integer", "step": 0.5}, "expected a whole number from 1 up"),
        ({"kind": "integer", "low": 5, "high": 5}, "low = 5 to high = 5; expected low below high"),
        ({"kind": "integer", "low": "5"}, "low of the column a is '5'; expected a number"),
        ({"kind": "date", "high": 2024}, "high of the column a is 2024; expected a date such as 2024-12-31"),
        ({"kind": "date", "high": "soon"}, "expected a date"),
        ({"kind": "ordinal"}, "the order of the ordinal column a is None"),
        ({"kind": "ordinal", "order": "abc"}, "expected its categories in a list"),
        ({"kind": "ordinal", "order": ["x"]}, "expected its categories in a list"),
        ({"kind": "ordinal", "order": ["x", "y", "x"]}, 'the order of the column a names "x" twice'),
    ],
)
def test_what_cannot_be_said_is_told_in_one_sentence(said: Any, words: str) -> None:
    with pytest.raises(SaltusError) as caught:
        declarations({"a": said})
    assert_one_sentence(caught.value, "column a", words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"age = ", "this is no TOML"),
        (b"a b = 'number'", "this is no TOML"),
        (b"a = 'number'\na = 'skip'", "this is no TOML"),
        (b"\xff\xfe\x00", "this is no TOML"),
        (b"a = 'numeral'", 'of the kind "numeral"'),
        (None, "this cannot be read"),
    ],
)
def test_a_file_that_says_nothing_is_named(content: bytes | None, words: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "c.toml").write_bytes(content)
    with pytest.raises(SaltusError) as caught:
        declarations(tmp_path / "c.toml")
    assert_one_sentence(caught.value, str(tmp_path / "c.toml"), words)
    with pytest.raises(SaltusError, match="columns is a int; expected a mapping"):
        declarations(7)


def test_columns_that_are_not_there_are_named_with_what_is_close() -> None:
    check_names({"a": Declared("skip")}, ["a", "b"])
    for name, words in (("Age ", "there is age: mend its name"), ("c", "expected one of age, b: mend its name")):
        with pytest.raises(SaltusError) as caught:
            check_names({name: Declared("skip")}, ["age", "b"])
        assert_one_sentence(caught.value, f"the column {name}, which is not there", words)

"""Conditions as a command is given them, read by what their columns hold."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from saltus import SaltusError, TableModel
from saltus.estimators.rows import TrainedTable
from saltus.estimators.where import parsed
from tests.helpers.checks import assert_one_sentence

_DAY, _TIME = datetime.datetime(2024, 3, 15), datetime.time


@pytest.fixture(scope="module")
def trained() -> TrainedTable:
    rng, n = np.random.default_rng(0), 80
    data = {
        "cut": rng.choice(["Fair", "Very:Good", "A|B", "x=1"], n),
        "price": rng.integers(0, 40, n),
        "a=b": rng.normal(size=n),
        "sold": pd.Timestamp("2024-03-01") + pd.to_timedelta(rng.integers(0, 30, n), "h"),
        "at": [_TIME(int(h), 30) for h in rng.integers(0, 24, n)],
        "took": pd.to_timedelta(rng.integers(0, 30, n), "s"),
        "ok": rng.random(n) < 0.5,
    }
    return TableModel(updates=1, random_state=0).fit(pd.DataFrame(data))._trained


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cut=Fair", "Fair"),
        ("cut=Very:Good", "Very:Good"),
        ("cut=A|B", "A|B"),
        ("cut=x=1", "x=1"),
        ("cut=Fair|Very:Good", ["Fair", "Very:Good"]),
        ("cut=", None),
        ("price=5", 5.0),
        ("price=5:", (5.0, None)),
        ("price=:5e1", (None, 50.0)),
        ("price=-1: 7.5", (-1.0, 7.5)),
        ("price=1|2|3", [1.0, 2.0, 3.0]),
        ("a=b=0.5", 0.5),
        ("sold=2024-03-15", _DAY),
        ("sold=2024-03-15 00:00:2024-03-16T12:30:00", (_DAY, datetime.datetime(2024, 3, 16, 12, 30))),
        ("sold=2024-03-15:", (_DAY, None)),
        ("at=12:30", _TIME(12, 30)),
        ("at=12:30:14:00", (_TIME(12, 30), _TIME(14))),
        ("at=:14:00", (None, _TIME(14))),
        ("took=7:9", (datetime.timedelta(seconds=7e-6), datetime.timedelta(seconds=9e-6))),
        ("ok=TRUE", True),
        ("ok=0", False),
    ],
)
def test_values_ranges_and_sets_are_read(text: str, expected: Any, trained: TrainedTable) -> None:
    name = text[: text.index("=", 2 if text.startswith("a=b") else 0)]
    assert parsed([text], trained) == {name: expected}


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["cut"], "the condition cut was given; expected NAME=VALUE, and a name of cut, price, a=b"),
        (["a=0.5"], "the condition a=0.5 was given"),
        (["price=cheap"], "price = cheap was asked for; expected int64: give a value, LOW:HIGH, or values as A|B"),
        (["price=:"], "price = : was asked for"),
        (["price=1|x"], "price = 1|x was asked for"),
        (["ok=maybe"], "ok = maybe was asked for; expected bool"),
        (["at=noon"], "at = noon was asked for; expected time64[us]"),
        (["price=1", "price=2"], "price was given twice; expected one condition on a column"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_sentence(texts: list[str], words: str, trained: TrainedTable) -> None:
    with pytest.raises(SaltusError) as caught:
        parsed(texts, trained)
    assert_one_sentence(caught.value, words)

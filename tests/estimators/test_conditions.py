"""What is asked of rows: every kind of value becomes what a chain takes, and every mistake is one sentence that names the column."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from saltus.data import AS_GIVEN, CategoryColumn, Columns, DataSet, table_parts
from saltus.data.determined_columns import MappedColumn, PairedColumn
from saltus.errors import SaltusError
from saltus.estimators.conditions import Asked, asked
from saltus.likelihoods import Number
from tests.helpers.checks import assert_one_sentence

N = 400
DAY = datetime.datetime(2024, 1, 1)


def table() -> pa.Table:
    """A column of every kind; of three some cells are missing."""
    rng = np.random.default_rng(0)
    days, hours, opens, takes = rng.integers(0, [[90], [500], [24], [60]], (4, N))
    listed = rng.choice([0.1, 1.5, 12.0, 24.0, 1000.0], N)
    spiked = np.where(rng.random(N) < 0.3, 0.0, rng.lognormal(0, 2.0, N))
    columns = {
        "cut": pa.array(rng.choice(["Fair", "Good", "Ideal"], N)),
        "kept": pa.array(rng.random(N) < 0.4),
        "age": pa.array(rng.integers(17, 90, N), pa.int16()),
        "price": pa.array(np.round(rng.lognormal(5, 1, N), 2)),
        "term": pa.array(listed.astype(np.float32)),
        "spent": pa.array(spiked),
        "weight": pa.array(rng.normal(size=N).astype(np.float32), mask=rng.random(N) < 0.2),
        "colour": pa.array([None if rng.random() < 0.2 else "DEF"[k % 3] for k in range(N)]),
        "sold": pa.array([None if k % 9 == 0 else (DAY + datetime.timedelta(int(d))).date() for k, d in enumerate(days)]),
        "seen": pa.array([DAY + datetime.timedelta(hours=int(h)) for h in hours], pa.timestamp("s")),
        "opens": pa.array([datetime.time(int(h)) for h in opens], pa.time32("s")),
        "takes": pa.array([datetime.timedelta(minutes=int(m)) for m in takes], pa.duration("ms")),
        "7": pa.array(rng.integers(0, 10**7, N)),
    }
    grade = ["high" if cut == "Ideal" else "low" for cut in columns["cut"].to_pylist()]
    return pa.table(columns | {"grade": pa.array(grade)})


PARTS = table_parts([table(), None, None], ["the table", "", ""])
DATA = DataSet.from_parts(PARTS, name="the table", preparation=AS_GIVEN)
ENCODING = DATA.encoding
assert isinstance(ENCODING, Columns)
NAMES, DTYPES = list(PARTS.columns), list(PARTS.dtypes)


def ask(**condition: Any) -> Asked:
    return asked(ENCODING, NAMES, DTYPES, condition)


def cell_of(found: Asked, name: str) -> float:
    """The cell of one row of which a column is known; the rest of it is anything."""
    y = torch.where(found.known, found.y, DATA.train[:1])
    return float(found.kept_to(ENCODING.decode(y))[0, NAMES.index(name)])


def days(date: datetime.date) -> int:
    return (date - datetime.date(1970, 1, 1)).days


SECONDS = 1704067200
"""Of the first moment of 2024."""

VALUES: list[tuple[str, Any, float]] = [
    ("cut", "Good", 1),
    ("cut", np.str_("Ideal"), 2),
    ("kept", True, 1),
    ("kept", np.bool_(False), 0),
    ("kept", 1, 1),
    ("age", 41, 41),
    ("age", 41.0, 41),
    ("age", np.int64(41), 41),
    ("age", "41", 41),
    ("age", np.array(41), 41),
    ("price", 100.25, 100.25),
    ("term", 0.1, float(np.float32(0.1))),
    ("term", 1000, 1000),
    ("spent", 0, 0),
    ("spent", 0.7, 0.7),
    ("weight", 0.3, float(np.float32(0.3))),
    ("colour", "E", 1),
    ("sold", "2024-02-03", days(datetime.date(2024, 2, 3))),
    ("sold", datetime.date(2024, 2, 3), days(datetime.date(2024, 2, 3))),
    ("sold", datetime.datetime(2024, 2, 3), days(datetime.date(2024, 2, 3))),
    ("sold", pd.Timestamp("2024-02-03"), days(datetime.date(2024, 2, 3))),
    ("sold", np.datetime64("2024-02-03"), days(datetime.date(2024, 2, 3))),
    ("seen", "2024-01-03 05:00", SECONDS + 53 * 3600),
    ("seen", datetime.datetime(2024, 1, 3, 5), SECONDS + 53 * 3600),
    ("seen", pd.Timestamp("2024-01-03 06:00", tz="Europe/Berlin"), SECONDS + 53 * 3600),
    ("seen", np.datetime64("2024-01-03T05:00"), SECONDS + 53 * 3600),
    ("opens", "05:00:00", 5 * 3600),
    ("opens", datetime.time(5), 5 * 3600),
    ("takes", datetime.timedelta(minutes=7), 7 * 60 * 1000),
    ("takes", np.timedelta64(7, "m"), 7 * 60 * 1000),
    ("takes", pd.Timedelta("7min"), 7 * 60 * 1000),
    ("7", 1234567, 1234567),
]


@pytest.mark.parametrize(("name", "value", "cell"), VALUES, ids=[f"{name}-{type(value).__name__}" for name, value, _ in VALUES])
def test_a_value_is_known_and_nothing_else(name: str, value: Any, cell: float) -> None:
    """And comes back to the last digit; of a cell that could be missing it is known that it is there."""
    for given in (value, [value], (value, value)) if not isinstance(value, np.ndarray) else (value,):
        found = ask(**{name: given})
        own = list(ENCODING.places[NAMES.index(name)])
        assert found.known[0].nonzero()[:, 0].tolist() == own
        assert not found.within
        assert cell_of(found, name) == cell


def test_names_may_be_no_text() -> None:
    found = asked(ENCODING, NAMES, DTYPES, {7: 1234567})
    assert cell_of(found, "7") == 1234567


@pytest.mark.parametrize("missing", [None, float("nan"), np.nan, pd.NA, pd.NaT])
@pytest.mark.parametrize("name", ["weight", "colour", "sold"])
def test_a_missing_cell_is_asked_for_by_none(name: str, missing: Any) -> None:
    found = ask(**{name: missing})
    assert found.known[0].nonzero()[:, 0].tolist() == list(ENCODING.places[NAMES.index(name)])
    assert np.isnan(cell_of(found, name))


def test_nothing_is_asked_for_by_nothing() -> None:
    """Not even that cells are there."""
    found = ask()
    assert not found.known.any()
    assert not found.within


RANGES: list[tuple[str, tuple[Any, Any], float, float]] = [
    ("age", (30, 40), 30, 40),
    ("age", (30.5, None), 31, 89),
    ("age", (None, 40.9), 17, 40),
    ("age", (-np.inf, 40), 17, 40),
    ("age", (float("nan"), 40), 17, 40),
    ("price", (100, 200), 100, 200),
    ("term", (1, 30), 1.5, 24),
    ("term", (0.1, 1.6), float(np.float32(0.1)), 1.5),
    ("spent", (0, 1.5), 0, 1.5),
    ("spent", (0.5, 1.5), 0.5, 1.5),
    ("weight", (-0.5, 0.5), -0.5, 0.5),
    ("sold", ("2024-02-01", "2024-02-10"), days(datetime.date(2024, 2, 1)), days(datetime.date(2024, 2, 10))),
    ("sold", (datetime.date(2023, 1, 1), datetime.date(2024, 1, 5)), days(datetime.date(2024, 1, 1)), days(datetime.date(2024, 1, 5))),
    ("seen", ("2024-01-03", "2024-01-04 00:30"), SECONDS + 48 * 3600, SECONDS + 72 * 3600),
    ("takes", (datetime.timedelta(minutes=3), datetime.timedelta(minutes=9.5)), 3 * 60000, 9 * 60000),
    ("7", (10**6, 2 * 10**6), 10**6, 2 * 10**6),
]


@pytest.mark.parametrize(("name", "value", "first", "last"), RANGES, ids=[f"{name}-{value}" for name, value, *_ in RANGES])
def test_a_range_is_an_interval_of_y(name: str, value: tuple[Any, Any], first: float, last: float) -> None:
    """Cells in it are those whose y is; both ends belong to it, and open ends are those of the data."""
    found, j = ask(**{name: value}), NAMES.index(name)
    own = list(ENCODING.places[j])
    assert found.known[0].nonzero()[:, 0].tolist() == own[:-1]  # that a cell is there
    assert list(found.within) == own[-1:]
    ((low, high),) = found.within[own[-1]]
    cells = PARTS.train[:, j].astype(float)
    there = ~np.isnan(cells)
    inside = (cells >= first) & (cells <= last)
    assert 0 < inside.sum() < there.sum()
    y = ENCODING.encode(PARTS.train)[:, own[-1]].double().numpy()
    rounding = 1e-6 * (1 + np.abs(y))
    assert ((y >= low - rounding) & (y <= high + rounding))[inside].all()
    assert not ((y > low + rounding) & (y < high - rounding))[there & ~inside].any()
    rough = np.full((3, len(NAMES)), np.nan)
    rough[:, [k for k in range(len(NAMES)) if k != j]] = PARTS.train[:1, [k for k in range(len(NAMES)) if k != j]]
    rough[:, j] = first - 1e-4, (first + last) / 2, last + 1e-4
    kept = found.kept_to(rough)[:, j]
    assert kept[[0, 2]] == pytest.approx([first, last], abs=0, rel=1e-15)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("cut", ["Fair", "Ideal"]),
        ("age", [20, 30, 31, 20.0]),
        ("term", {0.1, 24}),
        ("colour", np.array(["D", "F"])),
        ("sold", frozenset(["2024-01-05", "2024-01-09"])),
        ("kept", [True, False]),
        ("opens", pd.Series([datetime.time(3), datetime.time(5)])),
    ],
)
def test_a_set_is_what_its_values_own(name: str, values: Any) -> None:
    found, j = ask(**{name: values}), NAMES.index(name)
    place = ENCODING.places[j][-1]
    chosen = sorted({cell_of(ask(**{name: value}), name) for value in values})
    intervals = found.within[place]
    assert len(intervals) == len(chosen)
    cells, y = PARTS.train[:, j].astype(float), ENCODING.encode(PARTS.train)[:, place].numpy()
    inside = np.any([(y > low) & (y < high) for low, high in intervals], axis=0) & ~np.isnan(cells)
    assert inside.any()
    np.testing.assert_array_equal(inside, np.isin(cells, chosen))
    np.testing.assert_array_equal(found.kept_to(PARTS.train[inside][:5])[:, j], cells[inside][:5])


def test_a_column_that_follows_from_another_asks_for_what_it_came_with() -> None:
    """`grade` is told by `cut`: low for two of its values, high for one."""
    assert NAMES.index("grade") in ENCODING.determined
    high = ask(grade="high")
    assert cell_of(high, "cut") == 2
    assert cell_of(high, "grade") == 0
    low = ask(grade="low")
    assert len(low.within[ENCODING.places[NAMES.index("cut")][0]]) == 2
    both = ask(grade="low", cut=["Good", "Ideal"])
    assert cell_of(both, "cut") == 1
    assert not both.within
    with pytest.raises(SaltusError) as caught:
        ask(grade="high", cut="Good")
    assert_one_sentence(caught.value, "no row can be as it was asked for (grade, cut)")


def test_what_follows_from_what_follows_asks_for_the_first() -> None:
    plain = [CategoryColumn(names, range(len(names)), Number(0, len(names) - 1, step=1.0)) for names in ("abc", "xy", "uv")]
    second = MappedColumn(plain[1], 0, [0.0, 1.0, 2.0], [0.0, 0.0, 1.0], 0.0, named=True, others=1, repeats=9, agreeing=0.5)
    third = MappedColumn(plain[2], 1, [0.0, 1.0], [1.0, 0.0], 0.0, named=True, others=1, repeats=9, agreeing=0.5)
    encoding = Columns([plain[0], second, third], "float64")
    one, several = (asked(encoding, ["a", "b", "c"], ["text"] * 3, {"c": value}) for value in "uv")
    np.testing.assert_array_equal(one.kept_to(encoding.decode(one.y)), [[2, 1, 0]])
    assert len(several.within[0]) == 2
    assert not several.known.any()
    pair = PairedColumn(plain[2], [0, 1], [[0.0, 1.0], [0.0, 1.0]], [True, True], [0, 3], [0.0, 1.0], [0.0, 1.0], 0.0, 1, 9, 0.5)
    with pytest.raises(SaltusError) as caught:
        asked(Columns([plain[0], plain[1], pair], "float64"), ["a", "b", "c"], ["text"] * 3, {"c": "u"})
    assert_one_sentence(caught.value, "a condition on c was given, which follows from a, b", "give conditions on these")


MISTAKES: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"shape": 3}, ("a condition on shape", "cut, kept, age")),
    ({"cut": "Superb"}, ("cut = Superb", "the categories Fair, Good, Ideal")),
    ({"cut": ["Fair", "Superb"]}, ("cut = Superb", "the categories Fair, Good, Ideal")),
    ({"cut": ("Fair", "Ideal")}, ("cut: a range was given", "it holds categories")),
    ({"cut": None}, ("a missing cell of cut", "none is missing in the data")),
    ({"kept": "maybe"}, ("kept = maybe", "True or False")),
    ({"kept": 0.5}, ("kept = 0.5", "0 to 1 in steps of 1")),
    ({"age": "old"}, ("age = old", "a number")),
    ({"age": 3.5}, ("age = 3.5", "17 to 89 in steps of 1")),
    ({"age": 200}, ("age = 200", "17 to 89")),
    ({"age": np.inf}, ("age = inf", "17 to 89")),
    ({"age": 2**70}, ("age = 1180591620717411303424", "a number")),
    ({"age": datetime.datetime(2024, 1, 1)}, ("age = 2024-01-01 00:00:00", "a number")),
    ({"age": object}, ("age = <class 'object'>", "a number")),
    ({"age": 1 + 2j}, ("age = (1+2j)", "a number")),
    ({"age": (200, None)}, ("age from 200", "17 to 89")),
    ({"age": (np.inf, None)}, ("age from inf", "17 to 89")),
    ({"age": (None, -np.inf)}, ("age to -inf", "17 to 89")),
    ({"age": (40.2, 40.8)}, ("age from 40.2 to 40.8", "17 to 89")),
    ({"age": (50, 40)}, ("age from 50 to 40", "17 to 89")),
    ({"age": (1, 2, 3)}, ("a range of 3 values was given for age", "(low, high)")),
    ({"age": []}, ("an empty list was given for age",)),
    ({"weight": [0.5, None]}, ("a list with a missing cell was given for weight",)),
    ({"weight": [0.5, 0.6]}, ("a list was given for weight", "not counted")),
    ({"spent": [0, 0.6]}, ("a list was given for spent", "not counted")),
    ({"term": 7}, ("term = 7", "5 values from 0.1 to 1000")),
    ({"term": (2, 3)}, ("term from 2 to 3", "5 values")),
    ({"sold": "someday"}, ("sold = someday", "a date such as 2024-01-31")),
    ({"sold": 19760}, ("sold = 19760", "a date such as 2024-01-31")),
    ({"sold": "2031-01-01"}, ("sold = 2031-01-01", "2024-01-01 to 2024-03-30")),
    ({"sold": ("2031-01-01", None)}, ("sold from 2031-01-01", "2024-01-01 to 2024-03-30")),
    ({"seen": "now"}, ("seen = now", "a time such as 2024-01-31 12:00:00")),
    ({"opens": "noon"}, ("opens = noon", "a time of day such as 12:00:00")),
    ({"takes": "long"}, ("takes = long", "a datetime.timedelta")),
    ({"age\x1b": 3}, ("a condition on age\\x1b",)),
    ({"cut": "\x1b[31m"}, ("cut = \\x1b[31m",)),
]


@pytest.mark.parametrize(
    ("condition", "words"), MISTAKES, ids=[str(condition)[:40].encode("unicode_escape").decode() for condition, _ in MISTAKES]
)
def test_a_mistake_is_one_sentence_that_names_the_column(condition: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(SaltusError) as caught:
        asked(ENCODING, NAMES, DTYPES, condition)
    assert_one_sentence(caught.value, *words)


@pytest.mark.parametrize("condition", ["cut", ["cut"], 3])
def test_a_condition_is_a_dictionary(condition: Any) -> None:
    with pytest.raises(SaltusError) as caught:
        asked(ENCODING, NAMES, DTYPES, condition)
    assert_one_sentence(caught.value, f"a condition was given as a {type(condition).__name__}", "give a dict")

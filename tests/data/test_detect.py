"""Which kind a column is: by its values, whatever their type; axes by the training rows alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from saltus.data import CodeColumn, Column, Columns, DataSet, Declared, ListedColumn, NumberColumn, OrdinalColumn, StepColumn
from saltus.data.detect import columns_of

N = 3000
RNG = np.random.default_rng(0)
COUNTED = {
    "whole numbers": (RNG.integers(17, 91, N), (17, 90, 1)),
    "a flag": (RNG.integers(0, 2, N), (0, 1, 1)),
    "floats that are whole": (RNG.poisson(4, N) - 2.0, (-2, None, 1)),
    "tens": (10 * RNG.integers(0, 50, N) + 3, (3, 493, 10)),
    "decimals": (np.round(RNG.normal(36.6, 0.5, N), 1), (None, None, 0.1)),
    "halves": (RNG.integers(0, 9, N) / 2, (0, 4, 0.5)),
    "decimals in float32": (np.round(RNG.normal(3, 0.5, N), 2).astype(np.float32), (None, None, 0.01)),
    "standardised counts": ((RNG.poisson(20, N) - 20.1) / 4.3, (None, None, 1 / 4.3)),
    "far from 0": (10**12 + RNG.integers(0, 17, N), (10**12, 10**12 + 16, 1)),
    "one value": (np.full(N, 0.3), (0.3, 0.3, 1)),
}
LISTED = {
    "far apart": np.array([0, 1, 10**6])[RNG.integers(0, 3, N)],
    "uneven floats": np.array([0.1, 0.25, 2.5, math.pi])[RNG.integers(0, 4, N)],
    "gaps": np.array([0, 1, 128, 255], np.uint8)[RNG.integers(0, 4, N)],
}
CONTINUOUS = {
    "floats": RNG.normal(size=N),
    "float32": RNG.normal(size=N).astype(np.float32),
    "decimals that are seldom shared": np.round(RNG.normal(size=N), 6),
    "beyond what float64 counts": RNG.integers(2**60, 2**62, N),
}


def column(values: np.ndarray) -> NumberColumn | StepColumn | ListedColumn:
    found = columns_of([values[:, None]], values[: N // 2, None]).columns[0]
    assert isinstance(found, NumberColumn | StepColumn | ListedColumn)
    return found


@pytest.mark.parametrize("case", COUNTED)
def test_values_that_are_counted(case: str) -> None:
    values, (low, high, step) = COUNTED[case]
    found = column(values)
    assert isinstance(found, NumberColumn)
    assert found.number.step == pytest.approx(step, rel=1e-6)
    assert found.number.low == (values.min() if low is None else low)
    assert found.number.high == (values.max() if high is None else high)


@pytest.mark.parametrize(
    ("values", "low", "high", "step"),
    [
        (np.array([0, 2, 5])[RNG.integers(0, 3, N)], 0, 5, 1),
        (np.where(RNG.random(N) < 0.5, 40, RNG.integers(1, 99, N)), 1, 98, 1),
        (np.where(RNG.random(N) < 0.7, np.round(RNG.normal(5, 1, N)), np.round(RNG.normal(5, 1, N), 2)), None, None, 0.01),
        (RNG.random(N) < 0.005, 0, 1, 1),
    ],
    ids=["values that never come", "one value that often comes", "round numbers", "a rare flag"],
)
def test_values_in_lumps_are_placed_by_their_shares(values: np.ndarray, low: float | None, high: float | None, step: float) -> None:
    found = column(values)
    assert isinstance(found, StepColumn)
    assert (found.low, found.step) == (values.min() if low is None else low, pytest.approx(step))
    assert found.low + found.step * found.number.high == pytest.approx(values.max() if high is None else high)
    seen = np.bincount(np.rint((values[: N // 2].astype(float) - found.low) / found.step).astype(int), minlength=len(found.number.shares))
    assert np.abs(np.array(found.number.shares) - seen / seen.sum()).max() < 0.1


@pytest.mark.parametrize("case", LISTED)
def test_values_that_are_listed(case: str) -> None:
    found = column(LISTED[case])
    assert isinstance(found, ListedColumn)
    assert found.listed.tolist() == np.unique(LISTED[case]).tolist()


@pytest.mark.parametrize("case", CONTINUOUS)
def test_values_that_are_neither(case: str) -> None:
    found = column(CONTINUOUS[case])
    assert (found.kind, found.number.counted) == ("continuous", False)


@pytest.mark.parametrize(
    ("values", "atoms"),
    [
        (np.where(RNG.random(N) < 0.4, 0, RNG.lognormal(0, 2.5, N)), (0.0,)),
        (np.clip(RNG.normal(size=N), -1, 1), (-1.0, 1.0)),
        (np.where(RNG.random(N) < 0.9, 0, np.round(RNG.lognormal(8, 1, N))), (0.0,)),
        (RNG.poisson(0.7, N), ()),
        (np.floor(RNG.lognormal(0, 2, N)), ()),  # on a bent axis small counts have room enough
        (np.where(RNG.random(N) < 0.02, 0, RNG.normal(size=N)), ()),
    ],
)
def test_values_that_come_often_get_room(values: np.ndarray, atoms: tuple[float, ...]) -> None:
    found = column(values)
    assert found.number.atoms == atoms
    assert found.kind == ("counted" if found.number.step else "with spikes" if atoms else "continuous")


def test_axes_are_of_the_training_rows_and_ranges_of_all() -> None:
    rng = np.random.default_rng(1)
    train = np.rint(rng.normal(20, 4, (N, 1)))
    test = np.arange(train.min(), 60)[:, None]
    one, other = (columns_of(parts, train).columns[0].axes[0] for parts in ([train, test], [train]))
    assert (one.mean, one.std) == (other.mean, other.std)
    assert (one.high, other.high) == (59, train.max())
    y = DataSet.from_arrays(train).train
    assert abs(float(y.mean())) < 1e-4
    assert float(y.std(correction=0)) == pytest.approx(1, abs=1e-4)


def test_a_column_that_varies_elsewhere_alone_is_taken() -> None:
    train, test = np.full((100, 1), 2.0), np.linspace(0, 5, 100)[:, None]
    found = columns_of([train, test], train)
    assert np.allclose(found.decode(found.encode(test)), test, atol=1e-5)


def said(values: np.ndarray, **declared: Any) -> Column:
    """The column of values of which something is said."""
    return columns_of([values[:, None]], values[: N // 2, None], declared={0: Declared(**declared)}).columns[0]


def test_what_is_said_of_steps_and_ranges_goes_before_what_is_found() -> None:
    tens = 10.0 * RNG.integers(3, 50, N)
    wide = said(tens, kind="integer", low=0.0, high=600.0)
    assert wide.describe() == "0 to 600 in steps of 10"
    ones = said(tens, kind="integer", step=1.0)
    assert ones.describe() == "30 to 490 in steps of 1"
    plain = said(tens, kind="number", step=0.0)
    assert (plain.kind, plain.axes[0].step) == ("continuous", 0)
    halves = said(tens, kind="number", step=0.5, low=-1.0)
    assert halves.describe() == "-1 to 490 in steps of 0.5"
    assert halves.cells(halves.numbers(np.array([2.5000001]))).tolist() == [2.5]
    assert isinstance(said(LISTED["far apart"], kind="integer"), ListedColumn)
    assert isinstance(said(LISTED["far apart"], kind="integer", step=1.0), NumberColumn)
    same = columns_of([tens[:, None]], tens[: N // 2, None])
    assert Columns([said(tens, kind="number")], "float64").key == same.key


def test_codes_and_categories_lie_as_they_are_said_to() -> None:
    grades = np.array([1.0, 2.0, 3.0, 9.0])[RNG.integers(0, 4, N)]
    beside = np.column_stack([grades, np.where(grades == 9, 1.5, grades) + RNG.normal(0, 0.1, N)])
    found = columns_of([beside], beside, declared={0: Declared("category", order=(1, 2, 3, 9))}).columns[0]
    assert isinstance(found, CodeColumn)
    order = [found.codes[place] for place in found.order]
    assert order in ([1, 9, 2, 3], [3, 2, 9, 1])  # 9 is between 1 and 2 by what comes with it
    given = said(grades, kind="ordinal", order=(3.0, 9.0, 1.0, 2.0, 7.0))
    assert isinstance(given, CodeColumn)
    assert given.kind == "ordinal"
    assert [given.codes[place] for place in given.order] == [3, 9, 1, 2, 7]
    places = np.searchsorted([1, 2, 3, 9], grades).astype(float)[:, None]
    text = columns_of([places], places, categories={0: ("w", "z", "x", "y")}, declared={0: Declared("ordinal", order=("w", "z", "x", "y"))})
    assert isinstance(text.columns[0], OrdinalColumn)
    assert text.columns[0].order == [0, 1, 2, 3]


def test_a_range_that_is_given_stays_where_others_follow_from_the_column() -> None:
    codes = np.random.default_rng(7).permutation(1000)[RNG.integers(0, 150, N)]
    rows = np.column_stack([codes, (codes * 7919) % 1009])
    wide = columns_of([rows], rows, declared={0: Declared("integer", step=1.0, low=-10.0, high=2000.0), 1: Declared("integer")}).columns
    assert [column.kind for column in wide].count("determined") == 1
    assert wide[0].kind == "determined" or wide[0].describe() == "-10 to 2000 in steps of 1"

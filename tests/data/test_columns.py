"""Kinds of columns: values to numbers and back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from saltus.data import CategoryColumn, ListedColumn, MissingColumn, NumberColumn, StepColumn
from saltus.data.beyond import BEYOND
from saltus.errors import SaltusError
from saltus.likelihoods import Number


def test_decimals_come_back_to_the_last_digit() -> None:
    raw = np.round(np.arange(2000) * 0.01 - 3, 2)
    column = NumberColumn(Number(-3.0, 17.0, step=0.01), 2)
    near = column.numbers(raw) + 1e-13
    assert (near[:, 0] != raw).all()
    np.testing.assert_array_equal(column.cells(near), raw)


def test_listed_values_are_numbered_and_others_taken_for_the_nearest() -> None:
    column = ListedColumn([0.0, 1.0, 10.0, 1e6], Number(0, 3, step=1.0))
    raw = np.array([10.0, 0.0, 1e6, 1.0])
    np.testing.assert_array_equal(column.numbers(raw)[:, 0], [2, 0, 3, 1])
    np.testing.assert_array_equal(column.cells(column.numbers(raw)), raw)
    np.testing.assert_array_equal(column.cells(column.numbers(np.array([-5.0, 7.0, 2e6]))), [0, 10, 1e6])


@pytest.mark.parametrize("number", [Number(0, 2, step=1.0), Number(0, 3), Number(1, 4, step=1.0)])
def test_a_list_has_a_number_for_each_value(number: Number) -> None:
    with pytest.raises(ValueError, match="one a number"):
        ListedColumn([0.0, 1.0, 10.0, 1e6], number)
    with pytest.raises(ValueError, match="values that increase"):
        ListedColumn([0.0, 2.0, 1.0], Number(0, 2, step=1.0))


def test_even_values_are_numbered_and_those_beyond_taken_for_the_end() -> None:
    column = StepColumn(-0.3, 0.1, Number(0, 6, step=1.0), 1)
    raw = np.array([0.3, -0.3, 0.1, 0.0])
    np.testing.assert_array_equal(column.numbers(raw)[:, 0], [6, 0, 4, 3])
    np.testing.assert_array_equal(column.cells(column.numbers(raw)), raw)
    np.testing.assert_array_equal(column.cells(column.numbers(np.array([-9.0, 9.0]))), [-0.3, 0.3])
    assert column.strange(np.array([0.3, 0.25, np.nan, 9.0])).tolist() == [False, True, True, False]
    with pytest.raises(ValueError, match="expected a positive step"):
        StepColumn(0.0, 0.0, Number(0, 6, step=1.0))


def test_the_ends_of_even_values_stand_for_all_beyond_and_masses_sum_to_1() -> None:
    column = StepColumn(10.0, 5.0, Number(0, 4, step=1.0))
    inside, above, below = np.arange(10.0, 31.0, 5), 30 + 5 * np.arange(1.0, 10**6), 10 - 5 * np.arange(1.0, 10**6)
    assert column.beyond(inside).tolist() == [0.0] * 5
    for cells in (above, below):
        nats = column.beyond(cells)
        assert nats[0] > -math.log(BEYOND)  # less likely than the end, and less and less so
        assert (np.diff(nats) > 0).all()
        kept = (1 - BEYOND) * (1 + np.exp(-nats).sum())  # of the mass of the end, what all of these have
        assert kept == pytest.approx(1, abs=BEYOND * 5 / 10**6)  # those further out have the rest
    assert column.beyond(np.array([1e15]))[0] < 100


def test_listed_values_stand_for_those_between_them() -> None:
    column = ListedColumn([9.99, 19.99, 49.99], Number(0, 2, step=1.0))
    cells = np.array([9.99, np.float32(19.99), 49.99, 10.0, 14.0, 90.0, -30.0])
    nats = column.beyond(cells)
    assert (nats[:3] == 0).all()
    assert (nats[3:] > -math.log(BEYOND)).all()
    assert nats[5] == nats[6] > nats[3] == nats[4]
    everywhere = np.arange(-10.01 - 10**6, 10**6, 10.0)  # in steps of the least distance, from outside to outside
    total = np.exp(-column.beyond(everywhere[column.beyond(everywhere) > 0])).sum()
    assert total == pytest.approx((1 + 1 / 6) * BEYOND, rel=1e-3)  # what is outside, and one step on both sides of the middle of 20 and 50
    missing = MissingColumn(ListedColumn([9.99, 19.99, 49.99], Number(0, 2, step=1.0, optional=True)), Number(0, 1, step=1.0))
    np.testing.assert_array_equal(missing.beyond(np.array([np.nan, 10.0])), [0.0, nats[3]])


def test_missing_cells_are_told_by_a_number_of_their_own() -> None:
    there = Number(0, 1, step=1.0, shares=(0.25, 0.75))
    column = MissingColumn(NumberColumn(Number(0, 5, optional=True)), there)
    cells = np.array([1.5, np.nan, 4.0])
    np.testing.assert_array_equal(column.numbers(cells), [[1, 1.5], [0, np.nan], [1, 4]])
    np.testing.assert_array_equal(column.cells(column.numbers(cells)), cells)
    assert column.strange(np.array([np.nan, np.inf, 1.0])).tolist() == [False, True, False]
    with pytest.raises(ValueError, match="not optional"):
        MissingColumn(NumberColumn(Number(0, 5)), there)


def test_columns_say_what_they_hold() -> None:
    words = {
        StepColumn(0.5, 0.5, Number(0, 6, step=1.0)): ("counted", "0.5 to 3.5 in steps of 0.5"),
        MissingColumn(NumberColumn(Number(0.0, 5.5, optional=True)), Number(0, 1, step=1.0)): (
            "continuous with missing cells",
            "0 to 5.5, or missing",
        ),
        NumberColumn(Number(17, 90, step=1.0), 0): ("counted", "17 to 90 in steps of 1"),
        NumberColumn(Number(0.0, 5.5)): ("continuous", "0 to 5.5"),
        NumberColumn(Number(0.0, 5.5, bend=0.1)): ("transformed", "0 to 5.5"),
        NumberColumn(Number(0.0, 5.5, atoms=(0.0,), gap=1.0)): ("with spikes", "0 to 5.5, often 0"),
        ListedColumn([1.0, 2.5], Number(0, 1, step=1.0)): ("counted", "2 values from 1 to 2.5"),
    }
    assert all((column.kind, column.describe()) == said for column, said in words.items())


def test_values_between_steps_are_strange() -> None:
    column = NumberColumn(Number(0, 10, step=0.5))
    assert column.strange(np.array([0.5, 0.6, 11.0, -0.25])).tolist() == [False, True, False, True]
    assert not NumberColumn(Number(0, 10)).strange(np.array([0.123])).any()


INF = math.inf
BETWEEN = {
    "continuous": (
        NumberColumn(Number(0.0, 5.5)),
        [((1, 2), (1, 2)), ((-3, 2), (0, 2)), ((1, INF), (1, 5.5)), ((6, 9), None), ((2, 1), None)],
    ),
    "steps": (
        NumberColumn(Number(-1.0, 2.0, step=0.1), 1),
        [
            ((0.3, 0.5), (0.3, 0.5)),
            ((0.31, 0.49), (0.4, 0.4)),
            ((-INF, INF), (-1, 2)),
            ((0.31, 0.39), None),
            ((INF, INF), None),
            ((-9, -INF), None),
        ],
    ),
    "placed": (
        StepColumn(10.0, 5.0, Number(0, 4, step=1.0)),
        [((15, 25), (1, 3)), ((16, INF), (2, 4)), ((-INF, 12), (0, 0)), ((31, 40), None), ((21, 24), None), ((15, 15), (1, 1))],
    ),
    "listed": (
        ListedColumn([0.0, 1.0, 10.0, 1e6], Number(0, 3, step=1.0)),
        [((1, 10), (1, 2)), ((0.5, INF), (1, 3)), ((2, 9), None), ((10, 10), (2, 2)), ((-INF, -1), None), ((INF, INF), None)],
    ),
    "missing": (
        MissingColumn(StepColumn(10.0, 5.0, Number(0, 4, step=1.0, optional=True)), Number(0, 1, step=1.0)),
        [((15, 25), (1, 3)), ((31, 40), None)],
    ),
    "category": (CategoryColumn(["a", "b", "c"], [2, 0, 1], Number(0, 2, step=1.0)), [((0, 0), (1, 1)), ((2, 2), (0, 0))]),
}


@pytest.mark.parametrize("name", BETWEEN)
def test_a_range_of_cells_is_a_range_of_numbers(name: str) -> None:
    """By their ends, and by every cell: those whose numbers lie between are those that do."""
    column, asked = BETWEEN[name]
    for (low, high), ends in asked:
        found = column.between(low, high)
        assert (found is None) if ends is None else found == pytest.approx(ends, abs=1e-12)
    if name in ("steps", "placed", "listed"):
        number = column.axes[0]
        numbers = number.low + (number.step or 1) * np.arange(round((number.high - number.low) / number.step) + 1)
        cells = column.cells(numbers[:, None])
        rng, off = np.random.default_rng(0), 0.3 * np.diff(cells).min()
        for low, high in np.sort(rng.choice(np.concatenate([cells, cells + off, cells - off]), (200, 2)), axis=1):
            inside, found = (cells >= low) & (cells <= high), column.between(low, high)
            assert (found is not None) == inside.any()
            if found:
                assert found == pytest.approx((numbers[inside][0], numbers[inside][-1]), abs=1e-12)


def test_categories_have_no_range() -> None:
    with pytest.raises(SaltusError, match="a range was given, and it holds categories"):
        BETWEEN["category"][0].between(0, 1)

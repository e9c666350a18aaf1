"""Kinds of columns: values to numbers and back."""

from __future__ import annotations

import numpy as np
import pytest

from saltus.data import ListedColumn, NumberColumn
from saltus.likelihoods import Number


def test_decimals_come_back_to_the_last_digit() -> None:
    raw = np.round(np.arange(2000) * 0.01 - 3, 2)
    column = NumberColumn(Number(-3.0, 17.0, step=0.01), 2)
    near = column.numbers(raw) + 1e-13
    assert (near != raw).all()
    np.testing.assert_array_equal(column.values(near), raw)


def test_listed_values_are_numbered_and_others_taken_for_the_nearest() -> None:
    column = ListedColumn([0.0, 1.0, 10.0, 1e6], Number(0, 3, step=1.0))
    raw = np.array([10.0, 0.0, 1e6, 1.0])
    np.testing.assert_array_equal(column.numbers(raw), [2, 0, 3, 1])
    np.testing.assert_array_equal(column.values(column.numbers(raw)), raw)
    np.testing.assert_array_equal(column.values(column.numbers(np.array([-5.0, 7.0, 2e6]))), [0, 10, 1e6])


@pytest.mark.parametrize("number", [Number(0, 2, step=1.0), Number(0, 3), Number(1, 4, step=1.0)])
def test_a_list_has_a_number_for_each_value(number: Number) -> None:
    with pytest.raises(ValueError, match="one a number"):
        ListedColumn([0.0, 1.0, 10.0, 1e6], number)
    with pytest.raises(ValueError, match="values that increase"):
        ListedColumn([0.0, 2.0, 1.0], Number(0, 2, step=1.0))


def test_columns_say_what_they_hold() -> None:
    words = {
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

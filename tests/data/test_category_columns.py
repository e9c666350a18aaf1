"""Categories, as text or as codes, lie in their order and come back as they were."""

from __future__ import annotations

import numpy as np
import pytest

from saltus.data import CategoryColumn, CodeColumn, OrdinalColumn
from saltus.errors import SaltusError
from saltus.likelihoods import Number
from saltus.registry import build, describe


def test_categories_lie_in_their_order() -> None:
    column = CategoryColumn(["a", "b", "c"], [2, 0, 1], Number(0, 2, step=1.0))
    cells = np.array([0.0, 1.0, 2.0, 2.0])
    np.testing.assert_array_equal(column.numbers(cells)[:, 0], [1, 2, 0, 0])
    np.testing.assert_array_equal(column.cells(column.numbers(cells)), cells)
    assert column.strange(np.array([0.0, -1.0, 3.0, 0.5, np.nan])).tolist() == [False, True, True, True, True]
    with pytest.raises(ValueError, match="expected each once"):
        CategoryColumn(["a", "b"], [0, 0], Number(0, 1, step=1.0))


def test_codes_lie_in_their_order_and_others_are_strange() -> None:
    column = CodeColumn([1.0, 2.0, 7.0], [2, 0, 1], Number(0, 2, step=1.0))
    cells = np.array([1, 7, 2, 2])
    np.testing.assert_array_equal(column.numbers(cells)[:, 0], [1, 0, 2, 2])
    np.testing.assert_array_equal(column.cells(column.numbers(cells)), cells)
    assert column.strange(np.array([1.0, 3.0, 8.0, 0.0, np.nan, np.inf])).tolist() == [False, True, True, True, True, True]
    for codes, order in (([2.0, 1.0, 7.0], [0, 1, 2]), ([1.0, 2.0, 7.0], [0, 1, 1])):
        with pytest.raises(ValueError, match="expected codes that increase"):
            CodeColumn(codes, order, Number(0, 2, step=1.0))


def test_they_say_what_they_hold_in_the_order_that_was_given() -> None:
    number = Number(0, 3, step=1.0)
    assert CategoryColumn(["a", "b", "c", ""], [3, 2, 1, 0], number).describe() == "4 categories, such as a, b, c"
    assert OrdinalColumn(["a", "b", "c", ""], [3, 2, 1, 0], number).describe() == '4 categories, such as "", c, b'
    assert CodeColumn([1.0, 2.0], [1, 0], Number(0, 1, step=1.0)).describe() == "1, 2"
    assert CodeColumn([1.0, 2.0], [1, 0], Number(0, 1, step=1.0), ordinal=True).describe() == "2, 1"
    kinds = [OrdinalColumn(["a", "b"], [0, 1], Number(0, 1, step=1.0)).kind, CodeColumn([1.0], [0], Number(0, 0, step=1.0)).kind]
    assert kinds == ["ordinal", "categorical"]


def test_they_are_written_and_made_again() -> None:
    column = CodeColumn([1.0, 2.0], [1, 0], Number(0, 1, step=1.0), ordinal=True)
    again = build(*describe(column))
    assert isinstance(again, CodeColumn)
    assert (again.kind, again.order, again.codes.tolist()) == ("ordinal", [1, 0], [1.0, 2.0])
    assert isinstance(build(*describe(OrdinalColumn(["a"], [0], Number(0, 0, step=1.0)))), OrdinalColumn)


def test_ranges_are_of_what_has_an_order_that_its_cells_have_too() -> None:
    number = Number(0, 2, step=1.0)
    plain, ordinal = (kind(["a", "b", "c"], [0, 1, 2], number) for kind in (CategoryColumn, OrdinalColumn))
    assert ordinal.between(1, np.inf) == (1, 2)
    assert ordinal.between(2, 1) is None
    codes, grades = CodeColumn([1, 3, 9], [2, 0, 1], number), CodeColumn([1, 3, 9], [0, 1, 2], number, ordinal=True)
    assert (codes.between(3, 3), codes.between(4, 4)) == ((2, 2), None)
    assert (grades.between(2, 9), grades.between(4, 8)) == ((1, 2), None)
    for column in (
        plain,
        codes,
        CodeColumn([1, 3, 9], [2, 0, 1], number, ordinal=True),
        OrdinalColumn(["a", "b"], [1, 0], Number(0, 1, step=1.0)),
    ):
        with pytest.raises(SaltusError, match="a range was given, and it holds categories"):
            column.between(0, 1)

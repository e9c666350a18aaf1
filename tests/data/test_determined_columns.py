"""Columns that follow from another: what is written, and what a cell that disagrees costs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from saltus.data import CategoryColumn, MappedColumn, MissingColumn, NumberColumn, PairedColumn
from saltus.likelihoods import Number

NAN = math.nan


def kind(low: float = 0, high: float = 9) -> NumberColumn:
    return NumberColumn(Number(low, high, step=1.0))


def mapped(keys: list[float | None], values: list[float | None], usual: float | None = 3, **options: object) -> MappedColumn:
    given = {"named": False, "others": 3, "repeats": 98, "agreeing": 0.75} | options
    return MappedColumn(kind(), 1, keys, values, usual, **given)  # type: ignore[arg-type]


def column_of(*cells: float) -> np.ndarray:
    return np.array(cells)[:, None]


def test_numbers_that_never_came_are_taken_for_the_nearest() -> None:
    column = mapped([1, 2, 10, None], [5, 3, 4, None])
    np.testing.assert_array_equal(column.written(column_of(2, 1, 10, NAN, 0, 5, 7, 99)), [3, 5, 4, NAN, 5, 3, 4, 4])
    assert column.written(column_of(2.0 + 1e-9)).tolist() == [3]
    assert np.isnan(column.written(column_of(NAN))).all()
    assert mapped([1, 2], [5, 3], usual=5).written(column_of(NAN)).tolist() == [5]


def test_categories_that_never_came_have_what_is_most_common() -> None:
    column = mapped([1, 2, 10], [5, 3, 4], named=True)
    assert column.written(column_of(1, 9, 10)).tolist() == [5, 3, 4]


def test_it_has_no_numbers_of_its_own() -> None:
    column = mapped([1, 2], [5, 3])
    assert (column.axes, column.kind, column.describe(), column.sources) == ((), "determined", "0 to 9 in steps of 1", (1,))
    assert column.numbers(np.zeros(4)).shape == (4, 0)
    assert column.said(["hour", "time"]) == "by time"
    assert column.strange(np.array([3, 3.5, NAN])).tolist() == [False, True, True]
    with pytest.raises(ValueError, match="no numbers of its own"):
        column.cells(np.zeros((4, 0)))


def test_what_disagrees_costs_the_rule_of_succession() -> None:
    column = mapped([1, 2, 10], [5, 3, 4])
    cells, sources = np.array([5, 4, 8, 3, 5]), column_of(1, 1, 1, 3, 3)
    assert column.agrees(cells, sources).tolist() == [True, False, False, True, False]
    assert column.known(sources).tolist() == [True, True, True, False, False]
    expected = [0.99, 0.01 / 3, 0.01 / 3, 0.75, 0.25 / 3]
    np.testing.assert_allclose(np.exp(-column.surprise(cells, sources)), expected)


@pytest.mark.parametrize("source", [1, 2, 7, NAN], ids=str)
def test_probabilities_sum_to_one(source: float) -> None:
    """Over three categories and missing cells, whatever the source is; not where others are miscounted."""
    inner = CategoryColumn("abc", [0, 1, 2], Number(0, 2, step=1.0, optional=True))
    whole = MissingColumn(inner, Number(0, 1, step=1.0))
    cells = np.array([0, 1, 2, NAN])
    sources = np.full((4, 1), source)
    for others, right in ((3, True), (2, False)):
        column = MappedColumn(whole, 0, [1, 2, None], [2, None, 0], 2, False, others, 50, 0.6)
        assert (abs(np.exp(-column.surprise(cells, sources)).sum() - 1) < 1e-12) == right


def test_the_sources_of_a_cell_are_those_that_it_came_with() -> None:
    column = mapped([1, 2, 10, None], [5, 3, 5, 3])
    np.testing.assert_array_equal(column.sources_of(5), [1, 10])
    np.testing.assert_array_equal(column.sources_of(3), [2, NAN])
    assert column.sources_of(7).shape == column.sources_of(NAN).shape == (0,)
    np.testing.assert_array_equal(mapped([1, 2], [None, 3]).sources_of(NAN), [1])


@pytest.mark.parametrize(
    ("keys", "values", "options"),
    [
        ([], [], {}),
        ([1, 2], [5], {}),
        ([2, 1], [5, 3], {}),
        ([None, 1], [5, 3], {}),
        ([1, 2], [5, 3], {"others": 0}),
        ([1, 2], [5, 3], {"agreeing": 1.0}),
    ],
)
def test_a_table_has_a_value_for_each_key(keys: list[float | None], values: list[float | None], options: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        mapped(keys, values, **options)  # type: ignore[arg-type]


def paired(**options: object) -> PairedColumn:
    """By column 2, which holds numbers, and column 0, which holds categories: three pairs of (1, 4), (1, 7), (5, 4) and a missing one."""
    given = {"named": [False, True], "pairs": [0, 1, 2, 4], "values": [3, 8, 4, None], "guesses": [8, 4, None], "others": 3} | options
    given = {"keys": [[1, 5, None], [4, 7]], "usual": 6, "repeats": 98, "agreeing": 0.25} | given
    return PairedColumn(kind(), [2, 0], given.pop("keys"), given.pop("named"), **given)  # type: ignore[arg-type]


def test_a_pair_determines_and_its_first_cell_guesses() -> None:
    column = paired()
    sources = np.array([[1, 4], [1, 7], [5, 4], [NAN, 4], [4.5, 4], [5, 7], [1, 5], [NAN, 7]])
    assert column.known(sources).tolist() == [True] * 4 + [False] * 4
    np.testing.assert_array_equal(column.written(sources), [3, 8, 4, NAN, 4, 4, 8, NAN])
    assert PairedColumn(kind(), [2, 0], [[1, 5], [4]], [True, True], [0], [3], [8, 4], 6, 3, 9, 0.5).written(
        np.array([[2.0, 4.0], [5.0, 9.0]])
    ).tolist() == [6, 4]
    assert column.said(["from", "miles", "to"]) == "by from and to"
    assert (column.sources, column.axes, column.kind) == ((2, 0), (), "determined")
    np.testing.assert_array_equal(column.sources_of(8), [[1, 7]])
    np.testing.assert_array_equal(column.sources_of(NAN), [[NAN, 4]])
    assert column.sources_of(9).shape == (0, 2)


@pytest.mark.parametrize("sources", [[1, 4], [5, 7], [9, 9]], ids=str)
def test_probabilities_given_a_pair_sum_to_one(sources: list[float]) -> None:
    column = paired(values=[3, 8, 4, 8], guesses=[8, 4, 8], usual=8)
    cells = np.array([3.0, 8.0, 4.0, 99.0])  # 99 stands for all that never came
    costs = column.surprise(cells, np.array([sources] * 4))
    assert abs(np.exp(-costs).sum() - 1) < 1e-12
    assert float(np.exp(-costs).max()) == pytest.approx(0.99 if sources == [1, 4] else 0.75 / 3)


@pytest.mark.parametrize(
    "options",
    [
        {"pairs": [0, 1, 2]},
        {"pairs": [0, 2, 1, 4]},
        {"pairs": [0, 1, 2, 6]},
        {"pairs": [-1, 1, 2, 4]},
        {"guesses": [8, 4]},
        {"keys": [[1, 5, None]]},
        {"others": 0},
    ],
)
def test_pairs_are_of_their_keys(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        paired(**options)

"""Boosting tells rows of one distribution apart by chance alone, and others by what was planted in them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from saltus.evaluation.quality import by_column, told_apart
from saltus.evaluation.quality.boosting import Effort
from tests.helpers.checks import STANDARD_ERRORS

SMALL = Effort(trees=15, leaves=6, draws=2)
KINDS = np.array([False, True, False])


def rows(n: int, seed: int) -> np.ndarray:
    """A number, a category, and a number that is missing in a fifth of the rows."""
    rng = np.random.default_rng(seed)
    found = np.column_stack([rng.normal(size=n), rng.integers(0, 4, n), rng.normal(size=n)])
    found[rng.random(n) < 0.2, 2] = np.nan
    return found


def test_equal_distributions_are_not_told_apart() -> None:
    found = told_apart(rows(650, 0), rows(300, 1), KINDS, effort=SMALL)
    assert (found.rows, found.draws, found.importance) == (300, 2, ())
    assert abs(found.accuracy - 0.5) < STANDARD_ERRORS * found.error
    assert 0.4 / math.sqrt(600) < found.error < 0.6 / math.sqrt(600)
    assert found == told_apart(rows(650, 0), rows(300, 1), KINDS, effort=SMALL)


@pytest.mark.parametrize(
    ("column", "change"),
    [
        (0, lambda cells: cells + 1.5),
        (1, lambda cells: np.where(cells > 2, cells, 0)),
        (2, lambda cells: np.where(np.arange(len(cells)) % 2, np.nan, cells)),
    ],
    ids=["shifted", "other categories", "more missing cells"],
)
def test_what_was_planted_is_told_by_its_column(column: int, change: object) -> None:
    """The twin: with one column changed rows are told apart, by that column alone and by no other."""
    assert callable(change)
    planted = rows(300, 0)
    planted[:, column] = change(planted[:, column])
    found = told_apart(planted, rows(300, 1), KINDS, effort=SMALL, importance=True)
    assert found.accuracy - 0.5 > STANDARD_ERRORS * found.error
    assert int(np.argmax(found.importance)) == column
    assert found.importance[column] > 0.05
    alone = by_column(planted, rows(300, 1), KINDS)
    told = [each.accuracy - 0.5 > STANDARD_ERRORS * each.error for each in alone]
    assert told == [j == column for j in range(3)]


def test_how_columns_go_together_is_told_where_no_column_alone_tells() -> None:
    rng = np.random.default_rng(0)
    real, other = rng.normal(size=(400, 2)), rng.normal(size=(400, 2))
    real[:, 1] = real[:, 0] + 0.3 * real[:, 1]
    other[:, 1] *= math.sqrt(1.09)
    kinds = np.zeros(2, dtype=bool)
    assert told_apart(other, real, kinds, effort=SMALL).accuracy > 0.7
    assert max(each.accuracy for each in by_column(other, real, kinds)) < 0.6


def test_rows_that_are_always_told_and_columns_that_hold_nothing() -> None:
    real, kinds = rows(60, 1), KINDS
    far = real + 100
    assert told_apart(far, real, kinds, effort=SMALL).accuracy == 1
    empty = np.full((60, 1), np.nan)
    assert by_column(empty, empty, np.array([True]))[0].accuracy == 0.5
    with pytest.raises(ValueError, match="60 rows and 4 real ones; expected at least 5"):
        told_apart(real, real[:4], kinds)

"""Rows that say what real rows say predict as well; rows whose target was shuffled predict nothing."""

from __future__ import annotations

import numpy as np
import pytest

from saltus.errors import SaltusError
from saltus.evaluation.quality import difference, utility
from tests.helpers.checks import STANDARD_ERRORS, assert_one_sentence

KINDS = np.array([False, True, True, False])
CLASS, NUMBER = 2, 3


def rows(n: int, seed: int) -> np.ndarray:
    """A number and a category, which say a class for sure and a number up to noise."""
    rng = np.random.default_rng(seed)
    x, k = rng.normal(size=n), rng.integers(0, 3, n)
    return np.column_stack([x, k, (x > 0) + 2.0 * (k == 1), 2 * x + 3 * (k == 2) + rng.normal(0, 0.5, n)])


def shuffled(table: np.ndarray, column: int) -> np.ndarray:
    found = table.copy()
    found[:, column] = np.random.default_rng(0).permutation(found[:, column])
    return found


def test_a_class_is_predicted_by_rows_that_say_it() -> None:
    table, test = rows(500, 0), rows(300, 1)
    own, other, twin = utility([table, rows(500, 2), shuffled(table, CLASS)], test, KINDS, CLASS)
    assert own.score > 0.95
    assert own.score == own.points.mean()
    assert own.tested == len(own.points) == 300
    assert abs(difference(own, other)[0]) <= STANDARD_ERRORS * difference(own, other)[1]
    lost, error = difference(twin, own)
    assert lost < -STANDARD_ERRORS * error
    most = np.bincount(table[:, CLASS].astype(int)).argmax()
    assert own.constant == pytest.approx((test[:, CLASS] == most).mean())


def test_a_number_is_predicted_up_to_its_noise() -> None:
    """R^2 is at most 1 - 1/4 over the variance, and about 0 for shuffled rows."""
    table, test = rows(1500, 0), rows(500, 1)
    own, twin = utility([table, shuffled(table, NUMBER)], test, KINDS, NUMBER)
    best = 1 - 0.25 / test[:, NUMBER].var()
    assert best - 0.06 < own.score < best + STANDARD_ERRORS * own.error
    assert twin.score < 0.05
    assert own.constant == pytest.approx(1 - ((test[:, NUMBER] - table[:, NUMBER].mean()) ** 2).mean() / test[:, NUMBER].var())
    truth = test[:, NUMBER]
    assert own.score == pytest.approx(1 - (1 - own.points).mean() * truth.var() / truth.var())


def test_missing_targets_are_left_out_and_rows_of_one_class_predict_it() -> None:
    table, test = rows(300, 0), rows(200, 1)
    test[:50, CLASS] = np.nan
    one = table.copy()
    one[:, CLASS] = 3
    found = utility([one], test, KINDS, CLASS)[0]
    assert (found.learned, found.tested) == (300, 150)
    assert found.score == found.constant == pytest.approx(np.nanmean(np.where(np.isnan(test[:, CLASS]), np.nan, test[:, CLASS] == 3)))


def test_what_cannot_be_predicted_is_told_in_one_sentence() -> None:
    table, test = rows(100, 0), rows(100, 1)
    test[:, NUMBER] = 1
    with pytest.raises(SaltusError) as caught:
        utility([table], test, KINDS, NUMBER)
    assert_one_sentence(caught.value, "the same in all rows", "--target")
    test[5:, CLASS] = np.nan
    with pytest.raises(SaltusError) as caught:
        utility([table], test, KINDS, CLASS)
    assert_one_sentence(caught.value, "5 rows", "at least 10")

"""Measures of pairs: 0 for independent columns, 1 for copies, and the values that closed forms give."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from saltus.evaluation.quality import association, correlation_ratio, cramers_v, pearson, spearman
from tests.helpers.checks import STANDARD_ERRORS

N = 2000


def columns(seed: int = 0) -> np.ndarray:
    """Four independent columns: two of numbers, two of categories."""
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.normal(size=N), rng.exponential(size=N), rng.integers(0, 5, N), rng.integers(0, 3, N)])


KINDS = np.array([False, False, True, True])


@pytest.mark.parametrize("ranks", [True, False])
def test_independent_columns_have_about_0_and_copies_1(ranks: bool) -> None:
    rows = columns()
    found = association(rows, KINDS, ranks=ranks)
    np.testing.assert_array_equal(found, found.T)
    assert np.abs(found - np.eye(4)).max() < STANDARD_ERRORS / math.sqrt(N)
    doubled = association(np.column_stack([rows, rows]), np.tile(KINDS, 2), ranks=ranks)
    np.testing.assert_allclose(np.diag(doubled[:4, 4:]), 1)  # the twin
    np.testing.assert_allclose(doubled[:4, :4], found)


def test_numbers_of_a_known_correlation() -> None:
    rng, r = np.random.default_rng(0), 0.6
    x, e = rng.normal(size=(2, 20 * N))
    y = r * x + math.sqrt(1 - r**2) * e
    error = 1 / math.sqrt(len(x))
    assert abs(pearson(x, y) - r) < STANDARD_ERRORS * error
    assert abs(spearman(x, y) - 6 / math.pi * math.asin(r / 2)) < STANDARD_ERRORS * error
    assert spearman(x, np.exp(3 * x)) == pytest.approx(1)
    assert pearson(x, np.exp(3 * x)) < 0.5
    assert spearman(x, -x) == pytest.approx(-1)
    assert spearman(np.rint(x), np.rint(y)) == pytest.approx(stats.spearmanr(np.rint(x), np.rint(y)).statistic)
    assert pearson(x * 1e200 + 1e3, y) == pytest.approx(pearson(x, y))


def test_the_correlation_ratio_is_the_root_of_the_variance_between_groups() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 4, 20 * N)
    numbers = groups + rng.normal(size=len(groups))
    between = np.arange(4).var()
    expected = math.sqrt(between / (between + 1))
    assert abs(correlation_ratio(groups, numbers) - expected) < STANDARD_ERRORS / math.sqrt(len(groups))


def test_cramers_v_of_a_known_table_and_its_bias() -> None:
    """Half of the rows have the category of the other column, and half any of k: V is 1/2."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, 20 * N)
    y = np.where(rng.random(len(x)) < 0.5, x, rng.integers(0, 4, len(x)))
    assert abs(cramers_v(x, y) - 0.5) < STANDARD_ERRORS / math.sqrt(len(x))
    many = np.stack([rng.integers(0, 20, (2, 60)) for _ in range(50)])
    plain = [stats.contingency.association(stats.contingency.crosstab(*pair).count) for pair in many]
    assert np.mean(plain) > 0.5  # the twin: without the correction few rows of many categories seem to go together
    assert np.mean([cramers_v(*pair) for pair in many]) < 0.2


def test_pairs_are_measured_where_both_cells_are_there() -> None:
    rows = columns()
    rows[: N // 2, 0] = np.nan
    rows[:, 1] = np.where(np.isnan(rows[:, 0]), -5.0, rows[:, 0])
    assert association(rows, KINDS)[0, 1] == pytest.approx(1)
    constant = np.column_stack([np.ones(N), rows[:, 2], np.full(N, np.nan)])
    found = association(constant, np.array([False, True, False]))
    assert np.isnan(found[np.tril_indices(3, -1)]).all()
    assert math.isnan(cramers_v(np.arange(3.0), np.arange(3.0)))
    assert math.isnan(correlation_ratio(np.arange(5.0), np.arange(5.0)))  # a group for each row

"""Scores beside ordinary rows: those of ordinary rows are exponential, strange ones lie beyond, and what is written down says the same."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats

from saltus.estimators.anomaly import Ordinary
from tests.helpers.checks import LEAST_P, follows

HELD, NEW = 1000, 4000
LAWS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "gaussian columns": lambda rng, n: 0.5 * rng.normal(size=(n, 4)) ** 2 + 0.9,
    "heavy tails": lambda rng, n: rng.lognormal(0, 1.0, (n, 3)),
    "bounded": lambda rng, n: rng.random((n, 5)),
    "columns that go with each other": lambda rng, n: np.repeat(rng.exponential(size=(n, 1)), 3, 1) + 0.1 * rng.random((n, 3)),
}


@pytest.mark.parametrize("name", LAWS)
def test_scores_of_ordinary_rows_are_exponential(name: str) -> None:
    """Of new rows, against the held-out ones: by Kolmogorov and Smirnov for two samples, of which the smaller sets the tolerance."""
    rng = np.random.default_rng(0)
    ordinary, new = Ordinary(LAWS[name](rng, HELD)), LAWS[name](rng, NEW)
    strange, scores = ordinary.by_column(new), ordinary.score(new)
    assert strange.shape == new.shape
    assert scores.shape == (NEW,)
    for values in (*strange.T, scores):
        distance = stats.kstest(values, stats.expon.cdf).statistic
        assert distance < math.sqrt(-0.5 * math.log(LEAST_P / 2) * (1 / HELD + 1 / NEW)) + 1 / HELD
        assert abs(values.mean() - 1) < 5 * math.sqrt(1 / HELD + 1 / NEW) + 0.02
    assert not follows(torch.from_numpy(strange.sum(1)), stats.expon.cdf)  # the twin: scores that are added and not held against any


def test_a_score_is_the_share_of_ordinary_rows_that_are_as_strange() -> None:
    costs = np.arange(999.0)[:, None]
    ordinary = Ordinary(costs)
    for cost, share in ((0.0, 1.0), (-5.0, 1.0), (499.0, 0.501), (900.0, 0.1)):
        assert ordinary.by_column(np.array([[cost]]))[0, 0] == pytest.approx(-math.log(share))
        assert ordinary.score(np.array([[cost]]))[0] == pytest.approx(-math.log(share))
    beyond = ordinary.by_column(np.array([[960.0], [1000.0], [2000.0], [4000.0]]))[:, 0]
    assert (np.diff(beyond) > 0).all()
    assert np.diff(beyond)[2] == pytest.approx(2 * np.diff(beyond)[1], rel=0.01)  # a straight line


def test_strange_cells_are_seen_in_dear_columns_and_in_cheap_ones() -> None:
    """One column always costs 20 nats, another is cheap: the same 3 nats more are strange in the second alone."""
    rng = np.random.default_rng(0)
    ordinary = Ordinary(np.stack([20 + 4 * rng.normal(size=HELD), 0.1 + 0.2 * rng.random(HELD)], 1))
    rows = np.array([[23.0, 0.2], [20.0, 3.2]])
    strange, (dear, cheap) = ordinary.by_column(rows), ordinary.score(rows)
    assert strange[0, 0] < 3
    assert strange[1, 1] > 10
    assert cheap > 5 > dear


def test_what_was_never_there_is_rarer_than_any() -> None:
    ordinary = Ordinary(np.random.default_rng(0).exponential(size=(HELD, 3)))
    found = ordinary.by_column(np.array([[1.0, np.inf, 1.0]]))
    assert found[0, 1] == pytest.approx(math.log(HELD + 1))
    assert np.isfinite(ordinary.score(np.array([[1.0, np.inf, 1.0], [np.inf] * 3]))).all()
    assert ordinary.score(np.array([[1.0, np.inf, 1.0]]))[0] > 3


@pytest.mark.parametrize("cost", [0.0, math.log(2), 7.1234567])
def test_columns_that_always_cost_the_same_say_nothing(cost: float) -> None:
    """Within rounding: more than that is rarer than any, and grows by a nat with each nat."""
    ordinary = Ordinary(np.full((HELD, 2), cost))
    same = np.array([[cost, cost * (1 + 1e-8)], [cost - 1e-7, cost]])
    assert not ordinary.by_column(same).any()
    assert not ordinary.score(same).any()
    one, two = ordinary.by_column(np.array([[cost + 1.0, cost], [cost + 2.0, cost]]))[:, 0]
    assert one == pytest.approx(math.log(HELD + 1) + 1)
    assert two == pytest.approx(one + 1)


def test_costs_that_nearly_never_change_are_not_taken_too_seriously() -> None:
    """A nat more is no more than the 51 rows above the border are worth; with few rows as good as none are."""
    ordinary = Ordinary(1 + 1e-4 * np.random.default_rng(0).random((HELD, 1)))
    assert 3 < ordinary.by_column(np.array([[2.0]]))[0, 0] < 3.1 + 51
    few = Ordinary(1 + 1e-4 * np.random.default_rng(0).random((20, 1)))
    assert 2 < few.by_column(np.array([[2.0]]))[0, 0] < 5


@pytest.mark.parametrize("name", [*LAWS, "equal", "few values", "one row"])
def test_what_is_written_down_says_the_same(name: str) -> None:
    rng = np.random.default_rng(0)
    others = {
        "equal": lambda rng, n: rng.choice([math.log(3)], (n, 2)),
        "few values": lambda rng, n: rng.choice([0.105360516, 2.302585093], (n, 2)),
        "one row": lambda rng, n: rng.random((min(n, 1), 2)),
    }
    distribution = (LAWS | others)[name]
    ordinary, new = Ordinary(distribution(rng, HELD)), np.concatenate([distribution(rng, 50), distribution(rng, 50) + rng.random() * 3])
    again = Ordinary.from_json(json.loads(json.dumps(ordinary.to_json())))
    np.testing.assert_array_equal(again.by_column(new), ordinary.by_column(new))
    np.testing.assert_array_equal(again.score(new), ordinary.score(new))
    assert len(Ordinary(distribution(rng, 3 * HELD)).to_json()) <= HELD


@pytest.mark.parametrize("found", [[], [[]], [1.0], [[1.0], [math.nan]], [[math.inf]], "costs", None, [[1.0], [1.0, 2.0]]])
def test_what_is_no_cost_is_told(found: object) -> None:
    with pytest.raises(ValueError, match=r"finite|float|inhomogeneous"):
        Ordinary.from_json(found)

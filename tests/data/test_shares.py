"""Shares of values: what is seen often has its own, what is not seen has a little, and they are taken where they save nats."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from saltus.data.shares import gain_of_shares, shared
from saltus.likelihoods import Number, Numbers

RNG = np.random.default_rng(0)


def test_shares_are_those_of_rows_and_a_little_for_the_others() -> None:
    counts = np.array([500, 0, 300, 1, 199])
    found = shared(5, np.repeat(np.arange(5), counts)).shares
    assert sum(found) == pytest.approx(1, abs=1e-5)
    assert found[1] == pytest.approx(1 / 1001 / 5, rel=1e-3)  # one row has a value of its own
    assert found[0] == pytest.approx(500.2 / 1001, rel=1e-3)


def test_neighbours_of_what_is_seen_are_likelier_than_others() -> None:
    places = np.rint(RNG.normal(50, 3, 400)).astype(int)
    found = shared(1000, places, smooth=True).shares
    empty = next(k for k in range(40, 60) if k not in set(places.tolist())) if len(set(places.tolist())) < 20 else 41
    assert found[empty] > 5 * found[900]
    assert min(found) > 0


@pytest.mark.parametrize(("lumpy", "most"), [(True, 9.0), (False, 0.05)])
def test_they_are_worth_it_where_values_are_lumpy(lumpy: bool, most: float) -> None:
    """Round hundreds among thousands of values, and a Gaussian in steps of 1."""
    x = np.clip(np.rint(RNG.normal(1000, 250, 3000)), 0, 2000)
    x = np.where(RNG.random(3000) < 0.8, 100 * np.rint(x / 100), x) if lumpy else x
    number = Number(0, 2000, step=1.0, mean=float(x.mean()), std=float(x.std()))
    found = gain_of_shares(number, 2001, x.astype(int))
    assert (1.0 if lumpy else -1.0) < found < most


def test_every_value_has_an_interval_that_float32_tells_from_the_next() -> None:
    """Sixteen thousand places, nearly all of the rows in a few of them, at either end or in the middle."""
    n = 2**14
    for first in (0, n // 2, n - 5):
        number = shared(n, np.r_[np.repeat(np.arange(first, first + 5), 9000), [0, n - 1]], smooth=True)
        numbers, x = Numbers([number]), torch.arange(n, dtype=torch.float64)[:, None]
        y = numbers.forward(x).float()
        assert y.isfinite().all()
        assert torch.equal(numbers.inverse(y.double()), x)
        assert not numbers.off(y.double()).any()

"""The data set whose law is known: its items follow the law, and the law is what its oracle says."""

from __future__ import annotations

import torch

from saltus.data import digits, load
from saltus.data.mixture import digits_mixture
from tests.helpers.checks import mean_is


def test_items_follow_their_law_and_look_like_digits() -> None:
    """The mean of -ln q over held-out items is the law's entropy, by other draws; the mean and variance are those of the digits."""
    data = load("digits-mixture")
    assert data.law is not None
    held_out, others = (-data.law.log_prob(y, 0.0) for y in (data.test, data.law.sample(4000, seed=7)))
    expected = float(others.mean())
    assert mean_is(held_out - (others - expected), expected)  # two samples: the noise of both
    assert not mean_is(held_out - (others - expected), expected + 1.0)
    real = digits().train
    assert float((data.train.mean(0) - real.mean(0)).abs().max()) < 0.05
    added = data.train.var(0) - real.var(0)
    assert float((added - 0.01).abs().max()) < 0.05  # the variance that is added to every pixel, and the sampling error


def test_parts_are_different_draws_and_always_the_same() -> None:
    first, second = (digits_mixture(digits()) for _ in range(2))
    assert first.fingerprint == second.fingerprint
    assert not torch.equal(first.validation[:100], first.test[:100])
    assert digits().law is None

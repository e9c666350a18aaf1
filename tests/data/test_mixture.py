"""The data set whose distribution is known: its items follow it, it is what its oracle says, and classes are components."""

from __future__ import annotations

import torch

from saltus.data import digits, load
from saltus.data.mixture import digits_mixture
from saltus.networks.conditions import ClassCondition
from saltus.oracles import GaussianMixture
from tests.helpers.checks import mean_is


def test_items_follow_their_distribution_and_look_like_digits() -> None:
    """The mean of -ln q over held-out items is the entropy, by other draws; the mean and variance are those of the digits."""
    data = load("digits-mixture")
    assert data.distribution is not None
    held_out, others = (-data.distribution.log_prob(y, 0.0) for y in (data.test, data.distribution.sample(4000, seed=7)))
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
    assert digits().distribution is None


def test_the_class_of_an_item_is_that_of_its_component() -> None:
    """Items of one class lie around the digits of that class, and of the components the nearest has their class."""
    data, real = load("digits-mixture", condition="labels"), digits()
    assert data.labels is not None
    assert real.labels is not None
    centres = torch.stack([real.train[real.labels.train == k].mean(0) for k in range(10)])
    nearest = torch.cdist(data.test.flatten(1), centres.flatten(1)).argmin(1)
    right = (nearest == data.labels.test).double().mean()
    assert right > 0.7
    assert (nearest == data.labels.test.roll(1)).double().mean() < 0.3
    assert isinstance(data.condition, ClassCondition)
    assert isinstance(data.distribution, GaussianMixture)
    assert data.conditions is not None
    names = torch.tensor([int(name) for name in data.condition.names])
    assert torch.equal(names[data.conditions.validation], data.labels.validation)

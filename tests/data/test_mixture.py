"""The data set whose distribution is known: its items follow it, it is what its oracle says, and classes are components."""

from __future__ import annotations

import pytest
import torch

from saltus.data import DataSet, digits, load
from saltus.data.mixture import digits_mixture
from saltus.networks.conditions import ClassCondition
from tests.helpers.checks import mean_is


@pytest.fixture(scope="module")
def data() -> DataSet:
    return load("digits-mixture", condition="labels")


def test_items_follow_their_distribution_and_look_like_digits(data: DataSet) -> None:
    """The mean of -ln q over held-out items is the entropy, by other draws; the mean and variance are those of the digits."""
    assert data.distribution is not None
    held_out, others = (-data.distribution.log_prob(y, 0.0) for y in (data.test, data.distribution.sample(4000, seed=7)))
    expected = float(others.mean())
    assert mean_is(held_out - (others - expected), expected)  # two samples: the noise of both
    assert not mean_is(held_out - (others - expected), expected + 1.0)
    real = digits().train
    assert float((data.train.mean(0) - real.mean(0)).abs().max()) < 0.05
    added = data.train.var(0) - real.var(0)
    assert float((added - 0.01).abs().max()) < 0.05  # the variance that is added to every pixel, and the sampling error


def test_parts_are_different_draws_and_always_the_same(data: DataSet) -> None:
    again = digits_mixture(digits())
    assert again.fingerprint == data.fingerprint
    assert again.condition is None
    assert not torch.equal(data.validation[:100], data.test[:100])
    assert digits().distribution is None


def test_the_class_of_an_item_is_that_of_its_component(data: DataSet) -> None:
    """Items of one class lie around the digits of that name."""
    real = digits()
    assert data.labels is not None
    assert real.labels is not None
    centres = torch.stack([real.train[real.labels.train == k].mean(0) for k in range(10)])
    nearest = torch.cdist(data.test.flatten(1), centres.flatten(1)).argmin(1)
    named = torch.tensor([int(name) for name in data.labels.names])[data.labels.test]
    assert (nearest == named).double().mean() > 0.7
    assert (nearest == named.roll(1)).double().mean() < 0.3
    assert isinstance(data.condition, ClassCondition)
    assert data.conditions is not None
    assert data.condition.names == data.labels.names
    assert torch.equal(data.conditions.validation, data.labels.validation)
    assert data.distribution is not None
    apart, mixed = (data.distribution.posterior_mean(data.test[:500], 2.0, c) for c in (data.conditions.test[:500], None))
    assert ((apart - data.test[:500]) ** 2).mean() < 0.9 * ((mixed - data.test[:500]) ** 2).mean()  # the class says more of an item

"""Shares of the levels follow the loss, in the proportion that gives its estimate the least noise."""

from __future__ import annotations

import pytest
import torch

from chains import chain_of
from saltus.chain import Loss
from saltus.data import digits
from saltus.training import Config, KernelName, Trainer, build_chain
from saltus.training.shares import Shares


def loss_of(values: list[float], levels: list[int], shares: list[float]) -> Loss:
    level = torch.tensor(levels)
    weight = (1 / (len(shares) * torch.tensor(shares)))[level - 1]
    return Loss(level, {"error": torch.tensor(values) * weight}, weight)


def test_a_tenth_in_equal_parts_and_the_rest_by_the_root_mean_square() -> None:
    shares = Shares(2)
    shares.update(loss_of([3.0, -4.0, 1.0], [1, 1, 2], shares.current))  # signs do not matter: densities may be above 1
    rms = (12.5**0.5, 1.0)
    expected = [0.05 + 0.9 * one / sum(rms) for one in rms]
    assert shares.current == pytest.approx(expected)
    shares.update(loss_of([3.0, -4.0, 1.0], [1, 1, 2], shares.current))  # the same loss from other shares
    assert shares.current == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "levels"),
    [([1.0, 1.0], [1, 1]), ([1.0, float("nan")], [1, 2]), ([0.0, 0.0], [1, 2])],
    ids=["a level not seen", "not finite", "no loss"],
)
def test_equal_parts_until_every_level_has_a_figure(values: list[float], levels: list[int]) -> None:
    shares = Shares(2)
    shares.update(loss_of(values, levels, shares.current))
    assert shares.current == [0.5, 0.5]


def test_the_noise_of_the_estimate_falls() -> None:
    """A level of ten times the loss: with the shares that follow it the estimate of the sum over levels is less noisy."""
    chain, shares = chain_of("vae"), Shares(3)
    y = torch.randn(128, 2, generator=torch.Generator().manual_seed(0))

    def estimates(given: list[float] | None) -> torch.Tensor:
        return torch.stack([chain.loss(y, seed=0, first_item=first, shares=given).total.mean() for first in range(0, 128 * 100, 128)])

    for first in range(0, 128 * 20, 128):
        shares.update(chain.loss(y, seed=1, first_item=first, shares=shares.current))
    assert shares.current != [1 / 3] * 3
    assert estimates(shares.current).var() < estimates(None).var()


def test_training_gives_the_costly_step_more_items() -> None:
    """The step to the data holds most nats; the Gaussian kernel's loss is an error that weighs the same everywhere."""
    data = digits()
    config = Config(levels=2, steps=20, batch=32, width=16)
    trainer = Trainer(build_chain(config, data), data, config)
    for _ in trainer:
        pass
    assert trainer.shares is not None
    assert trainer.shares.current[0] > 0.5 > trainer.shares.current[1] > 0.05
    even = config.model_copy(update={"kernel": KernelName.GAUSSIAN})
    assert Trainer(build_chain(even, data), data, even).shares is None

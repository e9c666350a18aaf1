"""LevelSampling of the levels follow the loss, and take noise out of its gradient."""

from __future__ import annotations

from unittest import mock

import pytest
import torch
from torch.distributions import Normal

from saltus.chain import Loss
from saltus.data import digits
from saltus.training import Config, KernelName, Trainer, build_chain
from saltus.training.level_sampling import LevelSampling

BATCHES, SIZE = 22, 64
D = 32  # numbers in an item


def counted(loss: Loss, counts: list[int]) -> Loss:
    """The same loss; how many of its items are at the first level is noted."""
    counts.append(int((loss.level == 1).sum()))
    return loss


def loss_of(values: list[float], levels: list[int], shares: list[float]) -> Loss:
    level = torch.tensor(levels)
    weight = (1 / (len(shares) * torch.tensor(shares)))[level - 1]
    return Loss(level, {"error": torch.tensor(values) * weight}, weight)


def expected(*rms: float) -> list[float]:
    """A tenth in equal parts, the rest in proportion."""
    return [0.1 / len(rms) + 0.9 * one / sum(rms) for one in rms]


def test_a_tenth_in_equal_parts_and_the_rest_by_the_root_mean_square() -> None:
    shares = LevelSampling(2, D)
    shares.update(loss_of([3.0, -4.0, 1.0], [1, 1, 2], shares.current))  # signs do not matter: densities may be above 1
    assert shares.current == pytest.approx(expected(12.5**0.5, 1.0))
    shares.update(loss_of([3.0, -4.0, 1.0], [1, 1, 2], shares.current))  # the same loss from other shares
    assert shares.current == pytest.approx(expected(12.5**0.5, 1.0))


def test_shares_follow_the_loss_slowly_and_past_what_is_not_finite() -> None:
    shares = LevelSampling(2, D)
    for values in ([2.0, 1.0], [0.0, 1.0], [float("nan"), 1.0]):
        shares.update(loss_of(values, [1, 2], shares.current))
    assert shares.current == pytest.approx(expected((0.98 * 4) ** 0.5, 1.0))


@pytest.mark.parametrize(
    ("values", "levels"),
    [([1.0, 1.0], [1, 1]), ([1.0, float("nan")], [1, 2]), ([0.0, 0.0], [1, 2])],
    ids=["a level not seen", "not finite", "no loss"],
)
def test_equal_parts_until_every_level_has_a_figure(values: list[float], levels: list[int]) -> None:
    shares = LevelSampling(2, D)
    shares.update(loss_of(values, levels, shares.current))
    assert shares.current == [0.5, 0.5]


def test_levels_that_count_alike_have_one_size_of_loss_and_equal_parts() -> None:
    shares, plain = LevelSampling(2, D, alike=True), LevelSampling(2, D)
    for one in (shares, plain):
        one.update(loss_of([30.0, -40.0, 5.0], [1, 1, 2], one.current))
    assert shares.current == [0.5, 0.5]
    sizes = [factor * rms for factor, rms in zip(shares.factors, (1250**0.5, 5.0), strict=True)]
    assert sizes == pytest.approx([(1250**0.5 + 5) / 2] * 2)
    assert plain.factors == [1.0, 1.0]  # the twin


def test_a_level_without_nats_counts_as_if_it_had_the_noise_of_z_s() -> None:
    """d numbers with unit Gaussian noise: minus their log-density has the standard deviation that a level's size does not fall below."""
    z = torch.randn(100_000, D, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    noise = float((-Normal(0.0, 1.0).log_prob(z)).sum(1).std())
    shares = LevelSampling(2, D, alike=True)
    shares.update(loss_of([50.0, 0.0], [1, 2], shares.current))
    assert shares.factors[1] / shares.factors[0] == pytest.approx(50 / noise, rel=0.02)


@pytest.mark.parametrize(
    ("values", "levels"), [([1.0, float("nan")], [1, 2]), ([1.0, 1.0], [1, 1])], ids=["not finite", "a level not seen"]
)
def test_levels_count_as_they_are_until_every_level_has_a_figure(values: list[float], levels: list[int]) -> None:
    shares = LevelSampling(2, D, alike=True)
    shares.update(loss_of(values, levels, shares.current))
    assert shares.factors == [1.0, 1.0]


def gradients(trainer: Trainer, shares: list[float] | None) -> torch.Tensor:
    """One gradient of the loss for each of some batches, (BATCHES, parameters)."""
    parameters = list(trainer.chain.parameters())
    found = []
    for batch in range(BATCHES):
        y = trainer.data.train[batch * SIZE : (batch + 1) * SIZE]
        loss = trainer.chain.loss(y, seed=1, first_item=batch * SIZE, shares=shares).total.mean()
        found.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)]))
    return torch.stack(found)


def test_gradients_of_the_loss_have_less_noise() -> None:
    """On levels of which one holds most nats; more items for the others make it worse."""
    data = digits()
    config = Config(times=(0.0, 1.5, 2.0, 3.0), steps=200, batch=SIZE, width=32)
    trainer = Trainer(build_chain(config, data), data, config)
    for _ in trainer:
        pass
    assert trainer.shares is not None
    current = trainer.shares.current
    noise, even, reversed_ = (float(gradients(trainer, shares).var(0).sum()) for shares in (current, None, current[::-1]))
    assert noise < even < reversed_


def test_training_gives_the_costly_step_more_items() -> None:
    """The step to the data holds most nats; the Gaussian kernel's loss is an error that weighs the same everywhere."""
    data = digits()
    config = Config(levels=2, steps=20, batch=32, width=16)
    trainer, counts = Trainer(build_chain(config, data), data, config), []
    plain = trainer.chain.loss
    with mock.patch.object(trainer.chain, "loss", side_effect=lambda *given, **named: counted(plain(*given, **named), counts)):
        for _ in trainer:
            pass
    assert trainer.shares is not None
    assert trainer.shares.current[0] > 0.5 > trainer.shares.current[1] > 0.05
    assert counts[0] == 16
    assert counts[-1] == pytest.approx(32 * trainer.shares.current[0], abs=2)
    even = config.model_copy(update={"kernel": KernelName.GAUSSIAN})
    assert Trainer(build_chain(even, data), data, even).shares is None


@pytest.mark.parametrize("latents", [1, 2])
def test_training_levels_alike_learns_more_at_noisy_levels_and_less_at_the_others(latents: int) -> None:
    """From the same networks, items and noise; figures are nats either way, so that trainings can be compared."""
    data, found = digits(), {}
    for alike in (False, True):
        config = Config(times=(0.0, 1.0, 3.0), steps=150, batch=64, width=16, alike=alike, latents=latents)
        trainer = Trainer(build_chain(config, data), data, config)
        first, *_ = trainer
        with torch.no_grad():
            found[alike] = first.loss, trainer.chain.bound(data.train[:512], seed=2).per_level.mean(1)
    (one, by_nats), (other, by_levels) = found[False], found[True]
    assert one == other
    assert by_levels[0] > by_nats[0]
    assert by_levels[1] < by_nats[1]

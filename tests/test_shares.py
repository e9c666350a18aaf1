"""Shares of the levels follow the loss, and take noise out of its gradient."""

from __future__ import annotations

from unittest import mock

import pytest
import torch

from saltus.chain import Loss
from saltus.data import digits
from saltus.training import Config, KernelName, Objective, Trainer, build_chain
from saltus.training.shares import Shares

BATCHES, SIZE = 22, 64


def counted(loss: Loss, counts: list[int]) -> Loss:
    """The same loss; how many of its items are at the first level is noted."""
    counts.append(int((loss.level == 1).sum()))
    return loss


def loss_of(values: list[float], levels: list[int], shares: list[float], importance: list[float] | None = None) -> Loss:
    level = torch.tensor(levels)
    weight = (torch.tensor(importance or [1.0] * len(shares)) / (len(shares) * torch.tensor(shares)))[level - 1]
    return Loss(level, {"error": torch.tensor(values) * weight}, weight)


def expected(*rms: float) -> list[float]:
    """A tenth in equal parts, the rest in proportion."""
    return [0.1 / len(rms) + 0.9 * one / sum(rms) for one in rms]


def test_a_tenth_in_equal_parts_and_the_rest_by_the_root_mean_square() -> None:
    shares = Shares(2)
    shares.update(loss_of([3.0, -4.0, 1.0], [1, 1, 2], shares.current))  # signs do not matter: densities may be above 1
    assert shares.current == pytest.approx(expected(12.5**0.5, 1.0))
    shares.update(loss_of([3.0, -4.0, 1.0], [1, 1, 2], shares.current))  # the same loss from other shares
    assert shares.current == pytest.approx(expected(12.5**0.5, 1.0))


def test_shares_follow_the_loss_slowly_and_past_what_is_not_finite() -> None:
    shares = Shares(2)
    for values in ([2.0, 1.0], [0.0, 1.0], [float("nan"), 1.0]):
        shares.update(loss_of(values, [1, 2], shares.current))
    assert shares.current == pytest.approx(expected((0.98 * 4) ** 0.5, 1.0))


@pytest.mark.parametrize(
    ("values", "levels"),
    [([1.0, 1.0], [1, 1]), ([1.0, float("nan")], [1, 2]), ([0.0, 0.0], [1, 2])],
    ids=["a level not seen", "not finite", "no loss"],
)
def test_equal_parts_until_every_level_has_a_figure(values: list[float], levels: list[int]) -> None:
    shares = Shares(2)
    shares.update(loss_of(values, levels, shares.current))
    assert shares.current == [0.5, 0.5]


def test_levels_that_count_alike_have_one_size_of_loss_and_equal_parts() -> None:
    shares = Shares(2, alike=True)
    for _ in range(2):  # the second time from a loss that was weighted by the first
        loss = loss_of([3.0, -4.0, 1.0], [1, 1, 2], shares.current, shares.importance)
        shares.update(loss)
        assert shares.current == [0.5, 0.5]
        sizes = [importance * rms for importance, rms in zip(shares.importance, (12.5**0.5, 1.0), strict=True)]
        assert sizes == pytest.approx([(12.5**0.5 + 1) / 2] * 2)
    plain = Shares(2)
    plain.update(loss)
    assert plain.importance == [1.0, 1.0]  # the twin


@pytest.mark.parametrize("values", [[1.0, float("nan")], [1.0, 0.0]], ids=["not finite", "no loss"])
def test_levels_count_as_they_are_until_every_level_has_a_figure(values: list[float]) -> None:
    shares = Shares(2, alike=True)
    shares.update(loss_of(values, [1, 2], shares.current))
    assert shares.importance == [1.0, 1.0]


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


def test_training_for_quality_makes_levels_count_alike() -> None:
    """By a chain's own loss, taken anew: level by level it is as far from the others as noise and memory leave it, for the bound by far."""
    data = digits()
    found = {}
    for objective in Objective:
        config = Config(times=(0.0, 1.5, 3.0), steps=60, batch=64, width=16, objective=objective)
        trainer = Trainer(build_chain(config, data), data, config)
        for _ in trainer:
            pass
        assert trainer.shares is not None
        with torch.no_grad():
            loss = trainer.chain.loss(data.train[:1000], seed=2, importance=trainer.shares.importance)
        rms = [float(loss.total[loss.level == level].square().mean().sqrt()) for level in (1, 2)]
        found[objective] = rms[0] / rms[1]
    assert 0.5 < found[Objective.QUALITY] < 2
    assert found[Objective.LIKELIHOOD] > 10

"""Sampling probabilities of the levels follow the loss, and take noise out of its gradient."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.distributions import Normal

from saltus.chain import ChainLoss, Loss
from saltus.data import DataSet, digits
from saltus.training import Config, LevelWeighting, Trainer, build_chain
from saltus.training.level_sampling import LevelSampling

BATCHES, SIZE = 22, 64
D = 32  # numbers in an item


def loss_of(values: list[float], levels: list[int], probabilities: list[float]) -> Loss:
    level = torch.tensor(levels)
    weight = (1 / (len(probabilities) * torch.tensor(probabilities)))[level - 1]
    return Loss(level, {"error": torch.tensor(values) * weight}, weight)


def expected(*rms: float) -> list[float]:
    """A tenth in equal parts, the rest in proportion."""
    return [0.1 / len(rms) + 0.9 * one / sum(rms) for one in rms]


def test_a_tenth_in_equal_parts_and_the_rest_by_the_root_mean_square() -> None:
    sampling = LevelSampling(2, D)
    sampling.update(loss_of([3.0, -4.0, 1.0], [1, 1, 2], sampling.probabilities))  # signs do not matter: densities may be above 1
    assert sampling.probabilities == pytest.approx(expected(12.5**0.5, 1.0))
    sampling.update(loss_of([3.0, -4.0, 1.0], [1, 1, 2], sampling.probabilities))  # the same loss from other probabilities
    assert sampling.probabilities == pytest.approx(expected(12.5**0.5, 1.0))


def test_probabilities_follow_the_loss_slowly_and_past_what_is_not_finite() -> None:
    sampling = LevelSampling(2, D)
    for values in ([2.0, 1.0], [0.0, 1.0], [float("nan"), 1.0]):
        sampling.update(loss_of(values, [1, 2], sampling.probabilities))
    assert sampling.probabilities == pytest.approx(expected((0.98 * 4) ** 0.5, 1.0))


@pytest.mark.parametrize(
    ("values", "levels"),
    [([1.0, 1.0], [1, 1]), ([1.0, float("nan")], [1, 2]), ([0.0, 0.0], [1, 2])],
    ids=["a level not seen", "not finite", "no loss"],
)
def test_equal_parts_until_every_level_has_a_figure(values: list[float], levels: list[int]) -> None:
    sampling = LevelSampling(2, D)
    sampling.update(loss_of(values, levels, sampling.probabilities))
    assert sampling.probabilities == [0.5, 0.5]


def test_levels_that_count_equally_have_one_size_of_loss_and_equal_parts() -> None:
    sampling, plain = LevelSampling(2, D, equal=True), LevelSampling(2, D)
    for one in (sampling, plain):
        one.update(loss_of([30.0, -40.0, 5.0], [1, 1, 2], one.probabilities))
    assert sampling.probabilities == [0.5, 0.5]
    sizes = [factor * rms for factor, rms in zip(sampling.factors, (1250**0.5, 5.0), strict=True)]
    assert sizes == pytest.approx([(1250**0.5 + 5) / 2] * 2)
    assert plain.factors == [1.0, 1.0]  # the twin


def test_a_level_without_nats_counts_as_if_it_had_the_noise_of_z_s() -> None:
    """d numbers with unit Gaussian noise: minus their log-density has the standard deviation that a level's size does not fall below."""
    z = torch.randn(100_000, D, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    noise = float((-Normal(0.0, 1.0).log_prob(z)).sum(1).std())
    sampling = LevelSampling(2, D, equal=True)
    sampling.update(loss_of([50.0, 0.0], [1, 2], sampling.probabilities))
    assert sampling.factors[1] / sampling.factors[0] == pytest.approx(50 / noise, rel=0.02)


@pytest.mark.parametrize(
    ("values", "levels"), [([1.0, float("nan")], [1, 2]), ([1.0, 1.0], [1, 1])], ids=["not finite", "a level not seen"]
)
def test_levels_count_as_they_are_until_every_level_has_a_figure(values: list[float], levels: list[int]) -> None:
    sampling = LevelSampling(2, D, equal=True)
    sampling.update(loss_of(values, levels, sampling.probabilities))
    assert sampling.factors == [1.0, 1.0]


@pytest.fixture(scope="module")
def data() -> DataSet:
    return digits()


def gradients(trainer: Trainer, probabilities: list[float] | None) -> torch.Tensor:
    """One gradient of the loss for each of some batches, (BATCHES, parameters)."""
    parameters = list(trainer.chain.parameters())
    found = []
    for batch in range(BATCHES):
        y = trainer.data.train[batch * SIZE : (batch + 1) * SIZE]
        loss = trainer.chain.loss(y, seed=1, first_item=batch * SIZE, level_probabilities=probabilities).total.mean()
        found.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)]))
    return torch.stack(found)


def test_gradients_of_the_loss_have_less_noise(data: DataSet) -> None:
    """On levels of which one holds most nats; more items for the others make it worse."""
    config = Config(times=(0.0, 1.5, 2.0, 3.0), updates=200, batch=SIZE, width=32)
    trainer = Trainer(build_chain(config, data), data, config)
    for _ in trainer:
        pass
    assert trainer.level_sampling is not None
    current = trainer.level_sampling.probabilities
    noise, even, reversed_ = (float(gradients(trainer, chosen).var(0).sum()) for chosen in (current, None, current[::-1]))
    assert noise < even < reversed_


def test_training_gives_the_costly_step_more_items(data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step to the data holds most nats; the Gaussian kernel's loss is an error that weighs the same everywhere."""
    counts, forward = [], ChainLoss.forward

    def counted(*given: Any) -> Loss:
        loss = forward(*given)
        counts.append(int((loss.level == 1).sum()))
        return loss

    monkeypatch.setattr(ChainLoss, "forward", counted)
    config = Config(levels=2, updates=20, batch=32, width=16)
    trainer = Trainer(build_chain(config, data), data, config)
    for _ in trainer:
        pass
    assert trainer.level_sampling is not None
    probabilities = trainer.level_sampling.probabilities
    assert probabilities[0] > 0.5 > probabilities[1] > 0.05
    assert counts[0] == 16
    assert counts[-1] == pytest.approx(32 * probabilities[0], abs=2)


@pytest.mark.parametrize("options", [{"kernel": "gaussian"}, {"kernel": "gaussian", "any_step": False}, {"any_step": True}])
def test_kernels_for_any_step_or_without_a_bound_in_their_loss_have_no_level_sampling(options: dict[str, Any], data: DataSet) -> None:
    config = Config(levels=2, width=16, **options)
    assert Trainer(build_chain(config, data), data, config).level_sampling is None


@pytest.mark.parametrize("importance_samples", [1, 2])
def test_training_levels_equally_learns_more_at_noisy_levels_and_less_at_the_others(importance_samples: int, data: DataSet) -> None:
    """From the same networks, items and noise; figures are nats either way, so that trainings can be compared."""
    found = {}
    for weighting in LevelWeighting:
        config = Config(
            times=(0.0, 1.0, 3.0), updates=150, batch=64, width=16, level_weighting=weighting, importance_samples=importance_samples
        )
        trainer = Trainer(build_chain(config, data), data, config)
        first, *_ = trainer
        found[weighting] = first.loss, trainer.chain.bound(data.train[:512], seed=2).per_level.mean(1)
    (one, by_nats), (other, by_levels) = found[LevelWeighting.NATS], found[LevelWeighting.EQUAL]
    assert one == other
    assert by_levels[0] > by_nats[0]
    assert by_levels[1] < by_nats[1]

"""The fit of a mixture: EM raises its bound, finds a mixture that made the data, and chooses on held-out items."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from saltus.oracles import LowRankMixture, choose_mixture, fit_mixture
from saltus.oracles.fitting import _expect, _maximise, _Parameters
from saltus.process import Noise, OrnsteinUhlenbeck

D, R = 8, 2
process = OrnsteinUhlenbeck()


def truth(seed: int = 0, labels: list[int] | None = None) -> LowRankMixture:
    g = torch.Generator().manual_seed(seed)
    weights = torch.tensor([0.5, 0.3, 0.2])
    means, factors = 3 * torch.randn(3, D, generator=g), torch.randn(3, D, R, generator=g)
    return LowRankMixture(weights, means, factors, torch.full((3, D), 0.1), labels)


def costs(mixture: LowRankMixture, y: Tensor, t: float) -> Tensor:
    z = process.noised(y, t, Noise(9, 0, len(y)).normal("z", y.shape[1:], like=y))
    return -mixture.log_prob(z, t)


@pytest.mark.parametrize("t", [0.05, 0.5])
def test_it_finds_the_mixture_that_made_the_data(t: float) -> None:
    """On other items it costs more than the truth, but by less than the cost of its parameters; one Gaussian does not come near."""
    y = truth().sample(6000, seed=0).float()
    train, other = y[:5000], y[5000:]
    fitted = fit_mixture(train, t, components=3, rank=R, passes=20)
    excess = costs(fitted, other, t) - costs(truth(), other, t)
    numbers = 3 * (1 + D + D * R + D)
    error = float(excess.std()) / len(other) ** 0.5
    assert -5 * error < float(excess.mean()) < numbers / len(train) + 5 * error
    single = costs(fit_mixture(train, t, components=1, rank=R), other, t) - costs(truth(), other, t)
    assert float(single.mean()) > 0.2


def test_every_pass_raises_the_bound_that_it_maximises() -> None:
    g = torch.Generator().manual_seed(0)
    y, noise, K = truth().sample(2000, seed=0), 0.3, 3
    parameters = _Parameters(
        torch.full((K,), 1 / K, dtype=torch.float64),
        y[:K].clone(),
        torch.randn(K, D, R, generator=g, dtype=torch.float64),
        torch.ones(K, D).double(),
    )

    def bound(p: _Parameters) -> float:
        dense = p.factors @ p.factors.mT + torch.diag_embed(p.diagonal)
        each = torch.distributions.MultivariateNormal(p.mean, dense)
        trace = torch.linalg.inv(dense).diagonal(dim1=1, dim2=2).sum(1)
        return float((p.weights.log() + each.log_prob(y[:, None]) - 0.5 * noise * trace).logsumexp(1).mean())

    found = [bound(parameters)]
    for _ in range(15):
        parameters = _maximise(_expect(y, noise, parameters, None), 1e-6)
        found.append(bound(parameters))
    # the pseudo items are a prior of a few items of 2000: what they may cost is far below the first gains
    assert all(after > before - 1e-3 for before, after in pairwise(found))
    assert found[-1] > found[0] + 5


def test_its_noise_is_averaged_and_not_learned() -> None:
    """Few items in many dimensions: with drawn noise, components would follow the draws, and held-out items pay for it."""
    y = torch.randn(200, 50, generator=torch.Generator().manual_seed(0)) * 0.1
    fitted = fit_mixture(y[:100], 1.0, components=1, rank=5, passes=10)
    exact = (
        -torch.distributions.Normal(0.0, float((0.01 * process.alpha(1.0) ** 2 + process.sigma(1.0) ** 2).sqrt()))
        .log_prob(process.noised(y[100:], 1.0, Noise(9, 0, 100).normal("z", (50,), like=y)))
        .sum(1)
    )
    assert float((costs(fitted, y[100:], 1.0) - exact).mean()) < 0.1


def test_classes_have_components_of_their_own() -> None:
    mixture = truth(labels=[0, 1, 1])
    condition = (torch.arange(3000) % 2).long()
    y = mixture.sample(3000, seed=0, condition=condition).float()
    fitted = fit_mixture(y, 0.2, components=6, rank=R, labels=condition, passes=10)
    assert torch.allclose(fitted.class_frequencies, torch.tensor([0.5, 0.5], dtype=torch.float64), atol=0.02)
    held_out = mixture.sample(1000, seed=1, condition=condition[:1000])
    right, wrong = (-fitted.log_prob(held_out, 0.2, given) for given in (condition[:1000], 1 - condition[:1000]))
    assert float((wrong - right).mean()) > 1


def test_the_choice_is_made_on_held_out_items() -> None:
    y = truth().sample(1200, seed=0).float()
    found = choose_mixture(y[:1000], y[1000:], 0.1)
    best = min(found.tried, key=lambda size: found.tried[size])
    assert best == (found.mixture.K, found.mixture.rank)
    assert len(found.tried) > 2
    assert found.tried[1, D] > found.tried[best]
    assert abs(found.gap) < 1
    assert "mixture of" in found.describe()


def test_the_same_seed_gives_the_same_fit() -> None:
    y = truth().sample(500, seed=0).float()
    torch.manual_seed(5)
    first = fit_mixture(y, 0.1, components=4, rank=R)
    state = torch.get_rng_state()
    second = fit_mixture(y, 0.1, components=4, rank=R)
    assert torch.equal(first.log_prob(y, 0.1), second.log_prob(y, 0.1))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("n", [1, 2, 60])
def test_few_items_are_no_obstacle(n: int) -> None:
    y = torch.randn(n, D, generator=torch.Generator().manual_seed(0))
    assert bool(fit_mixture(y, 0.3, components=1, rank=4).log_prob(y, 0.3).isfinite().all())


def test_constant_dimensions_keep_a_variance() -> None:
    y = truth().sample(300, seed=0).float()
    y[:, 3] = -1.0
    fitted = fit_mixture(y, 0.1, components=3, rank=R)
    assert bool(fitted.log_prob(y, 0.1).isfinite().all())
    assert bool((fitted._variances > 0).all())

"""The start of a chain: what priors draw, and what they cost."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import integrate

from saltus.chain import Chain, OraclePrior, StandardNormal
from saltus.kernels import OracleKernel
from saltus.levels import Levels
from saltus.oracles import GaussianMixture
from saltus.process import Noise, OrnsteinUhlenbeck
from tests.helpers.chains import COVARIANCES, MEANS, MIXTURE, WEIGHTS
from tests.helpers.checks import follows, mean_is, mixture_cdf, normal_cdf

MANY = 10_000
T = 0.3
process = OrnsteinUhlenbeck()

LABELLED = GaussianMixture(WEIGHTS, MEANS, COVARIANCES, [0, 1, 0])
OF_CLASS = {0: [0, 2], 1: [1]}


def test_the_prior_of_an_oracle_is_its_distribution_at_the_last_time() -> None:
    noise = Noise(1, 0, 5)
    marginal = MIXTURE.marginal(torch.full((5,), T, dtype=torch.float64))
    expected = marginal.draw(noise.uniform("prior component"), noise.normal("prior", (2,)))
    assert torch.allclose(OraclePrior(MIXTURE).sample((2,), T, noise), expected, rtol=1e-12)  # float64, times included
    y, z = MIXTURE.sample(2, seed=0), MIXTURE.sample(2, T, seed=1)
    cost = process.marginal(y, T).log_prob(z) - MIXTURE.log_prob(z, T)
    assert torch.allclose(OraclePrior(MIXTURE).cost(y, z, T), cost)


def test_a_standard_normal_prior_costs_its_divergence() -> None:
    oracle = GaussianMixture(torch.tensor([0.5, 0.5]), torch.tensor([[-1.0], [1.0]]), torch.full((2, 1, 1), 0.01))
    levels, y = Levels([0, 0.1, 0.3]), oracle.sample(4 * MANY, seed=4)
    excess = Chain(StandardNormal(), levels, OracleKernel(oracle)).bound(y, batch=len(y)).total + oracle.log_prob(y, 0.0)

    def integrand(z: float) -> float:
        log_q = float(oracle.log_prob(torch.tensor([[z]], dtype=torch.float64), levels.last))
        return math.exp(log_q) * (log_q + (z**2 + math.log(2 * math.pi)) / 2)

    divergence, _ = integrate.quad(integrand, -8, 8)
    assert mean_is(excess, divergence)
    assert not mean_is(excess, 0.0)  # the twin


@pytest.mark.parametrize("c", [0, 1])
def test_the_prior_of_an_oracle_is_that_of_the_class(c: int) -> None:
    """Against the mixture that has the components of the class alone."""
    condition, rows = torch.full((MANY,), c), OF_CLASS[c]
    alone = GaussianMixture(WEIGHTS[rows], MEANS[rows], COVARIANCES[rows])
    alpha, variance = float(process.alpha(T)), float(process.sigma(T)) ** 2
    cdf = {
        k: mixture_cdf(WEIGHTS[r] / WEIGHTS[r].sum(), alpha * MEANS[r, 0], alpha**2 * COVARIANCES[r, 0, 0] + variance)
        for k, r in OF_CLASS.items()
    }
    z = OraclePrior(LABELLED).sample((2,), T, Noise(1, 0, MANY), condition)
    assert follows(z[:, 0], cdf[c])
    assert not follows(z[:, 0], cdf[1 - c])  # the twin
    y = alone.sample(MANY, seed=2)
    cost = OraclePrior(LABELLED).cost(y, z, T, condition)
    assert torch.allclose(cost, OraclePrior(alone).cost(y, z, T))
    assert not torch.allclose(cost, OraclePrior(LABELLED).cost(y, z, T))  # the twin: the class is told


def test_a_standard_normal_prior_is_the_same_for_every_condition() -> None:
    noise, condition = Noise(1, 0, MANY), torch.zeros(MANY, dtype=torch.int64)
    z = StandardNormal().sample((2,), T, noise, condition)
    assert torch.equal(z, StandardNormal().sample((2,), T, noise))
    assert follows(z[:, 0], normal_cdf())
    assert not follows(z[:, 0], normal_cdf(0.1))  # the twin
    assert torch.equal(StandardNormal().cost(z, z, T, condition), StandardNormal().cost(z, 0 * z, T))

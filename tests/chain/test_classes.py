"""The bound of items whose class is not told: Bayes' theorem for exact kernels, and independent paths for all others."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import integrate
from torch import Tensor

from saltus.chain import Chain, OraclePrior, StandardNormal
from saltus.chain.classes import class_bound
from saltus.errors import SaltusError
from saltus.kernels import OracleKernel
from saltus.levels import Levels
from saltus.oracles import FiniteData, GaussianMixture
from saltus.process import OrnsteinUhlenbeck
from tests.helpers.chains import COVARIANCES, MEANS, MIXTURE, POINTS, WEIGHTS, chain_of, grid
from tests.helpers.checks import STANDARD_ERRORS, assert_one_sentence, mean_is, standard_error

EXACT = 1e-9  # float64: sums of log densities of up to some hundreds of nats
MANY = 20_000

LABELLED = GaussianMixture(WEIGHTS, MEANS, COVARIANCES, [0, 2, 1])
LINE = GaussianMixture(torch.tensor([0.2, 0.8]), torch.tensor([[-1.0], [1.0]]), torch.tensor([0.05, 0.3])[:, None, None], [0, 1])
process = OrnsteinUhlenbeck()


def exact_chain(oracle: GaussianMixture | FiniteData) -> Chain:
    return Chain(OraclePrior(oracle), grid(2), OracleKernel(oracle))


def test_exact_kernels_have_the_exact_likelihood_and_the_posterior_of_bayes() -> None:
    y = LABELLED.sample(50, seed=1)
    found = exact_chain(LABELLED).class_bound(y, batch=7)
    given = torch.stack([LABELLED.log_prob(y, 0.0, torch.full((50,), c)) for c in range(3)], dim=1)
    joint = given + LABELLED.class_frequencies.log()
    assert torch.allclose(found.per_class, -given, rtol=EXACT, atol=EXACT)
    assert torch.allclose(found.total, -joint.logsumexp(1), rtol=EXACT, atol=EXACT)
    assert torch.allclose(found.total, -LABELLED.log_prob(y, 0.0), rtol=EXACT, atol=EXACT)
    assert torch.allclose(found.posterior, joint.exp() / joint.exp().sum(1, keepdim=True), atol=EXACT)
    assert not torch.allclose(found.posterior, given.softmax(1), atol=0.01)  # the twin: classes come as often as they do


def model_density(y: float, c: int, t: float) -> float:
    """p(y | c) of the chain with one exact step from N(0, I): the integral over z of N(z; 0, 1) q(y | z, c)."""

    def integrand(z: float) -> float:
        step = LINE.reverse(torch.tensor([[z]], dtype=torch.float64), 0.0, t, torch.tensor([c]))
        return math.exp(float(step.log_prob(torch.tensor([[y]], dtype=torch.float64))) - z**2 / 2) / math.sqrt(2 * math.pi)

    value: float = integrate.quad(integrand, -8, 8)[0]
    return value


@pytest.mark.parametrize("y", [-0.8, 0.3])
def test_the_total_bounds_the_likelihood_of_a_chain_whose_bounds_are_noisy(y: float) -> None:
    """One exact step from N(0, I), early on: p(y) of this model is an integral, and bounds given a class are well above it."""
    t = 0.15
    chain = Chain(StandardNormal(), Levels([0, t]), OracleKernel(LINE))
    truth = -math.log(sum(float(p) * model_density(y, c, t) for c, p in enumerate(LINE.class_frequencies)))
    total = chain.class_bound(torch.full((MANY, 1), y, dtype=torch.float64), seed=1, batch=MANY).total
    assert standard_error(total) > 1e-4  # nats: they are noisy
    assert float(total.mean()) >= truth - STANDARD_ERRORS * standard_error(total)


def noisy_bounds(truth: Tensor, seed: int) -> Tensor:
    """Bounds of -ln p(y | c) that are exact on average, (MANY, K)."""
    return truth + 0.7 * torch.randn(MANY, len(truth), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_only_independent_paths_bound() -> None:
    """With the same paths r follows their noise: the mean is below the truth, and no bound."""
    truth, log_prior = torch.tensor([2.0, 2.2, 3.0], dtype=torch.float64), torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).log()
    of_data = -float((log_prior - truth).logsumexp(0))
    one, other = noisy_bounds(truth, 0), noisy_bounds(truth, 1)
    independent, same = class_bound(one, other, log_prior).total, class_bound(one, one, log_prior).total
    assert float(independent.mean()) >= of_data - STANDARD_ERRORS * standard_error(independent)
    assert float(same.mean()) < of_data - 4 * STANDARD_ERRORS * standard_error(same)  # the twin
    divergence = ((log_prior - one).log_softmax(1).exp() * ((log_prior - one).log_softmax(1) - (log_prior - truth).log_softmax(0))).sum(1)
    assert mean_is(independent - divergence, of_data)  # what it is above the truth is KL(r || p(c | y))


def test_both_sets_of_paths_are_used() -> None:
    """The front takes them from different random numbers: totals are not those of either set alone."""
    chain = Chain(StandardNormal(), Levels([0, 0.15]), OracleKernel(LINE))
    y = LINE.sample(30, seed=3)
    sets = [torch.stack([chain.bound(y, condition=c, seed=4, first_item=first).total for c in (0, 1)], dim=1) for first in (0, 30)]
    found = chain.class_bound(y, seed=4)
    expected = class_bound(*sets, LINE.class_frequencies.log())
    assert torch.allclose(found.total, expected.total)
    assert torch.allclose(found.per_class, (sets[0] + sets[1]) / 2)
    for both in ((sets[0], sets[0]), (sets[1], sets[1])):
        assert not torch.allclose(found.total, class_bound(*both, LINE.class_frequencies.log()).total)  # the twin


def test_a_class_that_cannot_have_the_item_costs_nothing() -> None:
    """Items of a finite set have the density 0 given another class: its bound is infinite, and it has no share."""
    oracle = FiniteData(MEANS, [0, 1, 0])
    found = exact_chain(oracle).class_bound(MEANS)
    assert found.per_class.isinf().sum() == 3
    assert found.total.tolist() == pytest.approx([math.log(3)] * 3, abs=EXACT)
    assert found.posterior.tolist() == [[1, 0], [0, 1], [1, 0]]


def test_errors_are_one_sentence() -> None:
    for chain, y in ((chain_of("vae"), torch.zeros(1, 2)), (exact_chain(MIXTURE), MEANS), (exact_chain(POINTS), MEANS)):
        with pytest.raises(SaltusError) as caught:
            chain.class_bound(y)
        assert_one_sentence(caught.value, "no classes")
    with pytest.raises(SaltusError) as caught:
        class_bound(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2))
    assert_one_sentence(caught.value, "(2, 3)", "(2,)")

"""The exact kernel: its distributions for every share of fresh noise, its bound, and what it refuses."""

from __future__ import annotations

import pytest
import torch

from saltus.errors import SaltusError
from saltus.kernels import DeterministicKernel, OracleKernel, Pair, Transition
from saltus.likelihoods import DiscretisedHead
from saltus.oracles import GaussianMixture, LowRankMixture
from saltus.process import Noise, OrnsteinUhlenbeck
from tests.helpers.checks import assert_one_sentence, follows, mean_is, mixture_cdf
from tests.helpers.distributions import gaussian
from tests.helpers.stubs import OracleDenoiser

process = OrnsteinUhlenbeck()


def test_an_exact_draw_may_reuse_any_share_of_the_noise() -> None:
    """z_s keeps its distribution for every eta; the twin, which takes the posterior mean for a draw, does not."""
    n, s, t = 20_000, 0.3, 1.0
    weights, means, variances = torch.tensor([[0.7, 0.3], [-1.0, 0.8], [0.05, 0.2]], dtype=torch.float64)
    oracle = GaussianMixture(weights, means[:, None], variances[:, None, None])
    z_t, noise = oracle.sample(n, t, seed=1), Noise(2, 0, n)
    alpha = process.alpha(s)
    cdf = mixture_cdf(weights, alpha * means, alpha**2 * variances + process.sigma(s) ** 2)
    mean = DeterministicKernel(OracleDenoiser(oracle), bridge=True)
    for eta in (0.0, 0.5, 1.0):
        transition = Transition(z_t, s, t, eta=eta)
        assert follows(OracleKernel(oracle).sample(transition, noise).flatten(), cdf)
        assert not follows(mean.sample(transition, noise).flatten(), cdf)
    moved, fresh = (OracleKernel(oracle).sample(Transition(z_t, s, t, eta=eta), noise) for eta in (0.0, 1.0))
    assert not torch.allclose(moved, fresh)


def test_its_terms_average_to_the_divergence() -> None:
    """KL(q(z_s | z_t, y) || q(z_s | z_t)) of Gaussian data, both distributions being Gaussian; at s = 0 -ln q(y | z_t)."""
    n, s, t, v = 20_000, 0.3, 1.0, 0.6
    oracle = gaussian([v])
    kernel, y, z_t = OracleKernel(oracle), torch.full((n, 1), 0.4, dtype=torch.float64), torch.full((n, 1), -0.2, dtype=torch.float64)
    bridge = process.bridge(z_t, y, s, t)
    torch.manual_seed(0)
    terms = kernel.explain(Pair(z_t, s, t, y=y, z_s=bridge.sample()), Noise(0, 0, n)).terms["decoder"]
    _, b, spread = (float(c) for c in process.bridge_coefficients(s, t))
    signal, noise = float(process.alpha(t)), float(process.sigma(t)) ** 2
    posterior = v * noise / (signal**2 * v + noise)
    shift, width = b * (0.4 - posterior * signal * -0.2 / noise), spread + b**2 * posterior
    expected = (torch.log(torch.tensor(width / spread)) + (spread + shift**2) / width - 1) / 2
    assert mean_is(terms, float(expected))
    assert not mean_is(terms, 1.2 * float(expected))  # the twin
    final = kernel.explain(Pair(z_t[:1], 0.0, t, y=y[:1], z_s=y[:1]), Noise(0, 0, 1)).terms["decoder"]
    assert torch.allclose(final, -torch.distributions.Normal(posterior * signal * -0.2 / noise, posterior**0.5).log_prob(y[0]))


def test_it_has_nothing_to_train_and_no_prediction_to_guide() -> None:
    kernel, z = OracleKernel(gaussian([0.3, 1.0])), torch.zeros(3, 2)
    pair = Pair(z, 0.1, 1.0, y=z, z_s=z)
    terms = kernel.explain(pair, Noise(0, 0, 3)).terms  # a chain may have learned steps beside it, whose loss is theirs
    assert torch.equal(kernel.loss(pair, Noise(0, 0, 3), {"decoder": 2.0})["decoder"], 2 * terms["decoder"].float())
    assert not kernel.guided
    guided, plain = (kernel.sample(Transition(z, 0.1, 1.0, guidance=guidance), Noise(0, 0, 3)) for guidance in (2.0, 1.0))
    assert torch.equal(guided, plain)
    with pytest.raises(SaltusError) as caught:
        kernel.start_from(OracleDenoiser(gaussian([1.0])))
    assert_one_sentence(caught.value, "train it from scratch")


def test_where_nothing_has_happened_z_t_stays() -> None:
    z = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(OracleKernel(gaussian([0.3, 1.0])).sample(Transition(z, 0.0, 0.0), Noise(0, 0, 3)), z)


def test_a_step_is_a_mixture() -> None:
    """Whose likelihood is that of the bound: of z_s, and of values at the end."""
    torch.manual_seed(0)
    oracle = LowRankMixture(torch.rand(3) + 0.1, torch.randn(3, 4), torch.randn(3, 4, 2), torch.rand(3, 4) + 0.1)
    kernel = OracleKernel(oracle, DiscretisedHead(5))
    z_t, y, noise = torch.randn(1, 4).double(), DiscretisedHead(5).settled(torch.randn(1, 4).double()), Noise(0, 0, 1)
    last = kernel.mixture_step(Transition(z_t, 0.0, 0.4))
    each = torch.stack([-step.negative_log_prob(y) for step in last.steps], 1)
    expected = kernel.explain(Pair(z_t, 0.0, 0.4, y=y, z_s=y), noise).terms["decoder"]
    torch.testing.assert_close(-(last.log_weights + each).logsumexp(1), expected)
    inner = kernel.mixture_step(Transition(z_t, 0.1, 0.4))
    assert inner.gaussians is not None
    density = (inner.log_weights + inner.gaussians.log_prob(y)).logsumexp(1)
    torch.testing.assert_close(density, oracle.reverse(z_t, 0.1, 0.4).log_prob(y))
    with pytest.raises(SaltusError, match="a density and no masses"):
        OracleKernel(oracle).mixture_step(Transition(z_t, 0.0, 0.4))

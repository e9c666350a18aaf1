"""Each eta has its own bound: of the chain that is sampled with it, against quadrature over both of its latent states."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from saltus.chain import Chain, OraclePrior, StandardNormal
from saltus.errors import SaltusError
from saltus.kernels import GaussianKernel, OracleDenoiser, OracleKernel, Sampling, Transition
from saltus.levels import Levels
from saltus.likelihoods import GaussianHead
from saltus.oracles import GaussianMixture
from saltus.process import OrnsteinUhlenbeck
from tests.helpers.checks import assert_one_sentence, follows, mean_is, normal_cdf
from tests.helpers.stubs import set_error

process = OrnsteinUhlenbeck()
MIXTURE = GaussianMixture(torch.tensor([0.6, 0.4]), torch.tensor([[-1.0], [0.7]]), torch.tensor([0.05, 0.2])[:, None, None])
S, T, Y, MANY = 0.3, 0.9, 0.5, 20_000
GRID = torch.linspace(-7, 7, 701, dtype=torch.float64)  # even nodes, beyond which nothing is left
SPACING = float(GRID[1] - GRID[0])


def chain() -> Chain:
    """Of two steps, whose prior and whose squared errors are wrong: its bound is none that could be guessed."""
    kernel = GaussianKernel(OracleDenoiser(MIXTURE), GaussianHead(1e-2))
    set_error(kernel, torch.tensor([S, T]), torch.tensor([0.25, 0.4]))
    return Chain(StandardNormal(), Levels((0.0, S, T)), kernel)


def integral(integrand: Tensor) -> Tensor:
    """Over the last axis."""
    return SPACING * integrand.sum(-1)


def step(s: float, t: float, eta: float) -> Callable[[Tensor], Normal]:
    """p_eta(z_s | z_t) for z_t along the grid."""

    def at(z_t: Tensor) -> Normal:
        made = chain().kernel(1).step(Transition(z_t[:, None], s, t, eta=eta), z_t.new_zeros(len(z_t), 0))
        return Normal(made.mean[:, 0], made.variance[:, 0].sqrt())  # above the floor of the head

    return at


def minus_log_p(eta: float) -> float:
    """-ln p_eta(y): z_2 and z_1 integrated out."""
    inner, last = step(S, T, eta)(GRID), step(0.0, S, eta)(GRID)
    z_1 = integral((inner.log_prob(GRID[:, None]) + Normal(0.0, 1.0).log_prob(GRID)).exp())  # along z_2; one value for each z_1
    return -float(integral(z_1 * last.log_prob(torch.tensor(Y)).exp()).log())


def expected_bound(eta: float) -> float:
    """The prior's cost, the divergence of the inner step and -ln p(y | z_1), each an integral over q_eta."""
    alpha, sigma = process.alpha, process.sigma
    q_2, q_1 = (Normal(alpha(t) * Y, sigma(t)) for t in (T, S))
    a, b, spread = process.bridge_coefficients(S, T, eta)
    inner = torch.distributions.kl_divergence(Normal(a * GRID + b * Y, spread.sqrt()), step(S, T, eta)(GRID))
    prior = torch.distributions.kl_divergence(q_2, Normal(0.0, 1.0))
    last = -step(0.0, S, eta)(GRID).log_prob(torch.tensor(Y))
    return float(prior + integral(q_2.log_prob(GRID).exp() * inner) + integral(q_1.log_prob(GRID).exp() * last))


@pytest.mark.parametrize("eta", [0.3, 1.0])
@torch.no_grad()
def test_the_bound_of_an_eta_is_that_of_its_chain(eta: float) -> None:
    y = torch.full((MANY, 1), Y, dtype=torch.float64)
    found, expected = chain().bound(y, seed=1, eta=eta).total, expected_bound(eta)
    assert mean_is(found, expected)
    assert expected > minus_log_p(eta)
    other = expected_bound(1.3 - eta)
    assert not mean_is(found, other)  # the twin: the bound of another eta


@torch.no_grad()
def test_sampling_with_an_eta_draws_from_what_it_bounds() -> None:
    """The share of samples below y, against quadrature."""
    eta = 0.3
    samples = chain().sample(MANY, seed=2, sampling=Sampling("sample", eta=eta))
    inner, last = step(S, T, eta)(GRID), step(0.0, S, eta)(GRID)
    z_1 = integral((inner.log_prob(GRID[:, None]) + Normal(0.0, 1.0).log_prob(GRID)).exp())
    below = float(integral(z_1 * last.cdf(torch.tensor(Y))))
    assert mean_is((samples < Y).double(), below)
    assert not mean_is((chain().sample(MANY, seed=2, sampling=Sampling("sample")) < Y).double(), below)  # the twin: at eta 1


@torch.no_grad()
def test_the_path_of_every_eta_has_the_marginals_of_the_process() -> None:
    y = torch.full((MANY, 1), Y, dtype=torch.float64)
    for eta in (0.3, 1.0):
        for level, pair in chain().forward_path(y, chain().noise(3, 0, MANY), eta=eta):
            t = (S, T)[level - 1]
            distribution = normal_cdf(float(process.alpha(t)) * Y, float(process.sigma(t)) ** 2)
            assert follows(pair.z_t.flatten(), distribution)
            assert not follows(1.1 * pair.z_t.flatten(), distribution)  # the twin
            assert pair.eta == eta
            assert level > 1 or torch.equal(pair.z_s, y)


@torch.no_grad()
def test_training_minimises_it() -> None:
    """L times the mean loss of a VAE is its bound without the prior's cost; here the kernel's own explanation is its loss."""

    class Trained(GaussianKernel):
        any_step = False

        def loss(self, pair, noise, weights):  # type: ignore[no-untyped-def]
            return self.explain(pair, noise).terms

    made = chain()
    kernel = Trained(made.kernel(1).denoiser, made.kernel(1).head, any_step=False)  # type: ignore[arg-type]
    set_error(kernel, torch.tensor([S, T]), torch.tensor([0.25, 0.4]))
    made, y = Chain(made.prior, made.levels, kernel), torch.full((MANY, 1), Y, dtype=torch.float64)
    prior = float(process.prior_cost(y[:1], T))
    for eta in (0.3, 1.0):
        assert mean_is(2 * made.loss(y, seed=4, eta=eta).total, expected_bound(eta) - prior)
        assert not mean_is(2 * made.loss(y, seed=4, eta=eta).total, expected_bound(1.3 - eta) - prior)  # the twin


def test_what_has_no_bound_is_told() -> None:
    y = torch.zeros(2, 1, dtype=torch.float64)
    for eta in (0.0, 1.5):
        with pytest.raises(SaltusError) as caught:
            chain().bound(y, eta=eta)
        assert_one_sentence(caught.value, f"eta = {eta}")
    assert chain().has_bound_at(0.5)
    assert not chain().has_bound_at(0.0)
    exact = Chain(OraclePrior(MIXTURE), Levels((0.0, S, T)), OracleKernel(MIXTURE))
    assert exact.has_bound_at(1.0)
    assert not exact.has_bound_at(0.5)
    with pytest.raises(SaltusError) as caught:
        exact.bound(y, eta=0.5)
    assert_one_sentence(caught.value, "eta = 0.5")
    one = Chain(OraclePrior(MIXTURE), Levels((0.0, S)), OracleKernel(MIXTURE))
    assert torch.equal(one.bound(y, eta=0.5).total, one.bound(y).total)

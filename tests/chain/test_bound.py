"""Bounds: exact for exact kernels, in named terms, tighter with importance samples, and given conditions."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from scipy import integrate, stats
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from saltus.chain import ACTIVE_VARIANCE, Bound, Chain, OraclePrior, StandardNormal, bits_per_dim, bound
from saltus.chain.bound import active_units, aggregate_kl
from saltus.errors import SaltusError
from saltus.kernels import Explanation, GaussianKernel, OracleKernel, Pair, Preconditioned
from saltus.levels import Levels
from saltus.likelihoods import DiscretisedHead
from saltus.networks import backbone
from saltus.oracles import GaussianMixture
from saltus.oracles.oracle import Oracle
from saltus.process import Noise
from tests.helpers.chains import COVARIANCES, MEANS, MIXTURE, POINTS, WEIGHTS, chain_of, data_for, grid
from tests.helpers.checks import assert_one_sentence, mean_is

EXACT = 1e-9  # float64: sums of log densities of up to some hundreds of nats
INTEGRAL = 1e-7  # scipy's quad promises 1.5e-8 for each of a few integrals
MANY = 10_000

LABELS = [1, 0, 1]
LINE = GaussianMixture(
    torch.tensor([0.2, 0.5, 0.3]), torch.tensor([[-1.0], [0.2], [1.1]]), torch.tensor([0.05, 0.3, 0.02])[:, None, None], LABELS
)
PLANE = GaussianMixture(WEIGHTS, MEANS, COVARIANCES, LABELS)


def oracle_chain(oracle: Oracle, L: int) -> Chain:
    return Chain(OraclePrior(oracle), grid(L), OracleKernel(oracle))


@pytest.mark.parametrize("L", [1, 2, 5])
def test_every_path_of_exact_kernels_has_the_exact_likelihood(L: int) -> None:
    y = MIXTURE.sample(20, seed=3)
    assert torch.allclose(oracle_chain(MIXTURE, L).bound(y).total, -MIXTURE.log_prob(y, 0.0), rtol=EXACT, atol=EXACT)
    assert oracle_chain(POINTS, L).bound(MEANS).total.tolist() == pytest.approx([math.log(3)] * 3, abs=EXACT)


def density(oracle: GaussianMixture, y: Tensor, c: int) -> Tensor:
    """p(y | c) from the parameters of the components, by scipy."""
    weights, means, covariances = (oracle._arguments[name].double() for name in ("weights", "means", "covariances"))
    rows = [k for k, label in enumerate(LABELS) if label == c]
    parts = [float(weights[k]) * stats.multivariate_normal(means[k], covariances[k]).pdf(y) for k in rows]
    return torch.as_tensor(sum(parts)) / weights[rows].sum()


@pytest.mark.parametrize("L", [1, 4])
@pytest.mark.parametrize("oracle", [LINE, PLANE], ids=["line", "plane"])
def test_every_path_of_exact_kernels_has_the_exact_likelihood_given_the_class(oracle: GaussianMixture, L: int) -> None:
    chain, y = oracle_chain(oracle, L), oracle.sample(20, seed=3)
    for c in (0, 1):
        expected = -density(oracle, y, c).log()
        assert torch.allclose(chain.bound(y, condition=c).total, expected, rtol=EXACT, atol=EXACT)
        assert not torch.allclose(chain.bound(y, condition=1 - c).total, expected, rtol=0.1)  # the twin
    mixed = torch.arange(20) % 2
    each = torch.stack([-density(oracle, y, c).log() for c in (0, 1)])
    assert torch.allclose(chain.bound(y, condition=mixed, batch=7).total, each[mixed, torch.arange(20)], rtol=EXACT, atol=EXACT)
    assert torch.allclose(chain.bound(y, condition=-1).total, -oracle.log_prob(y, 0.0), rtol=EXACT, atol=EXACT)
    assert torch.equal(chain.bound(y, condition=-1).total, chain.bound(y).total)


@pytest.mark.parametrize("c", [0, 1])
def test_the_terms_of_a_class_integrate_to_its_likelihood(c: int) -> None:
    """p(y | c) = integral over z_1 of p(z_1 | c) p(y | z_1, c), each factor as the chain has it."""
    chain, y = oracle_chain(LINE, 1), torch.tensor([[0.4]], dtype=torch.float64)
    t, condition = chain.levels.last, torch.tensor([c])

    def integrand(z: float, told: Tensor) -> float:
        z_t = torch.tensor([[z]], dtype=torch.float64)
        explanation = chain.kernel(1).explain(Pair(z_t, 0.0, t, told, y=y, z_s=y), Noise(0, 0, 1))
        return math.exp(float(LINE.log_prob(z_t, t, condition)) - float(explanation.terms["decoder"]))

    expected = float(density(LINE, y, c))
    assert integrate.quad(integrand, -8, 8, (condition,))[0] == pytest.approx(expected, rel=INTEGRAL)
    assert integrate.quad(integrand, -8, 8, (1 - condition,))[0] != pytest.approx(expected, rel=0.1)  # the twin


def test_from_noise_that_is_not_its_own_a_class_pays_its_divergence() -> None:
    """A chain of exact kernels from N(0, I): what the bound is above -ln p(y | c) has the mean KL(q(z_L | c) || N(0, I))."""
    chain = Chain(StandardNormal(), Levels([0, 0.1, 0.3]), OracleKernel(LINE))
    y, condition = LINE.sample(MANY, seed=4, condition=torch.full((MANY,), 1)), torch.tensor([1])
    excess = chain.bound(y, condition=1, batch=MANY).total + LINE.log_prob(y, 0.0, condition.expand(MANY))

    def integrand(z: float) -> float:
        log_q = float(LINE.log_prob(torch.tensor([[z]], dtype=torch.float64), chain.levels.last, condition))
        return math.exp(log_q) * (log_q + (z**2 + math.log(2 * math.pi)) / 2)

    divergence, _ = integrate.quad(integrand, -8, 8)
    assert mean_is(excess, divergence)
    assert not mean_is(excess, 0.0)  # the twin


def test_terms_of_a_bound_are_named_and_sum_to_it() -> None:
    chain, y = chain_of("vae"), MIXTURE.sample(7, seed=5).float()
    bound = chain.bound(y)
    names = {f"level {l}/{term}" for l in (1, 2, 3) for term in ("kl", "decoder", "entropy")}
    assert bound.terms.keys() == names | {"prior", "log_jacobian"}
    assert torch.allclose(sum(bound.terms.values()), bound.total)
    assert torch.equal(bound.total, bound.prior + bound.per_level.sum(0) + bound.log_jacobian)
    assert torch.equal(bound.kl[1], bound.terms["level 2/kl"])
    assert torch.allclose(bound.bits_per_dim, bound.total / (2 * math.log(2)))
    assert [0 <= units <= 3 for units in bound.active_units] == [True] * 3
    plain = chain_of("gaussian").bound(y)
    assert plain.active_units == plain.aggregate_kl == [None] * 3
    assert plain.kl.shape == (3, 7)
    assert not plain.kl.any()
    assert float(bits_per_dim(torch.tensor(math.log(2) * 6, dtype=torch.float64), (2, 3))) == pytest.approx(1)


def test_a_bound_tells_its_figures_in_one_line() -> None:
    y = data_for("vae")
    bound = chain_of("vae").bound(y)
    nats, bits = float(bound.total.mean()), float(bound.bits_per_dim.mean())
    steps = ", ".join(f"{float(level.mean()):.4g}" for level in bound.per_level)
    expected = f"Bound(7 items: {nats:.4f} nats, {bits:.4f} bits/dim; prior {float(bound.prior.mean()):.4g}, steps {steps}"
    assert repr(bound) == f"{expected})"
    assert repr(replace(bound, importance_samples=8)) == f"{expected}, 8 importance samples)"


def test_the_kl_of_latents_is_there_for_importance_weighted_bounds() -> None:
    """It is that of the encoder, which more samples of it do not change."""
    chain, y = chain_of("vae"), MIXTURE.sample(50, seed=5).float()
    plain, tight = (chain.bound(y, importance_samples=k) for k in (1, 8))
    assert "level 1/kl" not in tight.terms
    assert tight.kl.shape == (3, 50)
    assert torch.allclose(tight.kl, plain.kl, rtol=1e-4)
    assert not torch.allclose(tight.kl, plain.kl.flip(0), rtol=1e-4)  # the twin: each level has its own
    assert tight.active_units == plain.active_units
    assert tight.aggregate_kl == pytest.approx(plain.aggregate_kl, rel=1e-4)
    assert tight.importance_samples == 8


def test_active_units_move_with_the_data() -> None:
    class TwoUnits(OracleKernel):
        def explain(self, pair: Pair, noise: Noise, k: int = 1) -> Explanation:
            found, first = super().explain(pair, noise, k), pair.y[:, 0]
            posterior = Normal(torch.stack([first, torch.full_like(first, 3.0)], dim=1), 0.5)
            return replace(found, latent=posterior.loc, posterior=posterior)

    bound: Bound = Chain(StandardNormal(), grid(2), TwoUnits(MIXTURE)).bound(MIXTURE.sample(50, seed=1), batch=20)
    assert bound.active_units == [1, 1]


def test_a_unit_is_active_when_its_mean_varies_by_more_than_the_threshold() -> None:
    spread = ACTIVE_VARIANCE**0.5
    mean = torch.tensor([[-0.9, -1.1], [0.9, 1.1]]) * spread
    assert active_units(Normal(mean, torch.ones(2, 2))) == 1
    assert active_units(Normal(mean[:, :0], torch.ones(2, 0))) is None


def test_the_aggregate_kl_is_that_of_the_latents_taken_together() -> None:
    """The same distribution for every item: its KL.  Means that fill up N(0, I): nothing, although every item has a KL."""
    mean, std = torch.tensor([0.3, -1.0, 0.0]), torch.tensor([0.5, 1.0, 2.0])
    same = Normal(mean.expand(5, 3), std.expand(5, 3))
    wanted = float(kl_divergence(Normal(mean, std), Normal(torch.zeros(3), 1.0)).sum())
    assert aggregate_kl(same) == pytest.approx(wanted, rel=1e-6)
    n, d = 4000, 3
    filling = Normal(0.8 * torch.randn(n, d, generator=torch.Generator().manual_seed(0)), 0.6)
    assert float(kl_divergence(filling, Normal(0.0, 1.0)).sum(1).mean()) > 1
    assert 0 <= aggregate_kl(filling) < 5 * d / n  # what estimated means and variances cost on average is d / n
    narrow = Normal(0.5 * filling.loc, filling.scale)  # the twin: what samples draw is wider than what items use
    assert aggregate_kl(narrow) > 0.1


def test_importance_samples_tighten_only_kernels_that_have_a_latent() -> None:
    y = MIXTURE.sample(200, seed=1).float()
    for name, tightens in (("vae", True), ("gaussian", False)):
        plain, tight = (chain_of(name).bound(y, importance_samples=k).total for k in (1, 8))
        assert (float(tight.mean()) < float(plain.mean())) is tightens
        assert bool((tight == plain).all()) is not tightens
    with pytest.raises(ValueError, match="importance_samples = 0"):
        chain_of("vae").bound(y, importance_samples=0)


def test_a_chain_tightens_its_bound_as_it_says(tmp_path: Path) -> None:
    kernel, y = chain_of("vae").kernel(1), MIXTURE.sample(200, seed=1).float()
    Chain(StandardNormal(), grid(3), kernel, importance_samples=8).save(tmp_path)
    chain = Chain.load(tmp_path)
    assert torch.equal(chain.bound(y).total, chain.bound(y, importance_samples=8).total)
    assert not torch.equal(chain.bound(y).total, chain.bound(y, importance_samples=1).total)
    with pytest.raises(ValueError, match="importance_samples = 0"):
        Chain(StandardNormal(), grid(3), kernel, importance_samples=0)


def test_a_kernel_without_a_bound_says_which_have_one() -> None:
    with pytest.raises(SaltusError, match="take a Gaussian or VAE kernel") as caught:
        chain_of("deterministic").bound(torch.zeros(1, 2))
    assert_one_sentence(caught.value)


def test_data_off_the_bins_have_no_bound() -> None:
    chain = Chain(StandardNormal(), grid(1), GaussianKernel(Preconditioned(backbone((2,))), DiscretisedHead(17)))
    with pytest.raises(ValueError, match="17 bins"):
        chain.bound(torch.full((1, 2), 0.01))


def test_large_items_are_bounded_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many numbers as memory should hold, whatever batch is asked for."""
    chain, y = oracle_chain(MIXTURE, 2), MIXTURE.sample(20, seed=3)
    expected, seen, whole = chain.bound(y, seed=0), list[int](), OracleKernel.explain

    def counted(self: OracleKernel, pair: Pair, *options: object) -> Explanation:
        seen.append(len(pair.y))
        return whole(self, pair, *options)  # type: ignore[arg-type]

    monkeypatch.setattr(OracleKernel, "explain", counted)
    monkeypatch.setattr(bound, "_AT_ONCE", 8 * y[0].numel())
    assert torch.allclose(chain.bound(y, seed=0).total, expected.total, atol=EXACT)
    assert seen == [8, 8, 8, 8, 4, 4]

"""Chains: exact kernels give exact samples and exact likelihoods, items are apart, and a folder holds all there is."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from scipy import integrate
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from saltus.chain import Bound, Chain, OraclePrior, StandardNormal, bits_per_dim
from saltus.chain.bound import aggregate_kl
from saltus.kernels import DeterministicKernel, GaussianKernel, OracleKernel, Sampling, Terms
from saltus.levels import Levels
from saltus.likelihoods import DiscretisedHead
from saltus.networks import MLPEncoder, decoder
from saltus.oracles import GaussianMixture
from saltus.oracles.oracle import Oracle
from saltus.process import Noise, OrnsteinUhlenbeck
from tests.helpers.chains import COVARIANCES, HEAD, MEANS, MIXTURE, POINTS, WEIGHTS, chain_of, data_for, grid, kernels
from tests.helpers.checks import follows, mean_is, mixture_cdf, same_mean
from tests.helpers.stubs import OracleDenoiser, randomise, small_vae

EXACT = 1e-9  # float64: sums of log densities of up to some hundreds of nats
MANY = 10_000


def oracle_chain(oracle: Oracle, levels: Levels) -> Chain:
    return Chain(OraclePrior(oracle), levels, OracleKernel(oracle))


@pytest.mark.parametrize("L", [1, 2, 4, 32])
def test_exact_kernels_sample_the_data_at_any_number_of_levels(L: int) -> None:
    sample = oracle_chain(MIXTURE, grid(L)).sample(MANY, seed=1, batch=MANY)
    for angle in (0.0, 0.7, 2.0):
        direction = torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)
        spreads = torch.einsum("i,kij,j->k", direction, COVARIANCES, direction)
        assert follows(sample @ direction, mixture_cdf(WEIGHTS, MEANS @ direction, spreads))
        assert not follows(sample @ direction, mixture_cdf(WEIGHTS.roll(1), MEANS @ direction, spreads))  # the twin


@pytest.mark.parametrize("L", [2, 4])
def test_a_gaussian_step_does_not(L: int) -> None:
    """The twin of the last test: around the perfect denoiser, but Gaussian, few steps leave the data."""
    chain = Chain(OraclePrior(MIXTURE), grid(L), GaussianKernel(OracleDenoiser(MIXTURE), HEAD))
    chain.calibrate(MIXTURE.sample(MANY, seed=2))
    sample = chain.sample(MANY, seed=1, batch=MANY, how=Sampling(last="draw"))
    assert not follows(sample[:, 0], mixture_cdf(WEIGHTS, MEANS[:, 0], COVARIANCES[:, 0, 0]))


@pytest.mark.parametrize("L", [1, 2, 5])
def test_every_path_of_exact_kernels_has_the_exact_likelihood(L: int) -> None:
    y = MIXTURE.sample(20, seed=3)
    assert torch.allclose(oracle_chain(MIXTURE, grid(L)).bound(y).total, -MIXTURE.log_prob(y, 0.0), rtol=EXACT, atol=EXACT)
    assert oracle_chain(POINTS, grid(L)).bound(MEANS).total.tolist() == pytest.approx([math.log(3)] * 3, abs=EXACT)


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


@pytest.mark.parametrize("name", kernels())
def test_an_item_is_the_same_in_any_batch(name: str) -> None:
    chain = chain_of(name)
    whole = chain.sample(10, seed=3)
    rounding = 0 if name in ("mixture", "items") else 1e-5  # float32 sums, in an order that depends on the batch
    for part, rows in [
        (chain.sample(10, seed=3, batch=3), slice(None)),
        (chain.sample(4, seed=3, first_item=5), slice(5, 9)),
        (chain.sample(1, seed=3, first_item=9, batch=1), slice(9, 10)),
    ]:
        assert torch.allclose(part, whole[rows], rtol=rounding, atol=rounding)
    assert (chain.sample(10, seed=4) != whole).any()
    if chain.has_bound:
        y = data_for(name)
        total = chain.bound(y).total
        assert torch.allclose(chain.bound(y, batch=2).total, total, rtol=1e-4)
        assert torch.allclose(chain.bound(y[1:], first_item=1).total, total[1:], rtol=1e-4)


@pytest.mark.parametrize("name", kernels())
def test_no_random_number_is_used_twice(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps would depend on each other: a fault that hardly shows in samples."""
    chain, y, asked, draw = chain_of(name), data_for(name), [], Noise.uniform

    def record(noise: Noise, role: str, shape: Sequence[int] = ()) -> Tensor:
        asked.append((noise.first_item, noise.level, role))
        return draw(noise, role, shape)

    monkeypatch.setattr(Noise, "uniform", record)
    for use in (lambda: chain.sample(1, seed=0), lambda: chain.bound(y), lambda: chain.loss(y, seed=0)):
        asked.clear()
        with contextlib.suppress(TypeError):  # kernels without a bound, or nothing to train
            use()
        assert len(asked) == len(set(asked))


def test_the_prior_of_an_oracle_is_its_law_at_the_last_time() -> None:
    noise, t = Noise(1, 0, 5), 0.3
    law = MIXTURE.marginal(torch.full((5,), t, dtype=torch.float64))
    expected = law.draw(noise.uniform("prior component"), noise.normal("prior", (2,)))
    assert torch.allclose(OraclePrior(MIXTURE).sample((2,), t, noise), expected, rtol=1e-12)  # float64, times included
    y, z = MIXTURE.sample(2, seed=0), MIXTURE.sample(2, t, seed=1)
    cost = OrnsteinUhlenbeck().marginal(y, t).log_prob(z) - MIXTURE.log_prob(z, t)
    assert torch.allclose(OraclePrior(MIXTURE).cost(y, z, t), cost)


def test_paths_run_from_data_to_noise() -> None:
    chain = oracle_chain(MIXTURE, grid(3))
    path = chain.sample(MANY, seed=1, return_path=True, batch=MANY)
    assert path.shape == (4, MANY, 2)
    assert torch.equal(path[0], chain.sample(MANY, seed=1, batch=MANY))
    for level, t in enumerate(chain.levels):
        law = MIXTURE.marginal(t)
        for dimension in (0, 1):
            assert mean_is(path[level, :, dimension], float(law.mean[dimension]))
            assert mean_is((path[level, :, dimension] - law.mean[dimension]) ** 2, float(law.variance[dimension]))


def test_the_last_step_gives_a_median_or_a_draw() -> None:
    chain = chain_of("gaussian")
    mean, draw = (chain.sample(MANY, seed=1, how=Sampling(last), batch=MANY) for last in ("median", "draw"))
    step = (draw - mean).double()
    assert mean_is(step.square(), 0.1)  # the error that it was given at the first level
    assert not mean_is(step.square(), 0.11)  # the twin


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("name", ["vae", "gaussian", "one for each level"])
def test_levels_of_a_batch_are_stratified(batch: int, name: str) -> None:
    chain, y = chain_of(name), torch.zeros(batch, 2)
    counts = torch.zeros(3, dtype=torch.long)
    for first in range(0, 40 * batch, batch):
        loss = chain.loss(y, seed=0, first_item=first)
        in_batch = torch.bincount(loss.level - 1, minlength=3)
        assert in_batch.max() - in_batch.min() <= 1
        assert loss.total.shape == (batch,)
        assert torch.allclose(loss.total, sum(loss.terms.values()))
        counts += in_batch
    assert counts.min() > 0  # every level has its turn, in batches of one item too


SHARES = (0.1, 0.1, 0.8)


@pytest.mark.parametrize("name", ["vae", "one for each level"])
def test_shares_move_items_between_levels_and_leave_the_expected_loss(name: str) -> None:
    chain, y = chain_of(name), MIXTURE.sample(10 * MANY, seed=3).float()
    with torch.no_grad():
        loss, plain = chain.loss(y, seed=0, shares=SHARES), chain.loss(y, seed=1)
    counts = torch.bincount(loss.level - 1, minlength=3)
    assert (counts - len(y) * torch.tensor(SHARES)).abs().max() < 1 + 1e-3
    assert torch.allclose(loss.weight, (1 / (3 * torch.tensor(SHARES)))[loss.level - 1])
    assert torch.equal(plain.weight, torch.ones(len(y)))
    assert same_mean(loss.total, plain.total)
    assert not same_mean(loss.total / loss.weight, plain.total)  # the twin


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.5, 0.5, 0.0), (0.5, 0.3, 0.1)])
def test_shares_that_are_none(shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="of 3 levels; expected 3 positive ones that sum to 1"):
        chain_of("vae").loss(torch.zeros(4, 2), shares=shares)


def test_a_kernel_of_any_time_has_no_shares() -> None:
    chain = Chain(StandardNormal(), grid(3), DeterministicKernel(decoder((2,))))
    with pytest.raises(ValueError, match="and a kernel of these levels"):
        chain.loss(torch.zeros(4, 2), shares=SHARES)


def test_kernels_of_each_level_get_their_own_items() -> None:
    """The same kernel three times is the same as the kernel once."""
    torch.manual_seed(0)
    kernel, y = small_vae((2,), MLPEncoder((2,), latent=3, width=16), HEAD), torch.randn(9, 2)
    randomise(kernel)
    one, three = Chain(StandardNormal(), grid(3), kernel), Chain(StandardNormal(), grid(3), [kernel] * 3)
    assert torch.allclose(one.loss(y, seed=1).total, three.loss(y, seed=1).total, rtol=1e-4)
    assert torch.equal(one.bound(y, seed=1).total, three.bound(y, seed=1).total)
    assert torch.equal(one.sample(5, seed=1), three.sample(5, seed=1))


def test_terms_of_a_bound_are_named_and_sum_to_it() -> None:
    chain, y = chain_of("vae"), MIXTURE.sample(7, seed=5).float()
    bound = chain.bound(y)
    names = {f"level {l}/{term}" for l in (1, 2, 3) for term in ("kl", "decoder", "entropy")}
    assert bound.terms.keys() == names | {"prior", "scaling"}
    assert torch.allclose(sum(bound.terms.values()), bound.total)
    assert torch.equal(bound.total, bound.prior + bound.per_level.sum(0) + bound.scaling)
    assert torch.equal(bound.kl[1], bound.terms["level 2/kl"])
    assert torch.allclose(chain.bits_per_dim(y), bound.total / (2 * math.log(2)))
    assert [0 <= units <= 3 for units in bound.active_units] == [True] * 3
    plain = chain_of("gaussian").bound(y)
    assert plain.active_units == plain.aggregate_kl == [None] * 3
    assert not plain.kl.any()
    assert float(bits_per_dim(torch.tensor(math.log(2) * 6, dtype=torch.float64), (2, 3))) == pytest.approx(1)


def test_active_units_move_with_the_data() -> None:
    class TwoUnits(OracleKernel):
        def infer(self, y: Tensor, z_s: Tensor, z_t: Tensor, s: float, t: float, unit: Tensor) -> tuple[Tensor, Normal]:
            law = Normal(torch.stack([y[:, 0], torch.full_like(y[:, 0], 3.0)], dim=1), 0.5)
            return law.loc, law

    bound: Bound = Chain(StandardNormal(), grid(2), TwoUnits(MIXTURE)).bound(MIXTURE.sample(50, seed=1), batch=20)
    assert bound.active_units == [1, 1]


def test_the_mismatch_is_that_of_the_latents_taken_together() -> None:
    """The same law for every item: its KL.  Means that fill up N(0, I): nothing, although every item has a KL."""
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


def test_modes_are_left_as_they_were() -> None:
    chain, y = chain_of("gaussian"), torch.zeros(2, 2)
    for mode in (True, False):
        chain.train(mode)
        chain.sample(1, seed=0)
        chain.bound(y)
        chain.calibrate(y)
        assert chain.training is mode


def terms_of(chain: Chain) -> Terms:
    return chain.bound(torch.zeros(1, 2)).terms


@pytest.mark.parametrize(
    ("call", "kind", "given"),
    [
        (lambda: terms_of(chain_of("deterministic")), TypeError, "use GaussianKernel or VAEKernel"),
        (lambda: chain_of("vae").bound(torch.zeros(3, 1)), ValueError, r"\(3, 1\)"),
        (lambda: chain_of("vae").bound(torch.zeros(0, 2)), ValueError, r"\(0, 2\)"),
        (lambda: chain_of("vae").bound(torch.zeros(1, 2).double()), ValueError, "torch.float64; expected torch.float32"),
        (lambda: chain_of("vae").bound(torch.zeros(1, 2), batch=0), ValueError, "batch = 0"),
        (lambda: Sampling("men"), ValueError, "last = 'men'"),
        (lambda: Sampling(eta=math.nan), ValueError, "eta = nan"),
        (lambda: Sampling(temperature=0.0), ValueError, r"temperature = 0\.0"),
        (lambda: Sampling(temperature=math.inf), ValueError, "temperature = inf"),
        (lambda: chain_of("vae").sample(0, seed=0), ValueError, "n = 0"),
        (lambda: chain_of("vae").sample(1, seed=0, batch=0), ValueError, "batch = 0"),
        (lambda: chain_of("vae").sample(1, seed=-1), ValueError, "seed=-1"),
        (lambda: chain_of("vae").sample(1, seed=0, first_item=-1), ValueError, "first_item=-1"),
        (lambda: Chain(StandardNormal(), grid(3), [OracleKernel(MIXTURE)] * 2), ValueError, "2 kernels .* for 3 levels"),
        (lambda: Chain(StandardNormal(), grid(3), []), ValueError, "0 kernels"),
        (
            lambda: Chain(StandardNormal(), grid(1), GaussianKernel(decoder((2,)), DiscretisedHead(17))).bound(torch.full((1, 2), 0.01)),
            ValueError,
            "17 bins",
        ),
    ],
)
def test_errors_say_what_was_given(call: Callable[[], object], kind: type[Exception], given: str) -> None:
    with pytest.raises(kind, match=given):
        call()


@torch.no_grad()
def test_latents_tighten_only_kernels_that_have_one() -> None:
    y = MIXTURE.sample(200, seed=1).float()
    for name, tightens in (("vae", True), ("gaussian", False)):
        plain, tight = (chain_of(name).bound(y, latents=latents).total for latents in (1, 8))
        assert (float(tight.mean()) < float(plain.mean())) is tightens
        assert bool((tight == plain).all()) is not tightens
    with pytest.raises(ValueError, match="latents = 0"):
        chain_of("vae").bound(y, latents=0)


@torch.no_grad()
def test_a_loss_with_latents_is_the_tightened_bound() -> None:
    chain, y = chain_of("vae"), MIXTURE.sample(10 * MANY, seed=3).float()
    loss = chain.loss(y, seed=0, latents=8)
    assert set(loss.terms) == {"marginal", "entropy"}
    tight, plain = (chain.bound(y, seed=1, latents=latents).per_level.sum(0) for latents in (8, 1))
    assert same_mean(3 * loss.total, tight)
    assert not same_mean(3 * loss.total, plain)  # the twin
    chain.loss(y[:4], weights={"kl": 1.0, "energy": 0.0}, latents=8)


@pytest.mark.parametrize(("latents", "weights"), [(0, {}), (8, {"kl": 0.5}), (8, {"energy": 1.0})])
def test_a_tightened_loss_has_latents_and_no_weights(latents: int, weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"a loss with {latents} latents and weights .*; expected at least 1"):
        chain_of("vae").loss(torch.zeros(4, 2), weights=weights, latents=latents)


def test_latents_of_a_loss_teach_encoder_and_decoder() -> None:
    chain = chain_of("vae")
    chain.loss(MIXTURE.sample(64, seed=3).float(), latents=4).total.mean().backward()
    for part in (chain.kernel(1).decoder, chain.kernel(1).encoder):
        moved = torch.cat([p.grad.flatten() for p in part.parameters() if p.grad is not None])
        assert moved.isfinite().all()
        assert moved.abs().max() > 0


def test_kernels_without_a_latent_have_their_own_loss_whatever_the_latents() -> None:
    kernel = small_vae((2,), None, HEAD)
    randomise(kernel)
    for chain in (Chain(StandardNormal(), grid(3), DeterministicKernel(decoder((2,)))), Chain(StandardNormal(), grid(3), kernel)):
        y = MIXTURE.sample(8, seed=3).float()
        assert torch.equal(chain.loss(y, latents=4).total, chain.loss(y).total)
    with torch.no_grad():
        assert torch.equal(chain.bound(y, latents=4).kl, torch.zeros(3, 8))


@torch.no_grad()
def test_a_chain_tightens_its_bound_as_it_says(tmp_path: Path) -> None:
    kernel, y = chain_of("vae").kernel(1), MIXTURE.sample(200, seed=1).float()
    Chain(StandardNormal(), grid(3), kernel, latents=8).save(tmp_path)
    chain = Chain.load(tmp_path)
    assert torch.equal(chain.bound(y).total, chain.bound(y, latents=8).total)
    assert not torch.equal(chain.bound(y).total, chain.bound(y, latents=1).total)
    with pytest.raises(ValueError, match="latents = 0"):
        Chain(StandardNormal(), grid(3), kernel, latents=0)

"""Mixtures of low-rank Gaussians against the mixture with dense covariances, which computes in another way."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from saltus import Chain, OraclePrior
from saltus.errors import SaltusError
from saltus.kernels import OracleKernel
from saltus.levels import Levels
from saltus.oracles import GaussianMixture, LowRankMixture

K, E, D, R = 4, (2, 3), 6, 2
LABELS = [0, 1, 1, 0]
N = 50


def parameters(seed: int = 0, r: int = R) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    shapes = ((K,), (K, *E), (K, D, r), (K, D))
    weights, means, factors, variances = (torch.randn(shape, generator=g, dtype=torch.float64) for shape in shapes)
    return weights.abs() + 0.1, means, factors, variances.abs() + 0.05


def both(labels: list[int] | None = LABELS, r: int = R) -> tuple[LowRankMixture, GaussianMixture]:
    weights, means, factors, variances = parameters(r=r)
    dense = factors @ factors.mT + torch.diag_embed(variances)
    return LowRankMixture(weights, means, factors, variances, labels), GaussianMixture(weights, means, dense, labels)


def points(seed: int = 1, n: int = N) -> Tensor:
    return torch.randn(n, *E, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def times() -> Tensor:
    return (torch.arange(N) % 5 + 1).double() / 5


CONDITIONS = [None, torch.arange(N) % 3 - 1]


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("t", [0.0, 0.3, 4.0, times()])
@pytest.mark.parametrize("r", [1, R, D])
def test_marginals_and_means_are_those_of_the_dense_mixture(t: float | Tensor, condition: Tensor | None, r: int) -> None:
    (low, dense), z = both(r=r), points()
    assert torch.allclose(low.log_prob(z, t, condition), dense.log_prob(z, t, condition), atol=1e-9)
    assert torch.allclose(low.posterior_mean(z, t, condition), dense.posterior_mean(z, t, condition), atol=1e-9)
    marginals = low.marginal(t, condition), dense.marginal(t, condition)
    for name in ("mean", "variance"):
        found, expected = (getattr(marginal, name) for marginal in marginals)
        assert torch.allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize(("s", "t"), [(0.0, 0.4), (0.2, 0.9), (times() - 0.1, times())])
def test_reverse_kernels_are_those_of_the_dense_mixture(s: float | Tensor, t: float | Tensor, condition: Tensor | None) -> None:
    (low, dense), z, z_s = both(), points(), points(2)
    found, expected = low.reverse(z, s, t, condition), dense.reverse(z, s, t, condition)
    assert torch.allclose(found.log_prob(z_s), expected.log_prob(z_s), atol=1e-9)
    assert torch.allclose(found.mean, expected.mean, atol=1e-9)


@pytest.mark.parametrize(("s", "t"), [(0.0, 0.3), (0.2, 0.9)])
def test_draws_have_the_moments_of_the_reverse_kernel(s: float, t: float) -> None:
    (low, dense), n = both(), 100_000
    z = points(n=1)
    expected = dense.reverse(z, s, t)
    g = torch.Generator().manual_seed(3)
    uniform, normal = torch.rand(n, generator=g, dtype=torch.float64), torch.randn(n, *E, generator=g, dtype=torch.float64)
    drawn = low.reverse(z.expand(n, *E), s, t).draw(uniform, normal)  # type: ignore[attr-defined]
    mean_error = (expected.variance[0] / n).sqrt()
    centred = drawn - drawn.mean(0)
    variance_error = ((centred**4).mean(0) / n).sqrt()
    assert bool(((drawn.mean(0) - expected.mean[0]).abs() < 5 * mean_error).all())
    assert bool(((drawn.var(0) - expected.variance[0]).abs() < 5 * variance_error).all())
    other = dense.reverse(z, s, t + 0.2)  # the twin that must fail
    assert not bool(((drawn.mean(0) - other.mean[0]).abs() < 5 * mean_error).all())


def test_draws_of_a_marginal_have_its_density() -> None:
    """The mean of -ln q over draws is the entropy, which draws of the dense mixture estimate too."""
    low, dense = both()
    costs = [-dense.log_prob(oracle.sample(40_000, 0.3, seed=seed), 0.3) for seed, oracle in enumerate((low, dense))]
    error = sum(float(cost.var() / len(cost)) for cost in costs) ** 0.5
    assert abs(float(costs[0].mean() - costs[1].mean())) < 5 * error


def test_single_precision_is_as_good_where_it_is_used() -> None:
    low, _ = both()
    z = points()
    for t in (0.001, 0.3, 2.0):
        assert torch.allclose(low.posterior_mean(z.float(), t).double(), low.posterior_mean(z, t), atol=1e-4)


def test_a_chain_of_it_costs_what_the_marginal_says() -> None:
    """With exact kernels and the exact prior every item's bound is -ln q(y), whatever path is drawn."""
    low, dense = both(labels=None)
    y = points()
    bound = Chain(OraclePrior(low), Levels((0, 0.2, 0.7)), OracleKernel(low)).bound(y)
    assert torch.allclose(bound.total, -dense.log_prob(y, 0.0), atol=1e-8)


def test_a_saved_one_keeps_the_type_of_its_factors(tmp_path: Path) -> None:
    weights, means, factors, variances = parameters()
    half = LowRankMixture(weights, means.half(), factors.half(), variances.half())
    Chain(OraclePrior(half), Levels((0, 0.5)), OracleKernel(half)).save(tmp_path)
    loaded = Chain.load(tmp_path)
    assert isinstance(loaded.prior, OraclePrior)
    assert isinstance(loaded.prior.oracle, LowRankMixture)
    assert torch.equal(loaded.sample(5, seed=0), Chain(OraclePrior(half), Levels((0, 0.5)), OracleKernel(half)).sample(5, seed=0))
    assert (tmp_path / "chain.arguments.safetensors").stat().st_size < 2 * (factors.numel() + means.numel() + variances.numel()) + 2000


def test_refuses_what_is_no_mixture() -> None:
    weights, means, factors, variances = parameters()
    with pytest.raises(SaltusError, match="expected \\(K,\\)"):
        LowRankMixture(weights, means, factors[:, :3], variances)
    with pytest.raises(SaltusError, match="positive"):
        LowRankMixture(weights, means, factors, variances - 10)
    with pytest.raises(SaltusError, match="not finite"):
        LowRankMixture(weights, means * torch.nan, factors, variances)


@pytest.mark.parametrize("label", [None, 1])
def test_distributions_as_gaussians_with_factors_have_the_same_densities(label: int | None) -> None:
    low, dense = both()
    z_t, z = points(n=1), points(seed=2, n=5)
    told = None if label is None else torch.tensor([label])
    weights, parts = low.factored_reverse(z_t, 0.2, 0.7, told)
    assert weights.shape == (1, K if label is None else 2)  # those of the class alone
    found = (weights + parts.log_prob(z.flatten(1))).logsumexp(1)
    torch.testing.assert_close(found, low.reverse(z_t.expand_as(z), 0.2, 0.7, None if told is None else told.expand(5)).log_prob(z))
    start = (low.log_weights(told, 1) + low.factored(0.7).log_prob(z.flatten(1))).logsumexp(1)
    torch.testing.assert_close(start, low.log_prob(z, 0.7, None if told is None else told.expand(5)))
    for ask in (lambda: dense.factored(0.7), lambda: dense.factored_reverse(z_t, 0.2, 0.7)):
        with pytest.raises(SaltusError, match="have no factors; take a LowRankMixture"):
            ask()

"""Oracles: closed forms against integrals, Bayes' rule, Tweedie's formula and samples."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from saltus.errors import SaltusError
from saltus.oracles import FiniteData, GaussianMixture
from saltus.oracles.oracle import Oracle
from saltus.process import Delta, OrnsteinUhlenbeck
from tests.helpers.checks import follows, mixture_cdf
from tests.helpers.memory import Peak

process = OrnsteinUhlenbeck()
INTEGRAL = 1e-7  # scipy's quad promises 1.5e-8 for each integral, and a quotient has two
ROUNDING = 1e-9  # float64 rounding, through logarithms of densities of up to some hundreds of nats
SAMPLES = 20_000


def parts(d: int = 3, k: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Weights, means and full covariances of a mixture; the same on every call."""
    generator = torch.Generator().manual_seed(d)
    roots = 0.5 * torch.randn(k, d, d, generator=generator, dtype=torch.float64)
    weights = torch.rand(k, generator=generator, dtype=torch.float64) + 0.2
    means = torch.randn(k, d, generator=generator, dtype=torch.float64)
    return weights / weights.sum(), means, roots @ roots.mT + 0.05 * torch.eye(d, dtype=torch.float64)


def torch_marginal(weights: Tensor, means: Tensor, covariances: Tensor, t: float) -> MixtureSameFamily:
    alpha, noise = process.alpha(t), process.sigma(t) ** 2 * torch.eye(means.shape[1], dtype=torch.float64)
    return MixtureSameFamily(Categorical(weights), MultivariateNormal(alpha * means, alpha**2 * covariances + noise))


SOLID = GaussianMixture(*parts())
LINE_PARTS = torch.tensor([0.3, 0.7]).double(), torch.tensor([[-1.0], [1.0]]).double(), torch.tensor([[[0.04]], [[0.25]]]).double()
LINE = GaussianMixture(*LINE_PARTS)
POINTS = FiniteData(torch.tensor([[-1.0], [0.2], [1.5]], dtype=torch.float64))
ITEMS = torch.tensor([[-1.0, 0.5], [0.2, 0.3], [1.5, -1.0], [1.5, -1.0]], dtype=torch.float64)
FLAT_POINTS = FiniteData(ITEMS)


@pytest.mark.parametrize(("s", "t"), [(0.0, 0.4), (0.1, 0.5), (0.5, 3.0)])
@pytest.mark.parametrize("z_t", [-1.3, 0.1, 2.0])
def test_mixture_on_a_line_against_integrals(s: float, t: float, z_t: float) -> None:
    """The joint distribution of (y, z_s, z_t), integrated over y."""
    weights, means, covariances = (x.flatten().tolist() for x in LINE_PARTS)

    def data(y: float) -> float:
        return sum(w * stats.norm.pdf(y, m, math.sqrt(c)) for w, m, c in zip(weights, means, covariances, strict=True))

    def noised(z: float, start: float, dt: float) -> float:
        return stats.norm.pdf(z, math.exp(-dt) * start, math.sqrt(-math.expm1(-2 * dt)))

    def over_y(f: object) -> float:
        return integrate.quad(f, -5, 6, points=[-1, 1], limit=200)[0]

    marginal = over_y(lambda y: data(y) * noised(z_t, y, t))
    z = torch.tensor([[z_t]], dtype=torch.float64)
    assert float(LINE.log_prob(z, t).exp()) == pytest.approx(marginal, abs=INTEGRAL)
    mean = over_y(lambda y: y * data(y) * noised(z_t, y, t)) / marginal
    assert float(LINE.posterior_mean(z, t)) == pytest.approx(mean, abs=INTEGRAL / marginal)
    reverse = LINE.reverse(z, s, t)
    for z_s in (-1.1, 0.0, 0.9):
        clean = data(z_s) if s == 0 else over_y(lambda y, z_s=z_s: data(y) * noised(z_s, y, s))
        density = clean * noised(z_t, z_s, t - s) / marginal
        assert float(reverse.log_prob(torch.tensor([[z_s]])).exp()) == pytest.approx(density, abs=INTEGRAL / marginal)


@pytest.mark.parametrize("oracle", [SOLID, FLAT_POINTS], ids=["mixture", "items"])
def test_bayes_rule_in_several_dimensions(oracle: Oracle) -> None:
    """q(z_s | z_t) = q(z_s) q(z_t | z_s) / q(z_t)."""
    z_s, z_t = torch.randn(2, 6, *oracle.event_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for s, t in [(0.02, 0.05), (0.3, 1.0), (1.0, 6.0)]:
        expected = oracle.log_prob(z_s, s) + process.transition(z_s, t - s).log_prob(z_t) - oracle.log_prob(z_t, t)
        assert torch.allclose(oracle.reverse(z_t, s, t).log_prob(z_s), expected, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("t", [0.0, 0.3, 5.0])
def test_mixture_marginal_against_torch(t: float) -> None:
    z = torch.randn(7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    distribution, known = SOLID.marginal(t), torch_marginal(*parts(), t)
    assert torch.allclose(distribution.log_prob(z), known.log_prob(z), rtol=ROUNDING)
    assert torch.allclose(distribution.mean, known.mean, rtol=ROUNDING)
    assert torch.allclose(distribution.variance, known.variance, rtol=ROUNDING)


def test_means_by_tweedie() -> None:
    """E[z_s | z_t] = (z_t + sigma(t-s)^2 grad ln q(z_t)) / alpha(t-s), the gradient by torch from a density of its own."""
    t = 0.7
    z = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2), requires_grad=True)
    (score,) = torch.autograd.grad(torch_marginal(*parts(), t).log_prob(z).sum(), z)
    point = z.detach()
    for s in (0.0, 0.2, 0.6):
        tweedie = (point + process.sigma(t - s) ** 2 * score) / process.alpha(t - s)
        assert torch.allclose(SOLID.reverse(point, s, t).mean, tweedie, rtol=ROUNDING, atol=ROUNDING)
    assert torch.allclose(SOLID.posterior_mean(point, t), SOLID.reverse(point, 0.0, t).mean, rtol=ROUNDING)


@pytest.mark.parametrize("oracle", [LINE, POINTS], ids=["mixture", "items"])
def test_densities_integrate_to_one_on_a_line(oracle: Oracle) -> None:
    z_t = torch.tensor([[0.3]], dtype=torch.float64)
    for distribution in (oracle.marginal(0.1), oracle.marginal(2.0), oracle.reverse(z_t, 0.1, 0.6), oracle.reverse(z_t, 1.0, 4.0)):
        total, _ = integrate.quad(
            lambda x, distribution=distribution: float(distribution.log_prob(torch.tensor([[x]], dtype=torch.float64)).exp()),
            -7,
            8,
            limit=200,
        )
        assert total == pytest.approx(1, abs=INTEGRAL)


def test_densities_integrate_to_one_in_a_plane() -> None:
    axis = torch.linspace(-8, 8, 400, dtype=torch.float64)  # an even grid sums smooth, vanishing functions to rounding
    grid = torch.cartesian_prod(axis, axis)
    area = float(axis[1] - axis[0]) ** 2
    for oracle in (GaussianMixture(*parts(2)), FLAT_POINTS):
        reverse = oracle.reverse(torch.ones(1, 2).expand(len(grid), 2), 0.4, 1.5)
        for density in (oracle.log_prob(grid, 0.3), reverse.log_prob(grid)):
            assert float(density.exp().sum()) * area == pytest.approx(1, abs=ROUNDING)


def test_items_are_a_mixture_without_width() -> None:
    width = 1e-12  # in variance; next to a noise variance of 0.02 and more it changes densities by 1e-10
    narrow = GaussianMixture(torch.ones(len(ITEMS)), ITEMS, width * torch.eye(2).expand(len(ITEMS), 2, 2))
    z_s, z_t = torch.randn(2, 6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    for s, t in [(0.01, 0.3), (0.3, 2.0)]:
        assert torch.allclose(FLAT_POINTS.log_prob(z_t, t), narrow.log_prob(z_t, t), rtol=ROUNDING, atol=ROUNDING)
        assert torch.allclose(FLAT_POINTS.posterior_mean(z_t, t), narrow.posterior_mean(z_t, t), rtol=ROUNDING, atol=ROUNDING)
        ours, theirs = FLAT_POINTS.reverse(z_t, s, t), narrow.reverse(z_t, s, t)
        assert torch.allclose(ours.mean, theirs.mean, rtol=ROUNDING, atol=ROUNDING)
        assert torch.allclose(ours.log_prob(z_s), theirs.log_prob(z_s), rtol=1e-7)  # B^2 width next to S


def test_items_at_time_zero() -> None:
    """They have probabilities and no density; an item that is there twice counts twice."""
    with pytest.raises(SaltusError, match="t = 0"):
        FLAT_POINTS.log_prob(ITEMS, 0.0)
    with pytest.raises(SaltusError, match="t = 0"):
        FLAT_POINTS.log_prob(ITEMS, torch.tensor([0.0, 1.0, 1.0, 1.0]))
    assert FLAT_POINTS.marginal(0.0).log_prob(ITEMS).exp().tolist() == pytest.approx([0.25, 0.25, 0.5, 0.5])
    z_t = torch.tensor([[0.4, 0.1]], dtype=torch.float64)
    likelihood = process.marginal(ITEMS, 0.7).log_prob(z_t.expand_as(ITEMS)).exp()
    posterior = likelihood / likelihood.sum()
    reverse = FLAT_POINTS.reverse(z_t.expand_as(ITEMS), 0.0, 0.7)
    assert reverse.log_prob(ITEMS)[:2].exp().tolist() == pytest.approx(posterior[:2].tolist())
    assert float(reverse.log_prob(ITEMS)[2].exp()) == pytest.approx(float(posterior[2:].sum()))
    assert (reverse.log_prob(ITEMS + 1) == -torch.inf).all()


@pytest.mark.parametrize("oracle", [SOLID, FLAT_POINTS], ids=["mixture", "items"])
def test_ends_of_time(oracle: Oracle) -> None:
    z = torch.randn(3, *oracle.event_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    assert torch.allclose(oracle.posterior_mean(z, 0.0), z, rtol=ROUNDING)
    mixed = oracle.posterior_mean(z, torch.tensor([0.0, 0.5, 50.0]))
    assert torch.allclose(mixed[0], z[0], rtol=ROUNDING)
    assert torch.allclose(mixed[1:2], oracle.posterior_mean(z[1:2], 0.5))
    assert torch.allclose(mixed[2], oracle.marginal(0.0).mean, rtol=ROUNDING)  # collapse to the mean of the data
    assert isinstance(oracle.reverse(z, 0.5, 0.5), Delta)
    with pytest.raises(SaltusError, match="some items only"):
        oracle.reverse(z, 0.5, torch.tensor([0.5, 1.0, 2.0]))
    with pytest.raises(ValueError, match="later than"):
        oracle.reverse(z, 2.0, 1.0)
    with pytest.raises(SaltusError, match=r"shape \(3, 1\)"):
        oracle.posterior_mean(z[:, :1], 1.0)


def test_samples_follow_the_mixture() -> None:
    direction = torch.tensor([0.6, -0.64, 0.48], dtype=torch.float64)
    weights, means, covariances = parts()
    centres, spreads = means @ direction, torch.einsum("i,kij,j->k", direction, covariances, direction)
    for t in (0.0, 0.5):
        alpha, noise = float(process.alpha(t)), float(process.sigma(t)) ** 2
        projected = SOLID.sample(SAMPLES, t, seed=1) @ direction
        assert follows(projected, mixture_cdf(weights, alpha * centres, alpha**2 * spreads + noise))
        assert not follows(projected, mixture_cdf(weights.roll(1), alpha * centres, alpha**2 * spreads + noise))  # the twin


@pytest.mark.parametrize("oracle", [LINE, POINTS], ids=["mixture", "items"])
def test_samples_follow_the_reverse_kernel(oracle: Oracle) -> None:
    """Against the integral of the density that the distribution itself gives."""
    s, t = 0.1, 0.8
    grid = torch.linspace(-6, 7, 4001, dtype=torch.float64)
    for z_t, matches in [(0.2, True), (0.4, False)]:  # the twin: the distribution for another z_t
        distribution = oracle.reverse(torch.full((SAMPLES, 1), 0.2), s, t)
        density = oracle.reverse(torch.full((len(grid), 1), z_t), s, t).log_prob(grid[:, None]).exp()
        cumulative = torch.cumulative_trapezoid(density, grid).numpy()
        torch.manual_seed(5)
        assert follows(distribution.sample().flatten(), lambda x, c=cumulative: np.interp(x, grid[1:].numpy(), c)) is matches


def test_sampling_items() -> None:
    drawn = FLAT_POINTS.sample(SAMPLES, seed=2)
    count = int((drawn == torch.tensor([1.5, -1.0])).all(1).sum())
    assert stats.binomtest(count, SAMPLES, 0.5).pvalue > 1e-6
    assert stats.binomtest(count, SAMPLES, 0.4).pvalue < 1e-6  # the twin
    assert torch.equal(FLAT_POINTS.sample(5, seed=2, first_item=7), drawn[7:12])


def test_images() -> None:
    """Events of any shape are the same distribution as their vectors."""
    generator = torch.Generator().manual_seed(6)
    items, z_s, z_t = torch.randn(3, 5, 1, 2, 3, dtype=torch.float64, generator=generator)
    square = torch.eye(6, dtype=torch.float64).expand(5, 6, 6) * torch.rand(5, 1, 1, generator=generator)
    for images, vectors in [
        (FiniteData(items), FiniteData(items.flatten(1))),
        (GaussianMixture(torch.ones(5), items, square), GaussianMixture(torch.ones(5), items.flatten(1), square)),
    ]:
        assert images.event_shape == (1, 2, 3)
        assert torch.allclose(images.posterior_mean(z_t, 0.5).flatten(1), vectors.posterior_mean(z_t.flatten(1), 0.5))
        ours, theirs = images.reverse(z_t, 0.1, 0.5), vectors.reverse(z_t.flatten(1), 0.1, 0.5)
        assert torch.allclose(ours.log_prob(z_s), theirs.log_prob(z_s.flatten(1)))
        assert torch.allclose(ours.mean.flatten(1), theirs.mean)
        assert torch.equal(images.sample(3, seed=0).flatten(1), vectors.sample(3, seed=0))


def test_scalars() -> None:
    numbers = GaussianMixture(torch.tensor([0.3, 0.7]), torch.tensor([-1.0, 1.0]), torch.tensor([[[0.04]], [[0.25]]]))
    z = torch.tensor([0.2, -0.4], dtype=torch.float64)
    assert torch.equal(numbers.posterior_mean(z, 0.4), LINE.posterior_mean(z[:, None], 0.4)[:, 0])
    assert torch.equal(numbers.log_prob(z, 0.4), LINE.log_prob(z[:, None], 0.4))
    assert torch.equal(numbers.reverse(z, 0.1, 0.4).log_prob(z), LINE.reverse(z[:, None], 0.1, 0.4).log_prob(z[:, None]))


@pytest.mark.parametrize(
    ("weights", "means", "covariances", "given"),
    [
        (torch.ones(2), torch.zeros(2, 1), torch.ones(2, 2, 2), r"\(2, 2, 2\)"),
        (torch.tensor([1.0, -1.0]), torch.zeros(2, 1), torch.ones(2, 1, 1), "-1.0"),
        (torch.ones(2), torch.zeros(2, 1), torch.zeros(2, 1, 1), "FiniteData"),
        (torch.ones(1), torch.zeros(1, 2), torch.tensor([[[1.0, 0.5], [0.0, 1.0]]]), "symmetric"),
        (torch.ones(1), torch.full((1, 1), math.nan), torch.ones(1, 1, 1), "finite"),
        (torch.ones(1), torch.zeros(1, 1), torch.full((1, 1, 1), math.nan), "finite"),
    ],
)
def test_mixtures_that_are_none(weights: Tensor, means: Tensor, covariances: Tensor, given: str) -> None:
    with pytest.raises(SaltusError, match=given):
        GaussianMixture(weights, means, covariances)


@pytest.mark.parametrize("items", [torch.zeros(0, 2), torch.zeros(3), torch.zeros(3, 2).long(), torch.full((1, 1), math.nan)])
def test_items_that_are_none(items: Tensor) -> None:
    with pytest.raises(SaltusError, match=r"expected finite floating-point items \(n, \*E\)"):
        FiniteData(items)


ROOT = Path(__file__).parents[2]
HUNGRY = """
import torch
from saltus.oracles import FiniteData
from tests.helpers.memory import Peak

peak = Peak()

z = torch.rand(4, 784)
mnist = FiniteData(torch.rand(60_000, 784))
mnist.posterior_mean(z, 0.5)
distribution = mnist.reverse(z, 0.1, 0.5)
distribution.log_prob(z)
distribution.draw(torch.rand(4), torch.randn(4, 784))

z = torch.rand(1_000, 2)  # a table of 1,000 x 60,000 numbers is 0.45 GiB, and a density needs several at a time
FiniteData(torch.rand(60_000, 2)).reverse(z, 0.1, 0.5).log_prob(z)
print(peak.mebibytes)
"""


def test_mnist_fits_in_two_gibibytes() -> None:
    Peak()  # or this is skipped
    answer = subprocess.run([sys.executable, "-c", HUNGRY], capture_output=True, text=True, check=True, cwd=ROOT)
    assert float(answer.stdout) < 2 * 2**10


def test_finite_data_stays_exact_where_noise_is_all_but_gone() -> None:
    """Raw-unit items far from the origin: the expanded square would lose all its digits."""
    items = 3 + torch.randn(20, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for t in (1e-14, 1e-10, 1e-6, 1e-2):
        z = FiniteData(items).sample(4, t, seed=1)
        alpha, variance = process.alpha(t), process.sigma(t) ** 2
        squares = (z[:, None] - alpha * items).square().sum(2)
        expected = (-squares / (2 * variance)).logsumexp(1) - math.log(20) - 25 * torch.log(2 * math.pi * variance)
        assert torch.allclose(FiniteData(items).log_prob(z, t), expected, rtol=1e-9, atol=0)


def test_moments_of_finite_distributions_are_those_of_their_draws() -> None:
    items = torch.tensor([[0.0, 1.0], [2.0, 5.0], [3.0, 3.0]], dtype=torch.float64)
    z = torch.tensor([[1.0, 1.0], [0.5, 2.0]], dtype=torch.float64)
    distribution = FiniteData(items).reverse(z, 0.2, 0.9)
    a, b, variance = process.bridge_coefficients(0.2, 0.9)
    weights = (-(z[:, None] - process.alpha(0.9) * items).square().sum(2) / (2 * process.sigma(0.9) ** 2)).softmax(1)
    means = a * z[:, None] + b * items
    mean = (weights[..., None] * means).sum(1)
    assert torch.allclose(distribution.mean, mean)
    assert torch.allclose(distribution.variance, variance + (weights[..., None] * (means - mean[:, None]) ** 2).sum(1))

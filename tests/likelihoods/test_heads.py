"""Heads: the probability of a bin is exact wherever the Gaussian is, and a density has a floor."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import Tensor

from saltus.errors import SaltusError
from saltus.likelihoods import AutoregressiveHead, DiscretisedHead, GaussianHead, Head, LogisticMixtureHead
from tests.helpers.checks import assert_one_sentence

ROUNDING = 1e-10  # float64, through logarithms of probabilities down to e^-1000
BINS = [17, 256]
MEANS = [-40.0, -1.0, 0.013, 0.7, 1.0, 1.3, 40.0]
OUTLIERS = [0.0, 1e-4, 0.3]
DEVIATIONS = [1e-9, 0.03, 0.4, 5.0, 1e4]


def all_bins(head: DiscretisedHead, mean: float, std: float, dtype: torch.dtype = torch.float64) -> Tensor:
    """ln p of every bin, (bins,)."""
    y = head.values.to(dtype)[:, None]
    return head.log_prob(y, torch.full_like(y, mean), torch.full_like(y, std**2))


@pytest.mark.parametrize("bins", BINS)
@pytest.mark.parametrize("outliers", OUTLIERS)
@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("std", DEVIATIONS)
def test_bins_sum_to_one(bins: int, outliers: float, mean: float, std: float) -> None:
    for dtype in (torch.float64, torch.float32):
        log_prob = all_bins(DiscretisedHead(bins, outliers=outliers), mean, std, dtype)
        assert log_prob.isfinite().all()
        # each logarithm is rounded to its dtype: up to eps |ln p| of p, and p |ln p| < 1
        assert float(log_prob.double().exp().sum()) == pytest.approx(1, abs=max(ROUNDING, bins * torch.finfo(dtype).eps))


@pytest.mark.parametrize("mean", [-0.4, 0.1, 0.9])
@pytest.mark.parametrize("std", [0.1, 0.5])
def test_bins_against_scipy(mean: float, std: float) -> None:
    head = DiscretisedHead(17)
    distribution, edges = stats.norm(mean, std), head.values[:-1].numpy() + head.width / 2
    ours = all_bins(head, mean, std).numpy()
    assert ours[0] == pytest.approx(distribution.logcdf(edges[0]), rel=ROUNDING)  # the first and the last bin are open to infinity
    assert ours[-1] == pytest.approx(distribution.logsf(edges[-1]), rel=ROUNDING)
    naive = np.diff(distribution.cdf(edges))
    safe = naive > 1e-4  # where a difference of two numbers below 1 keeps 12 digits
    assert safe.sum() > 2
    assert np.exp(ours[1:-1][safe]) == pytest.approx(naive[safe], rel=1e-11)


@pytest.mark.parametrize("bins", BINS)
def test_far_tails_against_an_integral(bins: int) -> None:
    """The mass of a bin 100 widths below the mean, the integrand scaled to be 1 at its nearer edge."""
    head, std = DiscretisedHead(bins), 0.02
    centre = float(head.values[3])
    mean = centre + 100 * std
    low, high = (centre - head.width / 2 - mean) / std, (centre + head.width / 2 - mean) / std
    scaled, _ = integrate.quad(lambda x: math.exp((high**2 - x**2) / 2), max(low, high - 1), high, epsrel=1e-12)
    expected = -(high**2) / 2 - math.log(2 * math.pi) / 2 + math.log(scaled)
    assert float(all_bins(head, mean, std)[3]) == pytest.approx(expected, rel=ROUNDING)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("mean", [-30.0, -1.5, 0.5, 1.5, 30.0])
@pytest.mark.parametrize("std", [1e-6, 0.01, 1.0, 1e4])
@pytest.mark.parametrize("outliers", OUTLIERS)
def test_gradients_stay_finite(dtype: torch.dtype, mean: float, std: float, outliers: float) -> None:
    head = DiscretisedHead(256, outliers=outliers)
    y = head.values.to(dtype)[:, None]
    means, variances = (torch.full_like(y, value).requires_grad_() for value in (mean, std**2))
    head.log_prob(y, means, variances).sum().backward()
    assert means.grad is not None
    assert variances.grad is not None
    assert means.grad.isfinite().all()
    assert variances.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_slope_of_a_far_tail(dtype: torch.dtype) -> None:
    """d ln p / d mean goes to (edge - mean) / std^2, the edge being the nearer one, as |edge - mean| / std grows."""
    head, std = DiscretisedHead(256), 0.001
    y, mean = head.values[[5]].to(dtype)[:, None], torch.full((1, 1), 3.0, dtype=dtype, requires_grad=True)
    head.log_prob(y, mean, torch.full_like(y, std**2)).backward()
    away = float(head.values[5]) + head.width / 2 - 3.0
    assert mean.grad is not None
    assert float(mean.grad) == pytest.approx(away / std**2, rel=2 * (std / away) ** 2 + torch.finfo(dtype).eps)


@pytest.mark.parametrize("outliers", OUTLIERS)
@pytest.mark.parametrize("mean", [-2.0, 0.1, 0.9])
def test_outliers_are_spread_evenly(outliers: float, mean: float) -> None:
    plain, ours = (all_bins(DiscretisedHead(17, outliers=share), mean, 0.2).exp() for share in (0.0, outliers))
    assert torch.allclose(ours, (1 - outliers) * plain + outliers / 17, rtol=ROUNDING)


@pytest.mark.parametrize("std", [1e-9, 0.2, 3.0])
@pytest.mark.parametrize("mean", [-2.0, 0.3, 1.0])
@pytest.mark.parametrize("outliers", OUTLIERS)
def test_mean_is_that_of_the_bins(mean: float, std: float, outliers: float) -> None:
    head = DiscretisedHead(17, outliers=outliers)
    expected = float((all_bins(head, mean, std).exp() * head.values).sum())
    ours = head.mean(torch.full((1, 1), mean, dtype=torch.float64), torch.full((1, 1), std**2, dtype=torch.float64))
    assert float(ours) == pytest.approx(expected, abs=ROUNDING)


@pytest.mark.parametrize("std", [1e-9, 0.2, 3.0])
@pytest.mark.parametrize("mean", [-2.0, 0.3, 1.0])
@pytest.mark.parametrize("outliers", OUTLIERS[:2])
def test_mode_is_the_most_likely_bin_and_the_middle_one(mean: float, std: float, outliers: float) -> None:
    """Of a Gaussian as wide as the range the open end bins hold more; the mode is not theirs, and the middle still is the mode."""
    head = DiscretisedHead(17, outliers=outliers)
    log_prob = all_bins(head, mean, std).flatten()
    ours = head.mode(torch.full((1, 1), mean, dtype=torch.float64), torch.full((1, 1), std**2, dtype=torch.float64))
    head.check(ours)
    middle = float(head.values[int((log_prob.exp().cumsum(0) < 0.5).sum())])
    assert abs(float(ours) - middle) <= (head.width if outliers else 0) + ROUNDING
    likeliest = float(head.values[log_prob.argmax()])
    assert (abs(float(ours) - likeliest) <= ROUNDING) is (std < 1 or mean != 0.3)


@pytest.mark.parametrize("outliers", [0.0, 0.1])
def test_samples_have_the_frequencies_of_the_bins(outliers: float) -> None:
    head, n = DiscretisedHead(17, outliers=outliers), 50_000
    unit = torch.randn(n, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    drawn = head.sample(torch.full_like(unit, 0.3), torch.full_like(unit, 0.6**2), unit)
    head.check(drawn)
    counts = ((drawn - head.values).abs() < head.width / 2).sum(0).numpy()
    expected, wrong = (n * all_bins(head, mean, 0.6).exp().numpy() for mean in (0.3, 0.35))
    assert stats.chisquare(counts, expected, sum_check=False).pvalue > 1e-6
    assert stats.chisquare(counts, wrong, sum_check=False).pvalue < 1e-6  # the twin


def test_values_off_the_bins_are_refused() -> None:
    head = DiscretisedHead(256)
    head.check(torch.arange(256)[:, None] / 127.5 - 1)
    for wrong in (0.001, 1.2, -7.0):
        with pytest.raises(ValueError, match=r"256 bins from -1\.0 to 1\.0"):
            head.check(torch.tensor([[wrong]]))
    GaussianHead(0.1).check(torch.tensor([[0.001]]))


def test_gaussian_density_and_its_floor() -> None:
    head, mean = GaussianHead(0.05), torch.full((1, 1), 0.2, dtype=torch.float64)
    for variance, std in [(0.04, 0.2), (0.0, 0.05), (1e-12, 0.05)]:
        v = torch.full_like(mean, variance)
        expected = stats.norm.logpdf(0.33, 0.2, std)
        assert float(head.log_prob(torch.full_like(mean, 0.33), mean, v)) == pytest.approx(expected, rel=ROUNDING)
        assert float(head.sample(mean, v, torch.ones_like(mean))) == pytest.approx(0.2 + std, rel=ROUNDING)
        assert torch.equal(head.mean(mean, v), mean)
        assert torch.equal(head.mode(mean, v), mean)


def test_sums_over_dimensions() -> None:
    y = torch.zeros(2, 1, 3, 3)
    for head in (DiscretisedHead(17), GaussianHead(0.1)):
        one = head.log_prob(y[:, 0, 0, :1], y[:, 0, 0, :1], torch.ones(2, 1))
        assert torch.allclose(head.log_prob(y, y, torch.ones_like(y)), 9 * one)


def test_heads_that_are_none() -> None:
    for bins, low, high in [(1, -1.0, 1.0), (2, 1.0, 1.0)]:
        with pytest.raises(ValueError, match=f"{bins} bins from {low} to {high}"):
            DiscretisedHead(bins, low, high)
    for outliers in (-0.1, 1.0):
        with pytest.raises(ValueError, match=f"outliers {outliers}"):
            DiscretisedHead(17, outliers=outliers)
    with pytest.raises(ValueError, match="floor = 0"):
        GaussianHead(0.0)


@pytest.mark.parametrize("outliers", OUTLIERS)
@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("std", DEVIATIONS)
def test_eps_of_a_value_samples_it_again(mean: float, std: float, outliers: float) -> None:
    """Every bin, the unlikely ones too, in float64 and rounded to float32 as codes of items are."""
    for bins in BINS:
        head = DiscretisedHead(bins, outliers=outliers)
        for dtype in (torch.float64, torch.float32):
            y = head.values.to(dtype)
            of_mean, variance = torch.full_like(y, mean), torch.full_like(y, std**2)
            eps = head.eps(y, of_mean, variance)
            assert eps.dtype == dtype
            assert eps.isfinite().all()
            assert torch.allclose(head.sample(of_mean, variance, eps), y, atol=head.width / 100)


def test_eps_of_samples_is_gaussian_again() -> None:
    """Within bins the middle stands for all, so that their moments are those of N(0, 1), less what varies within a bin."""
    g, head, n = torch.Generator().manual_seed(0), DiscretisedHead(256), 100_000
    mean, variance = torch.zeros(n, 1), torch.full((n, 1), 0.04)
    eps = head.eps(head.sample(mean, variance, torch.randn(n, 1, generator=g)), mean, variance)
    within = (head.width / 0.2) ** 2 / 12
    assert abs(float(eps.mean())) < 5 / math.sqrt(n)
    assert abs(float(eps.var()) - (1 - within)) < 5 * math.sqrt(2 / n)
    wider = head.eps(head.sample(mean, 1.1 * variance, torch.randn(n, 1, generator=g)), mean, variance)
    assert abs(float(wider.var()) - (1 - within)) > 5 * math.sqrt(2 / n)


def test_eps_of_continuous_values_samples_them_again() -> None:
    head, y = GaussianHead(0.1), torch.tensor([[-3.0, 0.2, 40.0]], dtype=torch.float64)
    mean, variance = torch.full_like(y, 0.3), torch.tensor([[0.0, 1.0, 4.0]], dtype=torch.float64)
    assert torch.allclose(head.sample(mean, variance, head.eps(y, mean, variance)), y, atol=ROUNDING)


def image_heads() -> dict[str, tuple[Head, int]]:
    """Heads of values that are counted, with their channels."""
    found: dict[str, tuple[Head, int]] = {"gaussian": (DiscretisedHead(5, outliers=0.01), 2), "grey": (LogisticMixtureHead(5, 1), 1)}
    found["colours"] = (LogisticMixtureHead(5, 3, components=2), 3)
    return found | {f"{name} in sequence": (AutoregressiveHead(head), channels) for name, (head, channels) in found.items()}


@pytest.mark.parametrize("name", image_heads())
def test_chosen_values_have_the_masses_of_the_likelihood(name: str) -> None:
    """Number by number they sum to 1, and multiply to p of each pixel, which is computed at once elsewhere."""
    head, channels = image_heads()[name]
    torch.manual_seed(0)
    shape = (2, channels, 5, 6)
    mean, variance, extra = torch.randn(shape).double(), torch.rand(shape).double() + 0.01, torch.randn(2, head.arrays, *shape[1:]).double()
    y = head.settled(torch.randn(shape).double())
    each = torch.full(shape, torch.nan).double().flatten()

    def choose(masses: Tensor, of: Callable[[Tensor], Tensor]) -> Tensor:
        assert masses.shape[1] == head.bins
        torch.testing.assert_close(masses.sum(1), torch.ones(len(masses)).double())
        places = of(head.index(y)).long()
        each[of(torch.arange(y.numel()).reshape(shape))] = masses.gather(1, places[:, None])[:, 0]
        return places

    assert torch.equal(head.chosen(choose, mean, variance, extra), y)
    expected = head.log_prob_each(y, mean, variance, extra).exp()
    found = each.reshape(shape) if expected.shape == shape else each.reshape(shape).prod(1, keepdim=True)
    torch.testing.assert_close(found, expected, rtol=0, atol=ROUNDING)
    other = head.log_prob_each(y, mean, 1.1 * variance, extra).exp()
    assert not torch.allclose(found, other, rtol=0, atol=ROUNDING)  # the twin that must fail


def test_densities_have_no_values_to_choose_from() -> None:
    y = torch.zeros(1, 2)
    for ask in (lambda: GaussianHead(0.1).index(y), lambda: GaussianHead(0.1).chosen(lambda masses, _: masses, y, y)):
        with pytest.raises(SaltusError, match="densities and no masses") as caught:
            ask()
        assert_one_sentence(caught.value, "take a model of whole values")

"""The head of tables: masses sum to 1 beside densities, cost what a known distribution does, and are drawn as often as they say."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import Tensor

from saltus.likelihoods import ColumnsHead, ContinuousHead, GaussianHead, MixtureHead, Number, Numbers
from saltus.registry import build, describe

M = 3
LAWS = pytest.mark.parametrize("distribution", [GaussianHead(1.0), MixtureHead(1.0, components=M)], ids=["gaussian", "mixture"])
COUNTED = Number(0, 30, step=1.0, mean=9.0, std=6.0)
TAIL = Number(0, 400, step=1.0, bend=2.0, mean=5.0, std=4.0)
PLAIN = Number(-8.0, 8.0, mean=0.5, std=2.0)
SPIKED = Number(-60.0, 60.0, centre=1.0, bend=2.0, atoms=(0.0, 3.0), gap=1.5, mean=2.0, std=2.5)
COLUMNS = [COUNTED, PLAIN, TAIL, SPIKED]
THERE = Number(0, 1, step=1.0, shares=(0.2, 0.8))
OPTIONAL = Number(0, 30, step=1.0, mean=9.0, std=6.0, optional=True)


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None]


def whole(number: Number) -> Tensor:
    """y of all counted values, (n, 1)."""
    return Numbers([number]).forward(torch.arange(number.low, number.high + 1, dtype=torch.float64)[:, None])


def arrays(distribution: ContinuousHead, n: int, d: int = 1) -> Tensor | None:
    """A network's, the same for n rows."""
    drawn = torch.randn(1, distribution.arrays, d, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return drawn.expand(n, -1, -1) if distribution.arrays else None


@LAWS
@pytest.mark.parametrize("number", [COUNTED, TAIL, Number(5, 5, step=1.0), Number(0, 1, step=1.0, mean=0.1, std=0.3)])
@pytest.mark.parametrize(("mean", "std"), [(0.3, 0.7), (-40.0, 0.2), (3.0, 1e-7), (0.0, 1e4)])
def test_masses_sum_to_one(distribution: ContinuousHead, number: Number, mean: float, std: float) -> None:
    head, y = ColumnsHead(distribution, [number]), whole(number)
    mass = head.log_prob(y, torch.full_like(y, mean), torch.full_like(y, std**2), arrays(distribution, len(y))).exp()
    assert float(mass.sum()) == pytest.approx(1, abs=1e-9)


@LAWS
def test_masses_of_spikes_and_the_density_of_the_rest_make_one(distribution: ContinuousHead) -> None:
    """In the units of the file: the density by the log-Jacobian, on an axis that goes on beyond the range."""
    head, numbers = ColumnsHead(distribution, [SPIKED]), Numbers([SPIKED])

    def probability(x: Tensor) -> Tensor:
        y = numbers.forward(x)
        log_prob = head.log_prob(y, torch.full_like(y, 0.2), torch.full_like(y, 0.5), arrays(distribution, len(y)))
        return (log_prob - numbers.log_jacobian(y)[:, 0]).exp()

    x = 1 + 2 * torch.sinh(torch.linspace(-8, 8, 100_001, dtype=torch.float64))  # no atom is among them
    rest = float(torch.trapezoid(probability(x[:, None]), x))
    spikes = probability(column(*SPIKED.atoms))
    assert rest + float(spikes.sum()) == pytest.approx(1, abs=1e-4)
    assert float(spikes.min()) > 0.05  # or the test would be of the density alone


@pytest.mark.parametrize("width", [1.0, 1.4])
def test_a_rounded_gaussian_costs_its_cross_entropy(width: float) -> None:
    """By quadrature of each value's mass; a right distribution costs the entropy, a wrong one more."""
    number = Number(-5, 12, step=1.0, mean=3.0, std=1.2)
    head, y = ColumnsHead(GaussianHead(1.0), [number]), whole(number)

    def masses(mean: float, std: float) -> np.ndarray:
        edges = np.concatenate([[-20.0], np.arange(-4.5, 12), [25.0]])
        return np.array([integrate.quad(stats.norm(mean, std).pdf, *ends, epsabs=1e-14)[0] for ends in itertools.pairwise(edges)])

    truth, model, outlier = masses(3.1, 0.8), masses(3.1, 0.8 * width), masses(3.0, 1.2)
    cost = -head.log_prob(y, torch.full_like(y, 0.1 / 1.2), torch.full_like(y, (0.8 * width / 1.2) ** 2)).numpy()
    expected = -np.log((1 - 1e-4) * model + 1e-4 * outlier)
    assert (truth * cost).sum() == pytest.approx((truth * expected).sum(), abs=1e-8)
    above = (truth * cost).sum() - stats.entropy(truth)
    assert above > 0
    assert (above < 2e-4) == (width == 1)  # the price of the share of outliers


def test_a_density_in_place_of_a_mass_falls_below_the_entropy() -> None:
    """A mixture that knows all values of a flag: its masses cost the entropy, and its density less than nothing."""
    flag, share = Number(0, 1, step=1.0, mean=0.3, std=0.46), torch.tensor([0.7, 0.3], dtype=torch.float64)
    y = whole(flag)
    head, least = ColumnsHead(MixtureHead(1.0, components=2), [flag]), Numbers([flag]).columns(y.device).least
    extra = torch.zeros(2, 6, 1, dtype=torch.float64)
    extra[:, :2, 0] = share.log()
    extra[:, 2:4, 0] = (y.flatten() - torch.tensor([-1.0, 1.0])) * 1.0
    extra[:, 4:, 0] = -7.0
    mean, variance = torch.zeros_like(y), torch.ones_like(y)
    entropy = -float((share * share.log()).sum())
    mass = -head.log_prob(y, mean, variance, extra)
    assert float(share @ mass) == pytest.approx(entropy, abs=1e-3)
    density = -MixtureHead(0.01, components=2).log_prob(y, mean, variance, extra) + math.log(flag.std)
    assert float(share @ density) < entropy - 1
    assert float(least) > 0.1


@LAWS
def test_values_are_drawn_as_often_as_they_say(distribution: ContinuousHead) -> None:
    n, number = 40_000, Number(0, 6, step=1.0, mean=2.0, std=1.5)
    head, y = ColumnsHead(distribution, [number]), whole(number)
    eps = torch.randn(n, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    mean, variance = torch.full_like(eps, 0.4), torch.full_like(eps, 0.6)
    drawn = head.sample(mean, variance, eps, arrays(distribution, n))
    head.check(drawn)
    counts = ((drawn - y.T).abs() < 1e-9).sum(0).numpy()
    assert counts.sum() == n
    for shifted, fits in ((0.0, True), (0.05, False)):
        given = (torch.full_like(y, 0.4 + shifted), torch.full_like(y, 0.6), arrays(distribution, len(y)))
        expected = n * head.log_prob(y, *given).exp().numpy()
        assert (stats.chisquare(counts, expected, sum_check=False).pvalue > 1e-6) == fits


def test_outliers_are_drawn_from_the_columns_own_spread() -> None:
    """With a share of one half, half of the draws of a sure distribution are N(0, 1)'s."""
    n, head = 40_000, ColumnsHead(GaussianHead(1.0), [PLAIN], outliers=0.5)
    eps = torch.randn(n, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    sure = (torch.full_like(eps, 1.5), torch.full_like(eps, 1e-9))
    drawn = head.sample(*sure, eps)
    away = (drawn - 1.5).abs() > 0.06  # six of the least standard deviations
    expected = stats.norm.sf(1.56) + stats.norm.cdf(1.44)
    assert float(away.double().mean()) == pytest.approx(expected / 2, abs=5 * math.sqrt(0.25 / n))
    cost = -head.log_prob(column(-1.0), column(1.5), column(1e-9))
    assert float(cost) == pytest.approx(-stats.norm.logpdf(-1) + math.log(2), rel=1e-9)


@LAWS
def test_noise_makes_the_values_it_was_found_for(distribution: ContinuousHead) -> None:
    head, n = ColumnsHead(distribution, COLUMNS), 300
    generator = torch.Generator().manual_seed(1)
    x = torch.stack([torch.randint(0, 31, (n,), generator=generator), torch.randint(-7, 8, (n,), generator=generator)], 1).double()
    x = torch.cat([x, torch.randint(0, 401, (n, 1), generator=generator), torch.randint(-4, 5, (n, 1), generator=generator)], 1)
    y = Numbers(COLUMNS).forward(x)
    mean, variance = torch.zeros_like(y), torch.full_like(y, 0.8)
    for dtype, near in ((torch.float64, 1e-6), (torch.float32, 1e-4)):
        given = [value.to(dtype) for value in (y, mean, variance)]
        eps = head.eps(*given, arrays(distribution, n, 4))
        assert eps.dtype == dtype
        assert eps.isfinite().all()
        assert torch.allclose(head.sample(*given[1:], eps, arrays(distribution, n, 4)).double(), y, atol=near)


@LAWS
def test_gradients_are_finite_and_those_of_differences(distribution: ContinuousHead) -> None:
    head, numbers = ColumnsHead(distribution, COLUMNS), Numbers(COLUMNS)
    x = torch.tensor([[0.0, 1.0, 0.0, 0.0], [30.0, -7.0, 400.0, 3.0], [7.0, 0.0, 12.0, 40.0]], dtype=torch.float64)
    y, extra = numbers.forward(x), arrays(distribution, 3, 4)
    for scale in (1.0, 1e-6, 1e5):
        mean = torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(3, 4).requires_grad_()
        variance = torch.full_like(y, scale).requires_grad_()
        head.log_prob(y, mean, variance, extra).sum().backward()
        assert mean.grad is not None
        assert variance.grad is not None
        assert mean.grad.isfinite().all()
        assert variance.grad.isfinite().all()
        for i, j in ((0, 0), (1, 2), (0, 3), (2, 3), (2, 1)):
            step = torch.zeros_like(y)
            step[i, j] = 1e-5
            up, down = (head.log_prob(y, mean.detach() + sign * step, variance.detach(), extra).sum() for sign in (1, -1))
            assert float((up - down) / 2e-5) == pytest.approx(float(mean.grad[i, j]), rel=1e-3, abs=1e-6)


def test_it_can_be_written_down_and_refuses_values_of_no_kind() -> None:
    head = ColumnsHead(GaussianHead(1.0), COLUMNS)
    again = build(*describe(head))
    y = Numbers(COLUMNS).forward(torch.tensor([[3.0, 0.2, 17.0, 0.0]], dtype=torch.float64))
    given = (torch.zeros_like(y), torch.ones_like(y))
    assert torch.equal(again.log_prob(y, *given), head.log_prob(y, *given))
    assert (head.discrete, head.in_bits, head.ends_in) == (True, False, "sample")
    assert head.convention.startswith("probability of the counted values of 3 of 4 columns, and density")
    head.check(y.float())
    off = y.clone()
    off[0, 2] += 0.02
    with pytest.raises(ValueError, match="y of column 2"):
        head.check(off)
    for outliers in (0.0, 1.0):
        with pytest.raises(ValueError, match="expected a share"):
            ColumnsHead(GaussianHead(1.0), COLUMNS, outliers=outliers)


def test_means_and_modes_lie_in_the_range_and_modes_on_values() -> None:
    head, numbers = ColumnsHead(GaussianHead(1.0), COLUMNS), Numbers(COLUMNS)
    far = torch.full((1, 4), 1e3, dtype=torch.float64)
    for found in (head.mean(far, far), head.mode(far, far)):
        assert numbers.inverse(found).tolist() == [[30, 8, 400, 60]]
    near = torch.tensor([[0.21, 0.21, 0.21, 0.21]], dtype=torch.float64)
    head.check(head.mode(near, near))
    assert float(head.mode(near, near)[0, 1]) == pytest.approx(0.21)
    assert torch.allclose(head.mean(near, near), near, atol=1e-3)


@LAWS
def test_a_number_that_may_be_absent_and_what_it_is_elsewhere_make_one(distribution: ContinuousHead) -> None:
    head, numbers = ColumnsHead(distribution, [THERE, OPTIONAL]), Numbers([THERE, OPTIONAL])
    there = torch.stack([torch.ones(31), torch.arange(31)], 1).double()
    y = numbers.forward(torch.cat([torch.tensor([[0.0, math.nan]], dtype=torch.float64), there]))
    given = torch.full_like(y, 0.3), torch.full_like(y, 0.5), arrays(distribution, len(y), 2)
    mass = head.log_prob(y, *given).exp()
    assert float(mass.sum()) == pytest.approx(1, abs=1e-9)
    assert float(mass[0]) == pytest.approx(
        float(ColumnsHead(distribution, [THERE]).log_prob(*(value[:1, :1] for value in (y, *given[:2])), first(given[2])).exp())
    )
    drawn = head.sample(
        given[0][:1].expand(4000, -1), given[1][:1].expand(4000, -1), torch.randn(4000, 2).double(), arrays(distribution, 4000, 2)
    )
    head.check(drawn)
    share = float(numbers.absent(drawn)[:, 1].double().mean())
    assert abs(share - float(mass[0])) < 5 * math.sqrt(0.25 / 4000)


def first(extra: Tensor | None) -> Tensor | None:
    """The arrays of the first number of the first row."""
    return None if extra is None else extra[:1, :, :1]


def test_files_from_before_the_distribution_had_its_name_are_read() -> None:
    plain, tensors = describe(ColumnsHead(GaussianHead(1.0), [PLAIN]))
    arguments = plain["arguments"]
    older = {"class": "ColumnsHead", "arguments": {"law": arguments.pop("distribution"), **arguments}}
    made = build(older, tensors)
    assert isinstance(made.distribution, GaussianHead)
    assert describe(made)[0]["arguments"].keys() == {"distribution", *arguments}

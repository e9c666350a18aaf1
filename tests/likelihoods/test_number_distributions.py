"""The distributions of numbers: masses and densities sum to 1, draws have them, ranges are kept to, and nothing is lost in tails."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from saltus.likelihoods import Number, NumberDistributions
from saltus.process import Noise
from tests.helpers.checks import follows, has_frequencies

NUMBERS = {
    "there": Number(0, 1, step=1.0, shares=(0.3, 0.7)),
    "optional and counted": Number(0, 200, step=1.0, mean=80.0, std=40.0, optional=True),
    "categories": Number(0, 4, step=1.0, shares=(0.2, 0.0005, 0.6, 0.0995, 0.1)),
    "few": Number(0, 9, step=1.0, mean=4.5, std=2.9),
    "continuous": Number(-1e6, 1e6),
    "with a spike": Number(-6.0, 6.0, atoms=(0.0,), gap=0.8, mean=0.4, std=1.7),
    "with a spike at its end": Number(0.0, 500.0, bend=0.05, atoms=(0.0,), gap=0.2, mean=0.2, std=0.3),
    "a counted tail": Number(0, 9000, step=1.0, bend=0.7, mean=2.0, std=1.5),
    "one value": Number(3.0, 3.0, step=1.0),
}
NAMES = list(NUMBERS)
J = {name: j for j, name in enumerate(NAMES)}
COUNTED = [name for name, number in NUMBERS.items() if number.step]
LAWS = NumberDistributions(list(NUMBERS.values()))
N = 20_000


def parameters(seed: int = 0, n: int = 1, dtype: torch.dtype = torch.float64) -> Tensor:
    """Those of one distribution, far from where networks start, for n rows."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, len(NAMES) * LAWS.size, generator=generator, dtype=torch.float64).to(dtype).expand(n, -1)


def own(j: int, of: Tensor) -> Tensor:
    """The parameters of the number j."""
    return of[:, j * LAWS.size : (j + 1) * LAWS.size]


def log_prob(name: str, y: Tensor, seed: int = 0) -> Tensor:
    """ln of the mass or density at y (n,) of one number, none absent."""
    j = J[name]
    one = LAWS.row_of(j, y, torch.zeros(len(y), dtype=torch.bool))
    return LAWS.log_prob_of(j, own(j, parameters(seed, len(y), y.dtype)), one)


def uniform(n: int = N, seed: int = 0) -> Tensor:
    return Noise(seed, 0, n).uniform("draw")


@pytest.mark.parametrize("name", COUNTED)
def test_masses_of_all_values_sum_to_1(name: str) -> None:
    y = LAWS.middles(J[name])
    assert float(log_prob(name, y).exp().sum()) == pytest.approx(1, abs=1e-9)
    assert float(log_prob(name, y.float()).double().exp().sum()) == pytest.approx(1, abs=1e-5)
    if len(y) > 1:
        assert float(log_prob(name, y[1:]).exp().sum()) < 1 - 1e-6  # the twin


@pytest.mark.parametrize("name", ["continuous", "with a spike"])
def test_densities_and_the_masses_of_spikes_integrate_to_1(name: str) -> None:
    on = LAWS.on.columns(torch.device("cpu"))
    j, far, total, gap = J[name], 150.0, 0.0, (0.0, 0.0)
    if NUMBERS[name].atoms:
        gap = (float((on.starts[j, 0] - on.mean[j]) / on.std[j]), float((on.ends[j, 0] - on.mean[j]) / on.std[j]))
        total += float(log_prob(name, torch.tensor([sum(gap) / 2], dtype=torch.float64)).exp())
        assert 0.001 < total < 0.9
    for low, high in ((-far, gap[0] - 1e-12), (gap[1] + 1e-12, far)):
        grid = torch.linspace(low, high, 60_001, dtype=torch.float64)
        total += float(torch.trapezoid(log_prob(name, grid).exp(), grid))
    assert total == pytest.approx(1, abs=1e-6)


def drawn(n: int = 300) -> Tensor:
    """Rows of values that their numbers can have, the second one absent in some, (n, E)."""
    each = [LAWS.draw(j, own(j, parameters(1, n)), uniform(n, j))[0] for j in range(len(NAMES))]
    y = torch.stack(each, 1)
    absent = y[:, 0] == LAWS.middles(0)[0]
    assert 0 < int(absent.sum()) < n
    y[absent, 1] = 0
    return y


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_one_number_is_as_in_its_row(dtype: torch.dtype) -> None:
    y = drawn().to(dtype)
    row, of = LAWS.row(y), torch.randn(len(y), len(NAMES) * LAWS.size, generator=torch.Generator().manual_seed(0)).to(dtype)
    each = LAWS.log_prob(of, row)
    assert bool((each[row.absent] == 0).all())
    for j in range(len(NAMES)):
        one, alone = row.of(slice(j, j + 1)), LAWS.row_of(j, y[:, j], row.absent[:, j])
        assert torch.allclose(LAWS.log_prob_of(j, own(j, of), one), each[:, j], atol=1e-5)
        assert torch.allclose(LAWS.log_prob_of(j, own(j, of), alone), each[:, j], atol=1e-5)
        assert torch.equal(one.place, alone.place)


@pytest.mark.parametrize("size", [1.0, 40.0])
def test_gradients_are_finite_at_open_ends_beyond_them_and_where_numbers_are_absent(size: float) -> None:
    on = LAWS.on.columns(torch.device("cpu"))
    beyond = torch.where(on.shared, 0.0, 3e3 * on.std)  # of values with shares there are none
    x = torch.stack([on.low, on.high, on.low.clamp_min(-9e3) - beyond, on.high.clamp_max(9e3) + beyond])
    y = torch.cat([LAWS.on.forward(x), drawn(200)]).float()
    of = (size * torch.randn(len(y), len(NAMES) * LAWS.size, generator=torch.Generator().manual_seed(0))).requires_grad_()
    row = LAWS.row(y)
    each = LAWS.log_prob(of, row)
    assert bool(each.isfinite().all())
    (slope,) = torch.autograd.grad(each.sum(), of)
    assert bool(slope.isfinite().all())
    absent, second = row.absent[:, 1], slice(LAWS.size, 2 * LAWS.size)
    assert bool(absent.any())
    assert not slope[absent, second].any()
    assert bool(slope[~absent, second].any())


def test_masses_are_exact_in_tails() -> None:
    """In float32, of values far above the centre of each component, where sigmoids round to 1."""
    distributions = NumberDistributions([Number(0, 4000, step=1.0, mean=100.0, std=50.0)], components=1)
    of = torch.tensor([[0.0, 0.0, 0.0]])  # a component about -1.5 and wide exp(-1.5), and outliers wide sqrt(3) / pi
    values = torch.tensor([100.0, 450.0, 650.0, 1100.0], dtype=torch.float64)
    y = distributions.on.forward(values[:, None])
    found = distributions.log_prob(of.expand(4, -1), distributions.row(y.float()))[:, 0].double()
    odd = math.sqrt(3) / math.pi
    centre, width = -1.5, math.exp(-1.5) + odd / 50 / 10
    low, high = (values - 0.5 - 100) / 50, (values + 0.5 - 100) / 50

    def mass(c: float, w: float) -> Tensor:
        a, b = (low - c) / w, (high - c) / w
        up = a > 0
        a, b = torch.where(up, -b, a), torch.where(up, -a, b)
        return torch.special.expit(b) - torch.special.expit(a)

    expected = ((1 - 1e-4) * mass(centre, width) + 1e-4 * mass(0.0, odd)).log()
    assert torch.allclose(found, expected, atol=1e-3)
    assert float(found[-1]) < -40
    assert not ((high / odd).float().sigmoid() - (low / odd).float().sigmoid())[2:].any()  # the twin


def test_what_owns_too_little_to_be_told_apart_has_a_finite_cost() -> None:
    """Microseconds on a bent axis, where the ends of what one owns are the same in float64."""
    distributions = NumberDistributions([Number(0, 3e15, step=1.0, bend=1.0, mean=30.0, std=1.0)])
    y = distributions.on.forward(torch.tensor([[3e15 - 5], [2.0]], dtype=torch.float64))
    of = torch.zeros(2, distributions.size).requires_grad_()
    found = distributions.log_prob(of, distributions.row(y.float()))
    assert bool(found.isfinite().all())
    assert bool(torch.autograd.grad(found.sum(), of)[0].isfinite().all())


@pytest.mark.parametrize("name", COUNTED)
def test_draws_of_values_come_as_often_as_their_masses(name: str) -> None:
    j, middles = J[name], LAWS.middles(J[name])
    y, log_chance = LAWS.draw(j, own(j, parameters(0, N)), uniform())
    assert torch.allclose(log_chance, torch.zeros(N).double(), atol=1e-9)
    places = (y[:, None] - middles).abs().argmin(1) if len(middles) < 300 else torch.searchsorted(middles - 1e-9, y) - 1
    assert torch.equal(middles[places], y)  # where values are
    assert has_frequencies(places, log_prob(name, middles).exp())
    if len(middles) > 1:
        assert not has_frequencies(places, log_prob(name, middles, seed=6).exp())  # the twin


@pytest.mark.parametrize("name", ["continuous", "with a spike"])
def test_draws_have_the_density(name: str) -> None:
    j, number, far = J[name], NUMBERS[name], 60.0
    y = LAWS.draw(j, own(j, parameters(0, N)), uniform())[0]
    atom = LAWS.on.absent(y[:, None].expand(-1, len(NAMES))).new_zeros(N)
    if number.atoms:
        middle = LAWS.on.forward(torch.zeros(1, len(NAMES), dtype=torch.float64))[:, j]
        atom = (y - middle).abs() < 1e-9
        share, mass = float(atom.double().mean()), float(log_prob(name, middle).exp())
        assert abs(share - mass) < 5 * math.sqrt(mass / N)
    low, high = (float(end[j].clamp(-far, far)) for end in LAWS.on.ends(torch.device("cpu")))
    inner = y[~atom & (y > low) & (y < high)]
    assert len(inner) > N // 10
    grid = torch.linspace(low, high, 60_001, dtype=torch.float64)
    counted = LAWS.row_of(j, grid, torch.zeros(len(grid), dtype=torch.bool)).counted[:, 0]
    for seed, fits in ((0, True), (5, False)):
        p = log_prob(name, grid, seed).exp().masked_fill(counted, 0.0)
        below = torch.cumulative_trapezoid(p, grid)
        found = torch.searchsorted(grid[1:], inner)
        assert follows(below[found.clamp_max(len(below) - 1)] / below[-1], lambda u: u.clip(0, 1)) is fits


RANGES = [[(-0.5, 0.7)], [(-2.0, -1.0), (0.3, 0.4), (2.0, math.inf)], [(-math.inf, -1.2)], [(4.0, 4.5)], [(0.2, 0.2 + 1e-6)]]


@pytest.mark.parametrize("within", RANGES)
def test_draws_in_a_range_stay_there_and_know_their_chance(within: list[tuple[float, float]]) -> None:
    j = J["continuous"]
    y, log_chance = LAWS.draw(j, own(j, parameters(0, N)), uniform(), within)
    inside = torch.stack([(y >= low) & (y <= high) for low, high in within])
    assert bool(inside.any(0).all())
    parts = []
    for low, high in within:
        grid = torch.linspace(max(low, -150.0), min(high, 150.0), 60_001, dtype=torch.float64)
        parts.append(float(torch.trapezoid(log_prob("continuous", grid).exp(), grid)))
    assert torch.allclose(log_chance, torch.tensor(sum(parts)).double().log(), atol=1e-6)
    shares = torch.tensor(parts) / sum(parts)
    assert has_frequencies(inside.int().argmax(0), shares)
    if len(within) > 1:
        assert not has_frequencies(inside.int().argmax(0), shares.flip(0))  # the twin


@pytest.mark.parametrize("name", ["categories", "few", "optional and counted", "a counted tail"])
def test_values_of_a_set_are_drawn_by_their_masses(name: str) -> None:
    j, middles, chosen = J[name], LAWS.middles(J[name]), [0, 2, 3]
    cells = LAWS.row_of(j, middles[chosen], torch.zeros(3, dtype=torch.bool))
    below, above = (value[:, 0].tolist() for value in (cells.below, cells.above))
    y, log_chance = LAWS.draw(j, own(j, parameters(0, N)), uniform(), list(zip(below, above, strict=True)))
    places = (y[:, None] - middles[chosen]).abs().argmin(1)
    assert torch.equal(middles[chosen][places], y)
    masses = log_prob(name, middles[chosen]).exp()
    assert torch.allclose(log_chance, masses.sum().log(), atol=1e-6)
    assert has_frequencies(places, masses / masses.sum())


def test_a_range_where_every_component_underflows_has_no_chance() -> None:
    j = J["continuous"]
    assert bool(LAWS.draw(j, own(j, parameters(0, 5)), uniform(5), [(990.0, 991.0)])[1].isneginf().all())


MOMENTS = (0.7, 0.6)
"""A mean and a standard deviation."""


def about(n: int) -> tuple[Tensor, Tensor]:
    mean, std = (torch.full((n,), value, dtype=torch.float64) for value in MOMENTS)
    return mean, std


def test_a_distribution_about_moments_is_that_about_0_and_1_moved_and_scaled() -> None:
    """Of a continuous number: ln p(y) = ln p((y - mean) / std) - ln std, but for outliers and least widths, which do not move."""
    j, n = J["continuous"], 50
    mean, std = MOMENTS
    unit = torch.linspace(-2, 2, n, dtype=torch.float64)
    of = own(j, parameters(0, n))
    whole, none = LAWS.row_of(j, mean + std * unit, unit != unit), LAWS.row_of(j, unit, unit != unit)
    found, plain = LAWS.log_prob_of(j, of, whole, about(n)), LAWS.log_prob_of(j, of, none) - math.log(std)
    assert torch.allclose(found, plain, atol=0.1)
    assert not torch.allclose(found, LAWS.log_prob_of(j, of, whole), atol=0.3)  # the twin
    y = LAWS.draw(j, own(j, parameters(0, N)), uniform(), None, about(N))[0]
    moved = mean + std * LAWS.draw(j, own(j, parameters(0, N)), uniform())[0]
    assert float((y - moved).abs().median()) < 0.01


@pytest.mark.parametrize("name", ["categories", "few"])
def test_masses_about_moments_are_those_that_are_drawn(name: str) -> None:
    j, middles = J[name], LAWS.middles(J[name])
    of = own(j, parameters(0, len(middles)))
    masses = LAWS.log_prob_of(j, of, LAWS.row_of(j, middles, middles != middles), about(len(middles))).exp()
    assert float(masses.sum()) == pytest.approx(1, abs=1e-9)
    y = LAWS.draw(j, own(j, parameters(0, N)), uniform(), None, about(N))[0]
    assert has_frequencies((y[:, None] - middles).abs().argmin(1), masses)
    assert not has_frequencies((y[:, None] - middles).abs().argmin(1), log_prob(name, middles).exp())  # the twin


def test_moments_of_a_row_are_those_of_its_numbers() -> None:
    y = drawn()
    row, of = LAWS.row(y), parameters(0, len(y))
    generator = torch.Generator().manual_seed(2)
    mean, std = torch.randn(y.shape, generator=generator).double(), torch.rand(y.shape, generator=generator).double() + 0.1
    each = LAWS.log_prob(of, row, about=(mean, std))
    for j in range(len(NAMES)):
        alone = LAWS.log_prob_of(j, own(j, of), row.of(slice(j, j + 1)), (mean[:, j], std[:, j]))
        assert torch.allclose(alone, each[:, j], atol=1e-9)


def test_draws_end_in_the_range_of_the_number() -> None:
    distributions = NumberDistributions([Number(-0.5, 0.2)])
    y, _ = distributions.draw(0, torch.zeros(N, distributions.size), uniform())
    assert (float(y.min()), float(y.max())) == (-0.5, 0.2)


def test_parameters_of_0_resemble_the_standard_normal() -> None:
    """Which y resembles: a network that says nothing is not far off."""
    y = torch.linspace(-2, 2, 41, dtype=torch.float64)
    of = torch.zeros(len(y), LAWS.size, dtype=torch.float64)
    found = LAWS.log_prob_of(J["continuous"], of, LAWS.row_of(J["continuous"], y, y != y))
    assert torch.allclose(found, torch.distributions.Normal(0.0, 1.0).log_prob(y), atol=0.5)


def test_shares_that_sum_to_1_within_rounding_are_made_to() -> None:
    distributions = NumberDistributions([Number(0, 1, step=1.0, shares=(0.5, 0.50009))])
    of = torch.zeros(2, distributions.size, dtype=torch.float64)
    assert float(distributions.log_prob(of, distributions.row(distributions.middles(0)[:, None])).exp().sum()) == pytest.approx(1, abs=1e-7)

"""The flow step: its density integrates to 1, its draws have it, and a chain of it learns what a mixture cannot."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from saltus.chain import Chain, StandardNormal
from saltus.data import DataSet
from saltus.errors import SaltusError
from saltus.evaluation import likelihood
from saltus.kernels import FlowKernel, Pair, Transition
from saltus.levels import Levels
from saltus.likelihoods import Number
from saltus.networks import ClassCondition, ImageCondition
from saltus.process import Noise, OrnsteinUhlenbeck
from saltus.training import Config, train
from tests.helpers.checks import standard_error

process = OrnsteinUhlenbeck()


def kernel(d: int = 1, **options: object) -> FlowKernel:
    torch.manual_seed(0)
    made = FlowKernel((d,), 0.7, width=16, transforms=2, **options)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return made.double()


def density(made: FlowKernel, z_t: float, z_s: Tensor, s: float, t: float) -> Tensor:
    """p(z_s | z_t) of one column."""
    n = len(z_s)
    pair = Pair(torch.full((n, 1), z_t).double(), s, t, y=torch.zeros(n, 1).double(), z_s=z_s[:, None])
    return (-made.explain(pair, Noise(0, 0, n)).terms["decoder"]).exp()


@torch.no_grad()
@pytest.mark.parametrize(("s", "t"), [(0.0, 0.3), (0.4, 1.1)])
def test_it_is_a_density(s: float, t: float) -> None:
    grid = torch.linspace(-12, 12, 40_001).double()
    assert float(torch.trapezoid(density(kernel(), 0.4, grid, s, t), grid)) == pytest.approx(1, abs=1e-4)


@torch.no_grad()
def test_draws_have_its_density() -> None:
    """By the Kolmogorov-Smirnov distance, whose 1e-6 quantile is 2.7 / sqrt(n); another time's density is the twin."""
    made, n, grid = kernel(), 20_000, torch.linspace(-12, 12, 20_001).double()
    drawn = made.sample(Transition(torch.full((n, 1), 0.4).double(), 0.0, 0.3), Noise(1, 0, n)).flatten().sort().values
    for t, fits in ((0.3, True), (0.9, False)):
        below = torch.cumulative_trapezoid(density(made, 0.4, grid, 0.0, t), grid)
        at = torch.from_numpy(np.interp(drawn.numpy(), grid[1:].numpy(), below.numpy()))
        distance = float((at - (torch.arange(n) + 0.5) / n).abs().max())
        assert (distance < 2.7 / math.sqrt(n)) is fits


@torch.no_grad()
def test_terms_are_cost_and_entropy() -> None:
    made, y = kernel(2), torch.randn(6, 2, generator=torch.Generator().manual_seed(1)).double()
    z_s = process.noised(y, 0.2, torch.randn_like(y))
    terms = made.explain(Pair(process.noised(z_s, 0.3, torch.randn_like(y)), 0.2, 0.5, y=y, z_s=z_s), Noise(0, 0, 6)).terms
    variance = process.bridge_coefficients(0.2, 0.5)[2]
    assert set(terms) == {"decoder", "entropy"}
    assert torch.allclose(terms["entropy"], -torch.log(2 * math.pi * math.e * variance).expand(6))


def test_it_is_conditioned_on_classes() -> None:
    made = kernel(2, condition=ClassCondition(["a", "b"], [0.5, 0.5]))
    z, noise = torch.zeros(4, 2).double(), Noise(0, 0, 4)
    one, other = (made.sample(Transition(z, 0.0, 0.5, torch.full((4,), c)), noise) for c in (0, 1))
    assert not torch.allclose(one, other, atol=1e-3)


def test_a_chain_of_it_beats_the_mixture_that_it_starts_from() -> None:
    """Rows on a bent line, which no few Gaussians are."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=4000)
    rows = np.stack([x, np.sin(3 * x) + 0.05 * rng.normal(size=4000)], 1)
    data = DataSet.from_arrays(rows)
    chain = train(data, Config(kernel="flow", levels=1, prior="mixture", updates=300, width=32, batch=256), quiet=True)
    learned = chain.bound(data.test)
    mixture = chain.prior.oracle  # type: ignore[attr-defined]
    closed = -mixture.log_prob(data.test, 0.0)
    assert float((learned.total - learned.log_jacobian).mean()) < float(closed.mean()) - 0.1
    assert chain.sample(5, seed=0).shape == (5, 2)


def test_refuses_what_it_cannot_be() -> None:
    with pytest.raises(SaltusError, match="rows of a table"):
        FlowKernel((1, 8, 8))
    with pytest.raises(SaltusError, match="leave it at 1"):
        kernel().sample(Transition(torch.zeros(1, 1).double(), 0.1, 0.5, eta=0.5), Noise(0, 0, 1))


@pytest.mark.parametrize("numbers", [[], [Number(-9.0, 9.0), Number(0, 3, step=1.0), Number(-9.0, 9.0, bend=2.0, atoms=(0.0,), gap=1.0)]])
def test_a_saved_chain_of_it_is_the_same(tmp_path: Path, numbers: list[Number]) -> None:
    chain = Chain(StandardNormal(), Levels((0.0, 0.5)), kernel(3, numbers=numbers).float())
    chain.save(tmp_path)
    again = Chain.load(tmp_path)
    assert torch.equal(again.sample(5, seed=0), chain.eval().sample(5, seed=0))
    y = chain.sample(5, seed=1)
    assert torch.equal(again.bound(y).total, chain.bound(y).total)


@torch.no_grad()
def test_counted_values_cost_no_less_than_their_probability() -> None:
    """Three values whose masses are integrals of the density; in the middle one, where that is nearly flat, the bound is tight."""
    made = kernel(numbers=[Number(0, 2, step=1.0, mean=1.0, std=0.8)])
    n, grid = 4000, torch.linspace(-12, 12, 40_001).double()
    p = density(made, 0.4, grid, 0.0, 0.3) if not made.numbers else density(kernel(), 0.4, grid, 0.0, 0.3)
    masses = []
    for value, (low, high) in zip((-1, 0, 1), ((-99, -0.625), (-0.625, 0.625), (0.625, 99)), strict=True):
        y = torch.full((n, 1), value / 0.8).double()
        pair = Pair(torch.full((n, 1), 0.4).double(), 0.0, 0.3, y=y, z_s=y)
        mass = float(torch.trapezoid(p * ((grid >= low) & (grid < high)), grid))
        cost = made.explain(pair, Noise(0, 0, n)).terms["decoder"]
        assert float(cost.mean()) > -math.log(mass) - 5 * standard_error(cost)
        masses.append(mass)
    assert sum(masses) == pytest.approx(1, abs=1e-3)
    drawn = made.sample(Transition(torch.full((n, 1), 0.4).double(), 0.0, 0.3), Noise(1, 0, n))
    shares = [float(((drawn - value / 0.8).abs() < 1e-9).double().mean()) for value in (-1, 0, 1)]
    assert sum(shares) == pytest.approx(1)
    assert all(abs(share - mass) < 5 * math.sqrt(mass / n) for share, mass in zip(shares, masses, strict=True))


@torch.no_grad()
def test_what_is_absent_costs_its_probability_at_least() -> None:
    """The mass of "absent" by draws, since nothing else is told of such a row."""
    numbers, n = [Number(0, 1, step=1.0, shares=(0.4, 0.6)), Number(-9.0, 9.0, optional=True)], 4000
    torch.manual_seed(0)
    made = FlowKernel((2,), width=16, numbers=numbers).double().eval()  # fresh, so that its density is close to that of the noise
    y = made._numbers.forward(torch.tensor([[0.0, math.nan]], dtype=torch.float64)).expand(n, -1)  # type: ignore[union-attr]
    z = torch.full((n, 2), 0.4).double()
    cost = made.explain(Pair(z, 0.0, 0.3, y=y, z_s=y), Noise(0, 0, n)).terms["decoder"]
    drawn = made.sample(Transition(z, 0.0, 0.3), Noise(1, 0, n))
    absent = made._numbers.absent(drawn)[:, 1]  # type: ignore[union-attr]
    assert not drawn[absent, 1].any()
    mass = float(absent.double().mean())
    error = math.sqrt((1 - mass) / mass / n)  # of its logarithm
    assert 0.05 < mass < 0.95
    assert float(cost.mean()) > -math.log(mass) - 5 * (standard_error(cost) + error)
    weights = (-cost).exp()  # whose mean is the mass, but for what lies beyond the ends of the interval
    assert 0.9 * mass - 5 * standard_error(weights) < float(weights.mean()) < mass + 5 * (standard_error(weights) + error * mass)


def test_refuses_conditions_that_it_cannot_see() -> None:
    with pytest.raises(SaltusError, match="classes or vectors"):
        FlowKernel((2,), condition=ImageCondition((1, 4, 4)))
    with pytest.raises(SaltusError, match="leave them out"):
        Config(kernel="flow", architecture="mlp")


def test_its_likelihood_says_what_it_is() -> None:
    rows = DataSet.from_arrays(np.random.default_rng(0).normal(size=(300, 2)))
    chain = train(rows, Config(kernel="flow", levels=1, updates=2, prior="normal"), quiet=True)
    found = likelihood(chain, rows.test, rows.encoding)
    assert found is not None
    assert found.convention == "density in the units of the file, by a spline flow"

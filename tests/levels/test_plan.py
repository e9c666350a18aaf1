"""Planned grids: against all grids, planted structure, and kernels whose costs are known."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import combinations, pairwise

import pytest
import torch
from torch import Tensor

from saltus.errors import SaltusError
from saltus.levels import Levels, PairCosts, Plan
from saltus.oracles import GaussianMixture
from saltus.process import OrnsteinUhlenbeck
from tests.helpers.checks import assert_one_sentence

process = OrnsteinUhlenbeck()
ROUNDING = 1e-12  # a few thousand float64 roundings of numbers of order one
NAN = math.nan


def table(times: tuple[float, ...], cost: Callable[[float, float], float], prior: Callable[[float], float]) -> PairCosts:
    """The costs of all pairs of times by two functions."""
    nats = torch.full((len(times), len(times)), NAN, dtype=torch.float64)
    for (i, s), (j, t) in combinations(enumerate(times), 2):
        nats[i, j] = cost(s, t)
    return PairCosts(times, nats, torch.tensor([NAN, *map(prior, times[1:])], dtype=torch.float64))


def random_costs(n: int, seed: int) -> PairCosts:
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(n + 1, n + 1, generator=generator, dtype=torch.float64)
    nats = torch.full_like(numbers, NAN).where(torch.ones_like(numbers).tril() > 0, numbers)
    return PairCosts(tuple(float(t) for t in range(n + 1)), nats, torch.randn(n + 1, generator=generator, dtype=torch.float64))


def total(costs: PairCosts, grid: tuple[int, ...]) -> float:
    """The bound of a grid of indices."""
    return sum(float(costs.nats[i, j]) for i, j in pairwise(grid)) + float(costs.prior[grid[-1]])


def all_grids(costs: PairCosts, L: int) -> list[tuple[int, ...]]:
    return [(0, *rest) for rest in combinations(range(1, len(costs.times)), L)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("L", range(1, 8))
def test_no_grid_is_better(L: int, seed: int) -> None:
    costs = random_costs(7, seed)
    plan, grids = costs.plan(L), all_grids(costs, L)
    best = min(grids, key=lambda grid: total(costs, grid))
    assert plan.times == tuple(costs.times[i] for i in best)
    assert plan.total == pytest.approx(total(costs, best), abs=ROUNDING)
    assert plan.steps == tuple(float(costs.nats[i, j]) for i, j in pairwise(best))
    assert plan.prior == float(costs.prior[best[-1]])
    for last in range(L, 8):
        ending = min((grid for grid in grids if grid[-1] == last), key=lambda grid: total(costs, grid))
        assert costs.plan(L, last=float(last)).times == tuple(costs.times[i] for i in ending)


def test_levels_are_planned() -> None:
    costs = random_costs(7, 0)
    assert Levels.plan(costs, 3) == Levels(costs.plan(3).times)
    assert Levels.plan(costs, 3, last=5.0).last == 5
    assert Levels.plan(costs, 7) == Levels(costs.times)


def test_of_equal_grids_the_cleanest_is_taken() -> None:
    costs = table((0.0, 1.0, 2.0, 3.0, 4.0), lambda s, t: 1.0 + 0 * (t - s), lambda t: 2.0 + 0 * t)
    assert costs.plan(2) == Plan((0.0, 1.0, 2.0), (1.0, 1.0), 2.0)
    assert costs.plan(2, last=4.0).times == (0.0, 1.0, 4.0)


def test_a_planted_grid_is_found() -> None:
    planted = (0.0, 0.3, 1.1, 2.0)
    times = (0.0, 0.1, 0.3, 0.7, 1.1, 1.6, 2.0, 2.5)
    costs = table(times, lambda s, t: 1.0 if (s, t) in pairwise(planted) else 1.5 + (t - s), lambda t: 0.5 + 0.1 * t)
    assert costs.plan(3).times == planted
    assert costs.plan(3).total == pytest.approx(3.7)
    assert costs.plan(3, last=2.5).times != planted


def test_excess_is_what_a_stop_saves() -> None:
    costs = random_costs(4, 1)
    excess = costs.excess()
    assert excess.shape == (5, 5, 5)
    for s in range(5):
        for u in range(5):
            for t in range(5):
                found = float(excess[s, u, t])
                if s < u < t:
                    assert found == pytest.approx(float(costs.nats[s, t] - costs.nats[s, u] - costs.nats[u, t]), abs=ROUNDING)
                else:
                    assert math.isnan(found)


TIMES = (0.0, 0.02, 0.1, 0.4, 1.0, 2.5)


def gaussian_kernel(mean_squared_error: Callable[[float], float], factor: float = 1.0) -> Callable[[float, float], float]:
    """E KL(bridge || N(A z_t + B yhat, S + B^2 c)) where yhat has this error and c is `factor` times it; -E ln p at s = 0."""

    def cost(s: float, t: float) -> float:
        _, b, bridge = (float(c) for c in process.bridge_coefficients(s, t))
        error = mean_squared_error(t)
        step, actual = bridge + b**2 * factor * error, bridge + b**2 * error
        if s == 0:
            return 0.5 * (math.log(2 * math.pi * step) + actual / step)
        return 0.5 * (math.log(step / bridge) + actual / step - 1)

    return cost


def all_totals(costs: PairCosts) -> Tensor:
    return torch.tensor([total(costs, grid) for L in range(1, len(costs.times)) for grid in all_grids(costs, L)], dtype=torch.float64)


def test_every_grid_costs_a_gaussian_the_same() -> None:
    """For data N(0, v) the Gaussian kernel of the best variance is exact: each bound is the entropy of the data."""
    v = 0.6

    def error(t: float) -> float:
        noise = -math.expm1(-2 * t)
        return v * noise / (math.exp(-2 * t) * v + noise)

    def information(t: float) -> float:
        return 0.5 * math.log1p(math.exp(-2 * t) * v / -math.expm1(-2 * t))

    exact = table(TIMES, gaussian_kernel(error), information)
    entropy = torch.tensor(0.5 * math.log(2 * math.pi * math.e * v), dtype=torch.float64)
    assert torch.allclose(all_totals(exact), entropy, rtol=0, atol=ROUNDING)
    assert exact.excess().nan_to_num(0).abs().max() < ROUNDING
    wrong = table(TIMES, gaussian_kernel(error, 1.2), information)  # the twin: a variance that is a fifth too large
    assert all_totals(wrong).min() > entropy + 1e-3
    assert wrong.excess().nan_to_num(0).abs().max() > 1e-3


def test_exact_kernels_have_no_excess_and_gaussian_ones_have() -> None:
    """Two Gaussians on a line, by sums over an even grid, which are exact to rounding for smooth and vanishing functions."""
    oracle = GaussianMixture(torch.tensor([0.3, 0.7]), torch.tensor([[-1.0], [0.8]]), torch.tensor([[[0.05]], [[0.1]]]))
    axis = torch.linspace(-8, 8, 501, dtype=torch.float64)
    width, (z_s, z_t) = float(axis[1] - axis[0]), (x.reshape(-1, 1) for x in torch.meshgrid(axis, axis, indexing="ij"))

    def entropy(t: float) -> float:
        log_q = oracle.log_prob(axis[:, None], t)
        return -float((log_q.exp() * log_q).sum()) * width

    def information(t: float) -> float:
        return entropy(t) - 0.5 * math.log(2 * math.pi * math.e * float(process.sigma(t)) ** 2)

    def exact(s: float, t: float) -> float:
        """E KL(q(z_s | z_t, y) || q(z_s | z_t)): the entropy of the reverse kernel, less that of the bridge."""
        log_reverse = oracle.reverse(z_t, s, t).log_prob(z_s)
        uncertainty = -float(((log_reverse + oracle.log_prob(z_t, t)).exp() * log_reverse).sum()) * width**2
        bridge = float(process.bridge_coefficients(s, t)[2])
        return uncertainty - (0.5 * math.log(2 * math.pi * math.e * bridge) if s > 0 else 0)

    def error(t: float) -> float:
        z = axis[:, None]
        return float((oracle.log_prob(z, t).exp() * oracle.reverse(z, 0.0, t).variance[:, 0]).sum()) * width

    perfect, gaussian = table(TIMES, exact, information), table(TIMES, gaussian_kernel(error), information)
    quadrature = 1e-9  # what is left of the tails, and of the corners of ln q in the complex plane
    assert torch.allclose(all_totals(perfect), torch.tensor(entropy(0.0), dtype=torch.float64), rtol=0, atol=quadrature)
    assert perfect.excess().nan_to_num(0).abs().max() < quadrature
    assert gaussian.excess()[~gaussian.excess().isnan()].min() > 1e-4  # the twin: these kernels are not exact
    bounds = [gaussian.plan(L, last=TIMES[-1]).total for L in range(1, len(TIMES))]
    assert all(fewer > more for fewer, more in pairwise(bounds))
    assert bounds[-1] > entropy(0.0)


def test_written_down_and_read_again() -> None:
    costs = random_costs(4, 2)
    for error in (None, costs.nats.abs()):
        known = PairCosts(costs.times, costs.nats, costs.prior, error)
        again = PairCosts.from_dict(json.loads(json.dumps(known.as_dict(), allow_nan=False)))
        assert again.times == known.times
        for ours, theirs in [(again.nats, known.nats), (again.prior, known.prior)]:
            assert torch.equal(ours.nan_to_num(99), theirs.nan_to_num(99))
        assert (again.error is None) == (error is None)
        if again.error is not None and error is not None:
            assert torch.equal(again.error.nan_to_num(99), error.nan_to_num(99))
    infinite = PairCosts(costs.times, costs.nats, torch.cat([torch.tensor([math.inf]).double(), costs.prior[1:]]))
    assert PairCosts.from_dict(infinite.as_dict()).plan(2) == costs.plan(2)


GOOD = random_costs(3, 0)
T, C, P = GOOD.times, GOOD.nats, GOOD.prior


@pytest.mark.parametrize(
    ("call", "given"),
    [
        (lambda: PairCosts((0.0,), C, P), r"times \[0.0\]"),
        (lambda: PairCosts((0.1, 1.0, 2.0, 3.0), C, P), r"times \[0.1, 1.0, 2.0, 3.0\]"),
        (lambda: PairCosts((0.0, 2.0, 2.0, 3.0), C, P), r"times \[0.0, 2.0, 2.0, 3.0\]"),
        (lambda: PairCosts((0.0, 1.0, 2.0, math.inf), C, P), "inf"),
        (lambda: PairCosts((0.0, 1.0, 2.0, NAN), C, P), "nan"),
        (lambda: PairCosts(T, C, P[1:]), r"prior is float64 \(3,\)"),
        (lambda: PairCosts(T, C, P.float()), "prior is float32"),
        (lambda: PairCosts(T, C, P * NAN), "prior is .* with 0 finite numbers"),
        (lambda: PairCosts(T, C[1:], P), r"nats is float64 \(3, 4\)"),
        (lambda: PairCosts(T, C.float(), P), "nats is float32"),
        (lambda: PairCosts(T, C.T, P), r"expected float64 \(4, 4\), finite at \[i, j\] for i < j"),
        (lambda: PairCosts(T, C.nan_to_num(0), P), "with 16 finite numbers"),
        (lambda: PairCosts(T, C, P, C[:2]), r"error is float64 \(2, 4\)"),
        (lambda: PairCosts(T, C, P, -C.abs()), "error has -"),
        (lambda: GOOD.plan(4), "L = 4 steps; expected 1 to 3"),
        (lambda: GOOD.plan(0), "L = 0 steps"),
        (lambda: GOOD.plan(3, last=2.0), "L = 3 steps; expected 1 to 2"),
        (lambda: GOOD.plan(2, last=2.5), r"last = 2.5; expected one of the times \[1.0, 2.0, 3.0\]"),
        (lambda: Levels.plan(GOOD, 1, last=0.0), r"last = 0.0"),
        (lambda: PairCosts.from_dict({"times": [0, 1], "nats": [[None, 1.0], [None, None]]}), "no pair costs"),
        (lambda: PairCosts.from_dict({**GOOD.as_dict(), "nats": [[1.0], [2.0, 3.0]]}), "no pair costs"),
        (lambda: PairCosts.from_dict({**GOOD.as_dict(), "prior": ["one"]}), "no pair costs"),
    ],
)
def test_errors_say_what_was_given(call: Callable[[], object], given: str) -> None:
    with pytest.raises(SaltusError, match=given) as caught:
        call()
    assert_one_sentence(caught.value)

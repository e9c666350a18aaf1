"""How the plain decoder grows differences, against closed forms and automatic differentiation."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from saltus import GaussianMixture, Levels, Noise
from saltus.evaluation import decoder_path, exact_decoder_path, pair_growth, small_growth
from saltus.kernels import Transition

GRID = Levels.cosine(4, 8.0)


def noise(n: int, *shape: int) -> Tensor:
    return Noise(1, 0, n).normal("test", shape)


def test_a_step_that_scales_grows_every_difference_by_its_scale() -> None:
    factors = dict(zip(list(GRID)[1:], (2.0, 0.5, 3.0, 0.1), strict=True))

    def step(transition: Transition) -> Tensor:
        return factors[transition.t] * transition.z_t + 5

    path = decoder_path(step, GRID, noise(6, 3))
    assert pair_growth(path) == pytest.approx([2, 0.5, 3, 0.1])
    assert small_growth(step, GRID, path, seed=0) == pytest.approx([2, 0.5, 3, 0.1], rel=1e-4)


def test_the_optimum_for_gaussian_data_grows_differences_as_its_linear_map_does() -> None:
    variance = 4.0
    oracle = GaussianMixture(torch.ones(1), torch.zeros(1, 3), variance * torch.eye(3)[None])
    path = exact_decoder_path(oracle, GRID, 7, seed=0)
    times = GRID.times[1:]
    expected = (torch.exp(-times) * variance / (torch.exp(-2 * times) * variance - torch.expm1(-2 * times))).tolist()
    assert pair_growth(path) == pytest.approx(expected)
    assert small_growth(lambda at: oracle.posterior_mean(at.z_t, at.t), GRID, path, seed=0) == pytest.approx(expected, rel=1e-4)


def test_small_differences_are_carried_as_derivatives_are() -> None:
    """Automatic differentiation of a step that bends and mixes, against central differences."""
    mix = noise(4, 4)

    def step(at: Transition) -> Tensor:
        return torch.tanh(at.z_t @ mix * at.t) + at.s * at.z_t

    path = decoder_path(step, GRID, 3 * noise(5, 4))
    direction = Noise(2, 0, 5).normal("direction", (4,))
    expected: list[float] = []
    for (s, t), z in reversed(list(zip(GRID.pairs(), path[1:], strict=True))):
        carried = torch.autograd.functional.jvp(lambda x, s=s, t=t: step(Transition(x, s, t)), z, direction)[1]
        expected.insert(0, float(carried.norm() / direction.norm()))
        direction = carried
    assert small_growth(step, GRID, path, seed=2) == pytest.approx(expected, rel=1e-4)
    assert pair_growth(path) != pytest.approx(expected, rel=0.05)


def test_growth_of_what_is_lost_is_not_a_number() -> None:
    def forget(at: Transition) -> Tensor:
        return at.z_t if at.s > 0 and at.t < GRID.last else 0 * at.z_t

    path = decoder_path(forget, GRID, noise(3, 2))
    for growth in (pair_growth(path), small_growth(forget, GRID, path, seed=0)):
        assert growth[-1] == 0
        assert all(math.isnan(value) for value in growth[:-1])


def test_rounding_is_not_taken_for_a_difference() -> None:
    path = decoder_path(lambda at: at.z_t, GRID, noise(3, 2).float())
    with pytest.raises(ValueError, match="float32"):
        small_growth(lambda at: at.z_t, GRID, path, seed=0)

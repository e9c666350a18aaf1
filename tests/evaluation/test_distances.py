"""Distances between sets against closed forms, independent implementations and plain differences; each must see what is wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.stats import energy_distance as energy_by_scipy
from scipy.stats import wasserstein_distance

from saltus.evaluation import diversity, energy_distance, mean_distance, mean_pairwise_distance, sliced_wasserstein
from saltus.evaluation.distances import distance_blocks, random_directions, squared_wasserstein
from tests.helpers.checks import STANDARD_ERRORS
from tests.helpers.sets import distances, normal


def test_sliced_wasserstein_of_a_shift_is_the_shift_seen_from_a_random_direction() -> None:
    """W_2 of a set and its shift by m is |<direction, m>| in each direction: root mean square |m| / sqrt(d)."""
    d, x = 6, torch.randn(50, 2, 3, generator=torch.Generator().manual_seed(0))
    shift = torch.full((2, 3), 0.5)
    expected = float(shift.norm()) / math.sqrt(d)
    # <direction, m>^2 d / |m|^2 has variance 2 (d - 1) / (d + 2): the standard error over 1000 directions, halved by the root
    error = expected * math.sqrt(2 * (d - 1) / (d + 2) / 1000) / 2
    assert abs(sliced_wasserstein(x, x + shift) - expected) < 4 * error
    assert abs(sliced_wasserstein(x, x + 1.2 * shift) - expected) > 4 * error


def test_sliced_wasserstein_in_one_dimension_sorts() -> None:
    x, y = (torch.randn(40, 1, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    expected = (x.sort(0).values - y.sort(0).values).double().square().mean().sqrt()
    assert sliced_wasserstein(x, y) == pytest.approx(float(expected), rel=1e-6)
    assert sliced_wasserstein(x, x) == 0
    assert wasserstein_distance(x.flatten().numpy(), y.flatten().numpy()) <= sliced_wasserstein(x, y) + 1e-6  # W_1 <= W_2


@pytest.mark.parametrize("n", [1, 2, 9, 30])
def test_in_one_dimension_no_assignment_costs_less(n: int) -> None:
    """Between sets of equal size W_2 is the cheapest assignment of items to items."""
    x, y = normal(n, 1), 0.3 + 1.7 * normal(n, 1, seed=1)
    costs = distances(x, y) ** 2
    cheapest = costs[linear_sum_assignment(costs)].mean()
    assert squared_wasserstein(x.numpy().T, y.numpy().T) == pytest.approx([cheapest], rel=1e-12)
    opposite = (np.sort(x.numpy().T) - np.sort(y.numpy().T)[:, ::-1]) ** 2
    assert n == 1 or opposite.mean() > cheapest * (1 + 1e-6)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1), st.booleans())
def test_sets_of_unequal_size_are_replicated_to_their_common_multiple(n: int, m: int, seed: int, ties: bool) -> None:
    rng, common = np.random.default_rng(seed), math.lcm(n, m)
    x, y = (rng.integers(0, 3, (2, size)) / 1.0 if ties else rng.normal(size=(2, size)) for size in (n, m))
    replicated = [np.sort(np.repeat(values, common // values.shape[1], axis=1)) for values in (x, y)]
    expected = ((replicated[0] - replicated[1]) ** 2).mean(1)
    np.testing.assert_allclose(squared_wasserstein(x, y), expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(squared_wasserstein(y, x), expected, rtol=1e-12, atol=1e-15)


def test_sliced_wasserstein_is_the_mean_over_directions_of_the_cheapest_assignment() -> None:
    x, y = normal(7, 3), 0.5 + 2 * normal(5, 3, seed=1)
    directions = random_directions(3, seed=8)
    assert directions.shape == (1000, 3)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, rtol=1e-12)
    squares = []
    for direction in torch.from_numpy(directions[::50].copy()):
        a, b = (x @ direction)[:, None].repeat_interleave(5, 0), (y @ direction)[:, None].repeat_interleave(7, 0)
        costs = distances(a, b) ** 2
        squares.append(costs[linear_sum_assignment(costs)].mean())
    parts = squared_wasserstein(directions[::50] @ x.numpy().T, directions[::50] @ y.numpy().T)
    np.testing.assert_allclose(parts, squares, rtol=1e-9)
    whole = squared_wasserstein(directions @ x.numpy().T, directions @ y.numpy().T).mean()
    assert sliced_wasserstein(x, y, seed=8) == pytest.approx(math.sqrt(whole), rel=1e-12)
    assert sliced_wasserstein(x, y, seed=9) != pytest.approx(math.sqrt(whole), rel=1e-6)


def test_directions_are_uniform() -> None:
    """Of a uniform unit vector in d dimensions the entries have mean 0 and variance 1 / d, and are uncorrelated."""
    d = 5
    directions = random_directions(d, seed=0)
    assert np.abs(directions.mean(0)).max() < STANDARD_ERRORS / math.sqrt(1000 * d)
    moments = directions.T @ directions / 1000  # the variance of u_i u_j is 1 / d (d + 2), and that of u_i^2 is 2 (d - 1) / d^2 (d + 2)
    assert np.abs(moments - np.eye(d) / d).max() < STANDARD_ERRORS * math.sqrt(2 * (d - 1) / (d**2 * (d + 2)) / 1000)
    assert np.array_equal(directions, random_directions(d, seed=0))


def test_sliced_wasserstein_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        sliced_wasserstein(torch.zeros(4, 2), torch.zeros(4, 3))


def test_sliced_wasserstein_between_gaussians() -> None:
    """N(0, I) and N(m, s^2 I): in direction u, W_2^2 = <u, m>^2 + (s - 1)^2, and the mean of <u, m>^2 is |m|^2 / d."""
    d, n, scale, shift = 4, 1500, 1.5, 0.8
    x, y = normal(n, d), shift + scale * normal(n, d, seed=1)
    expected = math.sqrt(shift**2 + (scale - 1) ** 2)
    assert sliced_wasserstein(x, y) == pytest.approx(expected, rel=0.05)
    assert sliced_wasserstein(x, 1.1 * y) != pytest.approx(expected, rel=0.05)


def test_diversity_is_one_for_a_copy_and_zero_for_one_image() -> None:
    real = torch.randn(30, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    assert diversity(real, real) == 1
    assert diversity(real[:1].expand(30, -1, -1, -1), real) == 0
    assert mean_pairwise_distance(torch.tensor([[0.0], [3.0], [6.0]])) == pytest.approx((3 + 3 + 6) / 3)


def test_distances_are_those_of_plain_differences_in_blocks_of_any_size() -> None:
    x, y = 100 + normal(23, 2, 3), 100 + normal(17, 2, 3, seed=1)
    for rows in (1, 5, 23, 1000):
        np.testing.assert_allclose(torch.cat(list(distance_blocks(x, y, rows=rows))).numpy(), distances(x, y), rtol=1e-9)
    assert mean_distance(x, y) == pytest.approx(distances(x, y).mean(), rel=1e-12)
    assert not torch.cat(list(distance_blocks(x, x))).diagonal().any()


def test_the_mean_pairwise_distance_is_over_different_items() -> None:
    x = normal(1203, 3).float()  # more than a block
    expected = distances(x, x)[np.triu_indices(len(x), 1)].mean()
    assert mean_pairwise_distance(x) == pytest.approx(expected, rel=1e-9)


def test_the_energy_distance_in_one_dimension_is_scipys() -> None:
    """scipy's is the root of half of it, and counts an item's distance 0 to itself."""
    x, y = normal(40, 1), 0.5 + 2 * normal(60, 1, seed=1)
    with_itself = energy_distance(x, y) + mean_pairwise_distance(x) / 40 + mean_pairwise_distance(y) / 60
    assert with_itself == pytest.approx(energy_by_scipy(x.flatten().numpy(), y.flatten().numpy()) ** 2, rel=1e-9)
    known = (mean_pairwise_distance(x), mean_pairwise_distance(y))
    assert energy_distance(x, y, within=known) == energy_distance(x, y)


def test_the_energy_distance_has_no_bias() -> None:
    values = torch.tensor([energy_distance(normal(20, 4, seed=2 * i), normal(30, 4, seed=2 * i + 1)) for i in range(100)])
    error = float(values.std()) / 10
    assert abs(float(values.mean())) < 5 * error
    biased = values + mean_pairwise_distance(normal(20, 4)) / 20  # with an item's distance to itself
    assert abs(float(biased.mean())) > 5 * error

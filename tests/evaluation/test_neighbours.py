"""Figures from nearest neighbours against plain loops; each must also see what is wrong."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu

from saltus.evaluation import fidelity, memorisation, nearest_distances, neighbour_radii
from tests.helpers.sets import distances, normal


def by_loops(x: np.ndarray, real: np.ndarray, k: int) -> tuple[float, float, float, float]:
    def radius(points: np.ndarray, i: int) -> float:
        return sorted(float(np.linalg.norm(points[i] - points[j])) for j in range(len(points)) if j != i)[k - 1]

    def inside(point: np.ndarray, points: np.ndarray, i: int) -> bool:
        return float(np.linalg.norm(point - points[i])) <= radius(points, i)

    balls = [[inside(point, real, i) for i in range(len(real))] for point in x]
    recalled = [any(inside(point, x, i) for i in range(len(x))) for point in real]
    precision = sum(any(row) for row in balls) / len(x)
    density = sum(sum(row) for row in balls) / (k * len(x))
    coverage = sum(any(row[i] for row in balls) for i in range(len(real))) / len(real)
    return precision, sum(recalled) / len(real), density, coverage


@pytest.mark.parametrize("k", [1, 3, 5])
def test_fidelity_is_that_of_plain_loops(k: int) -> None:
    x, real = 0.7 * normal(21, 2) + 0.8, normal(17, 2, seed=1)
    found = fidelity(x, real, k=k)
    assert (found.precision, found.recall, found.density, found.coverage) == pytest.approx(by_loops(x.numpy(), real.numpy(), k))
    assert all(0 < value < 2 for value in astuple(found))


def test_fidelity_goes_on_over_blocks() -> None:
    x, real = normal(1100, 3), normal(900, 3, seed=1)
    inside = distances(x, real) <= neighbour_radii(real).numpy()
    found = fidelity(x, real)
    assert found.precision == pytest.approx(inside.any(1).mean())
    assert found.coverage == pytest.approx(inside.any(0).mean())
    recalled = distances(x, real) <= neighbour_radii(x).numpy()[:, None]
    assert found.recall == pytest.approx(recalled.any(0).mean())
    assert found.density == pytest.approx(1, abs=0.15)


def test_fidelity_of_collapsed_samples_and_of_copies() -> None:
    real = normal(60, 3)
    one = fidelity(real[:1].expand(40, -1), real)
    assert one.precision == 1
    assert one.recall == pytest.approx(1 / 60)
    assert one.coverage < 0.5
    assert fidelity(real, real).coverage == 1
    assert fidelity(real + 100, real) == fidelity(real - 100, real)
    assert fidelity(real + 100, real).density == 0
    with pytest.raises(ValueError, match="5 items have no 5 neighbours"):
        neighbour_radii(real[:5])


def test_nearest_distances_are_those_of_plain_differences() -> None:
    train, x = (50 + normal(900, 4)).float(), (50 + normal(1100, 4, seed=1)).float()
    x[:7] = train[100:107]
    found = nearest_distances(x, train)
    np.testing.assert_allclose(found.numpy(), distances(x, train).min(1), rtol=1e-9)
    assert not found[:7].any()
    np.testing.assert_allclose(nearest_distances(x[3:20], train).numpy(), found[3:20].numpy(), rtol=1e-12)
    assert nearest_distances(x, train[:3]).shape == (1100,)


def test_memorisation_is_half_for_new_items_and_one_for_copies() -> None:
    train, held_out = normal(300, 5), nearest_distances(normal(400, 5, seed=1), normal(300, 5))
    fresh = nearest_distances(normal(500, 5, seed=2), train)
    found = memorisation(fresh, held_out, dimensions=5)
    statistic = mannwhitneyu(held_out.numpy(), fresh.numpy()).statistic / (400 * 500)
    assert found.probability == pytest.approx(statistic)
    assert found.probability == pytest.approx(0.5, abs=5 * math.sqrt((400 + 500) / (12 * 400 * 500)))
    assert found.ratio == pytest.approx(1, abs=0.15)
    assert found.copies == 0
    copies = memorisation(nearest_distances(train[:50] + 1e-7, train), held_out, dimensions=5)
    assert copies.probability == 1
    assert copies.ratio < 1e-5
    assert copies.copies == 1
    half = memorisation(nearest_distances(torch.cat([train[:50], normal(50, 5, seed=3)]), train), held_out, dimensions=5)
    assert half.copies == 0.5
    assert half.probability == pytest.approx(0.75, abs=0.1)
    assert memorisation(fresh, held_out * 0, dimensions=5).probability == 0
    assert math.isnan(memorisation(fresh, held_out * 0, dimensions=5).ratio)


def test_radii_are_distances_to_other_items_even_between_copies() -> None:
    x = torch.cat([normal(30, 4)] * 2).float() + 1000
    assert not neighbour_radii(x, k=1).any()
    own = distances(x, x)
    own.sort(axis=1)
    np.testing.assert_allclose(neighbour_radii(x, k=3).numpy(), own[:, 3], rtol=1e-9)
    assert neighbour_radii(x, k=3).min() > 0


@pytest.mark.parametrize("far", [0.0, 1e3, 1e5])
def test_copies_have_distance_zero_however_far_they_are_from_the_origin(far: float) -> None:
    train = (far + normal(300, 6)).float()
    x = torch.cat([train[:20], train[20:40] + 0.5])
    found = nearest_distances(x, train)
    assert not found[:20].any()
    assert found[20:].min() > 0
    assert memorisation(found, found[20:], dimensions=6).copies == 0.5

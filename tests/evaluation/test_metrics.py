"""Metrics against closed forms, independent implementations and plain loops; each must also see what is wrong."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
import torch
from scipy import linalg
from scipy.stats import energy_distance as energy_by_scipy
from scipy.stats import mannwhitneyu
from torch import Tensor, nn

from saltus.errors import SaltusError
from saltus.evaluation import (
    energy_distance,
    fidelity,
    frechet_distance,
    kernel_distance,
    mean_distance,
    mean_pairwise_distance,
    memorisation,
    nearest_distances,
    neighbour_radii,
    sliced_wasserstein,
    two_sample_accuracy,
    vendi_score,
)
from saltus.evaluation.distances import distance_blocks
from saltus.evaluation.inception import inception_features, inception_network


def normal(n: int, *shape: int, seed: int = 0) -> Tensor:
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def distances(x: Tensor, y: Tensor) -> np.ndarray:
    """By plain differences."""
    a, b = x.flatten(1).double().numpy(), y.flatten(1).double().numpy()
    return np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))


# ---------------------------------------------------------------------------------------------- data space


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


def test_sliced_wasserstein_between_gaussians() -> None:
    """N(0, I) and N(m, s^2 I): in direction u, W_2^2 = <u, m>^2 + (s - 1)^2, and the mean of <u, m>^2 is |m|^2 / d."""
    d, n, scale, shift = 4, 1500, 1.5, 0.8
    x, y = normal(n, d), shift + scale * normal(n, d, seed=1)
    expected = math.sqrt(shift**2 + (scale - 1) ** 2)
    assert sliced_wasserstein(x, y) == pytest.approx(expected, rel=0.05)
    assert sliced_wasserstein(x, 1.1 * y) != pytest.approx(expected, rel=0.05)


# ---------------------------------------------------------------------------------------------- features


def test_the_frechet_distance_is_that_of_the_sample_moments() -> None:
    x, y = normal(300, 5) @ normal(5, 5, seed=1), 0.3 + normal(200, 5, seed=2)
    a, b = x.numpy(), y.numpy()
    root = linalg.sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(x.float(), y.float()) == pytest.approx(expected, rel=1e-5)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-5)


def test_the_frechet_distance_between_gaussians() -> None:
    """N(0, I) and N(m, s^2 I): |m|^2 + d (s - 1)^2, seen through a linear map that turns, which changes nothing."""
    d, n, scale = 3, 50_000, 1.4
    shift = torch.tensor([0.5, -1.0, 0.2], dtype=torch.float64)
    turn = torch.linalg.qr(normal(d, d, seed=3)).Q
    x, y = normal(n, d) @ turn, (shift + scale * normal(n, d, seed=1)) @ turn
    expected = float(shift.square().sum()) + d * (scale - 1) ** 2
    assert frechet_distance(x, y) == pytest.approx(expected, rel=0.03)
    assert frechet_distance(1.1 * x, y) != pytest.approx(expected, rel=0.03)


def test_the_kernel_distance_is_the_direct_double_sum() -> None:
    x, y = normal(30, 6), 0.4 + normal(30, 6, seed=1)

    def kernel(a: Tensor, b: Tensor) -> float:
        return (float(a @ b) / 6 + 1) ** 3

    n = range(30)
    within = sum(kernel(s[i], s[j]) for s in (x, y) for i in n for j in n if i != j) / (30 * 29)
    expected = within - 2 * sum(kernel(a, b) for a in x for b in y) / 900
    assert kernel_distance(x, y) == pytest.approx(expected, rel=1e-9)


def test_the_kernel_distance_leaves_torchs_random_numbers_alone() -> None:
    x, y = normal(120, 3), normal(100, 3, seed=1)  # subsets have 100
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = kernel_distance(x, y, seed=1)
    assert torch.equal(torch.rand(3), expected)
    assert kernel_distance(x, y, seed=1) == first
    assert kernel_distance(x, y, seed=2) != first
    assert abs(first) < 0.5 < kernel_distance(x + 1, y)


def test_the_vendi_score_is_that_of_the_matrix_of_cosines() -> None:
    x = normal(40, 7)
    rows = x.numpy() / np.linalg.norm(x.numpy(), axis=1, keepdims=True)
    shares = np.linalg.eigvalsh(rows @ rows.T / 40)
    shares = shares[shares > 1e-12]
    assert vendi_score(x) == pytest.approx(math.exp(-(shares * np.log(shares)).sum()), rel=1e-9)
    assert vendi_score(torch.eye(7).repeat(5, 1)) == pytest.approx(7)
    assert vendi_score(torch.ones(5, 7)) == pytest.approx(1)


# ---------------------------------------------------------------------------------------------- neighbours


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


def test_memorisation_is_half_for_fresh_draws_and_one_for_copies() -> None:
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


# ---------------------------------------------------------------------------------------------- two samples


def test_the_two_sample_test_cannot_tell_equal_laws_and_tells_others() -> None:
    x, real = normal(150, 2, 3), normal(120, 2, 3, seed=1)
    error = 0.5 / math.sqrt(240)
    found = two_sample_accuracy(x, real)
    assert abs(found - 0.5) < 5 * error
    assert two_sample_accuracy(x, real) == found
    assert two_sample_accuracy(x + 5, real) > 0.99
    assert two_sample_accuracy(x, real[:15]) < 0.8  # a judge who always said "sample" would be right in 10 of 11 cases
    with pytest.raises(ValueError, match="150 samples and 4 real items"):
        two_sample_accuracy(x, real[:4])


def test_the_two_sample_test_sees_what_no_single_dimension_tells() -> None:
    real = normal(300, 2)
    turned = real @ torch.tensor([[1.0, 0.95], [0.0, math.sqrt(1 - 0.95**2)]], dtype=torch.float64)
    assert two_sample_accuracy(turned, normal(300, 2, seed=1)) > 0.65


# ---------------------------------------------------------------------------------------------- Inception


class StandIn(nn.Module):
    """Means of the pixels of each channel, and a note of what came in."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, pixels: Tensor) -> Tensor:
        self.seen.append(pixels)
        return pixels.float().mean((2, 3))


@pytest.mark.parametrize(("channels", "used"), [(1, [0, 0, 0]), (2, [0, 0, 0]), (3, [0, 1, 2]), (4, [0, 1, 2])])
def test_inception_sees_bytes_in_three_colours(channels: int, used: list[int]) -> None:
    y = torch.linspace(-1, 1, channels)[:, None, None].expand(70, channels, 8, 9).clone()
    y[:, :, 0, 0] = 7  # what no picture shows
    network = StandIn()
    found = inception_features(y, network, shown=(-1, 1))
    assert found.dtype == torch.float64
    assert found.shape == (70, 3)
    seen = torch.cat(network.seen)
    assert seen.dtype == torch.uint8
    assert seen.shape == (70, 3, 8, 9)
    assert (seen[:, :, 0, 0] == 255).all()
    expected = ((y[0, used, 1, 1] + 1) * 127.5).round()
    assert torch.equal(seen[5, :, 1, 1].float(), expected)


def test_inception_that_cannot_be_had_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import torchmetrics.image.fid as fid

    monkeypatch.setattr(fid, "_TORCH_FIDELITY_AVAILABLE", False)
    with pytest.raises(SaltusError, match="pip install torch-fidelity"):
        inception_network()

    def unreachable(**_: object) -> None:
        raise OSError("the name could not be resolved.\nmore")

    monkeypatch.setattr(fid, "FrechetInceptionDistance", unreachable)
    with pytest.raises(SaltusError, match=r"\(the name could not be resolved\); connect"):
        inception_network()

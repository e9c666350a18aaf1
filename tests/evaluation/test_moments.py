"""The moments of features against closed forms and plain sums; each must also see what is wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import linalg
from torch import Tensor

from saltus.evaluation import frechet_distance, kernel_distance, vendi_score
from tests.helpers.sets import normal


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

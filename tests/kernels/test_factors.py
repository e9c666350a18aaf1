"""A Gaussian of which any numbers are known, against what linear algebra says of its whole covariance."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from saltus.kernels.factors import FactorAnalysis, Given

E, RANK, N = 6, 3, 40


@pytest.fixture
def gaussian() -> FactorAnalysis:
    generator = torch.Generator().manual_seed(0)
    made = FactorAnalysis(E, RANK).double()
    made.mean.copy_(torch.randn(E, generator=generator))
    made.factors.copy_(torch.randn(E, RANK, generator=generator))
    made.variances.copy_(torch.rand(E, generator=generator) + 0.05)
    return made


@pytest.fixture
def rows() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(N, E, generator=generator, dtype=torch.float64), torch.rand(N, E, generator=generator) < 0.5


def by_the_covariance(made: FactorAnalysis, y: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each number of one row given its known ones, by the inverse of their covariance."""
    whole = made.factors @ made.factors.T + made.variances.diag()
    weights = whole[:, known] @ torch.linalg.inv(whole[known][:, known])
    mean = made.mean + weights @ (y - made.mean)[known]
    return mean, (whole - weights @ whole[known]).diagonal().clamp_min(0).sqrt()


def one_by_one(made: FactorAnalysis, y: Tensor, known: Tensor) -> Given:
    given = made.begin(len(y))
    for j in range(E):
        given = made.told_of(given, j, y[:, j], known[:, j])
    return given


def test_moments_are_those_of_the_conditional_gaussian(gaussian: FactorAnalysis, rows: tuple[Tensor, Tensor]) -> None:
    y, known = rows
    mean, std = gaussian.moments(gaussian.told(y, known))
    for row in range(N):
        truth = by_the_covariance(gaussian, y[row], known[row])
        left = ~known[row]
        assert torch.allclose(mean[row, left], truth[0][left], atol=1e-10)
        assert torch.allclose(std[row, left], truth[1][left], atol=1e-10)


def test_numbers_told_one_by_one_tell_the_same_as_all_at_once(gaussian: FactorAnalysis, rows: tuple[Tensor, Tensor]) -> None:
    y, known = rows
    at_once, given = gaussian.told(y, known), one_by_one(gaussian, y, known)
    assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(at_once, given, strict=True))
    for j in range(E):
        each = gaussian.moments_of(given, j)
        assert all(torch.allclose(a, b[:, j], atol=1e-10) for a, b in zip(each, gaussian.moments(given), strict=True))


def test_what_is_forgotten_was_never_told(gaussian: FactorAnalysis, rows: tuple[Tensor, Tensor]) -> None:
    y, known = rows
    given = gaussian.told(y, known)
    without = known.clone()
    without[:, 2] = False
    found = gaussian.told_of(given, 2, y[:, 2], known[:, 2], forget=True)
    assert all(torch.allclose(a, b, atol=1e-9) for a, b in zip(found, gaussian.told(y, without), strict=True))
    assert not torch.allclose(given.mean, found.mean, atol=1e-3)


def test_what_is_not_known_is_not_looked_at(gaussian: FactorAnalysis, rows: tuple[Tensor, Tensor]) -> None:
    y, known = rows
    other = torch.where(known, y, torch.nan)
    for tell in (FactorAnalysis.told, one_by_one):
        assert all(torch.equal(a, b) for a, b in zip(tell(gaussian, y, known), tell(gaussian, other, known), strict=True))


def test_a_fit_has_the_covariance_of_rows_that_are_like_it(gaussian: FactorAnalysis) -> None:
    n = 200_000
    generator = torch.Generator().manual_seed(2)
    normal = torch.randn(n, RANK + E, generator=generator, dtype=torch.float64)
    y = gaussian.mean + normal[:, :RANK] @ gaussian.factors.T + normal[:, RANK:] * gaussian.variances.sqrt()
    made = FactorAnalysis(E, RANK).double()
    made.fit(y)
    truth = gaussian.factors @ gaussian.factors.T + gaussian.variances.diag()
    found = made.factors @ made.factors.T + made.variances.diag()
    deviations = truth.diagonal().sqrt()
    error = ((found - truth) / deviations / deviations[:, None]).abs().max()
    assert float(error) < 5 / 5_000**0.5  # rows that it looks at; a covariance of unit variances has at most sqrt(2) of that
    assert float((made.factors @ made.factors.T - truth).abs().max()) > 10 * float(error)  # without v it is another


def test_the_same_rows_give_the_same_fit() -> None:
    y = torch.randn(30_000, E, generator=torch.Generator().manual_seed(3))
    one, other = FactorAnalysis(E, RANK), FactorAnalysis(E, RANK)
    one.fit(y)
    torch.rand(1)
    other.fit(y)
    assert torch.equal(one.factors, other.factors)


def test_a_fresh_one_is_the_standard_normal(rows: tuple[Tensor, Tensor]) -> None:
    y, known = rows
    for rank in (1, RANK):
        made = FactorAnalysis(E, rank).double()
        mean, std = made.moments(made.told(y, known))
        assert torch.equal(mean, torch.zeros_like(mean))
        assert torch.equal(std, torch.ones_like(std))

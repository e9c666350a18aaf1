"""Masses of intervals: against scipy, against an integral where they are narrow or far out, and halved in their middle."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import Tensor

from saltus.likelihoods.normal import log_interval_mass, middle, standard


def number(x: float) -> Tensor:
    return torch.tensor([x], dtype=torch.float64)


@pytest.mark.parametrize(("below", "above"), [(-1.0, 0.5), (2.0, 2.3), (-np.inf, -1.0), (1.5, np.inf), (-0.1, 8.0), (-np.inf, np.inf)])
def test_wide_intervals_against_scipy(below: float, above: float) -> None:
    distribution = stats.norm()
    expected = distribution.cdf(above) - distribution.cdf(below) if below < 0 else distribution.sf(below) - distribution.sf(above)
    assert float(log_interval_mass(number(below), number(above))) == pytest.approx(math.log(expected), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("width", [1e-7, 9e-5, 1.1e-4, 0.02])
@pytest.mark.parametrize("centre", [-30.0, -1.0, 0.0, 2.0, 60.0])
def test_narrow_and_far_intervals_against_an_integral(width: float, centre: float) -> None:
    """The integrand is scaled to be 1 in the middle."""
    scaled, _ = integrate.quad(lambda u: math.exp(-centre * u - u**2 / 2), -width / 2, width / 2, epsrel=1e-13)
    expected = -(centre**2) / 2 - math.log(2 * math.pi) / 2 + math.log(scaled)
    found = float(log_interval_mass(number(centre - width / 2), number(centre + width / 2)))
    assert found == pytest.approx(expected, abs=2e-6)
    assert abs(found - expected - math.log(1.001)) > 2e-6  # the twin


def test_the_middle_halves_the_mass() -> None:
    below, above = (torch.tensor(ends, dtype=torch.float64) for ends in ([-1.0, -np.inf, 1.0, 3.0, 0.1], [2.0, 0.3, np.inf, 3.01, 0.10001]))
    half = middle(below, above)
    assert torch.allclose(log_interval_mass(below, half), log_interval_mass(half, above), atol=1e-6)
    for far in (50.0, -50.0):  # where nothing of the mass is left
        found = float(middle(number(far), number(far + 1)))
        assert far <= found <= far + 1


def test_borders_that_are_infinite_have_gradients_of_the_other_end_alone() -> None:
    mean, std = (
        torch.tensor([0.3, 0.3], dtype=torch.float64).requires_grad_(),
        torch.tensor([0.5, 0.5], dtype=torch.float64).requires_grad_(),
    )
    ends = torch.tensor([-torch.inf, 0.1], dtype=torch.float64), torch.tensor([0.2, torch.inf], dtype=torch.float64)
    log_interval_mass(*(standard(end, mean, std) for end in ends)).sum().backward()
    assert mean.grad is not None
    assert std.grad is not None
    distribution = torch.distributions.Normal(0.0, 1.0)
    for i, (end, sign) in enumerate(((0.2, -1), (0.1, 1))):
        z = number((end - 0.3) / 0.5)
        hazard = sign * distribution.log_prob(z).exp() / 0.5 / distribution.cdf(-sign * z)
        assert float(mean.grad[i]) == pytest.approx(float(hazard))
        assert float(std.grad[i]) == pytest.approx(float(hazard * z))

"""Axes are bent for long tails, so that a Gaussian pays about the entropy, and for no others."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats

from saltus.data.bending import bend
from saltus.likelihoods import GaussianHead, Number, Numbers

N = 4000
LONG: dict[str, tuple[Callable[[np.random.Generator], np.ndarray], float]] = {
    "lognormal": (lambda rng: rng.lognormal(0, 2.5, N), stats.lognorm(2.5).entropy()),
    "its mirror": (lambda rng: 7 - rng.lognormal(0, 2.5, N), stats.lognorm(2.5).entropy()),
    "huge": (lambda rng: 1e6 * rng.lognormal(0, 1.5, N), stats.lognorm(1.5, scale=1e6).entropy()),
    "exponential": (lambda rng: rng.exponential(size=N), 1.0),
    "Cauchy": (lambda rng: rng.standard_cauchy(N), math.log(4 * math.pi)),
    "Pareto": (lambda rng: 1000 * (1 + rng.pareto(1.5, N)), stats.pareto(1.5, scale=1000).entropy()),
}
SHORT: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "Gaussian": lambda rng: rng.normal(3, 0.2, N),
    "uniform": lambda rng: rng.random(N),
    "two peaks": lambda rng: rng.normal(size=N) * 0.2 + rng.choice([-2, 2], N),
    "few": lambda rng: rng.lognormal(0, 2.5, 30),
}


def nats(x: np.ndarray, centre: float, scale: float) -> float:
    """What a Gaussian pays for each number, in the units of the file."""
    u = Numbers([Number(x.min(), x.max(), centre=centre, bend=scale)]).forward(torch.from_numpy(x)[:, None])
    numbers = Numbers([Number(x.min(), x.max(), centre=centre, bend=scale, mean=float(u.mean()), std=float(u.std()))])
    y = numbers.forward(torch.from_numpy(x)[:, None])
    return float((numbers.log_jacobian(y) - GaussianHead(1.0).log_density(y, torch.zeros_like(y), torch.ones_like(y))).mean())


@pytest.mark.parametrize("case", LONG)
def test_long_tails_are_bent_until_a_gaussian_pays_about_the_entropy(case: str) -> None:
    draw, entropy = LONG[case]
    x = draw(np.random.default_rng(0))
    centre, scale = bend(x, Number(x.min(), x.max()))
    assert math.isfinite(scale)
    fresh = draw(np.random.default_rng(1))
    assert nats(fresh, centre, scale) < entropy + 0.2
    assert nats(fresh, 0.0, math.inf) > nats(fresh, centre, scale) + 0.2  # the twin


@pytest.mark.parametrize("case", SHORT)
def test_others_stay_straight(case: str) -> None:
    x = SHORT[case](np.random.default_rng(0))
    assert bend(x, Number(x.min(), x.max())) == (x.min(), math.inf)


def test_counted_values_are_bent_where_they_are_many() -> None:
    """A few small counts are not, though they are skewed: no density is to be won on their ties."""
    rng = np.random.default_rng(0)
    many, few = np.floor(rng.lognormal(2, 1.5, N)), rng.poisson(0.7, N).astype(float)
    assert math.isfinite(bend(many, Number(0, many.max(), step=1.0))[1])
    assert bend(few, Number(0, few.max(), step=1.0)) == (0, math.inf)

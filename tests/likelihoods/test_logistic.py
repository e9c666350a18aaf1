"""The mixture of discretised logistics: masses sum to 1, draws match them, and noise makes what it was found for."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from saltus.likelihoods import LogisticMixtureHead

BINS = 5


def given(head: LogisticMixtureHead, n: int, seed: int = 0, size: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """A mean, a variance and a network's arrays, for n images."""
    generator = torch.Generator().manual_seed(seed)
    shape = (head.channels, size, size)
    mean = torch.rand(1, *shape, generator=generator, dtype=torch.float64) * 2 - 1
    variance = torch.rand(1, *shape, generator=generator, dtype=torch.float64) + 0.05
    extra = torch.randn(1, head.arrays, *shape, generator=generator, dtype=torch.float64)
    return tuple(x.expand(n, *x.shape[1:]) for x in (mean, variance, extra))  # type: ignore[return-value]


def every_value(head: LogisticMixtureHead) -> Tensor:
    values = torch.linspace(head.low, head.high, head.bins, dtype=torch.float64).tolist()
    return torch.tensor(list(itertools.product(values, repeat=head.channels)), dtype=torch.float64)[:, :, None, None]


@pytest.mark.parametrize(("channels", "components"), [(1, 1), (1, 4), (2, 2), (3, 3)])
def test_masses_sum_to_one(channels: int, components: int) -> None:
    head = LogisticMixtureHead(BINS, channels, components=components)
    y = every_value(head)
    for seed in range(5):
        mass = head.log_prob(y, *given(head, len(y), seed)).exp()
        assert float(mass.sum()) == pytest.approx(1, abs=1e-12)
        assert float(mass.min()) >= 0


@pytest.mark.parametrize("channels", [1, 3])
def test_draws_match_masses(channels: int) -> None:
    head, n = LogisticMixtureHead(BINS, channels, components=3), 200_000
    mean, variance, extra = given(head, n)
    eps = torch.randn(mean.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    drawn, y = head.sample(mean, variance, eps, extra), every_value(head)
    mass = head.log_prob(y, *given(head, len(y))).exp()
    place = (((drawn - head.low) / head.width).round().long().flatten(1) * torch.tensor([BINS**c for c in reversed(range(channels))])).sum(
        1
    )
    share = torch.bincount(place, minlength=len(y)) / n
    error = (mass * (1 - mass) / n).sqrt()
    assert bool(((share - mass).abs() <= 5 * error + 1e-12).all())
    other = head.log_prob(y, *given(head, len(y), seed=1)).exp()  # the twin that must fail
    assert not bool(((share - other).abs() <= 5 * error + 1e-12).all())


@pytest.mark.parametrize("channels", [1, 3])
def test_the_density_is_that_of_logistics_in_sequence(channels: int) -> None:
    """By hand, for one component: products of differences of logistic functions."""
    head = LogisticMixtureHead(BINS, channels, components=1)
    y = every_value(head)
    mean, variance, extra = given(head, len(y))
    offset, scale = extra[:, 1, :, 0, 0], variance[:, :, 0, 0].sqrt() * 3**0.5 / torch.pi * extra[:, 2, :, 0, 0].exp()
    k = extra[:, 3, :, 0, 0] if channels == 3 else None
    expected, v, m = torch.zeros(len(y), dtype=torch.float64), y[:, :, 0, 0], mean[:, :, 0, 0]
    for c in range(channels):
        centre = m[:, c] + variance[:, c, 0, 0].sqrt() * offset[:, c]
        if k is not None and c == 1:
            centre = centre + k[:, 0] * (v[:, 0] - m[:, 0])
        if k is not None and c == 2:
            centre = centre + k[:, 1] * (v[:, 0] - m[:, 0]) + k[:, 2] * (v[:, 1] - m[:, 1])
        above = torch.sigmoid((v[:, c] + head.width / 2 - centre) / scale[:, c]).where(v[:, c] < 1, 1)
        below = torch.sigmoid((v[:, c] - head.width / 2 - centre) / scale[:, c]).where(v[:, c] > -1, 0)
        expected += (above - below).log()
    assert torch.allclose(head.log_prob(y, mean, variance, extra), expected, atol=1e-10)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_noise_makes_what_it_was_found_for(channels: int, dtype: torch.dtype) -> None:
    head = LogisticMixtureHead(256, channels, components=5)
    mean, variance, extra = (x.to(dtype) for x in given(head, 8, size=12))
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    y = head.sample(mean, variance / 50, noise, extra)
    assert torch.equal(head.sample(mean, variance / 50, head.eps(y, mean, variance / 50, extra), extra), y)


def test_masses_far_away_are_finite_with_a_slope() -> None:
    head = LogisticMixtureHead(256, 3)
    mean = torch.full((1, 3, 1, 1), 3.0, requires_grad=True)
    log_prob = head.log_prob(-torch.ones(1, 3, 1, 1), mean, torch.full((1, 3, 1, 1), 1e-9))
    log_prob.sum().backward()
    assert bool(log_prob.isfinite().all())
    assert mean.grad is not None
    assert bool((mean.grad.isfinite() & (mean.grad < 0)).all())


def test_mode_is_a_likely_value() -> None:
    head = LogisticMixtureHead(BINS, 1, components=2)
    mean, variance, extra = given(head, 1)
    y = every_value(head)
    masses = head.log_prob(y, *given(head, len(y)))
    mode = head.mode(mean, variance, extra)
    assert float(masses[(y == mode).flatten()]) >= float(masses.median())


def test_refuses_what_it_cannot_be() -> None:
    with pytest.raises(ValueError, match="1 to 3"):
        LogisticMixtureHead(256, 4)
    with pytest.raises(ValueError, match="bins"):
        LogisticMixtureHead(3, 1).check(torch.full((1, 1, 2, 2), 0.4))

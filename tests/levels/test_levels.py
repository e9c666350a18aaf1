"""Grids of times: every factory against its definition."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from saltus.errors import SaltusError
from saltus.levels import Levels
from saltus.process import OrnsteinUhlenbeck
from saltus.registry import build, describe
from tests.helpers.checks import assert_one_sentence

process = OrnsteinUhlenbeck()
ROUNDING = 1e-12  # a few thousand float64 roundings


def test_constant_alpha() -> None:
    alpha, L = 0.8, 5
    levels = Levels.constant(alpha, L)
    assert levels.L == L
    assert process.alpha(levels.times).tolist() == pytest.approx([alpha**l for l in range(L + 1)], rel=ROUNDING)


def test_levels_per_unit_time() -> None:
    levels = Levels.per_unit_time(4, 6)
    assert list(levels) == [0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5]
    assert np.allclose(levels.times, Levels.constant(math.exp(-1 / 4), 6).times, rtol=ROUNDING)


def test_even_in_log_snr() -> None:
    levels = Levels.log_snr(5, 8.0, -4.0)
    assert process.log_snr(levels.times[1:]).tolist() == pytest.approx([8, 5, 2, -1, -4], abs=ROUNDING)
    assert float(process.log_snr(Levels.log_snr(1, 8.0, -4.0).last)) == pytest.approx(-4, abs=ROUNDING)


@pytest.mark.parametrize("L", [1, 2, 10])
def test_cosine_is_the_published_schedule(L: int) -> None:
    """alpha-bar = f(u) / f(0) with f(u) = cos^2(pi/2 (u + 0.008) / 1.008), Nichol & Dhariwal 2021, equation (17)."""

    def alpha_bar(u: np.ndarray) -> np.ndarray:
        f = np.cos((u + 0.008) / 1.008 * np.pi / 2) ** 2
        return f / np.cos(0.008 / 1.008 * np.pi / 2) ** 2

    levels = Levels.cosine(L, last=3.0)
    low, high = 0.0, 1.0
    for _ in range(200):  # bisection for the u at which the schedule reaches the last time
        middle = (low + high) / 2
        low, high = (middle, high) if -math.log(alpha_bar(middle)) / 2 < 3.0 else (low, middle)
    u = low * np.arange(L + 1) / L
    assert (process.alpha(levels.times) ** 2).tolist() == pytest.approx(alpha_bar(u), abs=ROUNDING)
    assert levels.last == 3.0


def test_any_ddpm_schedule() -> None:
    bars = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    levels = Levels.from_alphas_cumprod(bars)
    assert levels.L == 1000
    assert np.allclose(process.alpha(levels.times[1:]) ** 2, bars, rtol=ROUNDING)
    assert Levels.from_alphas_cumprod(torch.from_numpy(bars)) == levels


def test_zero_terminal_snr_needs_a_last_time() -> None:
    bars = [0.9, 0.5, 0.0]
    with pytest.raises(SaltusError, match="infinite time"):
        Levels.from_alphas_cumprod(bars)
    levels = Levels.from_alphas_cumprod(bars, last=5.0)
    assert levels.last == 5.0
    assert np.allclose(process.alpha(levels.times[1:-1]) ** 2, bars[:-1], rtol=ROUNDING)


@given(st.lists(st.floats(1e-6, 50), min_size=1, unique=True))
def test_written_down_and_read_again(times: list[float]) -> None:
    levels = Levels([0.0, *sorted(times)])
    assert eval(repr(levels)) == levels
    assert build(*describe(levels)) == levels
    assert hash(Levels(list(levels))) == hash(levels)
    assert len(levels) == len(times) + 1 == levels.L + 1
    assert [s for s, _ in levels.pairs()] + [levels.last] == levels.times.tolist()


def test_equality() -> None:
    assert Levels([0, 1]) == Levels([0.0, 1.0])
    assert Levels([0, 1]) != Levels([0, 2])
    assert Levels([0, 1]) != [0.0, 1.0]


def test_one_level() -> None:
    assert Levels([0, 2]).pairs() == [(0.0, 2.0)]
    assert Levels.constant(0.1, 1).L == Levels.per_unit_time(1, 1).L == Levels.cosine(1, 2.0).L == 1


def test_prior_cost_is_that_of_the_last_time() -> None:
    y, levels = torch.tensor([[1.0, -1.0], [0.0, 3.0]], dtype=torch.float64), Levels([0, 1, 2.5])
    assert torch.equal(levels.prior_cost(y), process.prior_cost(y, 2.5))
    remark = levels.remark(y)
    assert "t = 2.5" in remark
    assert f"{float(levels.prior_cost(y).mean()):.3g} nats" in remark


def test_spread_gives_each_level_its_share_even_in_log_snr() -> None:
    points = 5  # for each level
    for levels in (Levels([0, 0.5, 3]), Levels([0, 1e-7, 3]), Levels.cosine(4, 3.0), Levels([0, 2])):
        earliest = min(-math.log1p(-1e-4) / 2, levels.pairs()[0][1])  # DDPM's beta_1 = 1e-4
        times = levels.spread(torch.arange(levels.L * points, dtype=torch.float64) / (levels.L * points)).reshape(levels.L, points)
        edges = process.log_snr(torch.tensor([earliest, *(t for _, t in levels.pairs())], dtype=torch.float64))
        shares = torch.arange(points) / points
        expected = edges[:-1, None] + shares * (edges[1:] - edges[:-1])[:, None]
        assert torch.allclose(process.log_snr(times.flatten()).reshape(times.shape), expected, rtol=1e-6)
        assert float(levels.spread(torch.tensor(1.0))) == pytest.approx(levels.last)


@pytest.mark.parametrize(
    ("make", "given"),
    [
        (lambda: Levels([0]), r"\[0.0\]"),
        (lambda: Levels([]), r"\[\]"),
        (lambda: Levels([0.1, 1]), r"\[0.1, 1.0\]"),
        (lambda: Levels([0, 1, 1]), r"\[0.0, 1.0, 1.0\]"),
        (lambda: Levels([0, 2, 1]), r"\[0.0, 2.0, 1.0\]"),
        (lambda: Levels([0, math.inf]), "inf"),
        (lambda: Levels([0, math.nan]), "nan"),
        (lambda: Levels.constant(1.2, 3), "alpha = 1.2"),
        (lambda: Levels.constant(0.5, 0), "L = 0"),
        (lambda: Levels.per_unit_time(0, 3), "N = 0"),
        (lambda: Levels.per_unit_time(3, 0), "L = 0"),
        (lambda: Levels.log_snr(3, -1.0, 2.0), "first = -1.0 to last = 2.0"),
        (lambda: Levels.log_snr(3, math.inf, 2.0), "first = inf"),
        (lambda: Levels.cosine(3, math.inf), "last = inf"),
        (lambda: Levels.cosine(3, 0.0), "last = 0.0"),
        (lambda: Levels.cosine(0, 1.0), "L = 0"),
        (lambda: Levels.from_alphas_cumprod([0.5, 0.6]), "0.5"),
        (lambda: Levels.from_alphas_cumprod([1.0, 0.6]), "1.0"),
        (lambda: Levels.from_alphas_cumprod([0.6, -0.1]), "-0.1"),
        (lambda: Levels.from_alphas_cumprod([]), "expected strictly falling"),
        (lambda: Levels.from_alphas_cumprod([0.6, 0.1], last=5.0), "last = 5.0"),
        (lambda: Levels.from_alphas_cumprod([0.6, 0.0], last=0.1), "0.1"),
    ],
)
def test_errors_say_what_was_given(make: Callable[[], Levels], given: str) -> None:
    with pytest.raises(ValueError, match=given) as caught:
        make()
    assert_one_sentence(caught.value)

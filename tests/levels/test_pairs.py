"""Random pairs of times: the target by enumeration of grids, the strata, and what comes out."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from saltus.errors import SaltusError
from saltus.levels import Levels, random_pairs
from saltus.process import Noise, OrnsteinUhlenbeck
from tests.helpers.checks import assert_one_sentence, follows, mean_is

process = OrnsteinUhlenbeck()
CALLS = (1, 2, 4, 8, 16)
LAST = 3.0
EARLIEST = -math.log1p(-1e-4) / 2  # DDPM's beta_1 = 1e-4
BATCHES, SIZE = 400, 64

Loss = Callable[[Tensor, Tensor], Tensor]


def pairs(size: int, seed: int = 0, last: float = LAST) -> tuple[Tensor, Tensor, Tensor]:
    noise = Noise(seed, 0, size)
    return random_pairs(last, (torch.arange(size) + noise.uniform("end")) / size, noise.uniform("length"))


def time_at(position: np.ndarray) -> np.ndarray:
    """The cosine schedule by its alpha-bar, as a map of [0, 1] that reaches LAST at 1."""
    start = 0.008 / 1.008
    end = 2 / np.pi * np.arccos(np.exp(-LAST) * np.cos(np.pi / 2 * start))
    signal = np.cos(np.pi / 2 * (start + (end - start) * position)) / np.cos(np.pi / 2 * start)
    return np.maximum(-np.log(signal), EARLIEST)


def target(f: Loss, offsets: int = 4_000) -> float:
    """The mean over n and an even grid of offsets of the sum over the steps of a grid."""
    u, total = (np.arange(offsets) + 0.5) / offsets, 0.0
    for n in CALLS:
        grid = [np.zeros(offsets), *(time_at((u + k) / n) for k in range(n))]
        for s, t in pairwise(grid):
            total += float(f(torch.from_numpy(s), torch.from_numpy(t)).mean()) / len(CALLS)
    return total


def kinetic(s: Tensor, t: Tensor) -> Tensor:
    """What a step of a Gaussian kernel of fixed quality might cost."""
    return (t - s) ** 2 + torch.exp(-t)


LOSSES: list[Loss] = [
    lambda s, t: torch.ones_like(s + t),
    lambda s, t: t - s,
    kinetic,
    lambda s, t: (s == 0) * torch.log1p(t),
    lambda s, t: (s > 0) * torch.sin(3 * s) * t,
]


@pytest.mark.parametrize("f", LOSSES, ids=["calls", "length", "kinetic", "final", "inner"])
def test_the_weighted_mean_is_the_bound_of_a_random_grid(f: Loss) -> None:
    """One batch is one number: its items are stratified, hence not independent."""
    batches, plain = [], []
    for seed in range(BATCHES):
        s, t, weight = pairs(SIZE, seed)
        batches.append((weight * f(s, t)).mean())
        plain.append(6.2 * f(s, t).mean())  # the twin: as many calls on average, without importance weights
    if float(torch.stack(batches).std()) < 1e-12:  # no chance is left where all final and all inner steps count alike
        assert float(batches[0]) == pytest.approx(target(f))
        return
    assert mean_is(torch.stack(batches), target(f))
    assert not mean_is(torch.stack(plain), target(f))


def test_any_number_of_items_is_unbiased() -> None:
    """An odd batch has an item that is final or inner by chance."""
    batches = []
    for seed in range(1_500):
        s, t, weight = pairs(3, seed)
        batches.append((weight * kinetic(s, t)).mean())
    assert mean_is(torch.stack(batches), target(kinetic))
    assert not mean_is(torch.stack(batches), 1.1 * target(kinetic))  # the twin


def test_half_of_the_items_are_final_steps() -> None:
    s, t, weight = pairs(SIZE)
    assert s.dtype == t.dtype == weight.dtype == torch.float64
    assert s.shape == t.shape == weight.shape == (SIZE,)
    assert (s == 0).tolist() == [True] * (SIZE // 2) + [False] * (SIZE // 2)
    assert weight.tolist() == pytest.approx([2.0] * (SIZE // 2) + [10.4] * (SIZE // 2))


@pytest.mark.parametrize("last", [1e-6, 0.01, 1.0, 20.0])
def test_times_are_in_order_and_within_the_grid(last: float) -> None:
    smallest = 2.0**-53
    size = 4096
    extremes = [torch.full((size,), value, dtype=torch.float64) for value in (smallest, 0.5, 1 - smallest)]
    for within in (*extremes, Noise(1, 0, size).uniform("end")):
        for uniform in extremes:
            s, t, weight = random_pairs(last, ((torch.arange(size) + within) / size).clamp(max=1 - smallest), uniform)
            assert bool((s >= 0).all())
            assert bool((s < t).all())
            assert float(t.max()) <= last
            assert set(weight.tolist()) == {2.0, 10.4}
            assert float(t.min()) == pytest.approx(min(EARLIEST, Levels.cosine(16, last).pairs()[0][1] / 2))
            assert float(torch.where(s > 0, s, 1.0).min()) >= float(t.min())


def test_final_steps_end_as_the_grids_do() -> None:
    """The end of a final step is u / n: the CDF at position v is the mean over n of min(n v, 1)."""
    s, t, _ = pairs(4_000)
    positions = np.linspace(0.01, 1, 2_001)  # times after EARLIEST
    cdf = np.mean([np.minimum(n * positions, 1) for n in CALLS], 0)
    for ends, matches in [(t[s == 0], True), (t, False)]:  # the twin: all steps
        below = np.searchsorted(np.sort(ends), time_at(positions), side="right") / len(ends)
        assert np.allclose(below, cdf, rtol=0, atol=2 / len(ends)) is matches  # one point in each stratum


def test_inner_steps_are_steps_of_cosine_grids() -> None:
    """The positions of s and t are 1/n apart, n in proportion to n - 1; given n, the end is uniform from 1/n to 1."""
    s, t, _ = pairs(40_000, last=LAST)
    grid = np.linspace(0, 1, 200_001)
    position_s, position_t = (np.interp(x[(s > EARLIEST)].numpy(), time_at(grid), grid) for x in (s, t))
    n = np.round(1 / (position_t - position_s))
    assert set(n) == {2, 4, 8, 16}
    assert np.allclose(position_t - position_s, 1 / n, atol=1e-4)
    for calls in (2, 4, 8, 16):
        chosen = n == calls
        share = (calls - 1) / 26
        assert abs(chosen.mean() - share) < 5 * math.sqrt(share * (1 - share) / len(n)) + 1e-3  # times before EARLIEST are missing
        ends = torch.from_numpy((position_t[chosen] - 1 / calls) / (1 - 1 / calls))
        assert follows(ends[ends > 0.02], lambda x: (x - 0.02) / 0.98)
    assert not follows(torch.from_numpy(position_t), lambda x: x)  # the twin: ends of all inner steps are not uniform


def test_strata_leave_less_to_chance() -> None:
    """Final steps have the variance of one point in each stratum, of order B^-3, not B^-1."""

    def scatter(size: int) -> float:
        values = []
        for seed in range(100):
            s, t, weight = pairs(size, seed)
            values.append((weight * (s == 0) * t).mean())
        return float(torch.stack(values).var())

    assert scatter(256) < scatter(64) / 16  # plain chance would give a quarter


GOOD = torch.tensor([0.2, 0.7])


@pytest.mark.parametrize(
    ("call", "given"),
    [
        (lambda: random_pairs(0.0, GOOD, GOOD), "last = 0.0"),
        (lambda: random_pairs(math.inf, GOOD, GOOD), "last = inf"),
        (lambda: random_pairs(1.0, GOOD, GOOD[:1]), r"\(2,\) and \(1,\)"),
        (lambda: random_pairs(1.0, GOOD[None], GOOD[None]), r"\(1, 2\)"),
        (lambda: random_pairs(1.0, GOOD, GOOD - 0.2), "between 0 and 1"),
        (lambda: random_pairs(1.0, GOOD + 0.3, GOOD), "between 0 and 1"),
        (lambda: random_pairs(1.0, GOOD * math.nan, GOOD), "between 0 and 1"),
    ],
)
def test_errors_say_what_was_given(call: Callable[[], object], given: str) -> None:
    with pytest.raises(SaltusError, match=given) as caught:
        call()
    assert_one_sentence(caught.value)

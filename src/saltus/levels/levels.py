r"""A grid of times $0 = t_0 < t_1 < \dots < t_L$.

There is one noise process and many grids.  A chain with constant $\alpha$ has $t_l = -l \ln \alpha$, one with $N$ levels per unit time
has $t_l = l / N$, and any variance-preserving schedule has $t_l = -\frac12 \ln \bar\alpha_l$, as those of DDPM (Ho et al. 2020,
https://arxiv.org/abs/2006.11239) and DDIM (Song et al. 2021, https://arxiv.org/abs/2010.02502).  The last time should leave nothing of
$y$ in $z_L$: what is left costs $\mathrm{KL}(q(z_L \mid y) \,\|\, \mathcal N(0, I))$ nats (`prior_cost`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from saltus.errors import SaltusError
from saltus.levels.cosine import EARLIEST, cosine_time
from saltus.levels.plan import PairCosts
from saltus.process import OrnsteinUhlenbeck
from saltus.registry import Configurable

__all__ = ["MOST_LEVELS", "Levels"]

_process = OrnsteinUhlenbeck()
MOST_LEVELS = 10_000
"""More steps cost more than they add: what asks for them is damaged, or mistyped."""


class Levels(Configurable):
    """A strictly increasing grid of times that starts at 0.

    Args:
        times: t_0 = 0 < t_1 < ... < t_L, 1 <= L <= 10,000, finite.

    Raises:
        SaltusError: if the grid does not start at 0, does not increase strictly, is not finite, or is too long.

    >>> Levels([0, 0.5, 3])
    Levels([0.0, 0.5, 3.0])
    >>> Levels.per_unit_time(2, 4).pairs()[-1]
    (1.5, 2.0)
    """

    def __init__(self, times: Sequence[float]) -> None:
        if len(times) > 1:
            _positive(len(times) - 1)
        grid = tuple(float(t) for t in times)
        rises = all(s < t for s, t in pairwise(grid))
        if len(grid) < 2 or grid[0] != 0 or not rises or not math.isfinite(grid[-1]):
            raise SaltusError(f"levels {list(grid)}; expected finite times that increase from 0, at least one after it")
        self._grid = grid

    @property
    def L(self) -> int:
        """The number of steps from noise to data."""
        return len(self._grid) - 1

    @property
    def last(self) -> float:
        """t_L, the noisiest time."""
        return self._grid[-1]

    @property
    def times(self) -> Tensor:
        """t_0 ... t_L, float64, (L + 1,)."""
        return torch.tensor(self._grid, dtype=torch.float64)

    def pairs(self) -> list[tuple[float, float]]:
        """[(t_0, t_1), ..., (t_{L-1}, t_L)]: the steps (s, t), cleanest first."""
        return list(pairwise(self._grid))

    def spread(self, u: Tensor) -> Tensor:
        """Times for u in [0, 1): u L = l - 1 + r is the share r of the way, in log-SNR, from t_{l-1} to t_l.

        Uniform u gives every level the same probability and reaches all times between: a network trained on them serves any grid.
        The first level starts at the first of DDPM, or at t_1 if that is earlier.
        """
        log_snr, along = self._ends, u.to(torch.float64) * self.L
        level = along.floor().clamp(0, self.L - 1).long()
        return _process.time_at_log_snr(torch.lerp(log_snr[level], log_snr[level + 1], along - level))

    @cached_property
    def _ends(self) -> Tensor:
        """The log-SNRs between which `spread` goes, (L + 1,): every update asks for them."""
        return _process.log_snr(torch.tensor([min(EARLIEST, self._grid[1]), *self._grid[1:]], dtype=torch.float64))

    def prior_cost(self, y: Tensor) -> Tensor:
        """KL(q(z_L | y) || N(0, I)) of each item, (B,) nats."""
        return _process.prior_cost(y, self.last)

    def remark(self, y: Tensor) -> str:
        """One sentence on how much the last level still depends on y."""
        cost = float(self.prior_cost(y).mean())
        return (
            f"the last level, t = {self.last:g}, keeps {float(_process.alpha(self.last)):.2g} of y: "
            f"the prior costs {cost:.3g} nats per item"
        )

    @classmethod
    def constant(cls, alpha: float, L: int) -> Levels:
        """t_l = -l ln(alpha): the chain z_l = alpha z_{l-1} + sqrt(1 - alpha^2) epsilon, alpha in (0, 1).

        Raises:
            ValueError: if alpha is not in (0, 1), or L < 1.
        """
        view = _process.discrete(alpha)
        return cls([float(view.time(level)) for level in range(_positive(L) + 1)])

    @classmethod
    def per_unit_time(cls, N: int, L: int) -> Levels:
        """t_l = l / N, alpha = e^{-1/N}.

        Raises:
            SaltusError: if N < 1 or L < 1.
        """
        if N < 1:
            raise SaltusError(f"N = {N}; expected at least one level per unit time")
        return cls([level / N for level in range(_positive(L) + 1)])

    @classmethod
    def log_snr(cls, L: int, first: float, last: float) -> Levels:
        """t_1 ... t_L even in log-SNR, from `first` (at t_1, high) to `last` (at t_L, low); L = 1 uses `last` alone.

        Raises:
            SaltusError: if `first` <= `last` with L > 1, or either is not finite.
        """
        if not (math.isfinite(first) and math.isfinite(last)) or (L > 1 and first <= last):
            raise SaltusError(f"log-SNR from first = {first} to last = {last}; expected finite values with first > last")
        even = torch.linspace(last, first, _positive(L), dtype=torch.float64).flip(0)
        return cls([0.0, *_process.time_at_log_snr(even).tolist()])

    @classmethod
    def cosine(cls, L: int, last: float) -> Levels:
        """Even steps of the cosine schedule (Nichol and Dhariwal 2021, https://arxiv.org/abs/2102.09672), stopped at time `last`.

        Raises:
            SaltusError: if L < 1, or `last` is not finite or not above 0.
        """
        inner = cosine_time(torch.arange(1, _positive(L), dtype=torch.float64) / L, last)
        return cls([0.0, *inner.tolist(), last])

    @classmethod
    def from_alphas_cumprod(cls, alphas_cumprod: Sequence[float] | Any, *, last: float | None = None) -> Levels:
        """The grid of any DDPM-style schedule: t = -ln(alpha-bar) / 2.

        Args:
            alphas_cumprod: alpha-bar_1 > ... > alpha-bar_L, in (0, 1); the last may be 0 if `last` is given.
            last: t_L in place of the infinite time of a zero-terminal-SNR schedule.

        Raises:
            SaltusError: if values leave [0, 1), do not fall strictly, or the last is 0 and no `last` is given.
        """
        bars = [float(a) for a in alphas_cumprod]
        falls = all(a > b for a, b in pairwise(bars))
        if not bars or not falls or not bars[0] < 1 or not bars[-1] >= 0:
            raise SaltusError(
                f"alphas_cumprod runs from {bars[:1]} to {bars[-1:]}; expected strictly falling values below 1 and not below 0"
            )
        if bars[-1] == 0 and last is None:
            raise SaltusError("alphas_cumprod ends at 0, an infinite time; give a finite time for it, such as last=5.0")
        times = [-math.log(a) / 2 for a in bars if a > 0]
        if bars[-1] == 0 and last is not None:
            times.append(last)
        elif last is not None:
            raise SaltusError(f"last = {last} was given, but alphas_cumprod ends at {bars[-1]} > 0, which sets the last time; leave it out")
        return cls([0.0, *times])

    @classmethod
    def plan(cls, costs: PairCosts, L: int, last: float | None = None) -> Levels:
        """The grid of L steps that has the least bound by a table of measured costs; `costs.plan` tells what each step costs.

        Args:
            costs: of every step between the times to choose from.
            L: how many steps.
            last: t_L, one of the times; None to choose it as well.

        Raises:
            SaltusError: if `last` is none of the times after 0, or there are fewer than L times up to it.
        """
        return cls(costs.plan(L, last).times)

    def __iter__(self) -> Iterator[float]:
        return iter(self._grid)

    def __len__(self) -> int:
        return len(self._grid)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Levels) and self._grid == other._grid

    def __hash__(self) -> int:
        return hash(self._grid)

    def __repr__(self) -> str:
        return f"Levels({list(self._grid)})"


def _positive(L: int) -> int:
    if not 1 <= L <= MOST_LEVELS:
        raise SaltusError(f"L = {L}; expected at least one level, and at most {MOST_LEVELS:,}")
    return L

r"""Random pairs of times s < t, to train one kernel for every step of every short grid.

A kernel that knows its pair of times can be sampled in any number of calls $n$.  It is trained for the numbers $N = \{1, 2, 4, 8, 16\}$
at once, on grids that are even in the position $v$ of the cosine schedule $t(v)$ (`cosine`), up to a random offset.  The grid of
$n$ steps with the offset $u \in (0, 1]$ has the positions $0, \frac un, \frac{u + 1}n, \dots, \frac{u + n - 1}n$; at $u = 1$ it is
the cosine grid itself.  The target is the mean over $n$ and $u$ of the sum over the steps of a loss $f(s, t)$:

$$T = \frac15 \sum_{n \in N} \mathbb E_{u \sim U(0, 1)} \left[ f\left(0, t\left(\tfrac un\right)\right)
    + \sum_{k=1}^{n-1} f\left(t\left(\tfrac{u + k - 1}n\right), t\left(\tfrac{u + k}n\right)\right) \right].$$

Step $k = 0, \dots, n - 1$ ends at $v = \frac{u + k}n$, uniform on $(\frac kn, \frac{k+1}n]$ with density $n$.  The steps of a grid
together thus end anywhere in $(0, 1]$ with the intensity $n$, and

$$T = \int_0^1 \frac15 \sum_{n \in N} n\, f\left(t\left(\max(v - \tfrac1n, 0)\right), t(v)\right) dv.$$

The final steps are those with $v \le \frac1n$, which start at $s = 0$; the others are inner steps.  Their masses in $T$ are
$\frac15 \sum_n n \cdot \frac1n = 1$ and $\frac15 \sum_n n\,(1 - \frac1n) = \frac{26}5$.  Since final steps carry most of the nats, half of
the items are final steps and half are inner ones:

$$p(v \mid \text{final}) = \frac15 \sum_n n\, [v \le \tfrac1n], \qquad
  p(v \mid \text{inner}) = \frac1{26} \sum_n n\, [v > \tfrac1n], \qquad p(n \mid v, \text{inner}) \propto n\, [v > \tfrac1n].$$

Inner steps are the same as $n$ in proportion to $n - 1$, then $v$ uniform on $(\frac1n, 1]$.  The importance weight $w$ is the mass of
a part over its share of the items, $2$ for a final step and $\frac{52}5$ for an inner one, so that $T = \mathbb E[w\, f(s, t)]$.

The end $v$ is drawn by inverse CDF from stratified uniform numbers, the one of item $i$ of $B$ in $(\frac iB, \frac{i+1}B)$.
So final steps come first in a batch and ends are spread evenly; only the length of an inner step is left to plain chance.

Times between 0 and the first level of DDPM are moved to that level, in $T$ as well: $t(v)$ is at least `EARLIEST` for $v > 0$.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from saltus.errors import SaltusError
from saltus.levels.cosine import EARLIEST, cosine_time

__all__ = ["random_pairs"]

_CALLS = np.array([16.0, 8.0, 4.0, 2.0, 1.0])  # the n in N
_EDGES = 1 / _CALLS  # the densities of v are constant from 0 to the first and from one to the next
_INNER = _CALLS.cumsum()  # sum_n n [v > 1/n] from each edge on
_FINAL = _CALLS[::-1].cumsum()[::-1]  # sum_n n [v <= 1/n] up to each edge
_WEIGHT_FINAL, _WEIGHT_INNER = 2.0, 2 * float((_CALLS - 1).mean())


def random_pairs(last: float, strata: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Steps (s, t) and their weights w, so that the mean of w f(s, t) estimates T of the module without bias.

    Args:
        last: t_L, the noisiest time; finite, > 0.
        strata: (B,), uniform in (0, 1), best stratified; places the end of each step.
        uniform: (B,), independent and uniform in (0, 1); picks the length of each inner step.

    Returns:
        s, t and w, each float64 (B,) on the CPU, 0 <= s < t <= last; s = 0 for strata in the lower half.  w is 2 or 10.4.

    Raises:
        SaltusError: if `last` is not finite or not above 0, or the numbers are not B each, between 0 and 1.
    """
    for numbers in (strata, uniform):
        if numbers.ndim != 1 or numbers.shape != strata.shape or not bool(((numbers > 0) & (numbers < 1)).all()):
            shapes = f"{tuple(strata.shape)} and {tuple(uniform.shape)}"
            raise SaltusError(f"uniform numbers have shapes {shapes}; expected (B,) twice, with numbers between 0 and 1")
    place = strata.cpu().double().numpy()
    final = place < 0.5
    end = np.where(final, _inverse_cdf(2 * place, np.append(0, _EDGES), _FINAL), _inverse_cdf(2 * place - 1, _EDGES, _INNER[:-1]))
    possible = _INNER[np.searchsorted(_EDGES, end, side="right").clip(1, 4) - 1]  # the sum of all n > 1 with 1/n <= v
    n = _CALLS[np.searchsorted(_INNER, uniform.cpu().double().numpy() * possible)]
    s, t = _time(end - 1 / n, last), _time(end, last)
    return torch.where(torch.from_numpy(final), 0.0, s), t, torch.from_numpy(np.where(final, _WEIGHT_FINAL, _WEIGHT_INNER))


def _inverse_cdf(uniform: np.ndarray, edges: np.ndarray, density: np.ndarray) -> np.ndarray:
    """Where the CDF of a density that is constant between edges, up to a factor, reaches each uniform number."""
    cumulative = np.append(0, (density * np.diff(edges)).cumsum())
    end: np.ndarray = np.interp(uniform, cumulative / cumulative[-1], edges)
    return end


def _time(position: np.ndarray, last: float) -> Tensor:
    """t(v), at least the first level of DDPM, or half the first of 16 even calls if that is earlier."""
    positions = torch.from_numpy(np.append(position, _EDGES[0]).clip(0, 1))
    times = cosine_time(positions, last)
    return times[:-1].clamp_min(min(EARLIEST, float(times[-1]) / 2))

r"""Distances between sets of items in data space, and how diverse a set is.  Nothing here is used in training.

The sliced 2-Wasserstein distance of Bonneel et al. (2015, https://doi.org/10.1007/s10851-014-0506-3) compares the
projections of both sets on random directions u, with F^{-1} the quantile functions of the projections:

$$ SW_2^2 = E_u \int_0^1 \bigl(F^{-1}_{\langle u, x \rangle}(q) - F^{-1}_{\langle u, y \rangle}(q)\bigr)^2 dq . $$

The energy distance of Szekely and Rizzo (2013, https://doi.org/10.1016/j.jspi.2013.03.018), with all items independent, is

$$ 2 E|x - y| - E|x - x'| - E|y - y'| . $$

Each mean is over pairs of different items.  So the estimate has no bias, and for equal distributions it may be a little below 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = [
    "distance_blocks",
    "diversity",
    "energy_distance",
    "mean_distance",
    "mean_pairwise_distance",
    "random_directions",
    "sliced_wasserstein",
    "squared_wasserstein",
]

_DIRECTIONS = 1000
_AT_ONCE = 50  # directions: all of them would take 3 GB for 10,000 items
_ROWS = 1000  # of distances held at a time: 80 MB against 10,000 items
_ROUNDING = 1e-7  # of the largest norm: what a matrix product in float64 cannot tell from distance 0


def sliced_wasserstein(x: Tensor, y: Tensor, *, seed: int = 0) -> float:
    """The sliced 2-Wasserstein distance of two sets (N, *E) and (M, *E), in the units of y.

    The squares are averaged over 1000 random directions, the same for the same seed and E.

    Raises:
        ValueError: if the event shapes differ.
    """
    if x.shape[1:] != y.shape[1:]:
        raise ValueError(f"items of shape {tuple(x.shape[1:])} and {tuple(y.shape[1:])}; expected the same shape")
    a, b = (_flat(items).numpy() for items in (x, y))
    parts = np.split(random_directions(a.shape[1], seed=seed), _DIRECTIONS // _AT_ONCE)
    return math.sqrt(np.mean([squared_wasserstein(part @ a.T, part @ b.T) for part in parts]))


def random_directions(size: int, *, seed: int) -> NDArray[np.float64]:
    """1000 unit vectors of R^size, uniform on the sphere: (1000, size)."""
    rng = np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed)))
    normals = rng.normal(0.0, 1.0, (size, _DIRECTIONS))  # in this order since the first version, so that figures stay comparable
    directions: NDArray[np.float64] = (normals / np.sqrt((normals**2).sum(0))).T
    return directions


def squared_wasserstein(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """The exact squared 2-Wasserstein distances of rows of numbers (K, N) from rows (K, M): (K,).

    The quantile functions jump at the levels i / N and j / M, which times N M are integers, so they merge without rounding.
    """
    n, m = x.shape[1], y.shape[1]
    levels = np.union1d(m * np.arange(1, n + 1), n * np.arange(1, m + 1))  # the right ends of the pieces
    widths = np.diff(levels, prepend=0) / (n * m)
    difference = np.sort(x)[:, (levels - 1) // m] - np.sort(y)[:, (levels - 1) // n]
    squares: NDArray[np.float64] = difference**2 @ widths
    return squares


def distance_blocks(x: Tensor, y: Tensor, *, rows: int = _ROWS) -> Iterator[Tensor]:
    """Euclidean distances of items (N, *E) to items (M, *E): float64 blocks (at most `rows`, M), in the order of x.

    Matrix products give them, which is fast.  A distance that rounding cannot tell from 0 is set to 0, so copies have distance 0.
    """
    a, b = _flat(x), _flat(y)
    a, b = a - b[0], b - b[0]  # items far from the origin would lose digits
    least = _ROUNDING * max(float(items.norm(dim=1).max()) for items in (a, b))
    for part in a.split(rows):
        block = torch.cdist(part, b, compute_mode="use_mm_for_euclid_dist")
        yield block.masked_fill_(block <= least, 0.0)


def mean_distance(x: Tensor, y: Tensor) -> float:
    """The mean Euclidean distance of an item of (N, *E) to one of (M, *E)."""
    return sum(float(block.sum()) for block in distance_blocks(x, y)) / (len(x) * len(y))


def mean_pairwise_distance(x: Tensor) -> float:
    """The mean Euclidean distance of two different items of a set (N, *E), N >= 2."""
    starts = range(0, len(x), _ROWS)
    above = (float(block.triu(1).sum()) for i in starts for block in distance_blocks(x[i : i + _ROWS], x[i:]))
    return 2 * sum(above) / (len(x) * (len(x) - 1))


def energy_distance(x: Tensor, y: Tensor, *, within: tuple[float, float] | None = None) -> float:
    """The energy distance of two sets (N, *E) and (M, *E), in the units of y.

    Args:
        x, y: the sets, of two items at least.
        within: the mean pairwise distances of x and of y, if they are known.
    """
    of_x, of_y = within or (mean_pairwise_distance(x), mean_pairwise_distance(y))
    return 2 * mean_distance(x, y) - of_x - of_y


def diversity(x: Tensor, real: Tensor) -> float:
    """The mean pairwise distance of a set over that of real items: 1 for real items, 0 for one image repeated."""
    return mean_pairwise_distance(x) / mean_pairwise_distance(real)


def _flat(y: Tensor) -> Tensor:
    """(N, d), float64."""
    return y.detach().cpu().flatten(1).double()

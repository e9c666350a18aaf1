r"""Distances between sets of items in data space, and how diverse a set is.  Nothing here is used in training.

    energy distance    2 E|x - y| - E|x - x'| - E|y - y'|,    x, x' and y, y' independent

(Szekely & Rizzo 2013), each mean over pairs of different items, so that it estimates the law's own without bias and
may be a little below 0 for equal laws.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

__all__ = ["distance_blocks", "diversity", "energy_distance", "mean_distance", "mean_pairwise_distance", "sliced_wasserstein"]

_PROJECTIONS = 1000
_AT_ONCE = 50  # directions: all of them would take 3 GB for 10,000 items
_ROWS = 1000  # of distances held at a time: 80 MB against 10,000 items
_ROUNDING = 1e-7  # of the largest norm: what a matrix product in float64 cannot tell from distance 0


def sliced_wasserstein(x: Tensor, y: Tensor, *, seed: int = 0) -> float:
    """The sliced 2-Wasserstein distance of two sets (N, *E) and (M, *E), in the units of y.

    1000 random directions, the same for the same seed and E; computed by POT (Bonneel et al. 2015).

    Raises:
        ValueError: if the event shapes differ.
    """
    from ot.sliced import get_random_projections, sliced_wasserstein_distance

    if x.shape[1:] != y.shape[1:]:
        raise ValueError(f"items of shape {tuple(x.shape[1:])} and {tuple(y.shape[1:])}; expected the same shape")
    a, b = (_flat(s).numpy() for s in (x, y))
    draws = np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed)))
    directions = np.split(get_random_projections(a.shape[1], _PROJECTIONS, draws), _PROJECTIONS // _AT_ONCE, axis=1)
    squares = [sliced_wasserstein_distance(a, b, projections=some) ** 2 for some in directions]
    return math.sqrt(np.mean(squares))


def distance_blocks(x: Tensor, y: Tensor, *, rows: int = _ROWS) -> Iterator[Tensor]:
    """Euclidean distances of items (N, *E) to items (M, *E): float64 blocks (at most `rows`, M), in the order of x.

    They come from matrix products, which are fast; what these cannot tell from 0 is 0, so that copies have distance 0.
    """
    a, b = _flat(x), _flat(y)
    a, b = a - b[0], b - b[0]  # items far from the origin would lose digits
    least = _ROUNDING * max(float(side.norm(dim=1).max()) for side in (a, b))
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
        within: the mean pairwise distances of x and of y, where they are known.
    """
    of_x, of_y = within or (mean_pairwise_distance(x), mean_pairwise_distance(y))
    return 2 * mean_distance(x, y) - of_x - of_y


def diversity(x: Tensor, real: Tensor) -> float:
    """The mean pairwise distance of a set over that of real items: 1 for real data, 0 for one image again and again."""
    return mean_pairwise_distance(x) / mean_pairwise_distance(real)


def _flat(y: Tensor) -> Tensor:
    """(N, d), float64."""
    return y.detach().cpu().flatten(1).double()

"""Distances between sets of items, and how diverse a set is.  Nothing here is used in training."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["diversity", "mean_pairwise_distance", "sliced_wasserstein"]

_PROJECTIONS = 1000


def sliced_wasserstein(x: Tensor, y: Tensor, *, seed: int = 0) -> float:
    """The sliced 2-Wasserstein distance of two sets (N, *E) and (M, *E), in the units of y.

    1000 random directions, the same for the same seed and E; computed by POT (Bonneel et al. 2015).

    Raises:
        ValueError: if the event shapes differ.
    """
    from ot import sliced_wasserstein_distance

    if x.shape[1:] != y.shape[1:]:
        raise ValueError(f"items of shape {tuple(x.shape[1:])} and {tuple(y.shape[1:])}; expected the same shape")
    a, b = (s.detach().cpu().flatten(1).double().numpy() for s in (x, y))
    directions = np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed)))
    return float(sliced_wasserstein_distance(a, b, n_projections=_PROJECTIONS, seed=directions))


def mean_pairwise_distance(x: Tensor) -> float:
    """The mean Euclidean distance of two different items of a set (N, *E), N >= 2."""
    return float(torch.pdist(x.detach().flatten(1).double()).mean())


def diversity(x: Tensor, real: Tensor) -> float:
    """The mean pairwise distance of a set over that of real items: 1 for real data, 0 for one image again and again."""
    return mean_pairwise_distance(x) / mean_pairwise_distance(real)

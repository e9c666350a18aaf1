"""The order in which items are seen: one permutation of the data after another, each a function of the seed and its number."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["items_after"]


def items_after(n: int, first: int, count: int, seed: int) -> Tensor:
    """Places (count,) of the items that follow after `first` of n items were seen."""
    epochs = range(first // n, (first + count - 1) // n + 1)
    order = [_permutation(n, epoch, seed) for epoch in epochs]
    start = first - epochs[0] * n
    joined = order[0] if len(order) == 1 else np.concatenate(order)
    return torch.from_numpy(joined[start : start + count])


@lru_cache(maxsize=2)  # a batch may straddle two epochs
def _permutation(n: int, epoch: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(n)

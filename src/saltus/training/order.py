r"""The order in which items are seen: one permutation of the data after another, each a function of the seed and its number.

A permutation of many items is not written down.  A Feistel network maps the numbers of two halves of b bits onto each other, by rounds

.. math:: (l, r) \to (r,\; l \oplus f_k(r))

with any functions f_k; a number that lands beyond the n items is mapped again, until it does not (cycle walking, Black and Rogaway 2002,
https://doi.org/10.1007/3-540-45760-7_9).  So any place of the order is found by itself, whatever n is.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["items_after"]

_WRITTEN_DOWN = 2**24  # items whose permutation takes 128 MB, and a second
_ROUNDS = 6
_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio


def items_after(n: int, first: int, count: int, seed: int) -> Tensor:
    """Places (count,) of the items that follow after `first` of n items were seen."""
    epochs = range(first // n, (first + count - 1) // n + 1)
    if n > _WRITTEN_DOWN:
        places = np.arange(first, first + count)
        found = [_scattered(places[places // n == epoch] - epoch * n, n, epoch, seed) for epoch in epochs]
        return torch.from_numpy(np.concatenate(found))
    order = [_permutation(n, epoch, seed) for epoch in epochs]
    start = first - epochs[0] * n
    joined = order[0] if len(order) == 1 else np.concatenate(order)
    return torch.from_numpy(joined[start : start + count])


@lru_cache(maxsize=2)  # a batch may straddle two epochs
def _permutation(n: int, epoch: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(n)


def _scattered(places: NDArray[np.int64], n: int, epoch: int, seed: int) -> NDArray[np.int64]:
    """Where the permutation of n items has these places, each below n."""
    bits = np.uint64(-(-(n - 1).bit_length() // 2))
    low = np.uint64((1 << int(bits)) - 1)
    keys = np.random.SeedSequence([seed, epoch]).generate_state(_ROUNDS, np.uint64)

    def mapped(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
        left, right = values >> bits, values & low
        for key in keys:
            left, right = right, left ^ (_mixed(right ^ key) & low)
        return left << bits | right

    found = mapped(places.astype(np.uint64))
    while (beyond := found >= n).any():
        found[beyond] = mapped(found[beyond])
    return found.astype(np.int64)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Each bit of the result depends on all bits; products wrap modulo 2^64."""
    for _ in range(2):
        values = values * _ODD
        values = values ^ values >> np.uint64(32)
    return values

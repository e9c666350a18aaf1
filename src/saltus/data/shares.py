"""Axes of values by how often they come: for categories, and for counted numbers that come in lumps.

As many rows as have a value of their own are taken to stand for the values that never came (Good 1953,
https://doi.org/10.2307/2333344): for all equally, or where values are neighbours, where others are.
"""

from __future__ import annotations

import numpy as np
import torch

from saltus.data.layout import Array
from saltus.likelihoods import GaussianHead, Number, Numbers

__all__ = ["gain_of_shares", "shared"]

_PSEUDO = 0.5  # rows that are taken to have values that never came, at least
_THIN = 0.01  # share of these that is spread evenly
_DIGITS = 6
_LEAST = 5e-7  # of a value: float32 tells its interval from the next one


def shared(n: int, places: Array, *, smooth: bool = False) -> Number:
    """The numbers 0 ... n - 1 on an axis by their shares.

    Args:
        n: how many.
        places: of the training rows, int64 (N,).
        smooth: whether numbers are neighbours.
    """
    counts = np.bincount(places, minlength=n).astype(np.float64)
    unseen, rest = _unseen(counts, places, smooth)
    shares = np.maximum((counts + unseen * rest) / (counts.sum() + unseen), _LEAST)
    shares /= shares.sum()
    return Number(0, n - 1, step=1.0, shares=[float(f"{share:.{_DIGITS}g}") for share in shares])


def gain_of_shares(number: Number, n: int, places: Array) -> float:
    """How many nats a row shares save, each row left out of what it is told by: against N(0, 1) on the axis of `number`, or against the
    same shares smoothed, whichever is less; so neither a smooth distribution that is no Gaussian nor rounding to few values needs them.

    Args:
        number: from `low` on in n steps.
        n, places: as for `shared`.
    """
    counts = np.bincount(places, minlength=n).astype(np.float64)
    unseen, rest = _unseen(counts, places, smooth=True)
    there = np.flatnonzero(counts)
    left_out = (counts[there] - 1 + unseen * rest[there]) / (counts.sum() - 1 + unseen)
    numbers, values = Numbers([number]), torch.from_numpy(number.low + number.step * there)[:, None]
    cells = numbers.cells(numbers.forward(values))
    plain = GaussianHead(1.0).log_mass(cells.below, cells.above, torch.zeros_like(values), torch.ones_like(values)).numpy()[:, 0]
    saved = (np.log(left_out) - other for other in (plain, np.log(rest[there])))
    return min(float((nats * counts[there]).sum() / counts.sum()) for nats in saved)


def _unseen(counts: Array, places: Array, smooth: bool) -> tuple[float, Array]:
    """The rows that stand for values that never came, and how they are spread over all values; a Gaussian of Scott's width smooths."""
    n, unseen = len(counts), max(float((counts == 1).sum()), _PSEUDO)
    if not smooth:
        return unseen, np.full(n, 1 / n)
    from scipy.ndimage import gaussian_filter1d

    width = max(1.0, float(places.std()) * len(places) ** -0.2)
    wide = gaussian_filter1d(counts, width, mode="constant") + counts.sum() * _THIN / n
    return unseen, wide / wide.sum()

r"""Whether rows repeat training rows: exact copies, and distances to the nearest training row.

The distance of two rows is Euclidean: numbers are in standard deviations of the training rows, with the mean in place of a missing one, and
each category that differs counts 1, as does each cell that is missing in one row alone.  Held-out rows, which training never saw, show
which distances new rows have (Meehan et al. 2020, https://arxiv.org/abs/2004.05675):

    ratio of medians = median distance of rows / median distance of held-out rows,

and the same of the 5th percentiles, where copies that are not exact would show.  New rows have ratios of about 1, copies of 0.  Both come
with a 95% bootstrap interval over rows.

A copy agrees with a training row in all cells, missing ones included, once numbers are rounded to float32.  Tables of few values have equal
rows by chance: the share of training rows that equal another one tells how many a new row would be.  The share of held-out rows does not
where equal rows were kept in one part (`saltus.data.split`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from saltus.data.layout import Array
from saltus.evaluation.quality.cells import some_rows

__all__ = ["NEAR", "Nearest", "Privacy", "copied", "nearest_rows", "privacy"]

NEAR = 0.05
"""The share of the rows that are nearest to training rows whose distance is told beside the median."""
_MEASURED = 5000  # rows whose distances are taken
_SEARCHED = 20_000  # training rows that they are taken to
_AT_ONCE = 2**24  # distances held: 128 MiB
_RESAMPLES = 400
_INTERVAL = (0.025, 0.975)


@dataclass(frozen=True)
class Nearest:
    """A quantile of the distances of rows over that of held-out rows, with its 95% interval; NaN where that of held-out rows is 0."""

    ratio: float
    low: float
    high: float


@dataclass(frozen=True)
class Privacy:
    """Rows beside held-out rows.

    Attributes:
        copies, held_out_copies: how many of them are training rows.
        repeated: how many training rows equal another one.
        rows, held_out, trained: how many there are.
        median, near: the ratios of the medians and of the 5th percentiles of their distances.
        distances, held_out_distances: to the nearest training row, of at most 5,000 each.
        searched: how many training rows were searched for the nearest one; copies are looked for among all.
    """

    copies: int
    held_out_copies: int
    repeated: int
    rows: int
    held_out: int
    trained: int
    median: Nearest
    near: Nearest
    distances: Array
    held_out_distances: Array
    searched: int


def privacy(rows: Array, held_out: Array, train: Array, categorical: Array, *, seed: int = 0) -> Privacy:
    """Rows (N, d) and held-out ones (M, d) against training rows (K, d).

    Args:
        rows, held_out, train: cells, see `saltus.evaluation.quality.cells`.
        categorical: which columns hold categories, (d,) bool.
        seed: chooses the rows that are measured where there are many, and the resamples.
    """
    searched, known = some_rows(train, _SEARCHED, seed=seed), Counter(_keys(train))
    own, other = (nearest_rows(some_rows(table, _MEASURED, seed=seed), searched, categorical) for table in (rows, held_out))
    return Privacy(
        copies=sum(key in known for key in _keys(rows)),
        held_out_copies=sum(key in known for key in _keys(held_out)),
        repeated=sum(count for count in known.values() if count > 1),
        rows=len(rows),
        held_out=len(held_out),
        trained=len(train),
        median=_ratio(own, other, 0.5, seed),
        near=_ratio(own, other, NEAR, seed),
        distances=own,
        held_out_distances=other,
        searched=len(searched),
    )


def copied(rows: Array, train: Array) -> Array:
    """Which of rows (N, d) are equal to one of the training rows, (N,) bool."""
    known = set(_keys(train))
    return np.fromiter((key in known for key in _keys(rows)), dtype=np.bool_, count=len(rows))


def nearest_rows(rows: Array, train: Array, categorical: Array) -> Array:
    """The distance of each of rows (N, d) to the nearest of the training rows (K, d): (N,)."""
    from scipy.spatial.distance import cdist

    (a, codes), (b, others) = _as_points([rows, train], categorical)
    found, step = np.empty(len(rows)), max(1, _AT_ONCE // len(train))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        squares = np.zeros((len(a[part]), len(b)))
        if a.shape[1]:
            squares += cdist(a[part], b, "sqeuclidean")
        if codes.shape[1]:
            squares += codes.shape[1] * cdist(codes[part], others, "hamming")
        found[part] = np.sqrt(squares.min(1))
    return found


def _as_points(tables: Sequence[Array], categorical: Array) -> list[tuple[Array, Array]]:
    """Of each table numbers (n, m), in standard deviations of the last table; and codes (n, k): categories, -1 for a missing one, and
    whether numbers are missing in columns where some are."""
    numbers = np.ma.masked_invalid(tables[-1][:, ~categorical])
    mean, spread = (np.ma.filled(f(axis=0), 0.0) for f in (numbers.mean, numbers.std))
    spread = np.where(spread > 0, spread, 1.0)
    missing = [np.isnan(table[:, ~categorical]) for table in tables]
    gaps = np.logical_or.reduce([mask.any(0) for mask in missing])
    found = []
    for table, mask in zip(tables, missing, strict=True):
        points = np.where(mask, 0.0, (table[:, ~categorical] - mean) / spread)
        codes = [np.nan_to_num(table[:, categorical], nan=-1.0), mask[:, gaps].astype(np.float64)]
        found.append((points, np.concatenate(codes, axis=1)))
    return found


def _ratio(own: Array, other: Array, share: float, seed: int) -> Nearest:
    below = float(np.quantile(other, share))
    if not below:
        return Nearest(math.nan, math.nan, math.nan)
    rng, drawn = np.random.default_rng(seed), []
    for _ in range(_RESAMPLES):
        above, beneath = (np.quantile(rng.choice(values, len(values)), share) for values in (own, other))
        if beneath:
            drawn.append(above / beneath)
    low, high = np.quantile(drawn, _INTERVAL) if drawn else (math.nan, math.nan)
    return Nearest(float(np.quantile(own, share)) / below, float(low), float(high))


def _keys(rows: Array) -> list[bytes]:
    """The bytes of each row, equal for equal rows."""
    cells = rows.astype(np.float32) + 0  # makes 0.0 of -0.0
    cells[np.isnan(cells)] = np.nan  # one of them
    return [row.tobytes() for row in cells]

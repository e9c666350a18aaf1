r"""Figures from nearest neighbours: whether samples lie among real items, cover them, or repeat the training items.

Let $B(i)$ be the closed ball around item i whose radius is the distance to its k-th nearest other item of the same set.

    precision   share of samples in some B(real)
    recall      share of real items in some B(sample)
    density     mean over samples of the number of B(real) that hold it, over k
    coverage    share of the B(real) that hold a sample

Precision and recall are of Kynkaanniemi et al. (2019, https://arxiv.org/abs/1904.06991), density and coverage of Naeem et al.
(2020, https://arxiv.org/abs/2002.09797).  The expected density is 1 if samples and real items have one distribution; it may be above.

Memorisation compares distances to the nearest training item: those of samples with those of real items that training
never saw (Meehan et al. 2020, https://arxiv.org/abs/2004.05675).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from saltus.data import Examples
from saltus.evaluation.distances import distance_blocks

__all__ = ["NEIGHBOURS", "Fidelity", "Memorisation", "fidelity", "memorisation", "nearest_distances", "neighbour_radii"]

NEIGHBOURS = 5
"""k."""
_ROWS = 512  # items at a time
_SLACK = 1 + 1e-9  # factor of a radius, so that rounding does not put a point of the sphere outside of the ball
_COPY = 1e-5  # root mean square difference in a dimension of data with about unit variance: far below one grey value


@dataclass(frozen=True)
class Fidelity:
    """Where samples and real items lie relative to each other; each figure is in [0, 1], but density >= 0."""

    precision: float
    recall: float
    density: float
    coverage: float


def neighbour_radii(x: Tensor, *, k: int = NEIGHBOURS) -> Tensor:
    """The distance of each item of (N, *E) to its k-th nearest other item, N > k: float64 (N,).

    Raises:
        ValueError: for k items or fewer.
    """
    if len(x) <= k:
        raise ValueError(f"{len(x)} items have no {k} neighbours each; expected at least {k + 1}")
    return _to_neighbour(x, None, k=k)


def fidelity(x: Tensor, real: Tensor, *, radii: tuple[Tensor, Tensor] | None = None, k: int = NEIGHBOURS) -> Fidelity:
    """Precision, recall, density and coverage of samples (N, *E) against real items (M, *E).

    Args:
        x, real: the sets, usually of features.
        radii: `neighbour_radii` of both, if they are known.
        k: the number of neighbours.
    """
    of_x, of_real = (_SLACK * radius for radius in radii or (neighbour_radii(x, k=k), neighbour_radii(real, k=k)))
    precise, balls = 0, 0
    recalled, covered = (torch.zeros(len(real), dtype=torch.bool) for _ in range(2))
    for block, radius in zip(distance_blocks(x, real, rows=_ROWS), of_x.split(_ROWS), strict=True):
        inside = block <= of_real
        precise += int(inside.any(1).sum())
        balls += int(inside.sum())
        covered |= inside.any(0)
        recalled |= (block <= radius[:, None]).any(0)
    return Fidelity(precise / len(x), float(recalled.double().mean()), balls / (k * len(x)), float(covered.double().mean()))


def nearest_distances(x: Tensor, train: Examples) -> Tensor:
    """The distance of each item of (N, *E) to the nearest of (M, *E): float64 (N,), 0 for a copy."""
    if isinstance(train, Tensor):
        return _to_neighbour(train, x, k=1)
    found = torch.full((len(x),), math.inf, dtype=torch.float64)
    for block in train.blocks():
        found = torch.minimum(found, _to_neighbour(block, x, k=1))
    return found


def _to_neighbour(table: Tensor, x: Tensor | None, *, k: int) -> Tensor:
    """The distance of each item to its k-th nearest of a table; without items, of each of the table to its k-th nearest other.

    scikit-learn finds the neighbour by products of matrices, which round; differences then give the distance, so that it is 0 for copies.
    """
    rows = table.detach().cpu().flatten(1)
    centre = rows.mean(0)  # products of items far from the origin would lose digits
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=k, algorithm="brute")
    search.fit((rows - centre).numpy())
    items = rows if x is None else x.detach().cpu().flatten(1)
    indices = search.kneighbors(None if x is None else (items - centre).numpy(), return_distance=False)
    nearest = torch.from_numpy(indices[:, -1])
    parts = zip(items.split(_ROWS), nearest.split(_ROWS), strict=True)
    return torch.cat([(part.double() - rows[index].double()).norm(dim=1) for part, index in parts])


@dataclass(frozen=True)
class Memorisation:
    """Samples against held-out items, by their distances to the nearest training item.

    Attributes:
        probability: chance that a sample is nearer than a held-out item, ties counted half: 1/2 for new items, 1 for copies.
        ratio: quotient of the median distances, samples over held-out items: 1 for new items, 0 for copies.
        copies: share of the samples that are training items.
    """

    probability: float
    ratio: float
    copies: float


def memorisation(x: Tensor, held_out: Tensor, *, dimensions: int) -> Memorisation:
    """From the `nearest_distances` of samples (N,) and of held-out items (M,), whose items have so many dimensions.

    The probability is the statistic of Mann and Whitney, which is the area under the ROC curve.  The ratio is nan if the
    median of the held-out items is 0.
    """
    is_sample = torch.cat([torch.ones_like(x), torch.zeros_like(held_out)])
    from sklearn.metrics import roc_auc_score

    probability = roc_auc_score(is_sample.numpy(), -torch.cat([x, held_out]).numpy())
    median = float(held_out.median())
    ratio = float(x.median()) / median if median else math.nan
    return Memorisation(float(probability), ratio, float((x <= _COPY * math.sqrt(dimensions)).double().mean()))

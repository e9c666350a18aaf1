r"""What nearest neighbours tell: whether samples lie among real items, cover them, or repeat the training items.

With B(i) the closed ball around item i up to its k-th nearest other item of the same set,

    precision   share of samples in some B(real)                             Kynkaanniemi et al. 2019
    recall      share of real items in some B(sample)                        the same
    density     mean over samples of the number of B(real) they are in, / k  Naeem et al. 2020
    coverage    share of the B(real) that hold a sample                      the same

Density is 1 where samples follow the law of the data, and may be above.  Memorisation compares distances to the
nearest training item, of samples and of real items that training never saw.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from saltus.evaluation.distances import distance_blocks

__all__ = ["NEIGHBOURS", "Fidelity", "Memorisation", "fidelity", "memorisation", "nearest_distances", "neighbour_radii"]

NEIGHBOURS = 5
"""k."""
_ROWS = 512  # items at a time
_SLACK = 1 + 1e-9  # of a radius, so that rounding does not put what lies on a ball outside of it
_CANDIDATES = 8  # found in float32, measured in float64
_COPY = 1e-5  # root mean square difference of a dimension, where data have about unit variance: far below one grey value


@dataclass(frozen=True)
class Fidelity:
    """How samples and real items lie among each other; each in [0, 1], but density >= 0."""

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
    return torch.cat([block.topk(k + 1, largest=False).values[:, -1] for block in distance_blocks(x, x)])


def fidelity(x: Tensor, real: Tensor, *, radii: tuple[Tensor, Tensor] | None = None, k: int = NEIGHBOURS) -> Fidelity:
    """Precision, recall, density and coverage of samples (N, *E) against real items (M, *E).

    Args:
        x, real: the sets, usually in a space of features.
        radii: `neighbour_radii` of both, where they are known.
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


def nearest_distances(x: Tensor, train: Tensor) -> Tensor:
    """The distance of each item of (N, *E) to the nearest of (M, *E), float64 (N,).

    Candidates are found by products in float32, and measured in float64.
    """
    a, b = (y.detach().cpu().flatten(1) for y in (x, train))
    centre = b.mean(0)
    table = (b - centre).float()
    halves = table.square().sum(1) / 2
    found = []
    for part in a.split(_ROWS):
        order = torch.addmm(halves, (part - centre).float(), table.T, alpha=-1)  # |x - y|^2 / 2 less a constant of each row
        candidates = order.topk(min(_CANDIDATES, len(b)), largest=False).indices
        found.append((part.double()[:, None] - b[candidates].double()).norm(dim=2).amin(1))
    return torch.cat(found)


@dataclass(frozen=True)
class Memorisation:
    """Samples against real items held out, by their distances to the nearest training item.

    Attributes:
        probability: that a sample is nearer than a held-out item, ties counted half: 1/2 for fresh draws, 1 for copies.
        ratio: of the median distances, samples over held-out items: 1 for fresh draws, 0 for copies.
        copies: share of the samples that are training items.
    """

    probability: float
    ratio: float
    copies: float


def memorisation(x: Tensor, held_out: Tensor, *, dimensions: int) -> Memorisation:
    """From the `nearest_distances` of samples (N,) and of held-out items (M,); the ratio is nan where the latter's median is 0.

    The probability is the statistic of Mann and Whitney, or the area under the ROC curve.
    """
    from sklearn.metrics import roc_auc_score

    is_sample = torch.cat([torch.ones_like(x), torch.zeros_like(held_out)])
    probability = roc_auc_score(is_sample.numpy(), -torch.cat([x, held_out]).numpy())
    median = float(held_out.median())
    ratio = float(x.median()) / median if median else math.nan
    return Memorisation(float(probability), ratio, float((x <= _COPY * math.sqrt(dimensions)).double().mean()))

r"""Distances between two sets of features, and the diversity of one.

The Frechet distance (Heusel et al. 2017, https://arxiv.org/abs/1706.08500) of means $m, m'$ and covariances $C, C'$ is

$$ |m - m'|^2 + tr\bigl(C + C' - 2 (C C')^{1/2}\bigr) . $$

The kernel distance (Binkowski et al. 2018, https://arxiv.org/abs/1801.01401) is the squared maximum mean discrepancy

$$ E k(x, x') + E k(y, y') - 2 E k(x, y), \qquad k(x, y) = (\langle x, y \rangle / F + 1)^3 . $$

Its means are over pairs of different items, so it has no bias and may be below 0.

The Vendi score (Friedman and Dieng 2023, https://arxiv.org/abs/2210.02410) is the exponential of the entropy of the
eigenvalues of $K / N$, with K the N x N matrix of cosines.  These are the eigenvalues of the F x F matrix of second moments of
the normalised features, and zeros.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from saltus.extras import needs

__all__ = ["frechet_distance", "kernel_distance", "vendi_score"]

_SUBSETS, _SUBSET_SIZE = 50, 1000
_ALONE = {"sync_on_compute": False}  # or torchmetrics would add up the same items in all processes that share the sampling


class _Identity(nn.Module):
    """Stands for the network of a metric whose input is features already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def frechet_distance(x: Tensor, real: Tensor) -> float:
    """The Frechet distance of the Gaussians with the moments of features (N, F) and (M, F), by torchmetrics in float64.

    Covariances of full rank need N > F and M > F.  The bias falls as 1/N: compare figures of equal N only.
    """
    metric = needs("torchmetrics.image.fid", extra="evaluate").FrechetInceptionDistance(feature=_Identity(x.shape[1]), **_ALONE)
    metric.update(real.double(), real=True)
    metric.update(x.double(), real=False)
    return float(metric.compute())


def kernel_distance(x: Tensor, real: Tensor, *, seed: int = 0) -> float:
    """The kernel distance of features (N, F) and (M, F): the mean over 50 subsets of at most 1000 items, by torchmetrics."""
    library = needs("torchmetrics.image.kid", extra="evaluate")
    with warnings.catch_warnings(action="ignore"):  # it warns that it keeps all features, as it should
        metric = library.KernelInceptionDistance(
            feature=_Identity(x.shape[1]),
            subsets=_SUBSETS,
            subset_size=min(_SUBSET_SIZE, len(x), len(real)),
            gamma=1 / x.shape[1],
            **_ALONE,
        )
    metric.update(real.double(), real=True)
    metric.update(x.double(), real=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return float(metric.compute()[0])


def vendi_score(features: Tensor) -> float:
    """The effective number of different items among features (N, F), from 1 to min(N, F)."""
    directions = nn.functional.normalize(features.double(), dim=1)
    shares = torch.linalg.eigvalsh(directions.T @ directions / len(directions)).clamp_min(0)
    return float(torch.special.entr(shares).sum().exp())

r"""Distances between sets of features, and the diversity of one.

    Frechet    |m - m'|^2 + tr(C + C' - 2 (C C')^{1/2}),  means and covariances      Heusel et al. 2017
    kernel     E k(x, x') + E k(y, y') - 2 E k(x, y),  k = (<x, y> / F + 1)^3        Binkowski et al. 2018
    Vendi      exp of the entropy of the eigenvalues of K / N, K the cosines         Friedman & Dieng 2023

The kernel distance takes pairs of different items, so it has no bias and may be below 0.  The N x N matrix of cosines
has the eigenvalues of the F x F matrix of second moments, and zeros.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

__all__ = ["frechet_distance", "kernel_distance", "vendi_score"]

_SUBSETS, _SUBSET_SIZE = 50, 1000


class _Given(nn.Module):
    """Features that are there already, for metrics that ask for a network."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def frechet_distance(x: Tensor, real: Tensor) -> float:
    """The Frechet distance of the Gaussians with the moments of features (N, F) and (M, F), by torchmetrics in float64.

    More than F items on each side are needed for covariances of full rank, and the bias falls as 1/N: compare equal N only.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(feature=_Given(x.shape[1]))
    metric.update(real.double(), real=True)
    metric.update(x.double(), real=False)
    return float(metric.compute())


def kernel_distance(x: Tensor, real: Tensor, *, seed: int = 0) -> float:
    """The squared kernel distance (MMD) of features (N, F) and (M, F): mean over 50 subsets of at most 1000, by torchmetrics."""
    from torchmetrics.image.kid import KernelInceptionDistance

    with warnings.catch_warnings(action="ignore"):  # that features are kept, which is meant
        metric = KernelInceptionDistance(
            feature=_Given(x.shape[1]), subsets=_SUBSETS, subset_size=min(_SUBSET_SIZE, len(x), len(real)), gamma=1 / x.shape[1]
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

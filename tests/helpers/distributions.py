"""Gaussian data whose reverse steps are known in closed form."""

from __future__ import annotations

import torch
from torch import Tensor

from saltus.oracles import GaussianMixture
from saltus.process import OrnsteinUhlenbeck

__all__ = ["gaussian", "posterior_variance"]

process = OrnsteinUhlenbeck()


def gaussian(variances: list[float]) -> GaussianMixture:
    """N(0, diag(variances))."""
    v = torch.tensor(variances, dtype=torch.float64)
    return GaussianMixture(torch.ones(1), torch.zeros(1, len(v)), torch.diag(v)[None])


def posterior_variance(v: Tensor, t: float) -> Tensor:
    """C_t of Gaussian data, v sigma^2 / (alpha^2 v + sigma^2)."""
    alpha, noise = process.alpha(t) ** 2, process.sigma(t) ** 2
    return v * noise / (alpha * v + noise)

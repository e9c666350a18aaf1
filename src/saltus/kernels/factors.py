r"""Rows as one Gaussian, of which any numbers may be known: factor analysis, in closed form.

.. math:: y \sim \mathcal N(m,\; F F^\top + \mathrm{diag}(v)), \qquad y = m + F u + \sqrt v\, \epsilon, \quad u \sim \mathcal N(0, I).

Given some numbers of a row u is Gaussian, whatever their pattern; one more number y_j changes its mean and covariance C by

.. math:: g = C F_j / (F_j^\top C F_j + v_j), \qquad
          \mathbb E u \leftarrow \mathbb E u + g\, (y_j - m_j - F_j^\top \mathbb E u), \qquad C \leftarrow C - g\, F_j^\top C

(Kalman 1960), and with -v_j for v_j it is forgotten again.  Numbers whose values come again and again, such as categories, are not smooth:
they are told of, but their own distributions are about 0 and 1, or their places would move with the mean.
"""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import torch
from sklearn.decomposition import FactorAnalysis as Fit
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from torch import Tensor, nn

__all__ = ["FactorAnalysis", "Given"]

_LEAST = 1e-3  # of v, in variances of a number: float32 has the digits for it
_ROWS = 5000  # that it is fitted to
_RANKS, _FOLDS = (1, 2, 4, 8, 16), 3  # that are tried, by the likelihood of rows that are left out
_SEARCH = {"max_iter": 50, "iterated_power": 2, "random_state": 0}  # seconds for 500 columns
_DISTINCT = 0.1  # of the rows, at least, have another number than all others, where a distribution is about the moments
_CONSTANT = 1e-6  # a standard deviation of a column that never changes


class Given(NamedTuple):
    """What is known of u: its mean, (B, r), and its covariance, (B, r, r)."""

    mean: Tensor
    covariance: Tensor


class FactorAnalysis(nn.Module):
    """One Gaussian of rows; a fresh one is N(0, I).

    Args:
        E: numbers of a row.
        rank: r, columns of F.
    """

    def __init__(self, E: int, rank: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(E))
        self.register_buffer("factors", torch.zeros(E, rank))
        self.register_buffer("variances", torch.ones(E))
        self.register_buffer("smooth", torch.ones(E, dtype=torch.bool))
        self.mean: Tensor
        self.factors: Tensor
        self.variances: Tensor
        self.smooth: Tensor

    @property
    def rank(self) -> int:
        """r."""
        return int(self.factors.shape[1])

    @torch.no_grad()
    def fit(self, y: Tensor) -> None:
        """To rows (N, E), by their likelihood; of as many factors as tell most of rows that were left out."""
        y = y[:: math.ceil(len(y) / _ROWS)].double().cpu()
        self.smooth.copy_(torch.tensor([len(column.unique()) >= _DISTINCT * len(y) for column in y.T]))
        scale = y.std(0).clamp_min(_CONSTANT)
        ranks = sorted({min(rank, self.rank) for rank in _RANKS})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the network learns what is missing
            found = GridSearchCV(Fit(**_SEARCH), {"n_components": ranks}, cv=_FOLDS).fit((y / scale).numpy()).best_estimator_
        self.mean.copy_(y.mean(0))
        self.factors.zero_()
        self.factors[:, : len(found.components_)] = (torch.from_numpy(found.components_).T * scale[:, None]).to(self.factors)
        self.variances.copy_(torch.from_numpy(found.noise_variance_).clamp_min(_LEAST) * scale.square())

    def begin(self, n: int) -> Given:
        """Where no number is known, of n rows."""
        eye = torch.eye(self.rank, device=self.mean.device, dtype=self.mean.dtype)
        return Given(eye.new_zeros(n, self.rank), eye.expand(n, -1, -1))

    def told(self, y: Tensor, known: Tensor) -> Given:
        """Where some numbers are known, of rows (B, E)."""
        weight = known / self.variances
        outer = (self.factors[:, :, None] * self.factors[:, None]).flatten(1)
        precision = (weight @ outer).unflatten(1, (self.rank, self.rank)) + torch.eye(self.rank, device=y.device, dtype=y.dtype)
        covariance = torch.cholesky_inverse(torch.linalg.cholesky(precision))
        along = (weight * torch.where(known, y - self.mean, 0.0)) @ self.factors
        return Given((covariance @ along[..., None])[..., 0], covariance)

    def told_of(self, given: Given, j: int, y: Tensor, known: Tensor, *, forget: bool = False) -> Given:
        """Where the number j, (B,), is known too where `known` says so; or is no longer."""
        mean, covariance = given
        own = covariance @ self.factors[j]
        variance = self.variances[j] if not forget else -self.variances[j]
        gain = torch.where(known[:, None], own / ((own @ self.factors[j]) + variance)[:, None], 0.0)
        off = torch.where(known, y - self.mean[j] - mean @ self.factors[j], 0.0)
        return Given(mean + gain * off[:, None], covariance - gain[:, :, None] * own[:, None])

    def moments(self, given: Given) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each number that is not known, (B, E) each; 0 and 1 where it is not smooth."""
        spread = ((given.covariance @ self.factors.T) * self.factors.T).sum(1)
        mean, std = self.mean + given.mean @ self.factors.T, (spread + self.variances).sqrt()
        return torch.where(self.smooth, mean, 0.0), torch.where(self.smooth, std, 1.0)

    def moments_of(self, given: Given, j: int) -> tuple[Tensor, Tensor]:
        """Those of the number j, (B,) each."""
        own, smooth = self.factors[j], self.smooth[j]
        mean, std = self.mean[j] + given.mean @ own, ((given.covariance @ own) @ own + self.variances[j]).sqrt()
        return torch.where(smooth, mean, 0.0), torch.where(smooth, std, 1.0)

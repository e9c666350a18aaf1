r"""Gaussian mixtures with full covariances, seen through the noise process.

For y ~ sum_k w_k N(m_k, C_k) with C_k = U_k diag(lambda_k) U_k^T everything is diagonal in the basis U_k:

    q(z_t)        = sum_k w_k N(alpha m_k, alpha^2 C_k + sigma^2 I)
    q(k | z_t)    ~ w_k N(z_t; alpha m_k, alpha^2 C_k + sigma^2 I)
    q(y | z_t, k) = N(m_k + G_k (z_t - alpha m_k), P_k),   G = alpha lambda / (alpha^2 lambda + sigma^2),
                                                           P = lambda sigma^2 / (alpha^2 lambda + sigma^2)
    q(z_s | z_t)  = sum_k q(k | z_t) N(A z_t + B E[y | z_t, k], S I + B^2 P_k)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Distribution

from saltus.oracles.oracle import Law, Oracle, choose, none_or_all_equal
from saltus.process import Delta, OrnsteinUhlenbeck, Time, as_time

__all__ = ["GaussianMixture"]

_process = OrnsteinUhlenbeck()


class MixtureLaw(Law):
    """sum_k softmax(logits)_k N(mean_k, U_k diag(variance_k) U_k^T).

    Args:
        logits: (*batch, K), unnormalised log weights.
        mean, variance: (*batch, K, d) or (K, d); `variance` in the basis, > 0.
        basis: U, (K, d, d), orthonormal columns.
        event_shape: E with d numbers.
    """

    def __init__(self, logits: Tensor, mean: Tensor, variance: Tensor, basis: Tensor, event_shape: torch.Size) -> None:
        self.logits = logits.log_softmax(-1)
        self._mean, self._variance, self._basis = mean, variance, basis
        super().__init__(logits.shape[:-1], event_shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        mixed = (self.logits.exp()[..., None] * self._mean).sum(-2)
        return mixed.reshape(*mixed.shape[:-1], *self.event_shape)

    @property
    def variance(self) -> Tensor:
        inner = torch.einsum("kij,...kj->...ki", self._basis**2, self._variance) + self._mean**2
        second = (self.logits.exp()[..., None] * inner).sum(-2)
        return second.reshape(*second.shape[:-1], *self.event_shape) - self.mean**2

    def log_prob(self, value: Tensor) -> Tensor:
        x = value.to(torch.float64).flatten(value.ndim - len(self.event_shape)) if self.event_shape else value[..., None]
        return (self.logits + _log_normal(x[..., None, :], self._mean, self._variance, self._basis)).logsumexp(-1)

    def draw(self, uniform: Tensor, normal: Tensor) -> Tensor:
        k = choose(self.logits, uniform)
        full = (*uniform.shape, *self._mean.shape[-2:])
        pick = k[..., None, None].expand(*k.shape, 1, full[-1])
        mean = self._mean.expand(full).gather(-2, pick).squeeze(-2)
        std = self._variance.expand(full).gather(-2, pick).squeeze(-2).sqrt()
        unit = normal.to(torch.float64).reshape(mean.shape)
        moved = mean + torch.einsum("...ij,...j->...i", self._basis[k], std * unit)
        return moved.reshape(*uniform.shape, *self.event_shape)


def _log_normal(x: Tensor, mean: Tensor, variance: Tensor, basis: Tensor) -> Tensor:
    coordinates = torch.einsum("kij,...ki->...kj", basis, x - mean)
    return -0.5 * (coordinates**2 / variance + torch.log(2 * math.pi * variance)).sum(-1)


class GaussianMixture(Oracle):
    """y ~ sum_k w_k N(m_k, C_k), exact at every time.

    Args:
        weights: (K,), positive; normalised here.
        means: (K, *E), with d = prod(E).
        covariances: (K, d, d), symmetric positive definite.

    Raises:
        ValueError: if shapes disagree, a weight is not positive, or a covariance is not symmetric positive definite
            (for point masses use `FiniteData`).

    >>> oracle = GaussianMixture(torch.tensor([0.5, 0.5]), torch.tensor([[-1.0], [1.0]]), torch.full((2, 1, 1), 0.01))
    >>> float(oracle.posterior_mean(torch.tensor([[0.0]]), 0.3))
    0.0
    """

    def __init__(self, weights: Tensor, means: Tensor, covariances: Tensor) -> None:
        weights, means, covariances = (x.detach().to(torch.float64) for x in (weights, means, covariances))
        self.event_shape = means.shape[1:]
        K, d = len(means), math.prod(self.event_shape)
        if weights.shape != (K,) or covariances.shape != (K, d, d):
            raise ValueError(
                f"weights {tuple(weights.shape)}, means {tuple(means.shape)}, covariances {tuple(covariances.shape)}; "
                "expected (K,), (K, *E) and (K, d, d) with d = prod(E)"
            )
        if not bool((weights > 0).all()) or not bool(torch.isfinite(weights).all()):
            raise ValueError(f"weights = {weights.tolist()}; expected positive numbers")
        if not bool(torch.isfinite(means).all()) or not bool(torch.isfinite(covariances).all()):
            raise ValueError("a mean or a covariance is not finite; expected finite numbers")
        self._eigenvalues, self._basis = torch.linalg.eigh(covariances)
        if not torch.allclose(covariances, covariances.mT) or not bool((self._eigenvalues > 0).all()):
            raise ValueError("a covariance is not symmetric positive definite; for point masses use FiniteData")
        self._log_weights = (weights / weights.sum()).log()
        self._means = means.reshape(K, d)

    def marginal(self, t: Time) -> MixtureLaw:
        """q(z_t), batch shape of `t`, event shape E; at t = 0 the law of y."""
        alpha, noise = self._scales(t)
        variance = alpha**2 * self._eigenvalues + noise
        logits = self._log_weights.expand(*alpha.shape[:-2], -1)
        return MixtureLaw(logits, alpha * self._means, variance, self._basis, self.event_shape)

    def posterior_mean(self, z: Tensor, t: Time) -> Tensor:
        """E[y | z_t = z], (B, *E) in the dtype of `z`."""
        x = self._check(z).reshape(len(z), -1)
        logits, mean = self._posterior(x, t)
        return (logits.exp()[..., None] * mean).sum(-2).reshape(z.shape).to(z.dtype)

    def reverse(self, z_t: Tensor, s: Time, t: Time) -> Distribution:
        """q(z_s | z_t), the exact reverse kernel; a mixture with batch shape (B,), or `Delta` where s = t."""
        x = self._check(z_t).reshape(len(z_t), -1)
        if none_or_all_equal(*torch.broadcast_tensors(as_time(s, "s"), as_time(t))):
            return Delta(x.reshape(z_t.shape), z_t.ndim - 1)
        a, b, variance = (c[..., None, None] for c in _process.bridge_coefficients(s, t))
        logits, mean = self._posterior(x, t)
        alpha, noise = self._scales(t)
        posterior = self._eigenvalues * noise / (alpha**2 * self._eigenvalues + noise)
        return MixtureLaw(logits, a * x[:, None] + b * mean, variance + b**2 * posterior, self._basis, self.event_shape)

    def _scales(self, t: Time) -> tuple[Tensor, Tensor]:
        """alpha and sigma^2 as (*batch, 1, 1)."""
        return _process.alpha(t)[..., None, None], _process.sigma(t)[..., None, None] ** 2

    def _posterior(self, x: Tensor, t: Time) -> tuple[Tensor, Tensor]:
        """ln q(k | z_t) (B, K) and E[y | z_t, k] (B, K, d)."""
        alpha, noise = self._scales(t)
        variance = alpha**2 * self._eigenvalues + noise
        logits = self._log_weights + _log_normal(x[:, None], alpha * self._means, variance, self._basis)
        coordinates = torch.einsum("kij,bki->bkj", self._basis, x[:, None] - alpha * self._means)
        shift = torch.einsum("kij,bkj->bki", self._basis, alpha * self._eigenvalues / variance * coordinates)
        return logits.log_softmax(-1), self._means + shift

r"""Gaussian mixtures with full covariances, seen through the noise process.

For $y \sim \sum_k w_k\, \mathcal N(m_k, C_k)$ with $C_k = U_k\, \mathrm{diag}(\lambda_k)\, U_k^\top$ everything is diagonal in the
basis $U_k$.  With the bridge's coefficients $A$, $B$, $S$ of `OrnsteinUhlenbeck.bridge_coefficients`,

$$
\begin{aligned}
q(z_t)              &= \sum_k w_k\, \mathcal N(\alpha m_k,\; \alpha^2 C_k + \sigma^2 I) \\
q(k \mid z_t)       &\propto w_k\, \mathcal N(z_t;\; \alpha m_k,\; \alpha^2 C_k + \sigma^2 I) \\
q(y \mid z_t, k)    &= \mathcal N(m_k + G_k (z_t - \alpha m_k),\; P_k), \qquad
                       G = \frac{\alpha \lambda}{\alpha^2 \lambda + \sigma^2}, \quad
                       P = \frac{\lambda \sigma^2}{\alpha^2 \lambda + \sigma^2} \\
q(z_s \mid z_t)     &= \sum_k q(k \mid z_t)\, \mathcal N(A z_t + B\, \mathbb E[y \mid z_t, k],\; S I + B^2 P_k)
\end{aligned}
$$

Given a class, $w_k$ is replaced by the weight of the component within its class (`components`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from saltus.errors import SaltusError
from saltus.oracles.components import Components
from saltus.oracles.oracle import GivenComponents, Oracle, OracleDistribution, choose, none_or_all_equal
from saltus.process import Delta, OrnsteinUhlenbeck, Time, as_time

__all__ = ["GaussianMixture"]

_process = OrnsteinUhlenbeck()


class MixtureDistribution(OracleDistribution):
    """sum_k softmax(logits)_k N(mean_k, U_k diag(variance_k) U_k^T).

    Args:
        logits: (*batch, K), unnormalised log weights; -inf for a component that is left out.
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
        labels: the class of each component, K whole numbers >= 0; several components may share one.  None for no classes.

    Raises:
        SaltusError: if shapes disagree, a weight is not positive, a covariance is not symmetric positive definite
            (for point masses use `FiniteData`), or a label is not a whole number >= 0.

    >>> oracle = GaussianMixture(torch.tensor([0.5, 0.5]), torch.tensor([[-1.0], [1.0]]), torch.full((2, 1, 1), 0.01))
    >>> float(oracle.posterior_mean(torch.tensor([[0.0]]), 0.3))
    0.0
    """

    def __init__(self, weights: Tensor, means: Tensor, covariances: Tensor, labels: Sequence[int] | None = None) -> None:
        weights, means, covariances = (x.detach().to(torch.float64) for x in (weights, means, covariances))
        self.event_shape = means.shape[1:]
        K, d = len(means), math.prod(self.event_shape)
        if weights.shape != (K,) or covariances.shape != (K, d, d):
            raise SaltusError(
                f"weights {tuple(weights.shape)}, means {tuple(means.shape)}, covariances {tuple(covariances.shape)}; "
                "expected (K,), (K, *E) and (K, d, d) with d = prod(E)"
            )
        if not bool((weights > 0).all()) or not bool(torch.isfinite(weights).all()):
            raise SaltusError(f"weights = {weights.tolist()}; expected positive numbers")
        if not bool(torch.isfinite(means).all()) or not bool(torch.isfinite(covariances).all()):
            raise SaltusError("a mean or a covariance is not finite; expected finite numbers")
        self._eigenvalues, self._basis = torch.linalg.eigh(covariances)
        if not torch.allclose(covariances, covariances.mT) or not bool((self._eigenvalues > 0).all()):
            raise SaltusError("a covariance is not symmetric positive definite; for point masses use FiniteData")
        self._components = Components(weights, labels)
        self._means = means.reshape(K, d)

    def marginal(self, t: Time, condition: Tensor | None = None) -> MixtureDistribution:
        """q(z_t) or q(z_t | c), batch shape of `t` and `condition`, event shape E; at t = 0 the distribution of y."""
        time, condition = self._with_times(t, condition)
        alpha, noise = _scales(time)
        variance = alpha**2 * self._eigenvalues + noise
        logits = self._components.log_weights(condition).expand(*time.shape, -1)
        return MixtureDistribution(logits, alpha * self._means, variance, self._basis, self.event_shape)

    def posterior_mean(self, z: Tensor, t: Time, condition: Tensor | None = None) -> Tensor:
        """E[y | z_t = z] or E[y | z_t = z, c], (B, *E) in the dtype of `z`."""
        x = self._check(z).reshape(len(z), -1)
        logits, mean = self._posterior(x, t, condition)
        return (logits.exp()[..., None] * mean).sum(-2).reshape(z.shape).to(z.dtype)

    def reverse(self, z_t: Tensor, s: Time, t: Time, condition: Tensor | None = None) -> Distribution:
        """q(z_s | z_t) or q(z_s | z_t, c), the exact reverse kernel; a mixture with batch shape (B,), or `Delta` where s = t."""
        x = self._check(z_t).reshape(len(z_t), -1)
        if none_or_all_equal(*torch.broadcast_tensors(as_time(s, "s"), as_time(t))):
            return Delta(x.reshape(z_t.shape), z_t.ndim - 1)
        a, b, variance = (c[..., None, None] for c in _process.bridge_coefficients(s, t))
        logits, mean = self._posterior(x, t, condition)
        alpha, noise = _scales(t)
        posterior = self._eigenvalues * noise / (alpha**2 * self._eigenvalues + noise)
        return MixtureDistribution(logits, a * x[:, None] + b * mean, variance + b**2 * posterior, self._basis, self.event_shape)

    def components_given(self, z: Tensor, t: Time, condition: Tensor | None = None, *, most: int) -> GivenComponents:
        """The most probable components of q(y | z_t = z), see `Oracle`."""
        logits, mean = self._posterior(self._check(z).reshape(len(z), -1), t, condition)
        alpha, noise = _scales(t)
        spread = self._eigenvalues * noise / (alpha**2 * self._eigenvalues + noise)
        variance = torch.einsum("kij,kj->ki", self._basis**2, spread.reshape(self._eigenvalues.shape))
        shares, k = logits.topk(min(most, logits.shape[1]), 1)
        shape = (*k.shape, *self.event_shape)
        rows = torch.arange(len(z))[:, None]
        return GivenComponents(shares, mean[rows, k].reshape(shape), variance[k].reshape(shape))

    def _posterior(self, x: Tensor, t: Time, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """ln q(k | z_t, c) (B, K) and E[y | z_t, k] (B, K, d)."""
        alpha, noise = _scales(t)
        variance = alpha**2 * self._eigenvalues + noise
        prior = self._components.log_weights(self._components.check(condition, len(x)))
        logits = prior + _log_normal(x[:, None], alpha * self._means, variance, self._basis)
        coordinates = torch.einsum("kij,bki->bkj", self._basis, x[:, None] - alpha * self._means)
        shift = torch.einsum("kij,bkj->bki", self._basis, alpha * self._eigenvalues / variance * coordinates)
        return logits.log_softmax(-1), self._means + shift


def _scales(t: Time) -> tuple[Tensor, Tensor]:
    """alpha and sigma^2 as (*batch, 1, 1)."""
    return _process.alpha(t)[..., None, None], _process.sigma(t)[..., None, None] ** 2

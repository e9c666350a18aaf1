"""The distributions of a mixture of low-rank Gaussians: marginals, reverse kernels, and those of items at different times.

Their mathematics is that of `saltus.oracles.low_rank`; they are computed when they are asked for, a block of items at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from saltus.oracles.gaussians import LowRankGaussians, blocks, directions, root
from saltus.oracles.oracle import OracleDistribution, choose

__all__ = ["ByTime", "LowRankMarginal", "LowRankReverse", "mixed"]


class LowRankMarginal(OracleDistribution):
    """sum_k w_k N_k.

    Args:
        components: N_k.
        log_weights: normalised, (*batch, K).
        event_shape: E with d numbers.
    """

    def __init__(self, components: LowRankGaussians, log_weights: Tensor, event_shape: torch.Size) -> None:
        self.components, self.logits = components, log_weights
        super().__init__(log_weights.shape[:-1], event_shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        return (self.logits.exp() @ self.components.mean).reshape(*self.batch_shape, *self.event_shape)

    @property
    def variance(self) -> Tensor:
        here = self.components
        inner = here.diagonal * (1 + (here.basis.square() * here.excess[:, None]).sum(-1)) + here.mean.square()
        second = (self.logits.exp() @ inner).reshape(*self.batch_shape, *self.event_shape)
        return second - self.mean.square()

    def log_prob(self, value: Tensor) -> Tensor:
        """ln of the density, as many as there are values (*batch, *E)."""
        batch = value.shape[: value.ndim - len(self.event_shape)]
        x = value.to(self.logits).reshape(batch.numel(), -1)
        return mixed(self.components, x, self.logits).reshape(batch)

    def draw(self, uniform: Tensor, normal: Tensor) -> Tensor:
        unit, here = normal.to(self.logits).flatten(1), self.components
        k = choose(self.logits, uniform.to(unit.device))
        parts = [here.mean[k[rows]] + here.root(unit[rows], k[rows]) for rows in blocks(len(unit), here.basis[0].numel())]
        return torch.cat(parts).reshape(normal.shape)


class LowRankReverse(OracleDistribution):
    """q(z_s | z_t) of items at one s and one t.

    Args:
        clean, noisy: the components at s and at t.
        prior, joint: ln w_k and ln w_k q(z_t | k), (B, K).
        z_t: (B, d).
        rho: e^{-(t-s)}.
        event_shape: shape E of one item.
    """

    def __init__(
        self,
        clean: LowRankGaussians,
        noisy: LowRankGaussians,
        prior: Tensor,
        joint: Tensor,
        z_t: Tensor,
        rho: float,
        event_shape: torch.Size,
    ) -> None:
        self._clean, self._noisy, self._prior, self._z_t = clean, noisy, prior, z_t
        self._log_marginal, self.logits = joint.logsumexp(1), joint.log_softmax(1)
        self._rho, self._tau = rho, -math.expm1(2 * math.log(rho))
        super().__init__(joint.shape[:-1], event_shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        mean = (self._z_t + self._tau * self._noisy.score(self._z_t, self.logits.exp())) / self._rho
        return mean.reshape(*self.batch_shape, *self.event_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """ln of the density of values (B, *E), by Bayes' rule."""
        z_s, z_t = value.to(self.logits).flatten(1), self._z_t
        squares = (z_t - self._rho * z_s).square().sum(1) / self._tau
        forward = -0.5 * (squares + z_t.shape[1] * math.log(2 * math.pi * self._tau))
        return mixed(self._clean, z_s, self._prior) + forward - self._log_marginal

    def draw(self, uniform: Tensor, normal: Tensor) -> Tensor:
        unit = normal.to(self.logits).flatten(1)
        k = choose(self.logits, uniform.to(unit.device))
        parts = [self._drawn(unit[rows], k[rows], self._z_t[rows]) for rows in blocks(len(unit), 4 * self._clean.basis[0].numel())]
        return torch.cat(parts).reshape(normal.shape)

    def _drawn(self, unit: Tensor, k: Tensor, z_t: Tensor) -> Tensor:
        """From the component k of each item."""
        return self.mean_given(k, z_t) + root(*self._spread(k), unit)

    def mean_given(self, k: Tensor, z_t: Tensor | None = None) -> Tensor:
        """E[z_s | z_t, k], a component for each item, (B, d)."""
        z_t = self._z_t if z_t is None else z_t
        return (z_t - self._tau * self._noisy.solve(z_t - self._noisy.mean[k], k)) / self._rho

    def around(self, k: Tensor) -> LowRankGaussians:
        """z_s - E[z_s | z_t, k] of some components (n,)."""
        diagonal, basis, excess = self._spread(k)
        return LowRankGaussians(torch.zeros_like(diagonal), diagonal, basis, excess)

    def _spread(self, k: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of components whose precision is E^{-1} - H H^T with a diagonal E."""
        diagonal = 1 / (1 / self._clean.diagonal[k] + self._rho**2 / self._tau)
        basis, share = directions(self._clean.whitened[k] * diagonal.sqrt()[..., None])
        share = share.clamp_max(1 - torch.finfo(share.dtype).eps)
        return diagonal, basis, share / (1 - share)


class ByTime(OracleDistribution):
    """Distributions of items that do not share their times, a group for each.

    Args:
        groups: places of items, and their distribution.
        n: how many items.
        event_shape: shape E of one item.
    """

    def __init__(self, groups: Sequence[tuple[Tensor, OracleDistribution]], n: int, event_shape: torch.Size) -> None:
        self._groups = groups
        super().__init__(torch.Size([n]), event_shape, validate_args=False)

    def _together(self, part: Callable[[OracleDistribution, Tensor], Tensor]) -> Tensor:
        found = torch.cat([part(distribution, places) for places, distribution in self._groups])
        order = torch.cat([places for places, _ in self._groups]).to(found.device)
        return torch.empty_like(found).index_copy_(0, order, found)

    @property
    def mean(self) -> Tensor:
        return self._together(lambda distribution, _: distribution.mean)

    @property
    def variance(self) -> Tensor:
        return self._together(lambda distribution, _: distribution.variance)

    def log_prob(self, value: Tensor) -> Tensor:
        return self._together(lambda distribution, places: distribution.log_prob(value[places.to(value.device)]))

    def draw(self, uniform: Tensor, normal: Tensor) -> Tensor:
        return self._together(lambda distribution, places: distribution.draw(uniform[places], normal[places.to(normal.device)]))


def mixed(components: LowRankGaussians, x: Tensor, log_weights: Tensor) -> Tensor:
    """ln sum_k w_k N_k(x), (B,), a block of items at a time."""
    weights, (K, _, r) = log_weights.expand(len(x), -1), components.basis.shape
    return torch.cat([(weights[rows] + components.log_prob(x[rows])).logsumexp(1) for rows in blocks(len(x), K * (r + 1))])

r"""Distributions without width.

At $t = 0$, and between equal times, the noise process has not moved: $q(z_t \mid z_s) = \delta(z_t - z_s)$ is a point mass, which
`torch.distributions.Normal` cannot be (it refuses scale 0).  `Delta` is that distribution; `normal_or_delta` chooses between the two.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal, constraints

__all__ = ["Delta", "normal_or_delta"]


class Delta(Distribution):
    """The point mass at `point`, an item's distribution when nothing about it is random.

    `log_prob` is +inf at the point itself and -inf everywhere else (nats, against Lebesgue measure).

    Args:
        point: (B, *E), or (*batch, *E) in general.
        event_dims: how many of the last dimensions form one item.
    """

    arg_constraints = {}  # noqa: RUF012 - the interface of torch.distributions
    support = constraints.real
    has_rsample = True

    def __init__(self, point: Tensor, event_dims: int = 0) -> None:
        self.point = point
        split = point.ndim - event_dims
        super().__init__(point.shape[:split], point.shape[split:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.point

    @property
    def variance(self) -> Tensor:
        return torch.zeros_like(self.point)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.point.expand(self._extended_shape(torch.Size(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        there = value == self.point
        hit = there.flatten(start_dim=value.ndim - len(self.event_shape)).all(-1) if self.event_shape else there
        inf = torch.full(hit.shape, torch.inf, dtype=self.point.dtype, device=self.point.device)
        return torch.where(hit, inf, -inf)

    def __repr__(self) -> str:
        return f"Delta(batch_shape={tuple(self.batch_shape)}, event_shape={tuple(self.event_shape)})"


class _SomePoints(Independent):  # type: ignore[type-arg]  # not subscriptable at run time
    """Normals of which some items have scale 0: a batch of times that holds t = 0 beside others."""

    def __init__(self, mean: Tensor, std: Tensor, event_dims: int) -> None:
        self._point = (std == 0).reshape(len(mean), -1).all(1)
        self._delta = Delta(mean, event_dims)
        self._safe = Independent(Normal(mean, torch.where(std > 0, std, torch.ones_like(std)).expand(mean.shape)), event_dims)
        super().__init__(Normal(mean, std.expand(mean.shape), validate_args=False), event_dims, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        return torch.where(self._point, self._delta.log_prob(value), self._safe.log_prob(value))


def normal_or_delta(mean: Tensor, std: Tensor) -> Distribution:
    """N(mean, std^2) over items, or the point mass where std is zero.

    Args:
        mean: (B, *E).
        std: (B, 1, ..., 1) or (1, ..., 1); >= 0.
    """
    event_dims = mean.ndim - 1
    if bool((std == 0).all()):
        return Delta(mean, event_dims)
    if bool((std > 0).all()):
        return Independent(Normal(mean, std.expand(mean.shape)), event_dims)
    return _SomePoints(mean, std, event_dims)

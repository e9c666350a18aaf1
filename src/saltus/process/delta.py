r"""Laws without width.

At t = 0, and between equal times, the noise process has not moved: its law is a point mass, which
`torch.distributions.Normal` cannot be (it refuses scale 0).  `Delta` is that law; `normal_or_delta`
chooses between the two.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal, constraints

__all__ = ["Delta", "normal_or_delta"]


class Delta(Distribution):
    """The point mass at `point`, an item's law when nothing about it is random.

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


class _NormalWithPoints(Normal):
    """A Normal of which some items have scale 0: a batch of times that holds t = 0 beside others."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.nonnegative}  # noqa: RUF012

    def log_prob(self, value: Tensor) -> Tensor:
        inf = torch.full_like(self.loc, torch.inf)
        point = torch.where(value == self.loc, inf, -inf)
        safe = Normal(self.loc, torch.where(self.scale > 0, self.scale, torch.ones_like(self.scale)))
        return torch.where(self.scale > 0, safe.log_prob(value), point)


def normal_or_delta(mean: Tensor, std: Tensor) -> Distribution:
    """N(mean, std^2) over items, or the point mass where std is zero.

    Args:
        mean: (B, *E).
        std: broadcasts against `mean` and is constant within an item; >= 0.
    """
    event_dims = mean.ndim - 1
    if bool((std == 0).all()):
        return Delta(mean, event_dims)
    kind = Normal if bool((std > 0).all()) else _NormalWithPoints
    return Independent(kind(mean, std.expand(mean.shape)), event_dims)

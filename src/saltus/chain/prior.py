"""The law of z_L that a chain starts from, and what it costs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from saltus.oracles import Oracle
from saltus.process import Noise, OrnsteinUhlenbeck
from saltus.registry import Configurable

__all__ = ["OraclePrior", "Prior", "StandardNormal"]

_process = OrnsteinUhlenbeck()


class Prior(Configurable, ABC):
    """p(z_L)."""

    @abstractmethod
    def sample(self, event_shape: Sequence[int], t: float, noise: Noise) -> Tensor:
        """z_L at the last time `t`, (B, *E) float64."""

    @abstractmethod
    def cost(self, y: Tensor, z_L: Tensor, t: float) -> Tensor:
        """A value whose mean over z_L ~ q(z_L | y) is KL(q(z_L | y) || p(z_L)), (B,) nats."""


class StandardNormal(Prior):
    """N(0, I); its cost is closed form."""

    def sample(self, event_shape: Sequence[int], t: float, noise: Noise) -> Tensor:
        return noise.normal("prior", event_shape)

    def cost(self, y: Tensor, z_L: Tensor, t: float) -> Tensor:
        return _process.prior_cost(y, t)


class OraclePrior(Prior):
    """An oracle's own q(z_L); its cost is ln q(z_L | y) - ln q(z_L) at the path's z_L.

    Args:
        oracle: the law of data.
    """

    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle

    def sample(self, event_shape: Sequence[int], t: float, noise: Noise) -> Tensor:
        law = self.oracle.marginal(torch.full((noise.n,), t, dtype=torch.float64))
        return law.draw(noise.uniform("prior component"), noise.normal("prior", event_shape))

    def cost(self, y: Tensor, z_L: Tensor, t: float) -> Tensor:
        cost: Tensor = _process.marginal(y, t).log_prob(z_L) - self.oracle.log_prob(z_L, t)
        return cost

"""The distribution of z_L that a chain starts from, and what it costs."""

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
    """p(z_L), or p(z_L | c)."""

    @abstractmethod
    def sample(
        self, event_shape: Sequence[int], t: float, noise: Noise, condition: Tensor | None = None, *, like: Tensor | None = None
    ) -> Tensor:
        """z_L at the last time `t`, (B, *E), given conditions (B, ...); float64, or made as `like` is where that can be."""

    @abstractmethod
    def cost(self, y: Tensor, z_L: Tensor, t: float, condition: Tensor | None = None) -> Tensor:
        """A value whose mean over z_L ~ q(z_L | y) is KL(q(z_L | y) || p(z_L | c)), (B,) nats."""


class StandardNormal(Prior):
    """N(0, I), whatever the condition; its cost is closed form."""

    def sample(
        self, event_shape: Sequence[int], t: float, noise: Noise, condition: Tensor | None = None, *, like: Tensor | None = None
    ) -> Tensor:
        return noise.normal("prior", event_shape, like=like)

    def cost(self, y: Tensor, z_L: Tensor, t: float, condition: Tensor | None = None) -> Tensor:
        return _process.prior_cost(y, t)


class OraclePrior(Prior):
    """An oracle's own q(z_L | c), or q(z_L) of one without classes; its cost is ln q(z_L | y) - ln q(z_L | c) at the path's z_L.

    Args:
        oracle: the distribution of data.
    """

    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle

    def sample(
        self, event_shape: Sequence[int], t: float, noise: Noise, condition: Tensor | None = None, *, like: Tensor | None = None
    ) -> Tensor:
        marginal = self.oracle.marginal(torch.full((noise.n,), t, dtype=torch.float64), self._known(condition))
        return marginal.draw(noise.uniform("prior component"), noise.normal("prior", event_shape))

    def cost(self, y: Tensor, z_L: Tensor, t: float, condition: Tensor | None = None) -> Tensor:
        cost: Tensor = _process.marginal(y, t).log_prob(z_L) - self.oracle.log_prob(z_L, t, self._known(condition))
        return cost

    def _known(self, condition: Tensor | None) -> Tensor | None:
        """The condition as far as the oracle knows it."""
        return condition if self.oracle.labelled else None

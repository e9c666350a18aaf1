"""The distribution of z_L that a chain starts from, and what it costs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Normal

from saltus.chain.mixture_code import pop_mixture, push_mixture
from saltus.chain.stack import Stack
from saltus.errors import SaltusError
from saltus.kernels import Known
from saltus.oracles import Oracle
from saltus.process import Noise, OrnsteinUhlenbeck, sum_items
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
    def propose(
        self, t: float, known: Known, noise: Noise, condition: Tensor | None, log_frequencies: Tensor | None, *, like: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """z_L (B, *E) on the way to an item of which something is known, what it weighs, ln p(o_L) / q(o_L | o) (B,), and its class.

        Args:
            t: the last time.
            known: of the item.
            noise: of B particles.
            condition: of each, (B, ...); None for one that a labelled prior draws along with z_L, or for none.
            log_frequencies: ln p(c) of the classes to be drawn from, (C,).
            like: of which dtype and device z_L is made.
        """

    @abstractmethod
    def cost(self, y: Tensor, z_L: Tensor, t: float, condition: Tensor | None = None) -> Tensor:
        """A value whose mean over z_L ~ q(z_L | y) is KL(q(z_L | y) || p(z_L | c)), (B,) nats."""

    def push(self, stack: Stack, z_L: Tensor, t: float, width: float, condition: Tensor | None) -> None:
        """z_L (1, *E), on the grid of a width, on a stack of bits.

        Raises:
            SaltusError: if this prior has no code.
        """
        raise SaltusError(f"a start from a {type(self).__name__} has no code; take N(0, I) or a mixture of Gaussians")

    def pop(self, stack: Stack, event_shape: Sequence[int], t: float, width: float, condition: Tensor | None) -> Tensor:
        """The z_L that was pushed, (1, *E) float64; raises as `push`."""
        raise SaltusError(f"a start from a {type(self).__name__} has no code; take N(0, I) or a mixture of Gaussians")


class StandardNormal(Prior):
    """N(0, I), whatever the condition; its cost is closed form."""

    def sample(
        self, event_shape: Sequence[int], t: float, noise: Noise, condition: Tensor | None = None, *, like: Tensor | None = None
    ) -> Tensor:
        return noise.normal("prior", event_shape, like=like)

    def propose(
        self, t: float, known: Known, noise: Noise, condition: Tensor | None, log_frequencies: Tensor | None, *, like: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        o, log_prob = _noised(known, t, noise, like)
        unit = noise.normal("prior", known.measurement.group.shape, like=like)
        one = torch.ones_like(unit)
        log_prior = sum_items(Normal(torch.zeros_like(o), known.measurement.spread(one).double().sqrt(), validate_args=False).log_prob(o))
        return known.measurement.moved(unit, one, o), log_prior - log_prob, condition

    def cost(self, y: Tensor, z_L: Tensor, t: float, condition: Tensor | None = None) -> Tensor:
        return _process.prior_cost(y, t)

    def push(self, stack: Stack, z_L: Tensor, t: float, width: float, condition: Tensor | None) -> None:
        stack.push_normal(z_L, torch.zeros_like(z_L), torch.ones_like(z_L), width)

    def pop(self, stack: Stack, event_shape: Sequence[int], t: float, width: float, condition: Tensor | None) -> Tensor:
        zero = torch.zeros(1, *event_shape, dtype=torch.float64)
        return stack.pop_normal(zero, torch.ones_like(zero), width)


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

    def propose(
        self, t: float, known: Known, noise: Noise, condition: Tensor | None, log_frequencies: Tensor | None, *, like: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        o, log_prob = _noised(known, t, noise, like)
        weights, labels = self.oracle.log_weights(self._known(condition), noise.n), self.oracle.labels
        drawn = condition is None and log_frequencies is not None and labels is not None
        if drawn:
            assert log_frequencies is not None
            label = torch.tensor(labels)
            weights = weights - self.oracle.class_frequencies.log()[label] + log_frequencies.cpu()[label]
        given = self.oracle.marginal_given(known.measurement, o, t, noise, weights)
        if drawn:
            condition = torch.tensor(labels, device=like.device)[given.component.to(like.device)]
        return given.z.to(like), given.log_prob - log_prob, condition

    def cost(self, y: Tensor, z_L: Tensor, t: float, condition: Tensor | None = None) -> Tensor:
        cost: Tensor = _process.marginal(y, t).log_prob(z_L) - self.oracle.log_prob(z_L, t, self._known(condition))
        return cost

    def push(self, stack: Stack, z_L: Tensor, t: float, width: float, condition: Tensor | None) -> None:
        parts, weights = self.oracle.factored(t), self.oracle.log_weights(self._known(condition), 1)
        push_mixture(stack, z_L.double().flatten(1), parts, weights, width)

    def pop(self, stack: Stack, event_shape: Sequence[int], t: float, width: float, condition: Tensor | None) -> Tensor:
        parts, weights = self.oracle.factored(t), self.oracle.log_weights(self._known(condition), 1)
        return pop_mixture(stack, parts, weights, width).reshape(1, *event_shape)

    def _known(self, condition: Tensor | None) -> Tensor | None:
        """The condition as far as the oracle knows it."""
        return condition if self.oracle.labelled else None


def _noised(known: Known, t: float, noise: Noise, like: Tensor) -> tuple[Tensor, Tensor]:
    """The measurement of z_t on paths to the item, (B, m) float64, and ln of its density, (B,)."""
    measurement = known.measurement
    unit = noise.normal("pilot", measurement.group.shape, like=like).double()
    mean = _process.alpha(t).to(unit) * known.value.to(unit)
    std = _process.sigma(t).to(unit) * measurement.spread(torch.ones_like(unit)).sqrt()
    o = mean + _process.sigma(t).to(unit) * measurement.of(unit)
    return o, sum_items(Normal(mean, std, validate_args=False).log_prob(o))

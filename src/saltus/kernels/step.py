r"""One Gaussian step N(mean, variance) to z_s, which a head takes over where s = 0.

For s > 0 its KL from the bridge q(z_s | z_t, y) = N(A z_t + B y, S I) is closed form; at s = 0 the bridge is y
itself and what is left is -ln p(y).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.distributions import Normal, kl_divergence

from saltus.kernels.kernel import Last
from saltus.likelihoods.heads import Head
from saltus.process import OrnsteinUhlenbeck, Time, as_time, per_item, sum_items

__all__ = ["Bridge", "GaussianStep"]


def _normal(mean: Tensor, variance: Tensor) -> Normal:
    """Unchecked: training counts and skips what is not finite, and must not stop at it."""
    return Normal(mean, variance.sqrt(), validate_args=False)


@dataclass(frozen=True)
class Bridge:
    """A, B and S of q(z_s | z_t, y) as (B, 1, ..., 1), and which items have s = 0, (B,)."""

    A: Tensor
    B: Tensor
    S: Tensor
    final: Tensor

    @classmethod
    def between(cls, s: Time, t: Time, z_t: Tensor, eta: float = 1.0) -> Bridge:
        """The bridge for a batch z_t (B, *E), with the share eta^2 of its noise."""
        a, b, variance = (per_item(c.expand(len(z_t)), z_t) for c in OrnsteinUhlenbeck().bridge_coefficients(s, t, eta))
        return cls(a, b, variance, (as_time(s).expand(len(z_t)) == 0).to(z_t.device))

    def draw(self, z_t: Tensor, y: Tensor, unit: Tensor) -> Tensor:
        """z_s between z_t and y from unit Gaussian numbers, (B, *E) each; y itself where s = 0."""
        return self.A * z_t + self.B * y + self.S.sqrt() * unit

    def step(self, z_t: Tensor, y: Tensor, c: Tensor | float, head: Head) -> GaussianStep:
        """N(A z_t + B y, S + B^2 c): the step around an estimate y whose squared error is c (0 or (B, *E))."""
        mean = self.A * z_t + self.B * y
        return GaussianStep(mean, (self.S + self.B**2 * c).expand_as(mean), self.final, head)


@dataclass(frozen=True)
class GaussianStep:
    """p(z_s | .) = N(mean, variance), and the head where `final`."""

    mean: Tensor
    variance: Tensor
    final: Tensor
    head: Head

    def draw(self, unit: Tensor, last: Last) -> Tensor:
        """z_s from unit Gaussian numbers (B, *E); where s = 0 what is asked for of the head's law."""
        z_s = self.mean + self.variance.sqrt() * unit
        rows = self.final
        if bool(rows.any()):
            mean, variance = self.mean[rows], self.variance[rows]
            match last:
                case "median":
                    z_s[rows] = self.head.median(mean, variance)
                case "mean":
                    z_s[rows] = self.head.mean(mean, variance)
                case "draw":
                    z_s[rows] = self.head.draw(mean, variance, unit[rows])
        return z_s

    def unit(self, z_s: Tensor) -> Tensor:
        """Unit Gaussian numbers (B, *E) from which `draw`, asked for a draw, makes z_s."""
        unit = (z_s - self.mean) / self.variance.sqrt()
        if bool((rows := self.final).any()):
            unit[rows] = self.head.unit(z_s[rows], self.mean[rows], self.variance[rows])
        return unit

    def negative_log_prob(self, z_s: Tensor) -> Tensor:
        """-ln p(z_s | .), (B,) nats."""
        return self._by_item(
            lambda r: -self.head.log_prob(z_s[r], self.mean[r], self.variance[r]),
            lambda r: -sum_items(_normal(self.mean[r], self.variance[r]).log_prob(z_s[r])),
        )

    def divergence(self, y: Tensor, z_t: Tensor, bridge: Bridge) -> Tensor:
        """KL(q(z_s | z_t, y) || p), closed form, or -ln p(y) where s = 0; (B,) nats."""
        truth = bridge.A * z_t + bridge.B * y
        spread = bridge.S.expand_as(truth)
        return self._by_item(
            lambda r: -self.head.log_prob(y[r], self.mean[r], self.variance[r]),
            lambda r: sum_items(kl_divergence(_normal(truth[r], spread[r]), _normal(self.mean[r], self.variance[r]))),
        )

    def _by_item(self, final: Callable[[Tensor], Tensor], inner: Callable[[Tensor], Tensor]) -> Tensor:
        value = self.mean.new_zeros(len(self.mean))
        for rows, measure in ((self.final, final), (~self.final, inner)):
            if bool(rows.any()):
                value = value.index_put((rows,), measure(rows))
        return value

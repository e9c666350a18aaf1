r"""One Gaussian step N(mean, variance) to z_s, which a likelihood takes over where s = 0.

For s > 0 its divergence from the bridge q(z_s | z_t, y) = N(A z_t + B y, S I) is closed form; at s = 0 the bridge is y
itself, and what is left is -ln p(y).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Normal

from saltus.kernels.sampling import Final
from saltus.kernels.transition import Pair, Transition
from saltus.likelihoods import Head
from saltus.process import normal_kl, sum_items

__all__ = ["GaussianStep"]


def _normal(mean: Tensor, variance: Tensor) -> Normal:
    """Unchecked: training counts and skips what is not finite, and must not stop at it."""
    return Normal(mean, variance.sqrt(), validate_args=False)


@dataclass(frozen=True, eq=False)
class GaussianStep:
    """p(z_s | .) = N(mean, variance), and the head where s = 0.

    Attributes:
        mean, variance: (B, *E).
        is_final: whether s = 0, for all items or for each, (B,).
        head: that of the step to data.
        extra: arrays that the head asks for, (B, arrays, *E); None for none.
    """

    mean: Tensor
    variance: Tensor
    is_final: bool | Tensor
    head: Head
    extra: Tensor | None = None

    @classmethod
    def around(cls, transition: Transition, y: Tensor, error: Tensor | float, head: Head, extra: Tensor | None = None) -> GaussianStep:
        """N(A z_t + B y, S + B^2 c): the step around an estimate y (B, *E) whose squared error is c, a number or (B, *E)."""
        bridge = transition.bridge
        mean = bridge.mean(transition.z_t, y)
        return cls(mean, (bridge.var + bridge.coef_y**2 * error).expand_as(mean), transition.is_final, head, extra)

    def sample(self, eps: Tensor, final: Final) -> Tensor:
        """z_s from unit Gaussian noise (B, *E); where s = 0 what is asked for of the head's distribution."""
        if self.is_final is False:
            return self._inner(eps)
        y = self._final(eps, final)
        if self.is_final is True:
            return y
        return torch.where(self._final_items(), y, self._inner(eps))

    def _inner(self, eps: Tensor) -> Tensor:
        return self.mean + self.variance.sqrt() * eps

    def _final(self, eps: Tensor, final: Final) -> Tensor:
        if final == "auto":
            final = self.head.ends_in
        match final:
            case "mode":
                return self.head.mode(self.mean, self.variance, self.extra)
            case "mean":
                return self.head.mean(self.mean, self.variance, self.extra)
            case "sample":
                return self.head.sample(self.mean, self.variance, eps, self.extra)

    def eps(self, z_s: Tensor) -> Tensor:
        """Unit Gaussian noise (B, *E) from which `sample`, asked for a sample, makes z_s."""
        inner = (z_s - self.mean) / self.variance.sqrt()
        if self.is_final is False:
            return inner
        y = self.head.eps(z_s, self.mean, self.variance, self.extra)
        return y if self.is_final is True else torch.where(self._final_items(), y, inner)

    def _final_items(self) -> Tensor:
        """`is_final` as (B, 1, ..., 1)."""
        assert isinstance(self.is_final, Tensor)
        return self.is_final.to(self.mean.device).reshape(-1, *(1,) * (self.mean.ndim - 1))

    def negative_log_prob(self, z_s: Tensor) -> Tensor:
        """-ln p(z_s | .), (B,) nats."""
        return self._by_item(
            lambda r: -self.head.log_prob(z_s[r], self.mean[r], self.variance[r], self._extra(r)),
            lambda r: -sum_items(_normal(self.mean[r], self.variance[r]).log_prob(z_s[r])),
        )

    def divergence(self, pair: Pair) -> Tensor:
        """KL(q(z_s | z_t, y) || p), closed form, or -ln p(y) where s = 0; (B,) nats."""
        truth = pair.bridge.mean(pair.z_t, pair.y)
        spread = pair.bridge.var.expand_as(truth)
        return self._by_item(
            lambda r: -self.head.log_prob(pair.y[r], self.mean[r], self.variance[r], self._extra(r)),
            lambda r: sum_items(normal_kl(_normal(truth[r], spread[r]), _normal(self.mean[r], self.variance[r]))),
        )

    def _extra(self, rows: Tensor | slice) -> Tensor | None:
        return None if self.extra is None else self.extra[rows]

    def _by_item(self, final: Callable[[Tensor | slice], Tensor], inner: Callable[[Tensor | slice], Tensor]) -> Tensor:
        """Items of the step to data by one function, all others by another: each computes only what it is for."""
        if not isinstance(self.is_final, Tensor):
            return (final if self.is_final else inner)(slice(None))
        value = self.mean.new_zeros(len(self.mean))
        for rows, measure in ((self.is_final, final), (~self.is_final, inner)):
            places = torch.nonzero(rows).flatten().to(self.mean.device)
            if len(places):
                value = value.index_put((places,), measure(places).to(value.dtype))
        return value

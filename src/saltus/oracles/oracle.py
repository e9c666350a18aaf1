r"""What an oracle is: a law of data for which every law of the noise process is known in closed form.

    q(z_t)          the marginal,               `marginal`, `log_prob`, `sample`
    E[y | z_t]      the perfect denoiser,       `posterior_mean`
    q(z_s | z_t)    the exact reverse kernel,   `reverse`

All computation is in float64, on the CPU: an oracle is the truth that learned kernels, samplers and bounds are tested against.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from saltus.process import Noise, Time
from saltus.registry import Configurable

__all__ = ["Law", "Oracle", "choose", "none_or_all_equal"]


class Law(Distribution, ABC):
    """A mixture that is sampled from random numbers it is given: one uniform picks the component, the normals do the rest."""

    arg_constraints = {}  # noqa: RUF012 - the interface of torch.distributions

    @abstractmethod
    def draw(self, uniform: Tensor, normal: Tensor) -> Tensor:
        """One sample for each entry of `uniform` (B,), from unit Gaussian `normal` (B, *E); float64 (B, *E)."""

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(torch.Size(sample_shape))
        batch = shape[: len(shape) - len(self.event_shape)]
        rows = [
            self.draw(torch.rand(batch[-1:], dtype=torch.float64), torch.randn(batch[-1:] + self.event_shape, dtype=torch.float64))
            for _ in range(batch[:-1].numel())
        ]
        return torch.stack(rows).reshape(shape) if batch else self.sample((1,))[0]


def choose(log_weights: Tensor, uniform: Tensor) -> Tensor:
    """The component that each uniform number (B,) falls in, by inverse CDF of log weights (B, K) or (K,)."""
    cumulative = log_weights.softmax(-1).cumsum(-1).expand(*uniform.shape, -1).contiguous()
    target = (uniform.to(cumulative.dtype) * cumulative[..., -1])[..., None]
    return torch.searchsorted(cumulative, target).squeeze(-1).clamp_max(cumulative.shape[-1] - 1)


class Oracle(Configurable, ABC):
    """A law of data with its exact marginals, posterior mean and reverse kernel."""

    event_shape: torch.Size

    @abstractmethod
    def marginal(self, t: Time) -> Law:
        """q(z_t), with the batch shape of `t` (() or (B,)) and event shape E."""

    @abstractmethod
    def posterior_mean(self, z: Tensor, t: Time) -> Tensor:
        """E[y | z_t = z], (B, *E) in the dtype of `z`: the optimum of equation (1), Problem 2."""

    @abstractmethod
    def reverse(self, z_t: Tensor, s: Time, t: Time) -> Distribution:
        """q(z_s | z_t) for s < t, batch shape (B,); a `Delta` where s = t.

        Raises:
            ValueError: if s > t, or some but not all of the s equal their t.
        """

    def log_prob(self, z: Tensor, t: Time) -> Tensor:
        """ln q(z_t = z), (B,) nats, for `z` (B, *E)."""
        value: Tensor = self.marginal(t).log_prob(z)
        return value

    def sample(self, n: int, t: float = 0.0, *, seed: int, first_item: int = 0) -> Tensor:
        """n draws of z_t (of y at t = 0), (n, *E) float64; item i is the same whatever n and `first_item`."""
        noise = Noise(seed, first_item, n)
        return self.marginal(t).draw(noise.uniform("component"), noise.normal("data", self.event_shape))

    def _check(self, z: Tensor) -> Tensor:
        if z.shape[1:] != self.event_shape:
            raise ValueError(f"z has shape {tuple(z.shape)}; expected (B, {', '.join(map(str, self.event_shape))})")
        return z.detach().to(torch.float64)


def none_or_all_equal(s: Tensor, t: Tensor) -> bool:
    """Whether s = t for all items; raises if that holds for some only."""
    same = s == t
    if bool(same.any()) and not bool(same.all()):
        raise ValueError(f"s = {s.tolist()} equals t = {t.tolist()} for some items only; expected all or none")
    return bool(same.all())

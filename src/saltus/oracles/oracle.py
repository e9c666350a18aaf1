r"""What an oracle is: a distribution of data for which every distribution of the noise process is known in closed form.

$$
\begin{aligned}
q(z_t)                  &\quad \text{the marginal,}             && \texttt{marginal, log\_prob, sample} \\
\mathbb E[y \mid z_t]   &\quad \text{the perfect denoiser,}     && \texttt{posterior\_mean} \\
q(z_s \mid z_t)         &\quad \text{the exact reverse kernel,} && \texttt{reverse}
\end{aligned}
$$

Each may be conditioned on the class of an item, where the components of the oracle are labelled with classes.

All computation is in float64, on the CPU: an oracle is the truth that learned kernels, samplers and bounds are tested against.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution

from saltus.errors import SaltusError
from saltus.oracles.components import Components
from saltus.oracles.gaussians import LowRankGaussians
from saltus.process import Measurement, Noise, Time, as_time
from saltus.registry import Configurable

__all__ = ["GivenComponents", "GivenMeasurement", "Oracle", "OracleDistribution", "choose", "none_or_all_equal"]


class OracleDistribution(Distribution, ABC):
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
    """The component that each uniform number (B,) falls in, by inverse CDF of log weights (B, K) or (K,).

    A component of weight 0 is never chosen, not even by a uniform number that is exactly 0.
    """
    cumulative = log_weights.softmax(-1).cumsum(-1)
    target = (uniform.to(cumulative.dtype) * cumulative[..., -1])[..., None].clamp_min(torch.finfo(cumulative.dtype).tiny)
    return (cumulative < target).sum(-1).clamp_max(cumulative.shape[-1] - 1)


class GivenComponents(NamedTuple):
    """The n most probable components of q(y | z_t), in any order.

    Attributes:
        log_weights: ln q(k | z_t), (B, n); they sum to less than 1 where components are left out.
        mean, variance: of y given z_t and k, along each dimension, (B, n, *E).
    """

    log_weights: Tensor
    mean: Tensor
    variance: Tensor


class GivenMeasurement(NamedTuple):
    """Draws of a mixture that have a measurement.

    Attributes:
        z: (B, *E).
        log_prob: ln p(o), (B,).
        component: the one that each was drawn from, (B,).
    """

    z: Tensor
    log_prob: Tensor
    component: Tensor


class Oracle(Configurable, ABC):
    """A distribution of data with its exact marginals, posterior mean and reverse kernel.

    A `condition` is the class of each item, int64 (B,), -1 for an item without a condition; None where no item has one.  Every
    method that takes one raises a `SaltusError` if the oracle has no labels or no component of that class.
    """

    event_shape: torch.Size
    _components: Components

    @abstractmethod
    def marginal(self, t: Time, condition: Tensor | None = None) -> OracleDistribution:
        """q(z_t) or q(z_t | c), with the batch shape of `t` and `condition` (() or (B,)) and event shape E."""

    @abstractmethod
    def posterior_mean(self, z: Tensor, t: Time, condition: Tensor | None = None) -> Tensor:
        """E[y | z_t = z] or E[y | z_t = z, c], (B, *E) in the dtype of `z`: no denoiser has a smaller mean squared error."""

    @abstractmethod
    def reverse(self, z_t: Tensor, s: Time, t: Time, condition: Tensor | None = None) -> Distribution:
        """q(z_s | z_t) or q(z_s | z_t, c) for s < t, batch shape (B,); a `Delta` where s = t.

        Raises:
            ValueError: if s > t, or some but not all of the s equal their t.
        """

    def components_given(self, z: Tensor, t: Time, condition: Tensor | None = None, *, most: int) -> GivenComponents:
        """The most probable components of q(y | z_t = z), Gaussians each; for z (B, *E) and one time for all.

        Raises:
            SaltusError: if the components are no Gaussians.
        """
        raise SaltusError(f"the components of a {type(self).__name__} are no Gaussians; take a Gaussian mixture")

    def marginal_given(self, measurement: Measurement, o: Tensor, t: float, noise: Noise, log_weights: Tensor) -> GivenMeasurement:
        """z_t given measurements o (B, m), of components with these log weights, (B, K).

        Raises:
            SaltusError: if the components are no low-rank Gaussians.
        """
        raise self._no_measurement()

    def reverse_given(
        self, measurement: Measurement, o: Tensor, z_t: Tensor, s: float, t: float, noise: Noise, condition: Tensor | None = None
    ) -> GivenMeasurement:
        """z_s of q(z_s | z_t) given measurements o (B, m).

        Raises:
            SaltusError: as `marginal_given`.
        """
        raise self._no_measurement()

    def factored(self, t: float) -> LowRankGaussians:
        """The components at a time as Gaussians with few factors, given which all numbers are independent.

        Raises:
            SaltusError: if the components are no such Gaussians.
        """
        raise SaltusError(f"the components of a {type(self).__name__} have no factors; take a LowRankMixture")

    def factored_reverse(self, z_t: Tensor, s: float, t: float, condition: Tensor | None = None) -> tuple[Tensor, LowRankGaussians]:
        """q(z_s | z_t) for one z_t (1, *E) as such Gaussians, those that it may be of, and ln of their weights, (1, n).

        Raises:
            SaltusError: as `factored`.
        """
        raise SaltusError(f"the components of a {type(self).__name__} have no factors; take a LowRankMixture")

    def log_weights(self, condition: Tensor | None, n: int) -> Tensor:
        """ln of the weight of each component, given classes where they are, (n, K)."""
        return self._components.log_weights(self._components.check(condition, n)).expand(n, -1)

    @property
    def labels(self) -> list[int] | None:
        """The class of each component; None without classes."""
        return self._components.labels

    def _no_measurement(self) -> SaltusError:
        return SaltusError(f"a part of an item was given, and a {type(self).__name__} draws whole ones; take a LowRankMixture")

    @property
    def labelled(self) -> bool:
        """Whether components have classes, so that a condition means something."""
        return self._components.labelled

    @property
    def class_frequencies(self) -> Tensor:
        """p(c) of the classes 0, 1, ... up to the largest label, float64 (C,).

        Raises:
            SaltusError: if the oracle has no labels.
        """
        return self._components.class_frequencies

    def log_prob(self, z: Tensor, t: Time, condition: Tensor | None = None) -> Tensor:
        """ln q(z_t = z) or ln q(z_t = z | c), (B,) nats, for `z` (B, *E)."""
        value: Tensor = self.marginal(t, self._components.check(condition, len(z))).log_prob(z)
        return value

    def sample(self, n: int, t: float = 0.0, *, seed: int, first_item: int = 0, condition: Tensor | None = None) -> Tensor:
        """n draws of z_t (of y at t = 0), (n, *E) float64; item i is the same whatever n and `first_item`."""
        noise = Noise(seed, first_item, n)
        marginal = self.marginal(t, self._components.check(condition, n))
        return marginal.draw(noise.uniform("component"), noise.normal("data", self.event_shape))

    def _check(self, z: Tensor) -> Tensor:
        if z.shape[1:] != self.event_shape:
            raise SaltusError(f"z has shape {tuple(z.shape)}; expected (B, {', '.join(map(str, self.event_shape))})")
        return z.detach().to(torch.float64)

    def _with_times(self, t: Time, condition: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The times, one for each item of a condition, and the checked condition."""
        time = as_time(t)
        condition = self._components.check(condition, len(time) if time.ndim else None)
        return (time if condition is None else time.expand(len(condition))), condition


def none_or_all_equal(s: Tensor, t: Tensor) -> bool:
    """Whether s = t for all items; raises if that holds for some only."""
    same = s == t
    if bool(same.any()) and not bool(same.all()):
        raise SaltusError(f"s = {s.tolist()} equals t = {t.tolist()} for some items only; expected all or none")
    return bool(same.all())

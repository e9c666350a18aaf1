r"""Mixtures of low-rank Gaussians, seen through the noise process: factor analysers (Ghahramani and Hinton 1996,
https://mlg.eng.cam.ac.uk/zoubin/papers/tr-96-1.pdf).

For $y \sim \sum_k w_k\, \mathcal N(m_k,\; F_k F_k^\top + \mathrm{diag}(v_k))$ a component at time t is
$\mathcal N(\alpha m_k, \Sigma_k(t))$ with
$\Sigma_k(t) = \alpha^2 (F_k F_k^\top + \mathrm{diag}(v_k)) + \sigma^2 I$: low-rank again (`LowRankGaussians`).  With
$\rho = e^{-(t-s)}$ and $\tau = 1 - \rho^2$,

$$
\begin{aligned}
q(k \mid z_t)                 &\propto w_k\, \mathcal N(z_t; \alpha m_k, \Sigma_k(t)) \\
\mathbb E[z_s \mid z_t]       &= \big(z_t + \tau\, \nabla \ln q(z_t)\big) / \rho, \qquad
                                 \nabla \ln q(z_t) = -\sum_k q(k \mid z_t)\, \Sigma_k(t)^{-1} (z_t - \alpha m_k) \\
\mathrm{Cov}[z_s \mid z_t, k] &= \big(\Sigma_k(s)^{-1} + \tfrac{\rho^2}{\tau} I\big)^{-1} \\
q(z_s \mid z_t)               &= q(z_s)\, q(z_t \mid z_s) / q(z_t)
\end{aligned}
$$

where the mean is Tweedie's formula (Efron 2011, https://doi.org/10.1198/jasa.2011.tm11181), and the last line gives densities.
An item of d numbers costs about 2 K d r multiply-adds at every time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution

from saltus.errors import SaltusError
from saltus.oracles.components import Components
from saltus.oracles.gaussians import LowRankGaussians, blocks
from saltus.oracles.low_rank_distributions import ByTime, LowRankMarginal, LowRankReverse, mixed
from saltus.oracles.measured import marginal_given, reverse_given
from saltus.oracles.oracle import GivenComponents, GivenMeasurement, Oracle, OracleDistribution, none_or_all_equal
from saltus.process import Delta, Measurement, Noise, OrnsteinUhlenbeck, Time, as_time

__all__ = ["LowRankMixture"]

_process = OrnsteinUhlenbeck()
_KEPT = 8  # times whose components are kept
_ROUNDING = 1e-3  # nats that a shorter dtype than float64 may cost


class _Group(NamedTuple):
    """Items that share a time, or a pair of times."""

    places: Tensor
    times: tuple[float, ...]


class LowRankMixture(Oracle):
    """y ~ sum_k w_k N(m_k, F_k F_k^T + diag(v_k)), exact at every time.

    Densities and draws are in float64, and posterior means in the dtype of z where its rounding costs less than 0.001 nats; all on the
    device of z.

    Args:
        weights: (K,), positive; normalised here.
        means: (K, *E), with d = prod(E).
        factors: (K, d, r), in any floating-point type; they are kept in it.
        variances: v, (K, d), positive.
        labels: the class of each component, K whole numbers >= 0; several components may share one.  None for no classes.

    Raises:
        SaltusError: if shapes disagree, a weight or a variance is not positive, a number is not finite, or a label is not a whole
            number >= 0.

    >>> one = LowRankMixture(torch.ones(1), torch.zeros(1, 2), torch.ones(1, 2, 1), torch.ones(1, 2))
    >>> one.marginal(0.0).mean
    tensor([0., 0.], dtype=torch.float64)
    """

    def __init__(self, weights: Tensor, means: Tensor, factors: Tensor, variances: Tensor, labels: Sequence[int] | None = None) -> None:
        self.event_shape = means.shape[1:]
        K, d = len(means), math.prod(self.event_shape)
        if weights.shape != (K,) or factors.ndim != 3 or factors.shape[:2] != (K, d) or variances.shape != (K, d):
            raise SaltusError(
                f"weights {tuple(weights.shape)}, means {tuple(means.shape)}, factors {tuple(factors.shape)} and variances "
                f"{tuple(variances.shape)}; expected (K,), (K, *E), (K, d, r) and (K, d) with d = prod(E)"
            )
        if not all(bool(torch.isfinite(x).all()) for x in (weights, means, factors, variances)):
            raise SaltusError("a weight, mean, factor or variance is not finite; expected finite numbers")
        if not bool((weights > 0).all() and (variances > 0).all()):
            raise SaltusError("a weight or a variance is not positive; expected positive numbers")
        self._components = Components(weights.detach().double().cpu(), labels)
        self._means, self._factors, self._variances = means.detach().reshape(K, d), factors.detach(), variances.detach()
        self._at_times: dict[tuple[float, torch.device, torch.dtype], LowRankGaussians] = {}

    @property
    def K(self) -> int:
        """How many components."""
        return len(self._means)

    @property
    def rank(self) -> int:
        """r, the columns of a factor."""
        return int(self._factors.shape[2])

    def at(self, t: float, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float64) -> LowRankGaussians:
        """The components at a time, made in float64; those of the latest times are kept."""
        key = (t, torch.device(device), dtype)
        if key not in self._at_times:
            alpha, noise = float(_process.alpha(t)), float(_process.sigma(t)) ** 2
            means, factors, variances = (x.to(device, torch.float64) for x in (self._means, self._factors, self._variances))
            if len(self._at_times) == _KEPT:
                self._at_times.pop(next(iter(self._at_times)))
            found = LowRankGaussians.of(alpha * means, alpha * factors, alpha**2 * variances + noise)
            self._at_times[key] = found.to(device, dtype)
        return self._at_times[key]

    def factored(self, t: float) -> LowRankGaussians:
        return self.at(t)

    def factored_reverse(self, z_t: Tensor, s: float, t: float, condition: Tensor | None = None) -> tuple[Tensor, LowRankGaussians]:
        distribution = self.reverse(z_t, s, t, condition)
        assert isinstance(distribution, LowRankReverse)  # one s and one t, s < t
        k = torch.nonzero(distribution.logits[0].isfinite()).flatten()
        around = distribution.around(k)
        mean = distribution.mean_given(k, z_t.double().flatten(1).expand(len(k), -1))
        return distribution.logits[:, k], LowRankGaussians(mean, around.diagonal, around.basis, around.excess)

    def marginal(self, t: Time, condition: Tensor | None = None) -> OracleDistribution:
        """q(z_t) or q(z_t | c), batch shape of `t` and `condition`, event shape E; at t = 0 the distribution of y."""
        time, condition = self._with_times(t, condition)
        weights = self._components.log_weights(condition)
        if not time.ndim:
            return LowRankMarginal(self.at(float(time)), weights, self.event_shape)
        weights = weights.expand(len(time), -1)
        return self._by_time((time,), lambda group: LowRankMarginal(self.at(group.times[0]), weights[group.places], self.event_shape))

    def log_prob(self, z: Tensor, t: Time, condition: Tensor | None = None) -> Tensor:
        """ln q(z_t = z) or ln q(z_t = z | c), (B,) float64 nats, on the device of `z` (B, *E)."""
        x, time = self._check(z).flatten(1), as_time(t).expand(len(z))
        prior = self._components.log_weights(self._components.check(condition, len(z))).expand(len(z), -1).to(x)
        found = x.new_empty(len(x))
        for group in _groups((time,)):
            rows = group.places.to(x.device)
            found[rows] = mixed(self.at(group.times[0], x.device), x[rows], prior[rows])
        return found

    def posterior_mean(self, z: Tensor, t: Time, condition: Tensor | None = None) -> Tensor:
        """E[y | z_t = z] or E[y | z_t = z, c], (B, *E) in the dtype of `z`."""
        return self.posterior_moments(z, t, condition)[0]

    def posterior_moments(self, z: Tensor, t: Time, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """E[y | z_t = z], and E[Var[y | z_t = z, k]] along each dimension: what is left where the component is known, (B, *E) each."""
        self._check(z)
        prior = self._components.log_weights(self._components.check(condition, len(z))).expand(len(z), -1)
        found, left = z.detach().clone(), torch.zeros_like(z)
        for places, (time,) in _groups((as_time(t).expand(len(z)),)):
            here, rows = places.to(z.device), slice(None) if len(places) == len(z) else places.to(z.device)
            dtype = self._precision(time, z.dtype)
            components, x = self.at(time, z.device, dtype), z.detach()[rows].to(dtype).flatten(1)
            share = (prior[places].to(x) + components.log_prob(x)).softmax(1)
            mean = (x + float(_process.sigma(time)) ** 2 * components.score(x, share)) / float(_process.alpha(time))
            found[here] = mean.reshape(z[rows].shape).to(z.dtype)
            left[here] = (share @ self._variance_given(components, time)).reshape(z[rows].shape).to(z.dtype)
        return found, left

    def reverse(self, z_t: Tensor, s: Time, t: Time, condition: Tensor | None = None) -> Distribution:
        """q(z_s | z_t) or q(z_s | z_t, c), the exact reverse kernel, batch shape (B,); `Delta` where s = t."""
        x = self._check(z_t).flatten(1)
        earlier, time = (value.expand(len(x)) for value in (as_time(s, "s"), as_time(t)))
        if none_or_all_equal(earlier, time):
            return Delta(x.reshape(z_t.shape), z_t.ndim - 1)
        prior = self._components.log_weights(self._components.check(condition, len(x))).expand(len(x), -1).to(x)

        def of(group: _Group) -> OracleDistribution:
            clean, noisy = (self.at(when, x.device) for when in group.times)
            rows = group.places.to(x.device)
            joint = prior[rows] + noisy.log_prob(x[rows])
            rho = math.exp(group.times[0] - group.times[1])
            return LowRankReverse(clean, noisy, prior[rows], joint, x[rows], rho, self.event_shape)

        return self._by_time((earlier, time), of)

    def components_given(self, z: Tensor, t: Time, condition: Tensor | None = None, *, most: int) -> GivenComponents:
        """The most probable components of q(y | z_t = z), see `Oracle`."""
        x, time = self._check(z).flatten(1), float(t)
        noisy, alpha, noise = self.at(time, x.device), float(_process.alpha(time)), float(_process.sigma(time)) ** 2
        prior = self._components.log_weights(self._components.check(condition, len(x))).to(x)
        shares, which = torch.cat(
            [
                (prior.expand(len(x), -1)[rows] + noisy.log_prob(x[rows])).log_softmax(1)
                for rows in blocks(len(x), noisy.basis[:, 0].numel())
            ]
        ).topk(min(most, self.K), 1)
        variance = self._variance_given(noisy, time)
        means = [(x - noise * noisy.solve(x - noisy.mean[k], k)) / alpha for k in which.unbind(1)]
        shape = (*which.shape, *self.event_shape)
        return GivenComponents(shares, torch.stack(means, 1).reshape(shape), variance[which].reshape(shape))

    def marginal_given(self, measurement: Measurement, o: Tensor, t: float, noise: Noise, log_weights: Tensor) -> GivenMeasurement:
        """z_t given measurements o (B, m), of components with these log weights, (B, K)."""
        found = marginal_given(self.at(t, o.device), log_weights.to(o.device), measurement, o.double(), noise)
        return found._replace(z=found.z.reshape(-1, *self.event_shape))

    def reverse_given(
        self, measurement: Measurement, o: Tensor, z_t: Tensor, s: float, t: float, noise: Noise, condition: Tensor | None = None
    ) -> GivenMeasurement:
        """z_s of q(z_s | z_t) given measurements o (B, m)."""
        distribution = self.reverse(z_t, s, t, condition)
        assert isinstance(distribution, LowRankReverse)  # one s and one t, s < t
        found = reverse_given(distribution, measurement, o.double(), noise)
        return found._replace(z=found.z.reshape(z_t.shape))

    @staticmethod
    def _variance_given(noisy: LowRankGaussians, t: float) -> Tensor:
        """Var[y | z_t, k] along each dimension, (K, d)."""
        alpha, noise = float(_process.alpha(t)), float(_process.sigma(t)) ** 2
        variance: Tensor = noise / alpha**2 * (1 - noise * (1 / noisy.diagonal - noisy.whitened.square().sum(-1)))
        return variance.clamp_min(0)

    def compact(self) -> LowRankMixture:
        """The same with means, factors and variances in float16, half of the memory and of the file."""
        least = torch.finfo(torch.float16).tiny
        means = self._means.reshape(-1, *self.event_shape).half()
        return LowRankMixture(
            self._components.log_weights(None).exp(),
            means,
            self._factors.half(),
            self._variances.half().clamp_min(least),
            self._components.labels,
        )

    def _precision(self, t: float, dtype: torch.dtype) -> torch.dtype:
        """A dtype in which the log weights of components are as good as in float64: their squares are as large as d / sigma^2."""
        small = float(_process.sigma(t)) ** 2 * _ROUNDING < torch.finfo(dtype).eps * self._means.shape[1]
        return torch.float64 if small else dtype

    def _by_time(self, times: tuple[Tensor, ...], distribution: Callable[[_Group], OracleDistribution]) -> OracleDistribution:
        groups = _groups(times)
        if len(groups) == 1:
            return distribution(groups[0])
        return ByTime([(group.places, distribution(group)) for group in groups], len(times[0]), self.event_shape)


def _groups(times: tuple[Tensor, ...]) -> list[_Group]:
    """Items by their times, (B,) each."""
    found, which = torch.stack([time.cpu() for time in times], dim=1).unique(dim=0, return_inverse=True)
    return [_Group(torch.nonzero(which == number).flatten(), tuple(row)) for number, row in enumerate(found.tolist())]

r"""Steps towards an item of which a measurement o is known, with the weights that make them exact.

z_s has its measurement from the bridge, as if the chain's path led to an item with this o, and everything else from the step:

.. math::
    o_s \sim q(o_s \mid z_t, o), \quad z_s \sim p(z_s \mid \epsilon, z_t, o_s), \qquad
    w = \frac{p(\epsilon)}{r(\epsilon)}\, \frac{p(o_s \mid \epsilon, z_t)}{q(o_s \mid z_t, o)}, \qquad
    w = \frac{p(\epsilon)}{r(\epsilon)}\, p(o \mid \epsilon, z_1) \text{ at } s = 0.

r is what the encoder says of a draft of the item, as far as its numbers are known, and the prior elsewhere.  A few numbers of o_s and of
the latent are from the step and the prior themselves, so that no weight is without limit (Hesterberg 1995,
https://doi.org/10.1080/00401706.1995.10484303).  Much of w is noise of o_s that later steps take back.  Particles are therefore compared
by w without it, :math:`\mathcal N(o;\, \hat o,\, v / B^2)\, p(\epsilon) / r(\epsilon)` for a step N(A z_t + B yhat, v), the look ahead of
an auxiliary particle filter (Pitt and Shephard 1999, https://doi.org/10.1080/01621459.1999.10474153; for diffusion models Wu et al. 2023,
https://arxiv.org/abs/2306.17775).

At s = 0 known numbers have their probability under the head.  Of other measurements it is that of a Gaussian with the head's mean and about
its variance, and a draw of the head is moved to the measurement: this one is no distribution of the chain.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Normal

from saltus.kernels.sampling import Final
from saltus.kernels.step import GaussianStep
from saltus.kernels.transition import Pair, Transition
from saltus.process import Measurement, Noise

__all__ = ["Known", "Proposal", "along_bridge", "estimate", "pilot", "proposal_of"]

_STEPS_OWN = 0.5  # numbers of a measurement that are not from the bridge, on average: so that no weight is without limit
_ROUNDS = 8  # that a measurement is put right in, after numbers were put in their range


class Known(NamedTuple):
    """What is known of an item.

    Attributes:
        measurement: what is known of which numbers.
        value: o, (m,).
        final: what the step to data returns where nothing is known.
    """

    measurement: Measurement
    value: Tensor
    final: Final = "auto"

    def put(self, y: Tensor) -> Tensor:
        """Items (B, *E), moved so that they have this measurement."""
        return self.measurement.moved(y, torch.ones_like(y), self.value)


class Proposal(NamedTuple):
    """A step that was proposed.

    Attributes:
        z_s: (B, *E); an item where s = 0.
        log_weight: ln w, (B,).
        log_ahead: ln of w without the noise of o_s, (B,); None where the step does not tell.
        draft: what the step expects of y, (B, *E).
    """

    z_s: Tensor
    log_weight: Tensor
    log_ahead: Tensor | None
    draft: Tensor


def pilot(transition: Transition, known: Known, draft: Tensor, noise: Noise) -> Pair:
    """The transition on a path to the draft, which has the known measurement."""
    y = known.put(draft)
    eps = noise.normal("pilot", y.shape[1:], like=y)
    z_s = y if transition.is_final is True else transition.bridge.sample(transition.z_t, y, eps)
    return Pair(transition.z_t, transition.s, transition.t, transition.condition, y=y, z_s=z_s)


def estimate(transition: Transition, step: GaussianStep) -> Tensor:
    """What a step N(A z_t + B yhat, .) expects of y, (B, *E)."""
    bridge = transition.bridge
    return (step.mean - bridge.coef_z * transition.z_t) / bridge.coef_y


def proposal_of(pair: Pair, known: Known, step: GaussianStep, log_ratio: Tensor, noise: Noise) -> Proposal:
    """By a Gaussian step whose latent weighs ln p(epsilon) / r(epsilon), (B,), on the path of a pilot."""
    yhat = estimate(pair, step)
    eps = noise.normal("decoder", pair.z_t.shape[1:], like=pair.z_t)
    if pair.is_final is True:
        y, log_weight = _final(pair, known, step, eps)
        log_weight = log_ratio + log_weight
        return Proposal(y, log_weight, log_weight, yhat)
    measurement, bridge, variance = known.measurement, pair.bridge, pair.bridge.var.expand_as(yhat)
    free = step.mean + step.variance.sqrt() * eps
    of_step = measurement.of(step.mean), measurement.spread(step.variance)
    of_bridge = measurement.of(bridge.mean(pair.z_t, pair.y)), measurement.spread(variance)
    fresh = measurement.of(bridge.sample(pair.z_t, pair.y, noise.normal("bridge", yhat.shape[1:], like=yhat)))
    share = _STEPS_OWN / measurement.m
    own = noise.uniform("of the step", (measurement.m,)).to(fresh.device) < share
    seen = torch.where(own, measurement.of(free), fresh)
    log_step, log_bridge = (_log_normal(seen, *distribution) for distribution in (of_step, of_bridge))
    mixed = torch.logaddexp(log_step + math.log(share), log_bridge + math.log1p(-share))
    log_weight = log_ratio + (log_step - mixed).sum(1)
    z_s = measurement.moved(free, step.variance, seen)
    expected = _log_normal(known.value, measurement.of(yhat), measurement.spread(step.variance / bridge.coef_y**2))
    return Proposal(z_s, log_weight, log_weight + (log_bridge - log_step + expected).sum(1), yhat)


def along_bridge(pair: Pair, measurement: Measurement, seen: Tensor) -> Tensor:
    """ln q(o_s | z_t, o) of measurements (B, m), (B,)."""
    mean = pair.bridge.mean(pair.z_t, pair.y)
    return _log_normal(seen, measurement.of(mean), measurement.spread(pair.bridge.var.expand_as(mean))).sum(1)


def _final(pair: Pair, known: Known, step: GaussianStep, eps: Tensor) -> tuple[Tensor, Tensor]:
    """Items with the known measurement, and ln of its probability, (B,)."""
    head, measurement = step.head, known.measurement
    given = step.mean, step.variance
    if measurement.is_mask:
        told = measurement.known.to(eps.device).expand_as(pair.y)
        drawn = head.fill(pair.y, told, *given, eps, step.extra)
        each = head.log_prob_each(drawn, *given, step.extra)
        log_prob = torch.where(told[:, : each.shape[1]], each, 0.0).double().flatten(1).sum(1)
        if known.final != "sample" and head.ends_in == "mode":
            drawn = torch.where(told, pair.y, step.sample(eps, known.final))
        return drawn, log_prob
    spread = head.spread(step.variance)
    y = step.sample(eps, known.final)
    for _ in range(_ROUNDS):
        y = head.settled(measurement.moved(y, spread, known.value))
    return y, _log_normal(known.value, measurement.of(step.mean), measurement.spread(spread)).sum(1)


def _log_normal(x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """ln of the density of numbers (B, m), each, in float64."""
    found: Tensor = Normal(mean.double(), variance.double().sqrt(), validate_args=False).log_prob(x.double().to(mean.device))
    return found

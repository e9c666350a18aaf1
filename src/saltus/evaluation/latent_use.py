"""What the latent of each step is used for, in nats and in words.

A kernel that does not use its latent is the Gaussian kernel.  Next to each step stands what a Gaussian step would cost that
predicts as well as the kernel does: its mean is the kernel's over latents of the prior, and its one variance that of its error
on the items at hand.  The difference is what the step gains by not being Gaussian.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from saltus.chain import Chain, evaluating, like
from saltus.kernels import GaussianStep, Kernel, Pair, Transition
from saltus.process import Noise

__all__ = ["LatentUse", "latent_use"]

_DRAWS = 16  # latents that a prediction is averaged over
_BATCH = 256


@dataclass(frozen=True)
class LatentUse:
    """One step.

    Attributes:
        level: that of the step t -> s.
        s, t: its times.
        nats: the step's part of the bound, importance-weighted as that is; mean over items.
        kl: KL of the encoder's latent; without importance weighting a part of `nats`.
        active_units, aggregate_kl: as in `Bound`.
        gaussian_nats: what the Gaussian step would cost.
        gain: how much more that is, mean over items on the same paths; `gain_error` its standard error.
    """

    level: int
    s: float
    t: float
    nats: float
    kl: float
    active_units: int
    aggregate_kl: float
    gaussian_nats: float
    gain: float
    gain_error: float

    def __str__(self) -> str:
        used = f"{self.active_units} active unit{'s' * (self.active_units != 1)}" if self.active_units else "the latent is not used"
        gain = f"{abs(self.gain):.2f} ± {self.gain_error:.2f} {'less' if self.gain > 0 else 'more'} than a Gaussian step"
        chance = " (within chance)" * (abs(self.gain) <= 2 * self.gain_error)
        return (
            f"level {self.level} (t {self.t:.3g} to {self.s:.3g}): {self.nats:.4g} nats, {gain}{chance}; "
            f"KL {self.kl:.3g}, {used}, aggregate KL to the prior {self.aggregate_kl:.2g}"
        )


@torch.no_grad()
def latent_use(
    chain: Chain, y: Tensor, *, condition: Tensor | None = None, seed: int = 0, importance_samples: int | None = None
) -> list[LatentUse]:
    """How each step of a chain uses its latent on items (N, *E), cleanest first; steps without a latent are left out.

    `condition` and `importance_samples` are as in `Chain.bound`.
    """
    y = y.to(like(chain))
    bound = chain.bound(y, condition=condition, seed=seed, importance_samples=importance_samples)
    noise, found = chain.noise(seed, 0, len(y)), []
    with evaluating(chain):
        for level, pair in chain.forward_path(y, noise, condition):
            kernel, units, aggregate = chain.kernel(level), bound.active_units[level - 1], bound.aggregate_kl[level - 1]
            if units is not None and aggregate is not None:
                own, cost = bound.per_level[level - 1], _as_gaussian(kernel, pair, noise.at(level))
                nats, kl, more = (float(part.mean()) for part in (own, bound.kl[level - 1], cost - own))
                error = float((cost - own).std(correction=0)) / math.sqrt(max(1, len(y) - 1))
                times = float(pair.s), float(pair.t)
                found.append(LatentUse(level, *times, nats, kl, units, aggregate, float(cost.mean()), more, error))
    return found


def _as_gaussian(kernel: Kernel, pair: Pair, noise: Noise) -> Tensor:
    """The divergence of the Gaussian step that predicts as the kernel does, (N,) nats, less what the mean of a few draws adds to it."""
    z_t, y = pair.z_t, pair.y
    latents = noise.normal("prior of the latent", (_DRAWS, kernel.latent), like=z_t)
    total = squares = torch.zeros_like(z_t)
    for latent in latents.unbind(1):
        drawn = torch.cat([_step(kernel, pair, latent, start).mean for start in range(0, len(y), _BATCH)])
        total, squares = total + drawn, squares + drawn.square()
    mean = total / _DRAWS
    error_of_mean = (squares / _DRAWS - mean.square()).mean() / (_DRAWS - 1)  # as far as a mean of so many is from that of all
    bridge, head = pair.bridge, _step(kernel, pair, latents[:, 0], 0).head
    squared_error = (bridge.mean(z_t, y) - mean).square().mean() - error_of_mean
    variance = bridge.var + squared_error
    cost = GaussianStep(mean, variance.expand_as(mean), pair.is_final, head).divergence(pair)
    return cost - 0.5 * y[0].numel() * error_of_mean / variance.flatten()


def _step(kernel: Kernel, pair: Pair, latent: Tensor, start: int) -> GaussianStep:
    """That of a few items of a pair, whose times are numbers."""
    rows = slice(start, start + _BATCH)
    condition = None if pair.condition is None else pair.condition[rows]
    return kernel.step(Transition(pair.z_t[rows], pair.s, pair.t, condition), latent[rows])

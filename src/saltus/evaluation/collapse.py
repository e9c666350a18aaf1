r"""The collapse of the deterministic decoder, seen and measured.

With t_L so late that z_L tells nothing of y, the optimum of least squares is E[y | z_L] = E y, so the first step of the plain decoder,
z_s = f(z_t, t), gives z_{L-1} = E y whatever the noise was, and every later step is a function of it: all samples coincide.  A trained
network is not the optimum: what is left of its dependence on z_L is carried on, or amplified, level by level.

With f_l the step of level l, J its Jacobian at the z_l that the sampler meets and d_{l-1} = J d_l from a Gaussian d_L,

    pairs   rms |f_l(z) - f_l(z')| / rms |z - z'|      over two samples z, z' of level l: a ratio of spreads
    small   rms |d_{l-1}| / rms |d_l|                  over samples; from level to level the ratios multiply

say how a difference grows at level l: above 1 it is amplified.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from saltus.chain import descend
from saltus.kernels import Transition
from saltus.levels import Levels
from saltus.oracles import Oracle
from saltus.process import Noise

__all__ = ["Collapse", "Step", "decoder_path", "exact_decoder_path", "measure_collapse", "pair_growth", "small_growth", "spread"]

Step = Callable[[Transition], Tensor]
"""z_s (n, *E) of a transition, with no noise of its own: a step of the plain decoder."""

_SMALL = 1e-5  # rms of a small difference: in float64 neither rounding nor curvature shows


@dataclass(frozen=True)
class Collapse:
    """What the plain decoder does to samples.

    Attributes:
        first_from_mean: the largest distance of an entry of z_{L-1} from E y.
        between_samples: the largest difference of two final samples in an entry.
        final_from_mean: the largest distance of an entry of a final sample from E y; it need not be small.
    """

    first_from_mean: float
    between_samples: float
    final_from_mean: float


def decoder_path(step: Step, levels: Levels, z_L: Tensor) -> Tensor:
    """z_0 ... z_L of the plain decoder from z_L (n, *E): (L + 1, n, *E)."""
    return torch.stack(list(descend(z_L, levels, lambda _, transition: step(transition)))[::-1])


def exact_decoder_path(oracle: Oracle, levels: Levels, n: int, *, seed: int) -> Tensor:
    """z_0 ... z_L of the plain decoder that is optimal, z_{l-1} = E[y | z_l], from N(0, I): (L + 1, n, *E)."""
    z_L = Noise(seed, 0, n).normal("prior", oracle.event_shape)
    return decoder_path(lambda transition: oracle.posterior_mean(transition.z_t, transition.t), levels, z_L)


def measure_collapse(path: Tensor, mean: Tensor) -> Collapse:
    """Measure a path (L + 1, n, *E) of the plain decoder against the mean of the data (*E)."""
    first, final = path[-2], path[0]
    between = (final.amax(0) - final.amin(0)).max()
    return Collapse(float((first - mean).abs().max()), float(between), float((final - mean).abs().max()))


def spread(path: Tensor) -> list[float]:
    """The root mean square deviation of items from their mean, per dimension, at z_0 ... z_L of a path (L + 1, n, *E)."""
    return [float(v) for v in path.flatten(2).var(1, correction=0).mean(1).sqrt()]


def pair_growth(path: Tensor) -> list[float]:
    """How the difference of two samples grows at levels 1 ... L of a path (L + 1, n, *E); NaN where they coincide before."""
    width = torch.tensor(spread(path), dtype=torch.float64)
    return (width[:-1] / width[1:]).tolist()


def small_growth(step: Step, levels: Levels, path: Tensor, *, seed: int) -> list[float]:
    """How a small difference grows at levels 1 ... L of a path (L + 1, n, *E) of that step; NaN once nothing is left of it.

    J d is a central difference over directions that are Gaussian at z_L and carried down from there.

    Raises:
        ValueError: if the path is not float64, where rounding would pass for a difference.
    """
    if path.dtype != torch.float64:
        raise ValueError(f"a path of {path.dtype}; expected torch.float64, so that small differences are told from rounding: convert it")
    direction = Noise(seed, 0, path.shape[1]).normal("direction", path.shape[2:])
    growth: list[float] = []
    for level in range(levels.L, 0, -1):
        small = _SMALL * direction / _rms(direction)
        up, down = (_one_step(step, levels, level, path[level] + moved) for moved in (small, -small))
        direction = (up - down) / 2
        growth.insert(0, float(_rms(direction) / _rms(small)))
    return growth


def _one_step(step: Step, levels: Levels, level: int, z: Tensor) -> Tensor:
    """z_{level - 1} from z_level."""
    states = descend(z, levels, lambda _, transition: step(transition), from_level=level)
    next(states)
    return next(states)


def _rms(x: Tensor) -> Tensor:
    return x.square().mean().sqrt()

r"""The collapse of Problem 2, seen and measured.

With t_L so late that z_L tells nothing of y, the exact optimum of equation (1) is E[y | z_L] = E y, so equation (2)
gives z_{L-1} = E y whatever the noise was, and every later step is a function of it: all samples coincide.  A trained
network is not the optimum: what is left of its dependence on z_L is carried on, or amplified, level by level.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from saltus.levels import Levels
from saltus.oracles import Oracle
from saltus.process import Noise

__all__ = ["Collapse", "exact_decoder_path", "measure_collapse", "spread"]


@dataclass(frozen=True)
class Collapse:
    """What equation (2) does to samples.

    Attributes:
        first_from_mean: the largest distance of an entry of z_{L-1} from E y.
        between_samples: the largest difference of two final samples in an entry.
        final_from_mean: the largest distance of an entry of a final sample from E y; it need not be small.
    """

    first_from_mean: float
    between_samples: float
    final_from_mean: float


def exact_decoder_path(oracle: Oracle, levels: Levels, n: int, *, seed: int) -> Tensor:
    """z_0 ... z_L of equation (2) with the exact optimum of equation (1), z_{l-1} = E[y | z_l], from N(0, I): (L + 1, n, *E)."""
    path = [Noise(seed, 0, n).normal("prior", oracle.event_shape)]
    for _, t in reversed(levels.pairs()):
        path.insert(0, oracle.posterior_mean(path[0], t))
    return torch.stack(path)


def measure_collapse(path: Tensor, mean: Tensor) -> Collapse:
    """Measure a path (L + 1, n, *E) of equation (2) against the mean of the data (*E)."""
    first, final = path[-2], path[0]
    between = (final.amax(0) - final.amin(0)).max()
    return Collapse(float((first - mean).abs().max()), float(between), float((final - mean).abs().max()))


def spread(path: Tensor) -> list[float]:
    """The root mean square deviation of items from their mean, per dimension, at z_0 ... z_L of a path (L + 1, n, *E)."""
    return [float(v) for v in path.flatten(2).var(1, correction=0).mean(1).sqrt()]

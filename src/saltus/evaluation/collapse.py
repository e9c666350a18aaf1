r"""The collapse of Problem 2, seen and measured.

With t_L so late that z_L tells nothing of y, the exact optimum of equation (1) is E[y | z_L] = E y, so equation (2)
gives z_{L-1} = E y whatever the noise was, and every later step is a function of it: all samples coincide.  A trained
network is not the optimum: what is left of its dependence on z_L is carried on, or amplified, level by level.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from saltus.chain import Chain
from saltus.levels import Levels
from saltus.oracles import Oracle
from saltus.process import Noise

__all__ = ["OracleCollapse", "oracle_collapse", "path_spread"]


@dataclass(frozen=True)
class OracleCollapse:
    """What the exact decoder does under equation (2).

    Attributes:
        from_mean: the largest distance of an entry of z_{L-1} from E y.
        between_samples: the largest difference of two final samples in an entry.
        final_from_mean: the same as `from_mean` for the final sample: it need not be the mean.
    """

    from_mean: float
    between_samples: float
    final_from_mean: float


def oracle_collapse(oracle: Oracle, levels: Levels, *, n: int = 16, seed: int = 0) -> OracleCollapse:
    """Sample by equation (2), z_{l-1} = E[y | z_l], from N(0, I) at t_L.

    Args:
        oracle: the law of data.
        levels: a grid whose last time leaves nothing of y, t_L = 20 say.
        n: how many samples.
        seed: of z_L.
    """
    mean = oracle.marginal(0.0).mean
    z = Noise(seed, 0, n).normal("prior", oracle.event_shape)
    first = None
    for _, t in reversed(levels.pairs()):
        z = oracle.posterior_mean(z, t)
        first = z if first is None else first
    assert first is not None
    between = (z.amax(0) - z.amin(0)).max()
    return OracleCollapse(float((first - mean).abs().max()), float(between), float((z - mean).abs().max()))


def _spread(path: Tensor) -> Tensor:
    """The root mean square deviation of items from their mean, per dimension, at each level of a path (L + 1, n, *E): (L + 1,)."""
    return path.flatten(2).var(1, correction=0).mean(1).sqrt()


def path_spread(chain: Chain, n: int, *, seed: int) -> list[float]:
    """The spread of z_0 ... z_L over n samples of a chain."""
    with torch.no_grad():
        return [float(value) for value in _spread(chain.sample(n, seed=seed, return_path=True))]

"""Whether an axis is bent for a column with long tails, and how: by the nats that a Gaussian pays for values that it was not fitted to."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from saltus.data.layout import Array
from saltus.likelihoods import GaussianHead, Number, Numbers

__all__ = ["bend"]

_SKEWNESS, _KURTOSIS = 1.0, 3.0  # beyond either a column has long tails: an exponential's are 2 and 6, a Laplacian's 0 and 3 (in excess)
_GAIN = 0.05  # nats a value that bending must win
_ITEMS = 2000  # looked at
_FEWEST = 40
_SCALES = 12  # tried around each centre
_STEPS = 4  # of counted values in a standard deviation: with fewer there is no tail to bend
_CLOSEST = 0.005  # share of the values that may lie in the straight part around the centre


def bend(x: Array, number: Number) -> tuple[float, float]:
    """The centre and the bend of the axis for numbers x (n,), in the range and steps of `number`; `low` and infinity for straight.

    Half of the numbers fit the mean and the deviation on each axis, the other half tells which is best.
    """
    straight = (number.low, math.inf)
    spread = float(x.std()) if len(x) >= _FEWEST else 0.0
    if spread <= _STEPS * number.step:
        return straight
    standard = (x - x.mean()) / spread
    if abs((standard**3).mean()) <= _SKEWNESS and (standard**4).mean() - 3 <= _KURTOSIS:
        return straight
    drawn = torch.from_numpy(np.random.default_rng(0).permutation(x)[:_ITEMS])
    fitted, told = drawn.tensor_split(2)
    axes = [straight, *_bent(x, number)]
    found = _nats(axes, number, fitted, told)
    best = int(found.argmin())
    return axes[best] if float(found[0] - found[best]) >= _GAIN else straight


def _bent(x: Array, number: Number) -> list[tuple[float, float]]:
    """Centres at 0, where values begin or end, and in their middle; around each, bends from where values are closest to where they are
    widest."""
    centres = {number.low, float(np.median(x)), number.high, *([0.0] if number.low >= 0 else [])}
    axes = []
    for centre in sorted(centres):
        away = np.abs(x - centre)
        away = away[away > 0]
        if len(away):
            least, most = np.quantile(away, [_CLOSEST, 1 - _CLOSEST])
            axes += [(centre, float(scale)) for scale in np.geomspace(least / 3, most, _SCALES)]
    return axes


def _nats(axes: list[tuple[float, float]], number: Number, fitted: Tensor, told: Tensor) -> Tensor:
    """What N(0, 1) pays for each of `told`, in the mean, on each axis that is standardised by `fitted`."""

    def along(mean: Tensor, std: Tensor) -> Numbers:
        each, low, high, step = zip(axes, mean.tolist(), std.tolist(), strict=True), number.low, number.high, number.step
        return Numbers([Number(low, high, step=step, centre=c, bend=s, mean=m, std=v) for (c, s), m, v in each])

    zero, one = torch.zeros(len(axes)), torch.ones(len(axes))
    u = along(zero, one).forward(fitted[:, None].expand(-1, len(axes)))
    std = u.std(0)
    numbers = along(u.mean(0), torch.where(std > 0, std, 1.0))
    y = numbers.forward(told[:, None].expand(-1, len(axes)))
    head, like = GaussianHead(1.0), (torch.zeros_like(y), torch.ones_like(y))
    if number.step:
        cells = numbers.cells(y)
        cost = -head.log_mass(cells.below, cells.above, *like)
    else:
        cost = numbers.log_jacobian(y) - head.log_density(y, *like)
    return torch.where(std > 0, cost.mean(0), torch.inf)

r"""The masses of cells that a column has no number for.

A cell that a kind has no number for becomes the nearest one, v, which then stands for all cells that are nearest to it: those beyond an end
of counted values, or between the values of a list.  Of its mass v itself keeps 1 - rho, and the one that is k steps away gets

.. math:: \rho \, \frac{n}{(k + n - 1)(k + n)}, \qquad \sum_{k \ge 1} \frac{n}{(k + n - 1)(k + n)} = 1,

with n the number of values from the first to the last: half of it is within n steps, and no distance has a probability of 0.  In a list,
whose step is the least distance of two values, half of it is for each side; what would be nearer to the next value stays unused.
"""

from __future__ import annotations

import math

import numpy as np

from saltus.data.layout import Array

__all__ = ["BEYOND", "hidden"]

BEYOND = 1e-4
"""rho: as the share of outliers, it costs 1e-4 nats where there are none."""


def hidden(steps: Array, n: float, sides: int = 1) -> Array:
    """Nats that the value so many steps away has more than the one that stands for it; 0 for 0 steps or fewer."""
    k = np.maximum(steps.astype(np.float64), 1.0)
    nats = math.log1p(-BEYOND) - math.log(BEYOND / sides * n) + np.log(k + n - 1) + np.log(k + n)
    return np.where(steps > 0, nats, 0.0)

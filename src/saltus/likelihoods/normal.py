r"""Masses of intervals under N(0, 1), as logarithms that do not cancel.

.. math:: \ln(\Phi(b) - \Phi(a)) = \ln \Phi(b) + \ln(1 - e^{\ln \Phi(a) - \ln \Phi(b)})

after both ends are reflected into the lower tail.  Where the interval is narrow the difference of the two logarithms has no digits left,
and the mass is the density in the middle times the width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["log_interval_mass", "log_mass", "middle", "standard"]

_NARROW = 1e-4  # a width of which the density in the middle gives the mass to 1e-9, and a thousand standard deviations out to 1e-3


def log_mass(below: Tensor, above: Tensor) -> Tensor:
    """ln(Phi(above) - Phi(below)); one end may be infinite."""
    flip = below + above > 0  # also where one end is infinite
    low, high = torch.where(flip, -above, below), torch.where(flip, -below, above)
    bottom, top = torch.special.log_ndtr(low), torch.special.log_ndtr(high)
    mass: Tensor = top + torch.log(-torch.expm1(bottom - top))
    return mass


def log_interval_mass(below: Tensor, above: Tensor) -> Tensor:
    """The same of intervals that may be narrow, or the whole line; for float64."""
    narrow, whole = above - below < _NARROW, torch.isinf(below) & torch.isinf(above)
    wide = log_mass(torch.where(narrow | whole, -1.0, below), torch.where(narrow | whole, 1.0, above))
    centre, width = torch.where(narrow, (below + above) / 2, 0.0), torch.where(narrow, above - below, 1.0)
    thin = width.log() - 0.5 * centre.square() - 0.5 * math.log(2 * math.pi)
    return torch.where(whole, 0.0, torch.where(narrow, thin, wide))


def standard(border: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """(border - mean) / std of a border that may be infinite, without a gradient that is not a number."""
    endless = torch.isinf(border)
    return torch.where(endless, border, (torch.where(endless, 0.0, border) - mean) / std)


def middle(below: Tensor, above: Tensor) -> Tensor:
    """The number that halves the mass of an interval; where no mass is left for float64, the nearer end."""
    flip = below + above > 0
    low, high = torch.where(flip, -above, below), torch.where(flip, -below, above)
    half = torch.special.ndtri((torch.special.ndtr(low) + torch.special.ndtr(high)) / 2)
    half = torch.where(torch.isinf(half), high, half).clamp(low, high)
    return torch.where(flip, -half, half)

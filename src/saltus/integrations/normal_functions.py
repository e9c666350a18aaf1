r"""The normal distribution function and its inverse by arithmetic alone, for graph formats that have neither in float64.

For x <= 0, and by symmetry beyond, with polynomials P and Q,

.. math::
    \Phi(x) &= e^{-x^2 / 2}\, P(|x|) / Q(|x|), & |x| &< 7.07, \\
    \Phi(x) &= \frac{e^{-x^2/2}}{\sqrt{2\pi}} \Big/ \Big(|x| + \cfrac{1}{|x| + \cfrac{2}{|x| + \cdots}}\Big), & |x| &\ge 7.07,

to an absolute error of 1e-15, and to 3e-9 of the value in the lower tail (Hart 1968, "Computer Approximations", algorithm 5666).  The
inverse is a ratio of polynomials in one of three ranges, to about 1e-15 of the value (Wichura 1988, algorithm AS 241,
https://doi.org/10.2307/2347330).  The coefficients are those of the papers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["ndtr", "ndtri"]

_BELOW = (
    (3.52624965998911e-02, 0.700383064443688, 6.37396220353165, 33.912866078383, 112.079291497871, 221.213596169931, 220.206867912376),
    (
        8.83883476483184e-02,
        1.75566716318264,
        16.064177579207,
        86.7807322029461,
        296.564248779674,
        637.333633378831,
        793.826512519948,
        440.413735824752,
    ),
)
_BEYOND, _FURTHEST = 7.07106781186547, 38.0  # where the fraction begins, and where float64 ends
_FRACTION = 8  # its terms: beyond 7.07 they give 14 digits

_CENTRAL = (
    (
        2509.0809287301226727,
        33430.575583588128105,
        67265.770927008700853,
        45921.953931549871457,
        13731.693765509461125,
        1971.5909503065514427,
        133.14166789178437745,
        3.387132872796366608,
    ),
    (
        5226.495278852545925,
        28729.085735721942674,
        39307.89580009271061,
        21213.794301586595867,
        5394.1960214247511077,
        687.1870074920579083,
        42.313330701600911252,
        1.0,
    ),
)
_NEAR = (
    (
        7.7454501427834140764e-4,
        0.0227238449892691845833,
        0.24178072517745061177,
        1.27045825245236838258,
        3.64784832476320460504,
        5.7694972214606914055,
        4.6303378461565452959,
        1.42343711074968357734,
    ),
    (
        1.05075007164441684324e-9,
        5.475938084995344946e-4,
        0.0151986665636164571966,
        0.14810397642748007459,
        0.68976733498510000455,
        1.6763848301838038494,
        2.05319162663775882187,
        1.0,
    ),
)
_FAR = (
    (
        2.01033439929228813265e-7,
        2.71155556874348757815e-5,
        0.0012426609473880784386,
        0.026532189526576123093,
        0.29656057182850489123,
        1.7848265399172913358,
        5.4637849111641143699,
        6.6579046435011037772,
    ),
    (
        2.04426310338993978564e-15,
        1.4215117583164458887e-7,
        1.8463183175100546818e-5,
        7.868691311456132591e-4,
        0.0148753612908506148525,
        0.13692988092273580531,
        0.59983220655588793769,
        1.0,
    ),
)
_MIDDLE, _CORNER = 0.425, 5.0  # of |p - 1/2|, and of sqrt(-ln p): where the three ranges meet


def _polynomial(coefficients: Sequence[float], x: Tensor) -> Tensor:
    """By Horner's rule, the highest power first."""
    value = torch.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value


def _ratio(parts: tuple[Sequence[float], Sequence[float]], x: Tensor) -> Tensor:
    return _polynomial(parts[0], x) / _polynomial(parts[1], x)


def ndtr(x: Tensor) -> Tensor:
    """Phi(x), of the shape and the type of x."""
    away = x.abs().clamp_max(_FURTHEST)
    bell = torch.exp(-away * away / 2)
    fraction = away
    for term in range(_FRACTION, 0, -1):
        fraction = away + term / fraction.clamp_min(1.0)  # which matters below 7.07 alone, where the fraction is not used
    tail = bell * torch.where(away < _BEYOND, _ratio(_BELOW, away), 1 / (math.sqrt(2 * math.pi) * fraction.clamp_min(1.0)))
    return torch.where(x > 0, 1 - tail, tail)


def ndtri(p: Tensor) -> Tensor:
    """x with Phi(x) = p, of the shape and the type of p; infinite at 0 and 1."""
    off = p - 0.5
    least = torch.minimum(p, 1 - p)
    root = torch.sqrt(-torch.log(least.clamp_min(torch.finfo(p.dtype).tiny)))
    size = torch.where(root <= _CORNER, _ratio(_NEAR, root - 1.6), _ratio(_FAR, root - _CORNER))
    size = torch.where(least > 0, size, torch.inf)
    central = off * _ratio(_CENTRAL, _MIDDLE**2 - off * off)
    return torch.where(off.abs() <= _MIDDLE, central, torch.where(off < 0, -size, size))

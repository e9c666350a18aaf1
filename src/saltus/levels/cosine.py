r"""The cosine schedule as a map from positions to times.

Nichol and Dhariwal 2021 (https://arxiv.org/abs/2102.09672, equation 17) let the signal fall as

$$\bar\alpha(u) = \frac{f(u)}{f(0)}, \qquad f(u) = \cos^2\left(\frac\pi2 \cdot \frac{u + o}{1 + o}\right), \qquad o = 0.008,$$

which at $u = 1$ reaches $\bar\alpha = 0$, an infinite time.  Here the schedule stops at a finite time $t_L$: with the angle
$\phi(v) = \phi_0 + v\,(\phi_1 - \phi_0)$, $\phi_0 = \frac\pi2 \frac{o}{1 + o}$ and $\cos\phi_1 = e^{-t_L} \cos\phi_0$,

$$t(v) = -\frac12 \ln \bar\alpha = \ln \frac{\cos\phi_0}{\cos\phi(v)}, \qquad t(0) = 0, \quad t(1) = t_L.$$
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from saltus.errors import SaltusError

__all__ = ["EARLIEST", "cosine_time"]

EARLIEST = -math.log1p(-1e-4) / 2
"""The first level of DDPM, beta_1 = 1e-4 (Ho et al. 2020, https://arxiv.org/abs/2006.11239): earlier times are not worth training."""

_OFFSET = 0.008
_START = math.pi / 2 * _OFFSET / (1 + _OFFSET)


def cosine_time(position: Tensor, last: float) -> Tensor:
    """t(v) at positions v in [0, 1], float64 of the same shape, in [0, last].

    Args:
        position: v.
        last: t_L, the time at position 1; finite, > 0.

    Raises:
        SaltusError: if `last` is not finite or not above 0.
    """
    if not (math.isfinite(last) and last > 0):
        raise SaltusError(f"last = {last}; expected a finite time > 0")
    end = math.acos(math.exp(-last) * math.cos(_START))
    angle = _START + (end - _START) * position.to(torch.float64)
    return torch.log(math.cos(_START) / torch.cos(angle)).clamp(0, last)

r"""A standard deviation from any real number: softplus with beta = ln 2, so that 0 gives 1 (Hazami et al. 2022, https://arxiv.org/abs/2203.13751)."""

from __future__ import annotations

import math

from torch import Tensor, nn

__all__ = ["positive"]

_LEAST = -60.0  # float32 and bfloat16 hold the square of 2^-60


def positive(raw: Tensor) -> Tensor:
    """softplus(raw), > 0, clamped so that its square never underflows to 0: encoders are that sure of themselves while the KL's weight
    is still near 0.  The gradient is as if there were no clamp, so that the KL pulls them back."""
    within = raw + (raw.clamp_min(_LEAST) - raw).detach()
    return nn.functional.softplus(within, beta=math.log(2))

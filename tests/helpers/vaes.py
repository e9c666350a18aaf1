"""VAE kernels of one dimension, with every parametrisation and encoder input."""

from __future__ import annotations

from typing import Any

import torch

from saltus.kernels import VAEKernel
from saltus.likelihoods import GaussianHead
from saltus.networks import MLPEncoder
from tests.helpers.stubs import randomise, small_vae

__all__ = ["HEAD", "IDS", "OPTIONS", "ROUNDING", "kernel_1d"]

ROUNDING = 1e-9  # quadrature on even grids is exact to rounding for smooth functions that vanish at the ends
HEAD = GaussianHead(1e-3)
OPTIONS = [{"parametrisation": p, "encoder_input": e} for p in ("bridge", "direct") for e in ("z_s", "y")]
IDS = [" ".join(options.values()) for options in OPTIONS]


def kernel_1d(seed: int = 0, **options: Any) -> VAEKernel:
    """Untrained, with last layers of order one, in float64."""
    torch.manual_seed(seed)
    kernel = small_vae((1,), MLPEncoder((1,), latent=1, width=16), HEAD, **options).double()
    randomise(kernel, seed)
    return kernel

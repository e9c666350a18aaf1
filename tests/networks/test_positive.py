"""Standard deviations from any real number."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from saltus.networks import positive


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_kl_of_any_standard_deviation_is_finite(dtype: torch.dtype) -> None:
    """An encoder may be as sure as it likes while the KL has no weight; softplus alone gives squares that round to 0."""
    raw = torch.tensor([-1e4, -200.0, -100.0, -1.0, 0.0, 1e4], dtype=dtype, requires_grad=True)
    prior = Normal(torch.zeros(6, dtype=dtype), torch.ones(6, dtype=dtype))
    kl = kl_divergence(Normal(torch.zeros_like(raw), positive(raw)), prior)
    assert torch.isfinite(kl).all()
    (slope,) = torch.autograd.grad(kl.sum(), raw)
    assert torch.allclose(slope[:3].float(), torch.tensor(-math.log(2)), rtol=1e-2)  # ln sigma = raw ln 2 there
    alone = Normal(torch.zeros_like(raw), torch.nn.functional.softplus(raw, beta=math.log(2)), validate_args=False)
    assert (~torch.isfinite(kl_divergence(alone, prior))).sum() == 3
    assert positive(raw)[4] == 1

r"""A number of a mixture of Gaussians with few factors (`saltus.oracles.gaussians`) on a stack of bits.

.. math::
    \text{pop}\quad  & k \sim q(k \mid x), \qquad u \sim q(u \mid x, k) \\
    \text{push}\quad & x \text{ by } p(x \mid u, k), \qquad u \text{ by } \mathcal N(0, I), \qquad k \text{ by its weight}

costs -ln p(x), as both of what is popped are exact, and all distributions are of independent numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from saltus.chain.stack import Stack
from saltus.oracles import LowRankGaussians

__all__ = ["pop_mixture", "push_mixture"]

_WIDTH = 2.0**-8  # of the grid of factors, which are few, and known well


def push_mixture(stack: Stack, x: Tensor, parts: LowRankGaussians, log_weights: Tensor, width: float) -> None:
    """x (1, d), float64 on the grid of a width, by components with log weights (1, K)."""
    k = stack.pop_choice(_given(x, parts, log_weights))
    factors = stack.pop_normal(*parts.factors_given(x, k), width=_WIDTH, near=True)
    stack.push_normal(x, *parts.given_factors(factors, k), width=width)
    stack.push_normal(factors, torch.zeros_like(factors), torch.ones_like(factors), _WIDTH)
    stack.push_choice(k, log_weights.softmax(1))


def pop_mixture(stack: Stack, parts: LowRankGaussians, log_weights: Tensor, width: float) -> Tensor:
    """The x (1, d) that was pushed."""
    k = stack.pop_choice(log_weights.softmax(1))
    zero = torch.zeros(1, parts.excess.shape[1], dtype=torch.float64)
    factors = stack.pop_normal(zero, torch.ones_like(zero), _WIDTH)
    x = stack.pop_normal(*parts.given_factors(factors, k), width=width)
    stack.push_normal(factors, *parts.factors_given(x, k), width=_WIDTH, near=True)
    stack.push_choice(k, _given(x, parts, log_weights))
    return x


def _given(x: Tensor, parts: LowRankGaussians, log_weights: Tensor) -> Tensor:
    """The probability of each component given x, (1, K)."""
    return (log_weights + parts.log_prob(x)).softmax(1)

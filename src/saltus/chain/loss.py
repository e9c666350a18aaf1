r"""What training minimises: each item of a batch at one level, levels stratified over the batch.

With shares p_1 ... p_L of the items, those of level l are weighted by 1 / (L p_l), so that

    E loss = 1/L sum_l E L_l        (equations (1) and (3) draw l uniformly)

whatever the shares are: they only move the noise of the estimate from one level to another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from saltus.kernels import Kernel, Terms, Weights
from saltus.process import Noise, OrnsteinUhlenbeck

if TYPE_CHECKING:
    from saltus.chain.chain import Chain

__all__ = ["Loss", "training_loss"]

_process = OrnsteinUhlenbeck()


@dataclass(frozen=True)
class Loss:
    """What training minimises, for each item at the step it was given.

    Attributes:
        level: the step of each item, 1 ... L, (B,).
        terms: named terms, (B,) each, weighted.
        weight: 1 / (L share) of each item's level, (B,), which the terms have been multiplied by.
    """

    level: Tensor
    terms: Terms
    weight: Tensor

    @property
    def total(self) -> Tensor:
        """The sum of the terms, (B,); L times its mean over items estimates the sum over levels."""
        return torch.stack(list(self.terms.values())).sum(0)


def training_loss(
    chain: Chain, y: Tensor, *, seed: int, first_item: int, weights: Weights, shares: Sequence[float] | None, latents: int
) -> Loss:
    """The loss of data (B, *E), see `Chain.loss`."""
    noise, L, any_step = Noise(seed, first_item, len(y)), chain.levels.L, len(chain.kernels) == 1 and chain.kernel(1).any_step
    share = torch.full((L,), 1 / L, dtype=torch.float64) if shares is None else torch.tensor(shares, dtype=torch.float64)
    if shares is not None and (len(share) != L or not share.min() > 0 or not math.isclose(share.sum(), 1) or any_step):
        raise ValueError(f"shares {list(shares)} of {L} levels; expected {L} positive ones that sum to 1, and a kernel of these levels")
    strata = (torch.arange(len(y)) + noise.uniform("level")[0]) / len(y)
    index = torch.searchsorted(share.cumsum(0)[:-1], strata, right=True)
    s, t = chain.levels.times[index], chain.levels.times[index + 1]
    if any_step:
        s, t = torch.zeros_like(t), chain.levels.spread(strata)
    weight = (1 / (L * share))[index].to(y)
    terms = _terms(chain, index + 1, y, s, t, noise, partial(_of_kernel, weights=weights, latents=latents))
    return Loss(index + 1, {name: value * weight for name, value in terms.items()}, weight)


def _terms(chain: Chain, level: Tensor, y: Tensor, s: Tensor, t: Tensor, noise: Noise, cost: Callable[..., Terms]) -> Terms:
    """The loss of each item at its level, whichever kernel serves it."""
    if len(chain.kernels) == 1:
        return cost(chain.kernel(1), y, s, t, noise)
    terms: Terms = {}
    for kernel, numbers in groupby(level.unique().tolist(), chain.kernel):  # levels ascend: a kernel's are one run of items
        served = list(numbers)
        rows = torch.nonzero((level >= served[0]) & (level <= served[-1])).flatten()
        part = replace(noise, first_item=noise.first_item + int(rows[0]), n=len(rows))
        for name, value in cost(kernel, y[rows], s[rows], t[rows], part).items():
            terms[name] = terms.get(name, value.new_zeros(len(y))).index_put((rows,), value)
    return terms


def _of_kernel(kernel: Kernel, y: Tensor, s: Tensor, t: Tensor, noise: Noise, *, weights: Weights, latents: int) -> Terms:
    z_s = _process.noised(y, s, noise.normal("z_s", y.shape[1:], like=y))
    z_t = _process.noised(z_s, t - s, noise.normal("z_t", y.shape[1:], like=y))
    if latents > 1 and kernel.latent:
        return kernel.tightened(y, z_s, z_t, s, t, noise=noise, latents=latents)
    return kernel.loss(y, z_s, z_t, s, t, noise=noise, weights=weights)

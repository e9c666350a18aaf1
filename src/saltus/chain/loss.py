r"""What training minimises: each item of a batch at one level, levels stratified over the batch.

With level sampling probabilities p_1 ... p_L, items of level l are weighted by 1 / (L p_l), so that

.. math:: E\,\mathrm{loss} = \frac{1}{L} \sum_l E\, L_l

whatever the probabilities are: they only move the noise of the estimate from one level to another.  A kernel for any step gets pairs
(s, t) of all grids instead (`saltus.levels.random_pairs`), or (0, t) where its loss does not look at s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import NamedTuple

import torch
from torch import Tensor, nn

from saltus.chain.process import ChainProcess
from saltus.kernels import Kernel, Pair, Terms, Transition, is_reweighted
from saltus.levels import random_pairs
from saltus.process import Noise, OrnsteinUhlenbeck

__all__ = ["Batch", "ChainLoss", "Loss"]

_process = OrnsteinUhlenbeck()
_BELOW_1 = 1 - 2**-53  # the last of many strata rounds to 1


@dataclass(frozen=True, eq=False)
class Batch:
    """What one update sees.

    Attributes:
        y: data, (B, *E).
        noise: random numbers of the B items.
        condition: what the items are conditioned on, (B, ...); None for none.
        weights: factors of terms, by name; 1 where a term has none.
        level_probabilities: probabilities of the levels, cleanest first, > 0, summing to 1; equal unless given.
        importance_samples: number of latents an item; with more than 1, the loss is the importance-weighted bound where kernels have a
            latent; its terms have no weights.
        eta: a number in (0, 1]; the loss is that of the bound of the chain that is sampled with it.
        place: for a part of a batch, the place of its first item there, and the items of the whole; the others follow as their noise does.
    """

    y: Tensor
    noise: Noise
    condition: Tensor | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    level_probabilities: Sequence[float] | None = None
    importance_samples: int = 1
    eta: float = 1.0
    place: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.importance_samples < 1 or (self.importance_samples > 1 and is_reweighted(self.weights)):
            raise ValueError(
                f"a loss with {self.importance_samples} importance samples and weights {self.weights}; "
                "expected at least 1, and no weights of several"
            )
        if not 0 < self.eta <= 1:
            raise ValueError(f"eta = {self.eta} of a loss; expected a number above 0 and at most 1")

    def part(self, rows: slice) -> Batch:
        """Some neighbours of the items, each with its own noise and at its own level."""
        first, stop, _ = rows.indices(len(self.y))
        before, whole = self.place or (0, len(self.y))
        skipped = first * self.noise.step
        noise = replace(self.noise, first_item=self.noise.first_item + skipped, n=stop - first)
        condition = None if self.condition is None else self.condition[rows]
        return replace(self, y=self.y[rows], noise=noise, condition=condition, place=(before + skipped, whole))

    def strata(self, jitter: Tensor | None = None) -> Tensor:
        """Numbers in (0, 1), one in each of as many equal intervals as the whole has items, (B,) float64.

        Args:
            jitter: where in its interval each is, (B,) in (0, 1); unless given, all are where that of the whole's first item is.
        """
        before, whole = self.place or (0, len(self.y))
        if jitter is None:
            jitter = replace(self.noise, first_item=self.noise.first_item - before, n=1).uniform("level")
        step = self.noise.step
        return ((torch.arange(before, before + step * len(self.y), step) + jitter) / whole).clamp(max=_BELOW_1)


class Loss(NamedTuple):
    """What training minimises, for each item at the step it was given; a tuple, in which FSDP finds the tensors.

    Attributes:
        level: the step of each item, 1 ... L, (B,), on the CPU; zeros for a kernel that serves any step.
        terms: named terms, (B,) each, weighted.
        weight: what the terms have been multiplied by, (B,): 1 / (L p) of each item's level.
    """

    level: Tensor
    terms: Terms
    weight: Tensor

    @property
    def total(self) -> Tensor:
        """The sum of the terms, (B,); L times its mean over items estimates the sum over levels."""
        return torch.stack(list(self.terms.values())).sum(0)

    @staticmethod
    def joined(parts: Sequence[Loss]) -> Loss:
        """The loss of the items of all parts, in their order; a term that some have not is 0 there."""
        names = dict.fromkeys(name for part in parts for name in part.terms)
        terms = {name: torch.cat([part.terms.get(name, torch.zeros_like(part.weight)) for part in parts]) for name in names}
        return Loss(torch.cat([part.level for part in parts]), terms, torch.cat([part.weight for part in parts]))


class ChainLoss(nn.Module):
    """A chain as what is trained: its `forward` is the loss, so that wrappers of other libraries (DDP, FSDP, compile) see it.

    Args:
        chain: whose kernels are trained.
    """

    def __init__(self, chain: ChainProcess) -> None:
        super().__init__()
        self.chain = chain

    def forward(self, batch: Batch) -> Loss:
        """The loss of each item.

        Levels are stratified: they ascend along the batch, whose items are assumed to come in random order, and their
        counts differ from their shares of it by less than one.

        Raises:
            ValueError: for level probabilities that are not such, or of a kernel that serves any step.
        """
        chain, y = self.chain, batch.y
        if chain.any_step:
            return self._any_step(batch)
        L, given = chain.levels.L, batch.level_probabilities
        probability = torch.full((L,), 1 / L, dtype=torch.float64) if given is None else torch.tensor(given, dtype=torch.float64)
        if given is not None and (len(probability) != L or not probability.min() > 0 or not math.isclose(probability.sum(), 1)):
            raise ValueError(f"level probabilities {list(given)} of {L} levels; expected {L} positive ones that sum to 1")
        index = torch.searchsorted(probability.cumsum(0)[:-1], batch.strata(), right=True)
        s, t = chain.levels.times[index], chain.levels.times[index + 1]
        return _loss(index + 1, self._terms(index + 1, batch, s, t), (1 / (L * probability))[index].to(y))

    def _any_step(self, batch: Batch) -> Loss:
        kernel, levels = self.chain.kernel(1), self.chain.levels
        if batch.level_probabilities is not None:
            raise ValueError(f"level probabilities {list(batch.level_probabilities)} of a kernel for any step; expected none")
        if kernel.trains_bound:
            s, t, weight = random_pairs(levels.last, batch.strata(batch.noise.uniform("level")), batch.noise.uniform("pair"))
            weight = weight / levels.L  # so that its mean is the bound over L, as on a grid
        else:
            t = levels.spread(batch.strata())
            s, weight = torch.zeros_like(t), torch.ones_like(t)
        level = torch.zeros(len(batch.y), dtype=torch.int64)
        return _loss(level, _of_kernel(kernel, batch, s, t), weight.to(batch.y))

    def _terms(self, level: Tensor, batch: Batch, s: Tensor, t: Tensor) -> Terms:
        """The loss of each item at its level, whichever kernel serves it."""
        chain, y = self.chain, batch.y
        if len(chain.kernels) == 1:
            return _of_kernel(chain.kernel(1), batch, s, t)
        terms: Terms = {}
        for kernel, numbers in groupby(level.unique().tolist(), chain.kernel):  # levels ascend: a kernel's are one run of items
            served = list(numbers)
            places = torch.nonzero((level >= served[0]) & (level <= served[-1])).flatten()
            rows = slice(int(places[0]), int(places[-1]) + 1)
            for name, value in _of_kernel(kernel, batch.part(rows), s[rows], t[rows]).items():
                padded = nn.functional.pad(value, (rows.start, len(y) - rows.stop))
                terms[name] = terms[name] + padded if name in terms else padded
        return terms


def _loss(level: Tensor, terms: Terms, weight: Tensor) -> Loss:
    return Loss(level, {name: value * weight for name, value in terms.items()}, weight)


def _of_kernel(kernel: Kernel, batch: Batch, s: Tensor, t: Tensor) -> Terms:
    z_s, z_t = _noised(batch, s, t)
    pair = Pair(z_t, s, t, batch.condition, eta=batch.eta, y=batch.y, z_s=z_s)
    if batch.importance_samples > 1 and kernel.latent:
        return kernel.explain(pair, batch.noise, batch.importance_samples).terms
    return kernel.loss(pair, batch.noise, batch.weights)


def _noised(batch: Batch, s: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """z_s and z_t of each item."""
    y = batch.y

    def unit(name: str) -> Tensor:
        return batch.noise.normal(name, y.shape[1:], like=y)

    if not s.any():  # z_s is y, whatever the noise
        return y, _process.noised(y, t, unit("z_t"))
    if batch.eta == 1:
        z_s = _process.noised(y, s, unit("z_s"))
        return z_s, _process.noised(z_s, t - s, unit("z_t"))
    z_t = _process.noised(y, t, unit("z_t"))
    return Transition(z_t, s, t, eta=batch.eta).bridge.sample(z_t, y, unit("z_s")), z_t

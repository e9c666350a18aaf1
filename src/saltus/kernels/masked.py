r"""A network that is told some numbers of a row, and says how each of the others is distributed (Uria et al. 2014, a deep and tractable
density estimator in any order, https://arxiv.org/abs/1310.1757).

Each number that is known adds a vector to the first layer: a linear map of y and of how far y is along each of some intervals
(piecewise linear encoding, Gorishniy et al. 2022, https://arxiv.org/abs/2203.05556); a category that intervals cannot tell from its
neighbours has one of its own too.  So a number that becomes known later is added to what is there.

Below the network is a Gaussian (`saltus.kernels.factors`): what it says of each number is where the network begins, which learns what it
misses.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from saltus.kernels.factors import FactorAnalysis, Given
from saltus.kernels.rows import MOST_WIDTH
from saltus.likelihoods import Moments, NumberDistributions, Row
from saltus.networks.conditioning import ConditionEmbedding
from saltus.networks.conditions import Condition
from saltus.networks.groups import MOST_BLOCKS, check_size

__all__ = ["MaskedNetwork", "Told"]

_INTERVALS, _RANGE = 16, 3.0  # of y, which resembles N(0, 1)
_MOST_VALUES = 256  # of a column of categories that have vectors of their own


class Told(NamedTuple):
    """What a network was told of rows: the sum of its first layer, (B, width), and what a Gaussian makes of it."""

    first: Tensor
    given: Given


class MaskedNetwork(nn.Module):
    """Residual blocks from what is known of a row to parameters of the distributions of its numbers.

    Args:
        distributions: of the numbers.
        width: neurons of a layer.
        blocks: residual blocks.
        rank: of the Gaussian below it.
        condition: what it is conditioned on.

    Raises:
        SaltusError: for sizes out of range.
    """

    def __init__(
        self,
        distributions: NumberDistributions,
        *,
        width: int = 128,
        blocks: int = 2,
        rank: int = 1,
        condition: Condition | None = None,
    ) -> None:
        super().__init__()
        check_size("width", width, MOST_WIDTH)
        check_size("blocks", blocks, MOST_BLOCKS)
        self.distributions, self.width = distributions, width
        E = len(distributions.numbers)
        self.z = nn.Linear(E, width)
        self.embedding = ConditionEmbedding(condition, width)
        self.along = nn.Parameter(torch.randn(E, _INTERVALS + 2, width) / math.sqrt(E * (_INTERVALS + 2)))
        named = [j for j, number in enumerate(distributions.numbers) if _INTERVALS < len(number.shares) <= _MOST_VALUES]
        starts = list(itertools.accumulate((distributions.counts[j] for j in named), initial=0))
        self._first_value = dict(zip(named, starts, strict=False))
        self.values = nn.Parameter(torch.zeros(starts[-1], width)) if named else None
        self.gaussian = FactorAnalysis(E, rank)
        self.factors = nn.Linear(rank, width, bias=False)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(blocks))
        self.last = nn.Sequential(nn.LayerNorm(width), nn.SiLU())
        self.out = nn.Linear(width, E * distributions.size)
        with torch.no_grad():
            self.out.weight.zero_()
            self.out.bias.zero_()

    def begin(self, z: Tensor, condition: Tensor | None) -> Told:
        """Where no number is known, of z_t (B, E)."""
        first: Tensor = self.embedding(self.z(z), condition)
        return Told(first, self.gaussian.begin(len(z)))

    def told(self, begun: Told, row: Row, known: Tensor) -> Told:
        """Where some numbers are known; an absent one tells nothing but that."""
        seen, h = known & ~row.absent, begun.first
        with torch.autocast(h.device.type, enabled=False):  # y has more digits than bfloat16
            features = self._features(row.y, row.counted) * seen[..., None]
            h = h + features.flatten(1) @ self.along.flatten(0, 1)
            if self.values is not None:
                named, first = list(self._first_value), torch.tensor(list(self._first_value.values()), device=h.device)
                index, weights = first + row.place[:, named], seen[:, named].to(h.dtype)
                h = h + nn.functional.embedding_bag(index, self.values, per_sample_weights=weights, mode="sum")
            return Told(h, self.gaussian.told(row.y, seen))

    def told_of(self, before: Told, j: int, one: Row, known: Tensor, *, forget: bool = False) -> Told:
        """Where the number j is known too, as `known` (B,) says; or, after `told`, no longer."""
        seen = known[:, None] & ~one.absent
        first = self._features(one.y[:, 0], one.counted[:, 0]) @ self.along[j]
        if self.values is not None and j in self._first_value:
            first = first + self.values[self._first_value[j] + one.place[:, 0]]
        first = seen * first
        given = self.gaussian.told_of(before.given, j, one.y[:, 0], seen[:, 0], forget=forget)
        return Told(before.first + (-first if forget else first), given)

    def hidden(self, known: Told, kept: Tensor | None = None) -> Tensor:
        """The layer before the last, (B, width); `kept` multiplies the neurons of each block, (B, blocks, width)."""
        h = known.first + self.factors(known.given.mean)
        for number, block in enumerate(self.blocks):
            h = block(h, None if kept is None else kept[:, number])
        found: Tensor = self.last(h)
        return found

    def parameters_of(self, known: Told, j: int) -> tuple[Tensor, Moments]:
        """Those of the number j alone, (B, size), and the moments that they are about."""
        own = slice(j * self.distributions.size, (j + 1) * self.distributions.size)
        parameters = nn.functional.linear(self.hidden(known), self.out.weight[own], self.out.bias[own])
        return parameters, self.gaussian.moments_of(known.given, j)

    @staticmethod
    def _features(y: Tensor, counted: Tensor) -> Tensor:
        ends = torch.linspace(-_RANGE, _RANGE, _INTERVALS + 1, device=y.device, dtype=y.dtype)
        along = ((y[..., None] - ends[:-1]) / (ends[1] - ends[0])).clamp(0, 1)
        return torch.cat([y[..., None], counted[..., None].to(y), along], -1)


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU())
        self.last = nn.Linear(width, width)
        with torch.no_grad():
            self.last.weight.zero_()

    def forward(self, h: Tensor, kept: Tensor | None = None) -> Tensor:
        inner = self.inner(h)
        found: Tensor = h + self.last(inner if kept is None else inner * kept)
        return found

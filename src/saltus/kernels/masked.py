r"""A network that is told some numbers of a row, and says how each of the others is distributed (Uria et al. 2014, a deep and tractable
density estimator in any order, https://arxiv.org/abs/1310.1757).

Each number that is known adds a vector to the first layer: of few values one for each, of others a linear map of y and of how far y
is along each of some intervals (piecewise linear encoding, Gorishniy et al. 2022, https://arxiv.org/abs/2203.05556).  So a number
that becomes known later is added to what is there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from saltus.kernels.rows import MOST_WIDTH
from saltus.likelihoods import NumberLaws, Row
from saltus.networks.conditioning import ConditionEmbedding
from saltus.networks.conditions import Condition
from saltus.networks.groups import MOST_BLOCKS, check_size

__all__ = ["MaskedNetwork"]

_INTERVALS, _RANGE = 16, 3.0  # of y, which resembles N(0, 1)


class MaskedNetwork(nn.Module):
    """Residual blocks from what is known of a row to parameters of the distributions of its numbers.

    Args:
        laws: of the numbers.
        width: neurons of a layer.
        blocks: residual blocks.
        dropout: share of neurons that a block leaves out in training.
        condition: what it is conditioned on.

    Raises:
        SaltusError: for sizes out of range.
    """

    def __init__(
        self, laws: NumberLaws, *, width: int = 128, blocks: int = 2, dropout: float = 0.0, condition: Condition | None = None
    ) -> None:
        super().__init__()
        check_size("width", width, MOST_WIDTH)
        check_size("blocks", blocks, MOST_BLOCKS)
        self.laws, self.width = laws, width
        E = len(laws.numbers)
        self.z = nn.Linear(E, width)
        self.embedding = ConditionEmbedding(condition, width)
        self.values = nn.Parameter(torch.randn(sum(laws.sizes[j] for j in laws.few), width) / math.sqrt(E))
        self.many = nn.Parameter(torch.randn(len(laws.many), _INTERVALS + 2, width) / math.sqrt(E * (_INTERVALS + 2)))
        self.blocks = nn.ModuleList(_Block(width, dropout) for _ in range(blocks))
        self.last = nn.Sequential(nn.LayerNorm(width), nn.SiLU())
        self.out = nn.Linear(width, sum(laws.sizes))
        with torch.no_grad():
            self.out.weight.zero_()
            self.out.bias.copy_(laws.start())
        starts = itertools.accumulate((laws.sizes[j] for j in laws.few), initial=0)
        self._first_value = dict(zip(laws.few, starts, strict=False))
        self._own = [slice(*ends) for ends in itertools.pairwise(itertools.accumulate(laws.sizes, initial=0))]

    def begin(self, z: Tensor, condition: Tensor | None) -> Tensor:
        """The first layer where no number is known, (B, width), of z_t (B, E)."""
        h: Tensor = self.embedding(self.z(z), condition)
        return h

    def told(self, row: Row, known: Tensor) -> Tensor:
        """What the numbers that are known add to the first layer, (B, width); an absent one adds nothing."""
        laws, seen = self.laws, known & ~row.absent
        h = row.y.new_zeros(len(row.y), self.width)
        if laws.few:
            which = torch.tensor(laws.few, device=h.device)
            first = torch.tensor([self._first_value[j] for j in laws.few], device=h.device)
            index = first + row.place[:, which]
            h = h + nn.functional.embedding_bag(index, self.values, per_sample_weights=seen[:, which].to(h.dtype), mode="sum")
        if laws.many:
            which = torch.tensor(laws.many, device=h.device)
            features = self._features(row.y[:, which], row.counted[:, which]) * seen[:, which, None]
            with torch.autocast(h.device.type, enabled=False):  # y has more digits than bfloat16
                h = h + features.flatten(1) @ self.many.flatten(0, 1)
        return h

    def told_of(self, j: int, one: Row, known: Tensor) -> Tensor:
        """What the number j adds, (B, width), where it is known, (B,)."""
        seen = known[:, None] & ~one.absent
        if j in self._first_value:
            return seen * self.values[self._first_value[j] + one.place[:, 0]]
        return seen * (self._features(one.y[:, 0], one.counted[:, 0]) @ self.many[self.laws.many.index(j)])

    def hidden(self, h: Tensor) -> Tensor:
        """From the first layer to the one before the last, (B, width)."""
        for block in self.blocks:
            h = block(h)
        found: Tensor = self.last(h)
        return found

    def parameters_of(self, hidden: Tensor, j: int) -> Tensor:
        """Those of the number j alone, (B, p)."""
        own = self._own[j]
        return nn.functional.linear(hidden, self.out.weight[own], self.out.bias[own])

    @staticmethod
    def _features(y: Tensor, counted: Tensor) -> Tensor:
        ends = torch.linspace(-_RANGE, _RANGE, _INTERVALS + 1, device=y.device, dtype=y.dtype)
        along = ((y[..., None] - ends[:-1]) / (ends[1] - ends[0])).clamp(0, 1)
        return torch.cat([y[..., None], counted[..., None].to(y), along], -1)


class _Block(nn.Module):
    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        last = nn.Linear(width, width)
        with torch.no_grad():
            last.weight.zero_()
        parts: Sequence[nn.Module] = (nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Dropout(dropout), last)
        self.inner = nn.Sequential(*parts)

    def forward(self, h: Tensor) -> Tensor:
        found: Tensor = h + self.inner(h)
        return found

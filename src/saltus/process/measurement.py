r"""What is known of an item: sums over groups of its numbers that do not overlap.

.. math:: o_j = \sum_{i \in j} a_i\, y_i

Pixels that are known are groups of one number; means of blocks of pixels are what a smaller image knows, and weighted means over channels
what a grey one does.  The noise of the process is the same in every direction, so that what it does to an item it does to its measurement:
with :math:`n_j = \sum_{i \in j} a_i^2`, the bridge of o is :math:`\mathcal N(A\, o_t + B\, o,\; S n)`.  Of a Gaussian with variances v
along the numbers, a draw z becomes one whose measurement is o by

.. math:: z_i \leftarrow z_i + \frac{a_i v_i}{\sum_{k \in j} a_k^2 v_k} \Big(o_j - \sum_{k \in j} a_k z_k\Big).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

__all__ = ["Measurement"]


@dataclass(frozen=True, eq=False)
class Measurement:
    """Which numbers of an item go into which sum.

    Attributes:
        group: that of each number, from 0 on without a gap, -1 for a number that is in no sum; (*E) int64.
        weight: a, of each number, not 0 where it is in a sum; (*E).
    """

    group: Tensor
    weight: Tensor

    @classmethod
    def of_known(cls, known: Tensor) -> Measurement:
        """Some numbers themselves, (*E) bool."""
        group = torch.where(known, known.flatten().cumsum(0).reshape(known.shape) - 1, -1)
        return cls(group, known.double())

    @classmethod
    def of_blocks(cls, event_shape: Sequence[int], factor: int) -> Measurement:
        """Means of blocks of so many by so many pixels of images (C, H, W), whose height and width it divides."""
        C, H, W = event_shape
        rows, columns = torch.arange(H) // factor, torch.arange(W) // factor
        block = rows[:, None] * (W // factor) + columns
        group = torch.arange(C)[:, None, None] * (H // factor * (W // factor)) + block
        return cls(group, torch.full((C, H, W), 1 / factor**2, dtype=torch.float64))

    @classmethod
    def of_channels(cls, event_shape: Sequence[int], weights: Sequence[float]) -> Measurement:
        """Of each pixel a weighted sum of its channels."""
        C, H, W = event_shape
        weight = torch.tensor(weights, dtype=torch.float64)[:, None, None].expand(C, H, W)
        return cls(torch.arange(H * W).reshape(H, W).expand(C, H, W), weight)

    @cached_property
    def places(self) -> Tensor:
        """Where the numbers are that are in a sum, of a flat item."""
        return torch.nonzero(self.group.flatten() >= 0).flatten()

    @cached_property
    def m(self) -> int:
        """How many sums there are."""
        return int(self.group.max()) + 1

    @cached_property
    def is_mask(self) -> bool:
        """Whether every sum is a number of the item itself."""
        return len(self.places) == self.m and bool((self.weight.flatten()[self.places] == 1).all())

    @cached_property
    def known(self) -> Tensor:
        """Which numbers are in a sum, (*E) bool."""
        return self.group >= 0

    @cached_property
    def told(self) -> Tensor:
        """How much of each number is known, from 0 to 1: its correlation with its sum, |a_i| / sqrt(n_j), (*E) float64."""
        size = self.spread(torch.ones(1, *self.group.shape, dtype=torch.float64))[0]
        share = self.weight.double().abs() / size[self.group.clamp_min(0)].sqrt()
        return torch.where(self.known, share, 0.0)

    def of(self, x: Tensor) -> Tensor:
        """o of items (B, *E), flat ones too, (B, m)."""
        return self._sums(x, self._weights(x))

    def spread(self, variance: Tensor) -> Tensor:
        """The variance of o where numbers have these, (B, *E), on their own: (B, m)."""
        return self._sums(variance, self._weights(variance).square())

    def moved(self, z: Tensor, variance: Tensor, o: Tensor) -> Tensor:
        """z (B, *E), moved so that its measurement is o (B, m) or (m,), along the variances (B, *E): a draw given o, where z was one."""
        places, flat = self.places.to(z.device), z.flatten(1).clone()
        if self.is_mask:  # without the rounding of the sums
            flat[:, places] = o.to(z).expand(len(z), -1)[:, self._groups(z)]
            return flat.reshape(z.shape)
        step = (o.to(z) - self.of(z)) / self.spread(variance)
        flat[:, places] += self._weights(z) * variance.flatten(1)[:, places] * step[:, self._groups(z)]
        return flat.reshape(z.shape)

    def _sums(self, x: Tensor, weight: Tensor) -> Tensor:
        each = weight * x.flatten(1)[:, self.places.to(x.device)]
        return x.new_zeros(len(x), self.m).index_add_(1, self._groups(x), each)

    def _weights(self, like: Tensor) -> Tensor:
        return self.weight.flatten()[self.places].to(like)

    def _groups(self, like: Tensor) -> Tensor:
        return self.group.flatten()[self.places].to(like.device)

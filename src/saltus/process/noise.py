r"""Random numbers as a function of (seed, item, level, role).

Item i gets the same noise whatever the batch size, the order of the batches or the number of processes.
A counter-based generator (Philox, Salmon et al. 2011) makes this exact: its key is a hash of (seed, level,
role) and its counter starts at the item, so a batch of consecutive items is one run of one stream.  Normals
are inverse-CDF transforms of uniforms, since only a transform that uses a fixed count of random bits keeps
items apart.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

__all__ = ["Noise"]

_WORDS = 4  # 64-bit numbers that Philox makes at each count


@dataclass(frozen=True)
class Noise:
    """The noise of `n` consecutive items.

    Args:
        seed: >= 0.
        first_item: number of the first item, >= 0.
        n: how many items.
        level: which step of a chain asks; `at` changes it.

    Raises:
        ValueError: for a negative seed, item, count or level.
    """

    seed: int
    first_item: int
    n: int
    level: int = 0

    def __post_init__(self) -> None:
        if min(self.seed, self.first_item, self.n, self.level) < 0:
            raise ValueError(f"{self}; expected seed, first_item, n and level >= 0")

    def at(self, level: int) -> Noise:
        """The same items' noise for another level."""
        return replace(self, level=level)

    def uniform(self, role: str, shape: Sequence[int] = ()) -> Tensor:
        """Uniform in the open interval (0, 1), (n, *shape) float64: a shorter dtype would round some to 1."""
        each = math.prod(shape)
        counts = -(-each // _WORDS)
        key = np.random.SeedSequence([self.seed, self.level, zlib.crc32(role.encode())]).generate_state(2, np.uint64)
        stream = np.random.Philox(key=key, counter=self.first_item * counts)
        words = stream.random_raw(self.n * counts * _WORDS).reshape(self.n, counts * _WORDS)[:, :each]
        unit = ((words >> 12).astype(np.float64) + 0.5) * 2.0**-52  # 53 bits would round the largest to 1
        return torch.from_numpy(unit).reshape(self.n, *shape)

    def normal(self, role: str, shape: Sequence[int], *, like: Tensor | None = None) -> Tensor:
        """Unit Gaussian, (n, *shape); float64, or the dtype and device of `like`."""
        draw: Tensor = torch.special.ndtri(self.uniform(role, shape))
        return draw if like is None else draw.to(like.device, like.dtype)

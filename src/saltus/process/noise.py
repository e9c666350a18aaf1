r"""Random numbers as a function of (seed, item, level, role).

Item i gets the same noise whatever the batch size, the order of the batches or the number of processes.  A
counter-based generator makes this exact, see `saltus.process.philox`: its key is a hash of (seed, level, role),
and each item owns a run of words of its stream.  Only a transform that uses a fixed count of random bits keeps
items apart.  Two 32-bit integers a and b make two normals (Box & Muller 1958,
https://doi.org/10.1214/aoms/1177706645):

$$ r = \sqrt{-2 \ln u}, \quad u = 2^{-32} a + 2^{-33}, \quad \theta = 2 \pi\, 2^{-32} b, \quad
   (z_1, z_2) = (r \cos\theta,\; r \sin\theta). $$

All of it is float32, and u > 0 keeps 24 bits at every magnitude: |z| reaches 6.7 at the rates of the Gaussian.
Version 1, which older files of chains ask for, took the inverse CDF of uniforms in float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from saltus.errors import SaltusError
from saltus.process.philox import LOW, Key, Words, key_of, philox4x32, random_words

__all__ = ["Noise", "device_normals", "host_normals"]

_VERSIONS = (1, 2)
_WORDS = 4  # uniforms of an item start where Philox starts to count: a multiple of this
_APART = 1000  # words that take as long as moving the generator: items further apart are made one by one
_CHUNK = 2**14  # pairs of normals made at once: they stay in the processor's cache
_SCALE, _HALF, _MINUS_TWO, _ANGLE = (np.array(value, np.float32) for value in (2.0**-32, 2.0**-33, -2.0, math.tau * 2.0**-32))


@dataclass(frozen=True)
class Noise:
    """The noise of `n` items, consecutive ones or every so many.

    Args:
        seed: >= 0.
        first_item: number of the first item, >= 0; the last is below 2^63 on a device other than the CPU.
        n: how many items.
        level: which step of a chain asks; `at` changes it.
        version: 2, or 1 for the normals of older files.
        step: from the number of an item to that of the next, >= 1.

    Raises:
        ValueError: for a negative seed, item, count or level, or a step below 1.
        SaltusError: for an unknown version.
    """

    seed: int
    first_item: int
    n: int
    level: int = 0
    version: int = 2
    step: int = 1

    LATEST: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if min(self.seed, self.first_item, self.n, self.level, self.step - 1) < 0:
            raise ValueError(f"{self}; expected seed, first_item, n and level >= 0, and step >= 1")
        if self.version not in _VERSIONS:
            raise SaltusError(f"noise of version {self.version} is not known here; give 1 or 2, or install a newer saltus")

    def at(self, level: int) -> Noise:
        """The same items' noise for another level."""
        return replace(self, level=level)

    def uniform(self, role: str, shape: Sequence[int] = ()) -> Tensor:
        """Uniform in the open interval (0, 1), (n, *shape) float64: a shorter dtype would round some to 1."""
        each = math.prod(shape)
        padded = -(-each // _WORDS) * _WORDS
        words = _words_of(key_of(self.seed, self.level, role), self.first_item, self.n, padded, self.step)
        unit = ((words.reshape(self.n, padded)[:, :each] >> 12) + 0.5) * 2.0**-52  # 53 bits would round the largest to 1
        return torch.from_numpy(unit).reshape(self.n, *shape)

    def normal(self, role: str, shape: Sequence[int], *, like: Tensor | None = None) -> Tensor:
        """Unit Gaussian, (n, *shape); float64, or the dtype and device of `like`.

        A device other than the CPU makes its own numbers in version 2, the same ones on every run.
        """
        if self.version == 1:
            draw: Tensor = torch.special.ndtri(self.uniform(role, shape))
            return draw if like is None else draw.to(like.device, like.dtype)
        key, each = key_of(self.seed, self.level, role), math.prod(shape)
        if like is None or like.is_cpu:
            draw = torch.from_numpy(host_normals(key, self.first_item, self.n, each, self.step).reshape(self.n, *shape))
        else:
            draw = device_normals(key, self.first_item, self.n, each, like.device, self.step).reshape(self.n, *shape)
        dtype = torch.float64 if like is None else like.dtype
        return draw if draw.dtype == dtype else draw.to(dtype)


def host_normals(key: Key, first_item: int, n: int, each: int, step: int = 1) -> npt.NDArray[np.float32]:
    """Normals (n, each) of the items from `first_item` on; item i owns the words from i ceil(each / 2) on, one for a pair."""
    normals = np.empty((n, each), np.float32)
    pairs = -(-each // 2)
    items = max(1, _CHUNK // max(1, pairs))
    for start in range(0, n if each else 0, items):
        part = normals[start : start + items]
        _box_muller(_words_of(key, first_item + start * step, len(part), pairs, step), part)
    return normals


def _words_of(key: Key, first_item: int, n: int, each: int, step: int) -> Words:
    """The words (n * each,) of items, of which item i owns those from i * each on."""
    if step == 1 or n * each == 0:
        return random_words(key, first_item * each, n * each)
    if (step - 1) * each > _APART:
        return np.concatenate([random_words(key, (first_item + i * step) * each, each) for i in range(n)])
    between = random_words(key, first_item * each, ((n - 1) * step + 1) * each)
    return between.reshape(-1, each)[::step].flatten()


def _box_muller(words: Words, normals: npt.NDArray[np.float32]) -> None:
    """Fill normals (n, each) from words (n ceil(each / 2),), in few passes; of an item's 32-bit halves the first half makes radii."""
    n, each = normals.shape
    pairs = len(words) // n
    radius, angle = words.view(np.uint32).reshape(n, 2, pairs).swapaxes(0, 1).astype(np.float32, order="C")
    np.multiply(radius, _SCALE, radius)
    np.add(radius, _HALF, radius)
    np.log(radius, radius)
    np.multiply(radius, _MINUS_TWO, radius)
    np.sqrt(radius, radius)
    np.multiply(angle, _ANGLE, angle)
    np.multiply(radius, np.cos(angle), normals[:, :pairs])
    np.sin(angle, angle)
    rest = each - pairs
    np.multiply(radius[:, :rest], angle[:, :rest], normals[:, pairs:])


def device_normals(key: Key, first_item: int, n: int, each: int, device: torch.device, step: int = 1) -> Tensor:
    """Normals (n, each) float32 made on a device without waiting for it; a counter (block, item) makes four."""
    item = torch.arange(first_item, first_item + n * step, step, device=device)[:, None]
    block = torch.arange(-(-each // 4), device=device)
    counter = block & LOW, item & LOW, item >> 32, block >> 32
    a, b, c, d = (word.float() for word in philox4x32(counter, (key[0] & LOW, key[0] >> 32)))
    radius = torch.cat([a, b], 1).mul_(2.0**-32).add_(2.0**-33).log_().mul_(-2).sqrt_()
    angle = torch.cat([c, d], 1).mul_(math.tau * 2.0**-32)
    return torch.cat([radius * angle.cos(), radius * angle.sin()], 1)[:, :each]

r"""Philox, a counter-based generator: a word of its stream is a function of a key and of the word's place.

Ten rounds of multiplications and exclusive ors turn a counter into numbers that pass the known tests of
randomness (Salmon et al. 2011, https://doi.org/10.1145/2063384.2063405).  No word depends on the words before
it, so that any place of a stream costs the same.  NumPy has the generator for the CPU, with 64-bit words;
`philox4x32` is the one with 32-bit words in tensor operations, for the devices that NumPy does not reach.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["LOW", "Key", "Words", "key_of", "philox4x32", "random_words"]

Key = tuple[int, int]
"""Two numbers of 64 bits."""

Words = npt.NDArray[np.uint64]

LOW = 0xFFFFFFFF
"""Masks the lower 32 bits."""

_EACH = 4  # words of one counter
_ROUNDS = 10
_FACTORS = 0xD2511F53, 0xCD9E8D57
_WEYL = 0x9E3779B9, 0xBB67AE85  # what each round adds to the key
_EMPTY = {"bit_generator": "Philox", "buffer": (0,) * _EACH, "buffer_pos": _EACH, "has_uint32": 0, "uinteger": 0}


class _Local(threading.local):
    """A generator per thread: to move one costs much less than to make one."""

    def __init__(self) -> None:
        self.generator: Any = np.random.Philox(0)


_local = _Local()


@lru_cache(maxsize=4096)
def key_of(seed: int, level: int, role: str) -> Key:
    """The key of a stream, a hash of what it is for."""
    first, second = np.random.SeedSequence([seed, level, zlib.crc32(role.encode())]).generate_state(2, np.uint64).tolist()
    return first, second


def random_words(key: Key, first: int, count: int) -> Words:
    """The words (count,) of a stream from place `first` on, 0 <= first < 2^130."""
    counter, skipped = divmod(first, _EACH)
    generator = _local.generator
    generator.state = _EMPTY | {"state": {"counter": (counter & (2**64 - 1), counter >> 64, 0, 0), "key": key}}  # tuples are read fastest
    words: Words = generator.random_raw(skipped + count)[skipped:]
    return words


def philox4x32(counter: Sequence[Tensor], key: Sequence[int]) -> list[Tensor]:
    """The four 32-bit words of each counter, on the device of the counters.

    Args:
        counter: its four 32-bit parts, the least significant first; int64 in [0, 2^32), of shapes that broadcast.
        key: its two 32-bit parts.

    Returns:
        Four int64 tensors in [0, 2^32) of the common shape.
    """
    a, b, c, d = counter
    k, l = key
    for _ in range(_ROUNDS):
        first, second = a * _FACTORS[0], c * _FACTORS[1]  # products wrap modulo 2^64 and keep all their bits
        a, b, c, d = (second >> 32 & LOW) ^ b ^ k, second & LOW, (first >> 32 & LOW) ^ d ^ l, first & LOW
        k, l = (k + _WEYL[0]) & LOW, (l + _WEYL[1]) & LOW
    return list(torch.broadcast_tensors(a, b, c, d))

"""A data set ready for training, and the one rule that splits data.

An item's part is a function of its own bytes: the same item is always in the same part, in whatever order and
company it comes, and copies of it never straddle two parts.  A tenth is test and a tenth of the rest validation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from saltus.data.encoding import Encoding
from saltus.data.layout import Array
from saltus.mistakes import Mistake

__all__ = ["DataSet", "split"]

_FEWEST = 50  # items: with fewer, a tenth of them is too often nothing
_TENTH = 2**64 // 10
_CHUNK = 1024  # items copied at a time


@dataclass(frozen=True, eq=False)
class DataSet:
    """Three parts of encoded items, float32 (N, *E).

    Attributes:
        name: for humans.
        encoding: from raw values to y and back.
        train: what parameters are learned from.
        validation: for choices, such as level grids, variances and presets.
        test: for what is reported, and nothing else.

    Raises:
        Mistake: if a part is empty, or is not of the encoding's event shape and float32.
    """

    name: str
    encoding: Encoding
    train: Tensor
    validation: Tensor
    test: Tensor

    def __post_init__(self) -> None:
        for part in ("train", "validation", "test"):
            y: Tensor = getattr(self, part)
            if not len(y) or y.shape[1:] != self.event_shape or y.dtype != torch.float32:
                raise Mistake(
                    f"the {part} part of {self.name} is {y.dtype} of shape {tuple(y.shape)}; "
                    f"expected float32 items of shape {self.event_shape}, at least one: make it with the encoding"
                )

    @property
    def event_shape(self) -> tuple[int, ...]:
        """E: (C, H, W) or (d,)."""
        return self.encoding.event_shape

    @cached_property
    def variance(self) -> float:
        """The variance of the training items, averaged over dimensions."""
        return float(self.train.var(0, correction=0).mean())

    def describe(self) -> str:
        """One line for humans."""
        sizes = f"{len(self.train)} training, {len(self.validation)} validation and {len(self.test)} test"
        return f"{self.name}: {sizes} {self.encoding.summary()}"


def split(raw: Array, *, validation: Array | None = None, test: Array | None = None) -> tuple[Array, Array, Array]:
    """Raw items (N, ...) as (train, validation, test); parts that are given are kept as they are.

    Raises:
        Mistake: for fewer than 50 items to split, or so few different ones that a part stays empty.
    """
    if validation is not None and test is not None:
        return raw, validation, test
    if len(raw) < _FEWEST:
        raise Mistake(f"{len(raw)} items are too few to split; expected at least {_FEWEST}: give more, or all three parts in an .npz file")
    for_test, for_validation = _draws(raw)
    if test is None:
        test, raw, for_validation = raw[for_test], raw[~for_test], for_validation[~for_test]
    if validation is None:
        validation, raw = raw[for_validation], raw[~for_validation]
    if not min(len(raw), len(validation), len(test)):
        raise Mistake("so few items differ that a part of the split stays empty; give more, or all three parts in an .npz file")
    return raw, validation, test


def _draws(raw: Array) -> tuple[Array, Array]:
    """Two draws of a tenth for each item, of independent bits of its hash: (N,) booleans."""
    hashes = b"".join(hashlib.blake2b(item, digest_size=16).digest() for item in _bytes(raw))
    numbers = np.frombuffer(hashes, dtype="<u8").reshape(-1, 2)
    return numbers[:, 0] < _TENTH, numbers[:, 1] < _TENTH


def _bytes(raw: Array) -> Iterator[bytes]:
    """The bytes of each item, equal for equal items on every machine."""
    little = raw.dtype.newbyteorder("<")
    for start in range(0, len(raw), _CHUNK):
        chunk = raw[start : start + _CHUNK].astype(little)
        if chunk.dtype.kind == "f":
            chunk += 0  # makes 0.0 of -0.0
        yield from (item.tobytes() for item in chunk)

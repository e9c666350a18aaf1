"""A data set ready for training, and the one rule that splits data.

An item's part is a function of its own bytes: the same item is always in the same part, in whatever order and
company it comes, and copies of it never straddle two parts.  A tenth is test and a tenth of the rest validation.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from saltus.data.encoding import Encoding
from saltus.data.layout import Array
from saltus.errors import SaltusError
from saltus.oracles import Oracle
from saltus.registry import describe

__all__ = ["DataSet", "Labels", "Places", "places", "split", "subsample"]

_FEWEST = 50  # items: with fewer, a tenth of them is too often nothing
_TENTH = 2**64 // 10
_CHUNK = 1024  # items copied at a time
_DIGEST = 8  # bytes of a fingerprint


@dataclass(frozen=True, eq=False)
class Labels:
    """The classes of the items of the three parts, int64 (N,) each, in the order of the items."""

    train: Tensor
    validation: Tensor
    test: Tensor


@dataclass(frozen=True, eq=False)
class DataSet:
    """Three parts of encoded items, float32 (N, *E).

    Attributes:
        name: for humans.
        encoding: from raw values to y and back.
        train: what parameters are learned from.
        validation: for choices, such as level grids, variances and presets.
        test: for what is reported, and nothing else.
        labels: the items' classes, where the file has them; used to measure, never to learn a chain.
        source: what `load` was given, as a whole path, or "digits"; "" for data that come from elsewhere.
        law: that y was drawn from, where it is known.

    Raises:
        SaltusError: if a part is empty, or is not of the encoding's event shape and float32, or its labels are not int64, one an item.
    """

    name: str
    encoding: Encoding
    train: Tensor
    validation: Tensor
    test: Tensor
    labels: Labels | None = None
    source: str = ""
    law: Oracle | None = None

    def __post_init__(self) -> None:
        for part in ("train", "validation", "test"):
            y: Tensor = getattr(self, part)
            if not len(y) or y.shape[1:] != self.event_shape or y.dtype != torch.float32:
                raise SaltusError(
                    f"the {part} part of {self.name} is {y.dtype} of shape {tuple(y.shape)}; "
                    f"expected float32 items of shape {self.event_shape}, at least one: make it with the encoding"
                )
            labels: Tensor | None = getattr(self.labels, part, None)
            if labels is not None and (labels.shape != y.shape[:1] or labels.dtype != torch.int64):
                raise SaltusError(
                    f"the {part} labels of {self.name} are {labels.dtype} of shape {tuple(labels.shape)}; "
                    f"expected int64 of shape ({len(y)},): give one class for each item, or none"
                )

    @property
    def event_shape(self) -> tuple[int, ...]:
        """E: (C, H, W) or (d,)."""
        return self.encoding.event_shape

    @cached_property
    def variance(self) -> float:
        """The variance of the training items, averaged over dimensions."""
        return float(self.train.var(0, correction=0).mean())

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits, a hash of the encoding and of the bytes of all items in their order: equal for equal data."""
        description, _ = describe(self.encoding)
        description["class"] = f"saltus.data.encoding:{description['class']}"  # as classes were named once: fingerprints last
        hashed = hashlib.blake2b(json.dumps(description, sort_keys=True).encode(), digest_size=_DIGEST)
        for y in (self.train, self.validation, self.test):
            hashed.update(str(tuple(y.shape)).encode())
            for start in range(0, len(y), _CHUNK):
                hashed.update(y[start : start + _CHUNK].contiguous().numpy().astype("<f4", copy=False).data)
        return hashed.hexdigest()

    def describe(self) -> str:
        """One line for humans."""
        sizes = f"{len(self.train)} training, {len(self.validation)} validation and {len(self.test)} test"
        return f"{self.name}: {sizes} {self.encoding.summary()}"


def subsample(items: Tensor, n: int, *, seed: int = 0) -> Tensor:
    """n items drawn without replacement, or all in their order if there are no more: files may be sorted."""
    if len(items) <= n:
        return items
    return items[torch.from_numpy(np.random.default_rng(seed).permutation(len(items))[:n])]


@dataclass(frozen=True, eq=False)
class Places:
    """The part that each of N items goes to: three masks (N,), of which a part that is given has none of the items."""

    train: Array
    validation: Array
    test: Array

    def divide(self, raw: Array, *, validation: Array | None = None, test: Array | None = None) -> tuple[Array, Array, Array]:
        """Items, or what belongs to them, as (train, validation, test); parts that are given are kept as they are."""
        return (
            raw if self.train.all() else raw[self.train],
            raw[self.validation] if validation is None else validation,
            raw[self.test] if test is None else test,
        )


def places(raw: Array, *, validation: bool = True, test: bool = True) -> Places:
    """The split of raw items (N, ...).

    Args:
        raw: the items.
        validation, test: whether that part is wanted of them; if not, it is given.

    Raises:
        SaltusError: for fewer than 50 items to split, or so few different ones that a part stays empty.
    """
    nowhere = np.zeros(len(raw), dtype=np.bool_)
    if not (validation or test):
        return Places(~nowhere, nowhere, nowhere)
    if len(raw) < _FEWEST:
        raise SaltusError(
            f"{len(raw)} items are too few to split; expected at least {_FEWEST}: give more, or all three parts in an .npz file"
        )
    drawn_test, drawn_validation = _draws(raw)
    for_test = drawn_test if test else nowhere
    for_validation = drawn_validation & ~for_test if validation else nowhere
    for_train = ~(for_test | for_validation)
    wanted = [for_train, *[for_validation] * validation, *[for_test] * test]
    if not all(mask.any() for mask in wanted):
        raise SaltusError("so few items differ that a part of the split stays empty; give more, or all three parts in an .npz file")
    return Places(for_train, for_validation, for_test)


def split(raw: Array, *, validation: Array | None = None, test: Array | None = None) -> tuple[Array, Array, Array]:
    """Raw items (N, ...) as (train, validation, test); parts that are given are kept as they are.

    Raises:
        SaltusError: as `places`.
    """
    return places(raw, validation=validation is None, test=test is None).divide(raw, validation=validation, test=test)


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

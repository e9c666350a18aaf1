"""Training items that are too many to hold: raw items, mostly of a file that is mapped into memory, encoded when they are asked for.

A training part of more than 2**28 numbers, 1 GiB in float32, is read so.  An update sees what it would see if all were held.  What looks at
all items at once sees a draw of them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from saltus.data.encoding import Encoding
from saltus.data.layout import Array

__all__ = ["FITTED", "HELD_OUT", "MEASURED", "MOST_FITTED", "MOST_HELD", "Examples", "Items", "encoded", "subsample", "variance_of"]

MOST_HELD = 2**28
"""Numbers of a training part that are held in memory: 1 GiB in float32."""
HELD_OUT = 2**25
"""Numbers of a validation or test part beside a training part that is not held: 128 MiB in float32."""
FITTED = 2**26
MOST_FITTED = 100_000
"""Items that what needs all at once sees, at most."""
MEASURED = 20_000
"""Validation items that figures of a training are of, at most: they then stand within 0.7 % of a standard deviation of an item's."""
"""Numbers of a training part that is not held that what needs all items at once sees: 256 MiB in float32."""
_AT_ONCE = 2**22  # numbers encoded at a time


class Items:
    """Stands in for y, the float32 tensor (N, *E) of encoded items, in what training and measuring ask of it.

    Args:
        encoding: gives y.
        raw: items (M, ...), such as of a mapped file.
        rows: the places of these items in them, (N,); all in their order unless given.
    """

    dtype = torch.float32

    def __init__(self, encoding: Encoding, raw: Array, rows: Array | None = None) -> None:
        self._encoding, self._raw, self._rows = encoding, raw, np.arange(len(raw)) if rows is None else rows
        self.shape = torch.Size((len(self._rows), *encoding.event_shape))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int | slice | Tensor) -> Tensor:
        """y of one item, or of several."""
        if isinstance(index, int):
            return encoded(self._encoding, self._raw, self._rows[[index]])[0]
        return encoded(self._encoding, self._raw, self._rows[index.cpu().numpy() if isinstance(index, Tensor) else index])

    def split(self, n: int) -> Iterator[Tensor]:
        """y, n items at a time."""
        return (self[start : start + n] for start in range(0, len(self), n))

    def blocks(self) -> Iterator[Tensor]:
        """y, as many items at a time as take little memory."""
        return self.split(_at_once(self.shape[1:]))

    def add_to(self, hashed: hashlib.blake2b) -> None:
        """Hash the raw items in their order."""
        for rows in _pieces(self._rows, self.shape[1:]):
            hashed.update(np.ascontiguousarray(_taken(self._raw, rows)).data)


Examples = Tensor | Items
"""Encoded items (N, *E), held or not."""


def encoded(encoding: Encoding, raw: Array, rows: Array) -> Tensor:
    """y of the raw items of some rows, with little more memory than y takes."""
    y, done = torch.empty(len(rows), *encoding.event_shape), 0
    for some in _pieces(rows, encoding.event_shape):
        y[done : done + len(some)] = encoding.encode(_taken(raw, some))
        done += len(some)
    return y


def subsample(items: Examples, n: int, *, seed: int = 0) -> Tensor:
    """n items drawn without replacement, or all in their order if there are no more: files may be sorted.

    The rows depend on the number of items, n and the seed alone, so that the conditions of the items are drawn in the same way.
    """
    if len(items) <= n:
        return items[:]
    return items[torch.from_numpy(np.random.default_rng(seed).permutation(len(items))[:n])]


def variance_of(items: Examples) -> float:
    """The variance of items, averaged over dimensions."""
    if isinstance(items, Tensor):
        return float(items.var(0, correction=0).mean())
    total = torch.zeros(2, *items.shape[1:], dtype=torch.float64)
    for y in items.blocks():
        total += torch.stack([y.double().sum(0), y.double().square().sum(0)])  # y is about centred
    mean, squares = total / len(items)
    return float((squares - mean.square()).mean())


def _at_once(event_shape: Sequence[int]) -> int:
    return max(1, _AT_ONCE // math.prod(event_shape))


def _pieces(rows: Array, event_shape: Sequence[int]) -> Iterator[Array]:
    at_once = _at_once(event_shape)
    return (rows[start : start + at_once] for start in range(0, len(rows), at_once))


def _taken(raw: Array, rows: Array) -> Array:
    """Rows that follow each other are read as they lie."""
    first, last = int(rows[0]), int(rows[-1])
    following = last - first + 1 == len(rows) and bool((np.diff(rows) == 1).all())
    return np.asarray(raw[first : last + 1] if following else raw[rows])

"""Which raw items the three parts of a data set have: all of them, or draws where the training items are too many to be held."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from saltus.data.encoding import Encoding
from saltus.data.items import FITTED, HELD_OUT, MOST_FITTED, MOST_HELD, Examples, Items, encoded
from saltus.data.layout import Array
from saltus.data.parts import PARTS, Parts

__all__ = ["Drawn", "draw", "fitted_number"]


@dataclass(frozen=True, eq=False)
class Drawn:
    """For training, validation and test items the array that holds them, and their places there.

    Attributes:
        held: whether the training items are to be held in memory.
        notes: a sentence where they are not.
    """

    rows: Sequence[tuple[Array, Array]]
    held: bool
    notes: tuple[str, ...]

    def of(self, parts: Parts) -> tuple[Array, Array, Array]:
        """What belongs to the items, of parts that are divided as they are."""
        arrays = (parts.train if part is None else part for part in parts.each)
        train, validation, test = (array[rows] for array, (_, rows) in zip(arrays, self.rows, strict=True))
        return train, validation, test

    @property
    def fitted(self) -> Array:
        """Raw training items that an encoding is fitted to: all, or a draw."""
        raw, rows = self.rows[0]
        if self.held:
            return raw if len(rows) == len(raw) else raw[rows]
        return np.asarray(raw[np.sort(_some(rows, fitted_number(raw.shape[1:])))])

    def encoded(self, encoding: Encoding) -> tuple[Examples, Tensor, Tensor]:
        """y of the training, validation and test items."""
        train, validation, test = self.rows
        first = encoded(encoding, *train) if self.held else Items(encoding, *train)
        return first, encoded(encoding, *validation), encoded(encoding, *test)


def fitted_number(shape: Sequence[int]) -> int:
    """How many training items of a shape what needs all at once sees."""
    return max(1, min(MOST_FITTED, FITTED // math.prod(shape)))


def draw(rows: Sequence[tuple[Array, Array]], dimensions: int) -> Drawn:
    """All items of all parts; where the training items are too many numbers, a draw of the others.

    Args:
        rows: for each part the array that holds its items, and their places there.
        dimensions: the numbers of an item.
    """
    n = len(rows[0][1])
    if n * dimensions <= MOST_HELD:
        return Drawn(rows, True, ())
    kept = [rows[0], *((raw, _some(places, max(1, HELD_OUT // dimensions))) for raw, places in rows[1:])]
    words = [
        f"the {n:,} training items are read as they are needed, and what needs all at once sees {fitted_number([dimensions]):,} of them"
    ]
    for name, (_, all_places), (_, places) in zip(PARTS[1:], rows[1:], kept[1:], strict=True):
        if len(places) < len(all_places):
            words.append(f"of {len(all_places):,} {name} items {len(places):,}, drawn, are used")
    return Drawn(kept, False, ("; ".join(words),))


def _some(rows: Array, n: int) -> Array:
    """n of the rows, drawn; all in their order if there are no more."""
    return rows if len(rows) <= n else np.random.default_rng(0).permutation(rows)[:n]

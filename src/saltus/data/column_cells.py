"""What the cells of a column are, and what they are expected to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from saltus.data.declared import Declared
from saltus.data.layout import Array

__all__ = ["ColumnCells", "Expected"]


@dataclass(frozen=True)
class ColumnCells:
    """A column's.

    Attributes:
        parts: cells of each part of the data, (n,) float64, or integers or booleans where none is missing.
        dtype: type that it has in its file, see `saltus.data.dtypes`.
        categories: values that cells are places of.
        unfit: why it is not learned, such as "constant"; "" where it is.
        declared: what is said of it, by a user or by its type, in the units of the cells.
        looks: what its text could be read as too, in words; "" for nothing.
    """

    parts: tuple[Array, ...] = ()
    dtype: str = ""
    categories: tuple[str, ...] = ()
    unfit: str = ""
    declared: Declared | None = None
    looks: str = ""


class Expected(NamedTuple):
    """What a column of rows to score, or of samples, has to be.

    It may be constant, and number rows.

    Attributes:
        dtype: its type, where it is known.
        categories: values that there may be.
        others: whether a text that is none of them counts as missing.
    """

    dtype: str = ""
    categories: Sequence[str] = ()
    others: bool = False

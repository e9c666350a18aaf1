"""Kinds of columns of a table: how the values of one become numbers, and numbers become values again.

How numbers lie on the axis of y is told in `saltus.likelihoods.numbers`; a kind of column only has to give numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from saltus.data.layout import Array
from saltus.data.values import nearest
from saltus.likelihoods import Number
from saltus.registry import Configurable

__all__ = ["Column", "ListedColumn", "NumberColumn"]

_NEAR = 0.05  # of a step: what rounding moves a value by, and more


class Column(Configurable, ABC):
    """One column.

    Attributes:
        number: what its numbers are, and their axis.
    """

    number: Number

    @property
    @abstractmethod
    def kind(self) -> str:
        """What it holds, in one word."""

    @abstractmethod
    def describe(self) -> str:
        """Which values it holds, in a few words."""

    @abstractmethod
    def numbers(self, raw: Array) -> Array:
        """Raw values (n,) as numbers, float64."""

    @abstractmethod
    def values(self, numbers: Array) -> Array:
        """The inverse, of numbers that the column can hold: raw values (n,), before they get their type."""

    def strange(self, raw: Array) -> Array:
        """Which of raw values (n,) are none of this column's, (n,) bool."""
        return np.zeros(len(raw), dtype=bool)


class NumberColumn(Column):
    """Numbers as they are.

    Args:
        number: which they are, and their axis.
        digits: decimal places that they are rounded to; None for all.
    """

    def __init__(self, number: Number, digits: int | None = None) -> None:
        self.number, self.digits = number, digits

    @property
    def kind(self) -> str:
        number = self.number
        bent = np.isfinite(number.bend)
        return "counted" if number.step else "with spikes" if number.atoms else "transformed" if bent else "continuous"

    def describe(self) -> str:
        number = self.number
        steps = f" in steps of {number.step:g}" if number.step else ""
        often = f", often {', '.join(f'{a:g}' for a in number.atoms)}" if number.atoms else ""
        return f"{number.low:g} to {number.high:g}{steps}{often}"

    def numbers(self, raw: Array) -> Array:
        return raw.astype(np.float64)

    def values(self, numbers: Array) -> Array:
        return numbers if self.digits is None else np.round(numbers, self.digits)

    def strange(self, raw: Array) -> Array:
        if not self.number.step:
            return super().strange(raw)
        places = (raw.astype(np.float64) - self.number.low) / self.number.step
        found: Array = np.abs(places - np.rint(places)) > _NEAR
        return found


class ListedColumn(Column):
    """A few values that lie unevenly, by their place in the list.

    A value that is not in the list is taken for the nearest.

    Args:
        listed: the values, increasing.
        number: 0, 1, ..., and their axis.

    Raises:
        ValueError: if the list does not increase, or has another length than there are numbers.
    """

    def __init__(self, listed: Sequence[float], number: Number) -> None:
        self.listed, self.number = np.asarray(listed, dtype=np.float64), number
        if not (np.diff(self.listed) > 0).all() or (number.low, number.high, number.step) != (0, len(listed) - 1, 1):
            raise ValueError(f"{len(listed)} values and {number.low:g} to {number.high:g}; expected values that increase, one a number")

    @property
    def kind(self) -> str:
        return "counted"

    def describe(self) -> str:
        return f"{len(self.listed)} values from {self.listed[0]:g} to {self.listed[-1]:g}"

    def numbers(self, raw: Array) -> Array:
        return nearest(self.listed, raw.astype(np.float64)).astype(np.float64)

    def values(self, numbers: Array) -> Array:
        found: Array = self.listed[numbers.astype(np.int64)]
        return found

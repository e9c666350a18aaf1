"""Kinds of columns of a table: how the cells of one become numbers, and numbers become cells again.

Cells are float64: numbers as they are, categories by their place in a list, NaN for a missing one.  A column becomes one number or more;
how these lie on the axis of y is told in `saltus.likelihoods.numbers`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from saltus.data.layout import Array
from saltus.data.values import nearest
from saltus.errors import SaltusError
from saltus.likelihoods import Number
from saltus.registry import Configurable

__all__ = ["CategoryColumn", "Column", "ListedColumn", "MissingColumn", "NumberColumn", "StepColumn"]

_NEAR = 0.05  # of a step: what rounding moves a value by, and more
_NAMED = 3  # categories that a description names


class Column(Configurable, ABC):
    """One column.

    Attributes:
        axes: of each number that it becomes.
        sources: the places of the columns that its cells follow from; none of a column that is modelled.
    """

    axes: tuple[Number, ...]
    sources: tuple[int, ...] = ()

    @property
    @abstractmethod
    def kind(self) -> str:
        """What it holds, in one word or two."""

    @abstractmethod
    def describe(self) -> str:
        """Which values it holds, in a few words."""

    @abstractmethod
    def numbers(self, cells: Array) -> Array:
        """Cells (n,) as numbers (n, m), float64."""

    @abstractmethod
    def cells(self, numbers: Array) -> Array:
        """The inverse, of numbers (n, m) that the column can hold: cells (n,), before they get their type."""

    def between(self, low: float, high: float) -> tuple[float, float] | None:
        """The first and the last of its numbers that stand for cells from `low` to `high`, which may be infinite; None if none does.

        Raises:
            SaltusError: for a range of cells that have no order.
        """
        raise SaltusError("a range was given, and it holds categories; give one of these, or a list of them")

    def strange(self, cells: Array) -> Array:
        """Which of cells (n,) are none of this column's, (n,) bool."""
        found: Array = ~np.isfinite(cells)
        return found


class NumberColumn(Column):
    """Numbers as they are.

    Args:
        number: which they are, and their axis.
        digits: decimal places that they are rounded to; None for all.
    """

    def __init__(self, number: Number, digits: int | None = None) -> None:
        self.number, self.digits, self.axes = number, digits, (number,)

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

    def numbers(self, cells: Array) -> Array:
        return cells.astype(np.float64)[:, None]

    def between(self, low: float, high: float) -> tuple[float, float] | None:
        number = self.number
        if number.step:
            return _steps(low, high, number.low, number.step, number.high)
        first, last = max(low, number.low), min(high, number.high)
        return (first, last) if first <= last else None

    def cells(self, numbers: Array) -> Array:
        return numbers[:, 0] if self.digits is None else np.round(numbers[:, 0], self.digits)

    def strange(self, cells: Array) -> Array:
        found = super().strange(cells)
        if not self.number.step:
            return found
        places = (np.where(found, self.number.low, cells.astype(np.float64)) - self.number.low) / self.number.step
        return found | (np.abs(places - np.rint(places)) > _NEAR)


class StepColumn(Column):
    """Numbers that lie evenly, by their place from the first one on; one beyond the ends is taken for the end.

    Args:
        low: the first.
        step: from one to the next.
        number: 0, 1, ..., and their axis.
        digits: decimal places that they are rounded to; None for all.

    Raises:
        ValueError: if the step is not positive, or numbers are not 0, 1, ...
    """

    def __init__(self, low: float, step: float, number: Number, digits: int | None = None) -> None:
        self.low, self.step, self.number, self.digits, self.axes = low, step, number, digits, (number,)
        if not step > 0 or (number.low, number.step) != (0, 1):
            raise ValueError(f"a step of {step:g} and numbers from {number.low:g} on; expected a positive step, and 0, 1, ...")

    @property
    def kind(self) -> str:
        return "counted"

    def describe(self) -> str:
        return f"{self.low:g} to {self.low + self.step * self.number.high:g} in steps of {self.step:g}"

    def numbers(self, cells: Array) -> Array:
        found: Array = np.clip(np.rint(self._places(cells)), 0, self.number.high)[:, None]
        return found

    def between(self, low: float, high: float) -> tuple[float, float] | None:
        found = _steps(low, high, self.low, self.step, self.low + self.step * self.number.high)
        return None if found is None else (round((found[0] - self.low) / self.step), round((found[1] - self.low) / self.step))

    def cells(self, numbers: Array) -> Array:
        found: Array = self.low + self.step * numbers[:, 0]
        if self.digits is not None:
            found = np.round(found, self.digits)
        return found

    def strange(self, cells: Array) -> Array:
        found = super().strange(cells)
        places = np.where(found, 0.0, self._places(cells))
        found |= np.abs(places - np.rint(places)) > _NEAR
        return found

    def _places(self, cells: Array) -> Array:
        found: Array = (cells.astype(np.float64) - self.low) / self.step
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
        self.listed, self.number, self.axes = np.asarray(listed, dtype=np.float64), number, (number,)
        if not (np.diff(self.listed) > 0).all() or not _counts(number, len(listed)):
            raise ValueError(f"{len(listed)} values and {number.low:g} to {number.high:g}; expected values that increase, one a number")

    @property
    def kind(self) -> str:
        return "counted"

    def describe(self) -> str:
        return f"{len(self.listed)} values from {self.listed[0]:g} to {self.listed[-1]:g}"

    def numbers(self, cells: Array) -> Array:
        return nearest(self.listed, cells.astype(np.float64)).astype(np.float64)[:, None]

    def between(self, low: float, high: float) -> tuple[float, float] | None:
        first, last = np.searchsorted(self.listed, low), np.searchsorted(self.listed, high, side="right") - 1
        return (float(first), float(last)) if first <= last else None

    def cells(self, numbers: Array) -> Array:
        found: Array = self.listed[numbers[:, 0].astype(np.int64)]
        return found


class CategoryColumn(Column):
    """Categories, whose cells are their places in a list, by the order that they have on an axis.

    Args:
        categories: their names.
        order: the places of the categories along the axis.
        number: 0, 1, ..., and their axis.

    Raises:
        ValueError: if the order is none of the categories, or there are other numbers than categories.
    """

    def __init__(self, categories: Sequence[str], order: Sequence[int], number: Number) -> None:
        self.categories, self.order, self.number, self.axes = tuple(categories), list(order), number, (number,)
        if sorted(self.order) != list(range(len(categories))) or not _counts(number, len(categories)):
            raise ValueError(f"{len(categories)} categories in the order {self.order[:10]}; expected each once, one a number")

    @property
    def kind(self) -> str:
        return "categorical"

    def describe(self) -> str:
        named = ", ".join(name or '""' for name in self.categories[:_NAMED])
        return f"{len(self.categories)} categories, such as {named}" if len(self.categories) > _NAMED else named

    def numbers(self, cells: Array) -> Array:
        found: Array = np.argsort(self.order)[cells.astype(np.int64)].astype(np.float64)
        return found[:, None]

    def cells(self, numbers: Array) -> Array:
        found: Array = np.asarray(self.order)[numbers[:, 0].astype(np.int64)].astype(np.float64)
        return found

    def between(self, low: float, high: float) -> tuple[float, float] | None:
        if low != high:
            return super().between(low, high)
        return (float(self.numbers(np.array([low]))[0, 0]),) * 2

    def strange(self, cells: Array) -> Array:
        found: Array = ~((cells >= 0) & (cells < len(self.categories)) & (cells == np.rint(cells)))  # NaN too
        return found


class MissingColumn(Column):
    """A column of which some cells are missing: a number tells whether one is there.

    Args:
        column: of the cells that are there.
        there: 0 or 1, and their axis.

    Raises:
        ValueError: if `there` is of other numbers, or those of the column are not optional.
    """

    def __init__(self, column: Column, there: Number) -> None:
        if not all(number.optional for number in column.axes):
            raise ValueError("the numbers of a column with missing cells are not optional; expected optional ones")
        self.column, self.there, self.axes = column, there, (there, *column.axes)

    @property
    def kind(self) -> str:
        return f"{self.column.kind} with missing cells"

    def describe(self) -> str:
        return f"{self.column.describe()}, or missing"

    def between(self, low: float, high: float) -> tuple[float, float] | None:
        return self.column.between(low, high)

    def numbers(self, cells: Array) -> Array:
        there = ~np.isnan(cells)
        found = np.full((len(cells), len(self.axes)), np.nan)
        found[:, 0] = there
        found[there, 1:] = self.column.numbers(cells[there])
        return found

    def cells(self, numbers: Array) -> Array:
        there = numbers[:, 0] >= 0.5
        found = np.full(len(numbers), np.nan)
        found[there] = self.column.cells(numbers[there, 1:])
        return found

    def strange(self, cells: Array) -> Array:
        there = ~np.isnan(cells)
        found = np.zeros(len(cells), dtype=bool)
        found[there] = self.column.strange(cells[there])
        return found


def _steps(low: float, high: float, start: float, step: float, end: float) -> tuple[float, float] | None:
    """The first and the last of the values start, start + step, ..., end from `low` to `high`, as near as rounding tells."""
    if low > end + step * _NEAR or high < start - step * _NEAR:
        return None
    first = start + step * max(0, math.ceil((low - start) / step - _NEAR)) if low > start else start
    last = start + step * math.floor((min(high, end) - start) / step + _NEAR)
    return (first, last) if first <= last + step * _NEAR else None


def _counts(number: Number, n: int) -> bool:
    """Whether numbers are 0, 1, ..., n - 1."""
    return (number.low, number.high, number.step) == (0, n - 1, 1)

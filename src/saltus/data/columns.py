"""Kinds of columns of a table: how the cells of one become numbers, and numbers become cells again.

Cells are float64: numbers as they are, categories by their place in a list, NaN for a missing one.  A column becomes one number or more;
how these lie on the axis of y is told in `saltus.likelihoods.numbers`.  Categories are in `saltus.data.category_columns`.

A cell that a kind has no number for becomes the nearest one: see `saltus.data.beyond`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import numpy as np

from saltus.data.beyond import hidden
from saltus.data.layout import Array
from saltus.data.values import between_steps, nearest, steps_within, written
from saltus.errors import SaltusError
from saltus.likelihoods import Number
from saltus.registry import Configurable

__all__ = ["Column", "Hides", "ListedColumn", "MissingColumn", "NumberColumn", "StepColumn", "counts"]

_SAME = 1e-6  # relative: float32 and float64 write one value so differently, and less

Hides = Literal["none", "ends", "all"]


class Column(Configurable, ABC):
    """One column.

    Attributes:
        axes: one for each number that it becomes.
        sources: the places of the columns that its cells follow from; none of a column that is modelled.
        hides: those of its values that stand for cells that it has no number for.
    """

    axes: tuple[Number, ...]
    sources: tuple[int, ...] = ()
    hides: Hides = "none"

    @property
    @abstractmethod
    def kind(self) -> str:
        """What it holds, in one word or two."""

    @abstractmethod
    def describe(self) -> str:
        """Which values it holds, in a few words."""

    @property
    @abstractmethod
    def why(self) -> str:
        """What makes it of this kind, in a few words."""

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

    def beyond(self, cells: Array) -> Array:
        """Nats that cells (n,) have more than the value that they become: 0 for those that it has a number for."""
        return np.zeros(len(cells))


class NumberColumn(Column):
    """Numbers as they are.

    Args:
        number: which they are, and their axis.
        digits: decimal places that they are rounded to; None for all.
        came: those that there are, increasing, as their type rounds them.
    """

    def __init__(self, number: Number, digits: int | None = None, came: Sequence[float] = ()) -> None:
        self.number, self.digits, self.came, self.axes = number, digits, np.asarray(came, dtype=np.float64), (number,)

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

    @property
    def why(self) -> str:
        reasons = {"counted": "values lie evenly", "with spikes": "some values come often", "transformed": "a long tail"}
        return reasons.get(self.kind, "most values come once")

    def numbers(self, cells: Array) -> Array:
        return cells.astype(np.float64)[:, None]

    def between(self, low: float, high: float) -> tuple[float, float] | None:
        number = self.number
        if number.step:
            return steps_within(low, high, number.low, number.step, number.high)
        first, last = max(low, number.low), min(high, number.high)
        return (first, last) if first <= last else None

    def cells(self, numbers: Array) -> Array:
        return written(numbers[:, 0], self.digits, self.came)

    def strange(self, cells: Array) -> Array:
        found = super().strange(cells)
        if not self.number.step:
            return found
        return found | between_steps(np.where(found, self.number.low, cells), self.number.low, self.number.step)


class StepColumn(Column):
    """Numbers that lie evenly, by their place from the first one on; the ends stand for what is beyond.

    Args:
        low: the first.
        step: from one to the next.
        number: 0, 1, ..., and their axis.
        digits, came: as of a `NumberColumn`.

    Raises:
        ValueError: if the step is not positive, or numbers are not 0, 1, ...
    """

    hides: Hides = "ends"

    def __init__(self, low: float, step: float, number: Number, digits: int | None = None, came: Sequence[float] = ()) -> None:
        self.low, self.step, self.number, self.digits, self.axes = low, step, number, digits, (number,)
        self.came = np.asarray(came, dtype=np.float64)
        if not step > 0 or (number.low, number.step) != (0, 1):
            raise ValueError(f"a step of {step:g} and numbers from {number.low:g} on; expected a positive step, and 0, 1, ...")

    @property
    def kind(self) -> str:
        return "counted"

    def describe(self) -> str:
        return f"{self.low:g} to {self.low + self.step * self.number.high:g} in steps of {self.step:g}"

    @property
    def why(self) -> str:
        return "values lie evenly, and come in lumps"

    def numbers(self, cells: Array) -> Array:
        found: Array = np.clip(np.rint(self._places(cells)), 0, self.number.high)[:, None]
        return found

    def between(self, low: float, high: float) -> tuple[float, float] | None:
        found = steps_within(low, high, self.low, self.step, self.low + self.step * self.number.high)
        return None if found is None else (round((found[0] - self.low) / self.step), round((found[1] - self.low) / self.step))

    def cells(self, numbers: Array) -> Array:
        return written(self.low + self.step * numbers[:, 0], self.digits, self.came)

    def strange(self, cells: Array) -> Array:
        found = super().strange(cells)
        return found | between_steps(np.where(found, self.low, cells), self.low, self.step)

    def beyond(self, cells: Array) -> Array:
        places = np.rint(self._places(cells))
        return hidden(np.maximum(-places, places - self.number.high), self.number.high + 1)

    def _places(self, cells: Array) -> Array:
        found: Array = (cells.astype(np.float64) - self.low) / self.step
        return found


class ListedColumn(Column):
    """A few values that lie unevenly, by their place in the list; each stands for those that are nearest to it.

    Args:
        listed: the values, increasing.
        number: 0, 1, ..., and their axis.

    Raises:
        ValueError: if the list does not increase, or has another length than there are numbers.
    """

    hides: Hides = "all"

    def __init__(self, listed: Sequence[float], number: Number) -> None:
        self.listed, self.number, self.axes = np.asarray(listed, dtype=np.float64), number, (number,)
        if not (np.diff(self.listed) > 0).all() or not counts(number, len(listed)):
            raise ValueError(f"{len(listed)} values and {number.low:g} to {number.high:g}; expected values that increase, one a number")

    @property
    def kind(self) -> str:
        return "counted"

    def describe(self) -> str:
        return f"{len(self.listed)} values from {self.listed[0]:g} to {self.listed[-1]:g}"

    @property
    def why(self) -> str:
        return "few values, which lie unevenly"

    def numbers(self, cells: Array) -> Array:
        return nearest(self.listed, cells.astype(np.float64)).astype(np.float64)[:, None]

    def between(self, low: float, high: float) -> tuple[float, float] | None:
        first, last = np.searchsorted(self.listed, low), np.searchsorted(self.listed, high, side="right") - 1
        return (float(first), float(last)) if first <= last else None

    def cells(self, numbers: Array) -> Array:
        found: Array = self.listed[numbers[:, 0].astype(np.int64)]
        return found

    def beyond(self, cells: Array) -> Array:
        step = float(np.diff(self.listed).min()) if len(self.listed) > 1 else 1.0
        own = self.listed[nearest(self.listed, cells.astype(np.float64))]
        away = np.where(np.isclose(cells, own, rtol=_SAME, atol=_SAME * step), 0.0, np.abs(cells - own) / step)
        steps = np.where(away > 0, np.maximum(1.0, np.rint(away)), 0.0)
        return hidden(steps, (self.listed[-1] - self.listed[0]) / step + 1, sides=2)


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
        self.column, self.there, self.axes, self.hides = column, there, (there, *column.axes), column.hides

    @property
    def kind(self) -> str:
        return f"{self.column.kind} with missing cells"

    def describe(self) -> str:
        return f"{self.column.describe()}, or missing"

    @property
    def why(self) -> str:
        return self.column.why

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

    def beyond(self, cells: Array) -> Array:
        there = ~np.isnan(cells)
        found = np.zeros(len(cells))
        found[there] = self.column.beyond(cells[there])
        return found


def counts(number: Number, n: int) -> bool:
    """Whether numbers are 0, 1, ..., n - 1."""
    return (number.low, number.high, number.step) == (0, n - 1, 1)

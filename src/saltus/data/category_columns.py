"""Columns of categories: text, or numbers that are codes; in an order that is found, or given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from saltus.data.columns import Column, counts
from saltus.data.layout import Array
from saltus.likelihoods import Number

__all__ = ["CategoryColumn", "CodeColumn", "OrdinalColumn"]

_NAMED = 3  # categories that a description names


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
        if sorted(self.order) != list(range(len(categories))) or not counts(number, len(categories)):
            raise ValueError(f"{len(categories)} categories in the order {self.order[:10]}; expected each once, one a number")

    @property
    def kind(self) -> str:
        return "categorical"

    def describe(self) -> str:
        return _named(self.categories)

    @property
    def why(self) -> str:
        return "text"

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


class OrdinalColumn(CategoryColumn):
    """Categories in an order that was given; arguments as for `CategoryColumn`."""

    @property
    def kind(self) -> str:
        return "ordinal"

    def describe(self) -> str:
        return _named([self.categories[place] for place in self.order])

    @property
    def why(self) -> str:
        return "categories in an order"

    def between(self, low: float, high: float) -> tuple[float, float] | None:
        if self.order != list(range(len(self.order))):  # then places say nothing of the order
            return super().between(low, high)
        return _within(np.arange(len(self.order), dtype=np.float64), low, high)


class CodeColumn(Column):
    """Categories that are written as numbers.

    Args:
        codes: the numbers, increasing.
        order: the places of the codes along the axis.
        number: 0, 1, ..., and their axis.
        ordinal: whether the order was given.

    Raises:
        ValueError: if codes do not increase, the order is none of them, or there are other numbers than codes.
    """

    def __init__(self, codes: Sequence[float], order: Sequence[int], number: Number, *, ordinal: bool = False) -> None:
        self.codes, self.order, self.number, self.axes = np.asarray(codes, dtype=np.float64), list(order), number, (number,)
        self.ordinal = ordinal
        if not (np.diff(self.codes) > 0).all() or sorted(self.order) != list(range(len(codes))) or not counts(number, len(codes)):
            raise ValueError(f"{len(codes)} codes in the order {self.order[:10]}; expected codes that increase, each once, one a number")

    @property
    def kind(self) -> str:
        return "ordinal" if self.ordinal else "categorical"

    def describe(self) -> str:
        return _named([f"{code:g}" for code in (self.codes[self.order] if self.ordinal else self.codes)])

    @property
    def why(self) -> str:
        return "categories in an order" if self.ordinal else "numbers that are categories"

    def numbers(self, cells: Array) -> Array:
        found: Array = np.argsort(self.order)[self._places(cells)].astype(np.float64)
        return found[:, None]

    def cells(self, numbers: Array) -> Array:
        found: Array = self.codes[np.asarray(self.order)[numbers[:, 0].astype(np.int64)]]
        return found

    def between(self, low: float, high: float) -> tuple[float, float] | None:
        if self.ordinal and self.order == list(range(len(self.order))):
            return _within(self.codes, low, high)
        if low != high:
            return super().between(low, high)
        cell = np.array([low])
        return None if self.strange(cell)[0] else (float(self.numbers(cell)[0, 0]),) * 2

    def strange(self, cells: Array) -> Array:
        found: Array = self.codes[self._places(cells)] != cells  # NaN too
        return found

    def _places(self, cells: Array) -> Array:
        found: Array = np.minimum(np.searchsorted(self.codes, cells.astype(np.float64)), len(self.codes) - 1)
        return found


def _within(cells: Array, low: float, high: float) -> tuple[float, float] | None:
    """The places of the first and the last of increasing cells from `low` to `high`; None if there are none."""
    first, last = np.searchsorted(cells, low), np.searchsorted(cells, high, side="right") - 1
    return (float(first), float(last)) if first <= last else None


def _named(names: Sequence[str]) -> str:
    named = ", ".join(name or '""' for name in names[:_NAMED])
    return f"{len(names)} categories, such as {named}" if len(names) > _NAMED else named

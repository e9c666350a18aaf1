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

    def strange(self, cells: Array) -> Array:
        found: Array = self.codes[self._places(cells)] != cells  # NaN too
        return found

    def _places(self, cells: Array) -> Array:
        found: Array = np.minimum(np.searchsorted(self.codes, cells.astype(np.float64)), len(self.codes) - 1)
        return found


def _named(names: Sequence[str]) -> str:
    named = ", ".join(name or '""' for name in names[:_NAMED])
    return f"{len(names)} categories, such as {named}" if len(names) > _NAMED else named

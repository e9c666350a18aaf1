r"""Columns whose cells follow from those of other columns: they are not modelled, and written from those.

A cell b of such a column agrees with the cells a of its sources where b = f(a).  Its probability is

.. math::
    p(b \mid a) = 1 - \epsilon \text{ where it agrees}, \qquad \epsilon / m \text{ for each of the } m \text{ other cells that it may have},

which sums to 1: the m others are those that the data have, and for numbers one that stands for all that they have not.  No training row
disagrees.  By the rule of succession epsilon = 1 / (r + 2) after r rows that repeat a value of the sources and agree with the first one.
For a value of the sources that never came f is a guess, and 1 - epsilon the share of the known values that would be guessed right from the
others, by the same rule.  Draws always agree.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from saltus.data.columns import Column
from saltus.data.layout import Array
from saltus.data.values import NONE, KnownCells
from saltus.likelihoods import Number

__all__ = ["DeterminedColumn", "MappedColumn"]


class DeterminedColumn(Column):
    """A column that follows from others, which are modelled.

    Attributes:
        axes: none.
        sources: the places of the columns that determine it.
        column: its kind, as it would be on its own.
    """

    axes: tuple[Number, ...] = ()
    sources: tuple[int, ...]
    column: Column

    @property
    def kind(self) -> str:
        return "determined"

    def describe(self) -> str:
        return self.column.describe()

    def numbers(self, cells: Array) -> Array:
        return np.empty((len(cells), 0))

    def cells(self, numbers: Array) -> Array:
        """There are none without those of the sources: see `written`."""
        raise ValueError("a determined column has no numbers of its own; write its cells from those of its sources")

    def strange(self, cells: Array) -> Array:
        return self.column.strange(cells)

    @abstractmethod
    def said(self, names: Sequence[str]) -> str:
        """What determines it, in words, by the names of all columns."""

    @abstractmethod
    def written(self, sources: Array) -> Array:
        """Its cells (n,), of those of its sources (n, s)."""

    @abstractmethod
    def agrees(self, cells: Array, sources: Array) -> Array:
        """Which of its cells (n,) are those that follow from cells of its sources (n, s), (n,) bool."""

    @abstractmethod
    def known(self, sources: Array) -> Array:
        """Which cells of its sources (n, s) came among the training rows, (n,) bool; for others its own cell is a guess."""

    @abstractmethod
    def surprise(self, cells: Array, sources: Array) -> Array:
        """-ln p of its cells (n,) given those of its sources (n, s): nats (n,)."""

    @abstractmethod
    def sources_of(self, cell: float) -> Array:
        """The cells of the sources that came with a cell of this column: (k,) of one source, (k, s) of several; none if it never came."""


class MappedColumn(DeterminedColumn):
    """A column that follows from one other, by a table of what came with each of its values.

    A number that never came is taken for the nearest that did; to another cell belongs the most common one.

    Args:
        column: its kind, as it would be on its own.
        source: the place of the column that determines it.
        keys: the cells that the source had, increasing, (k,); None, the last one, for a missing one.
        values: its cell for each of them; None for a missing one.
        usual: its most common cell.
        named: whether the source holds categories, none of which is near another.
        others: m, its cells besides the one that agrees.
        repeats: r, training rows that agree with one before them.
        agreeing: 1 - epsilon for a value of the source that never came.

    Raises:
        ValueError: if keys do not increase, or are none or others in number than values; or for no other cells, or a share beyond (0, 1).
    """

    def __init__(
        self,
        column: Column,
        source: int,
        keys: Sequence[float | None],
        values: Sequence[float | None],
        usual: float | None,
        named: bool,
        others: int,
        repeats: int,
        agreeing: float,
    ) -> None:
        if not keys or len(keys) != len(values) or others < 1 or repeats < 0 or not 0 < agreeing < 1:
            raise ValueError(f"{len(keys)} keys and {len(values)} values, {others} others, a share of {agreeing:g}; expected a value a key")
        self.column, self.source, self.sources, self.named = column, source, (source,), named
        self._keys, self._values = KnownCells(keys), KnownCells(_increasing([*values, usual]))
        self._followers = self._values.places(_cells([*values, usual]))  # of each key, and of none
        self._others, self._repeats, self._agreeing = others, repeats, agreeing

    def said(self, names: Sequence[str]) -> str:
        return f"by {names[self.source]}"

    def written(self, sources: Array) -> Array:
        found: Array = self._values.cells[self._following(sources)]
        return found

    def agrees(self, cells: Array, sources: Array) -> Array:
        found: Array = self._values.places(cells) == self._following(sources)
        return found

    def known(self, sources: Array) -> Array:
        found: Array = self._keys.places(sources[:, 0]) != NONE
        return found

    def surprise(self, cells: Array, sources: Array) -> Array:
        chance = np.where(self.known(sources), 1 / (self._repeats + 2), 1 - self._agreeing)
        found: Array = -np.log(np.where(self.agrees(cells, sources), 1 - chance, chance / self._others))
        return found

    def sources_of(self, cell: float) -> Array:
        found: Array = self._keys.cells[self._followers[:-1] == self._values.places(np.array([cell]))]
        return found

    def _following(self, sources: Array) -> Array:
        """The places of the cells that follow."""
        key = self._keys.places(sources[:, 0]) if self.named else self._keys.nearest(sources[:, 0])
        found: Array = self._followers[key]  # `NONE` is the last one
        return found


def _cells(cells: Sequence[float | None]) -> Array:
    return np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)


def _increasing(cells: Sequence[float | None]) -> list[float | None]:
    """The different ones, and None at the end."""
    there = sorted({cell for cell in cells if cell is not None})
    return [*there, None] if None in cells else [*there]

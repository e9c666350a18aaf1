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

__all__ = ["DeterminedColumn", "MappedColumn", "PairedColumn"]


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

    @property
    def why(self) -> str:
        return "follows from other columns"

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

    @abstractmethod
    def sources_between(self, low: float, high: float) -> Array:
        """The cells of its one source that came with numbers from `low` to `high`, (k,).

        Raises:
            SaltusError: if its cells have no order.
        """


class _Tabled(DeterminedColumn):
    """Cells that are written from a table: of cells that came, and of guesses for those that did not."""

    def _fill(self, entries: Sequence[float | None], others: int, repeats: int, agreeing: float) -> None:
        if others < 1 or repeats < 0 or not 0 < agreeing < 1:
            raise ValueError(
                f"{others} other cells, {repeats} repeats and a share of {agreeing:g}; expected 1 or more, 0 or more, in (0, 1)"
            )
        self._values = KnownCells(_increasing(entries))
        self._entries = self._values.places(_cells(entries))
        self._others, self._repeats, self._agreeing = others, repeats, agreeing

    def sources_between(self, low: float, high: float) -> Array:
        self.column.between(low, high)  # which says so where there is no order
        cells = self._values.cells
        return np.concatenate([np.empty(0), *(self.sources_of(cell) for cell in cells[(cells >= low) & (cells <= high)].tolist())])

    @abstractmethod
    def _entry(self, sources: Array) -> Array:
        """The place in the table for cells of the sources (n, s), (n,) int64."""

    def written(self, sources: Array) -> Array:
        found: Array = self._values.cells[self._entries[self._entry(sources)]]
        return found

    def agrees(self, cells: Array, sources: Array) -> Array:
        found: Array = self._values.places(cells) == self._entries[self._entry(sources)]
        return found

    def surprise(self, cells: Array, sources: Array) -> Array:
        chance = np.where(self.known(sources), 1 / (self._repeats + 2), 1 - self._agreeing)
        found: Array = -np.log(np.where(self.agrees(cells, sources), 1 - chance, chance / self._others))
        return found

    def _with(self, cell: float, n: int) -> Array:
        """Which of the first n entries are this cell, (n,) bool."""
        found: Array = self._entries[:n] == self._values.places(np.array([cell]))
        return found


class MappedColumn(_Tabled):
    """A column that follows from one other.

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
        if not keys or len(keys) != len(values):
            raise ValueError(f"{len(keys)} keys and {len(values)} values; expected a value for each key, at least one")
        self.column, self.source, self.sources, self.named = column, source, (source,), named
        self._keys = KnownCells(keys)
        self._fill([*values, usual], others, repeats, agreeing)

    def said(self, names: Sequence[str]) -> str:
        return f"by {names[self.source]}"

    def known(self, sources: Array) -> Array:
        found: Array = self._keys.places(sources[:, 0]) != NONE
        return found

    def sources_of(self, cell: float) -> Array:
        found: Array = self._keys.cells[self._with(cell, len(self._keys))]
        return found

    def _entry(self, sources: Array) -> Array:
        found: Array = self._keys.taken_for(sources[:, 0], self.named)  # `NONE` is the last entry
        return found


class PairedColumn(_Tabled):
    """A column that follows from a pair of others.

    A number that never came is taken for the nearest that did.  To a pair that never came belongs what came most often with its first cell,
    or the most common cell where that never came.

    Args:
        column: its kind, as it would be on its own.
        sources: the places of the two columns that determine it, of which the first tells more.
        keys: of each of them the cells that it had, as for `MappedColumn`.
        named: whether each of them holds categories.
        pairs: those that came, increasing (k,): the place of the first cell times the number of second ones, and the place of the second.
        values: its cell for each pair; None for a missing one.
        guesses: that for each cell of the first column.
        usual: its most common cell.
        others, repeats, agreeing: as for `MappedColumn`, with pairs for values of the source.

    Raises:
        ValueError: if there are not two sources, pairs of their keys that increase, and a value for each; and as `MappedColumn`.
    """

    def __init__(
        self,
        column: Column,
        sources: Sequence[int],
        keys: Sequence[Sequence[float | None]],
        named: Sequence[bool],
        pairs: Sequence[int],
        values: Sequence[float | None],
        guesses: Sequence[float | None],
        usual: float | None,
        others: int,
        repeats: int,
        agreeing: float,
    ) -> None:
        if not len(sources) == len(keys) == len(named) == 2 or len(pairs) != len(values) or len(guesses) != len(keys[0]):
            raise ValueError(f"{len(sources)} sources, {len(pairs)} pairs and {len(values)} values; expected 2, and a value for each pair")
        self.column, self.sources, self.named = column, tuple(sources), tuple(named)
        self._keys, self._pairs = [KnownCells(each) for each in keys], np.asarray(pairs, dtype=np.int64)
        most = len(keys[0]) * len(keys[1])
        if not (len(pairs) and (np.diff(self._pairs) > 0).all() and self._pairs[0] >= 0 and self._pairs[-1] < most):
            raise ValueError(f"{len(pairs)} pairs of {most}; expected increasing ones, at least one")
        self._fill([*values, *guesses, usual], others, repeats, agreeing)

    def said(self, names: Sequence[str]) -> str:
        return f"by {' and '.join(names[j] for j in sorted(self.sources))}"

    def known(self, sources: Array) -> Array:
        places = [keys.places(cells) for keys, cells in zip(self._keys, sources.T, strict=True)]
        return self._found(*places)[1]

    def sources_of(self, cell: float) -> Array:
        first, second = np.divmod(self._pairs[self._with(cell, len(self._pairs))], len(self._keys[1]))
        return np.stack([self._keys[0].cells[first], self._keys[1].cells[second]], 1)

    def _entry(self, sources: Array) -> Array:
        places = [keys.taken_for(cells, named) for keys, cells, named in zip(self._keys, sources.T, self.named, strict=True)]
        entry, came = self._found(*places)
        guess = np.where(places[0] == NONE, NONE, len(self._pairs) + places[0])  # `NONE` is the last entry
        found: Array = np.where(came, entry, guess)
        return found

    def _found(self, first: Array, second: Array) -> tuple[Array, Array]:
        """The entries of pairs of places, and which came, (n,) each."""
        wanted = np.where((first == NONE) | (second == NONE), NONE, first * len(self._keys[1]) + second)
        entry = np.minimum(np.searchsorted(self._pairs, wanted), len(self._pairs) - 1)
        return entry, self._pairs[entry] == wanted


def _cells(cells: Sequence[float | None]) -> Array:
    return np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)


def _increasing(cells: Sequence[float | None]) -> list[float | None]:
    """The different ones, and None at the end."""
    there = sorted({cell for cell in cells if cell is not None})
    return [*there, None] if None in cells else [*there]

"""The encoding of a table: each column by its own kind, on an axis of its own."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saltus.data.beyond import BEYOND
from saltus.data.category_columns import CategoryColumn
from saltus.data.columns import Column, MissingColumn
from saltus.data.determined_columns import DeterminedColumn
from saltus.data.dtypes import as_arrow, family_of
from saltus.data.encoding import OnNumbers, check_kind
from saltus.data.layout import Array, Layout
from saltus.data.values import as_integers
from saltus.errors import SaltusError
from saltus.likelihoods import ColumnsHead, GaussianHead, Numbers
from saltus.terminal import in_one_line

__all__ = ["Columns"]

_FLOOR = 0.01  # standard deviations of a column: without a floor, columns with ties would win density without limit


class Columns(OnNumbers):
    """Rows (N, d) of cells, one kind for each column; y has a number, or more, for each that does not follow from others.

    Args:
        columns: their kinds, (d,).
        dtype: of raw values, integers, floats or "bool".

    Attributes:
        names, dtypes: of the columns, for messages, where they are known; they are not part of the encoding.

    Raises:
        SaltusError: if there are no columns, or the type is another, or columns follow from each other in a circle.
    """

    _kinds = "biuf"
    names: Sequence[str] = ()
    dtypes: Sequence[str] = ()

    def __init__(self, columns: Sequence[Column], dtype: str) -> None:
        super().__init__(Layout.VECTOR, (len(columns),), dtype)
        if self.dtype.kind not in self._kinds:
            raise SaltusError(f"a table of type {dtype} was given; expected integers, floats or bool: convert it to numbers")
        self.columns = list(columns)
        self._determined = _in_order({j: column for j, column in enumerate(columns) if isinstance(column, DeterminedColumn)}, len(columns))
        numbers = [number for column in columns for number in column.axes]
        self._event_shape = (len(numbers),)
        self._first = np.cumsum([len(column.axes) for column in columns])[:-1]  # of each column but the first
        self._numbers = Numbers(numbers)
        hides = [column.hides if number is column.axes[-1] else "none" for column in columns for number in column.axes]
        self._hides = torch.tensor([[kind == which for kind in hides] for which in ("ends", "all")])
        counted = any(number.counted for number in numbers)
        self._head = ColumnsHead(GaussianHead(1.0), numbers) if counted else GaussianHead(_FLOOR)

    @property
    def categories(self) -> tuple[tuple[str, ...], ...]:
        """Of each column, those that its cells are places of."""
        return tuple(_categories(column) for column in self.columns)

    @property
    def determined(self) -> dict[int, DeterminedColumn]:
        """The columns that follow from others, by their places, each after those that it follows from."""
        return dict(self._determined)

    @property
    def places(self) -> list[range]:
        """Of each column, its numbers' in y."""
        ends = [*self._first.tolist(), *self._event_shape]
        return [range(start, end) for start, end in zip([0, *ends], ends, strict=False)]

    def partial(self, cells: Array) -> tuple[Tensor, Tensor]:
        """Rows of which cells are unknown: y, and which of its numbers are known, (n, E).  Of an unknown cell it is known that it is there,
        where it could be missing.

        Args:
            cells: (n, d) float64, NaN where unknown.

        Raises:
            SaltusError: for a cell that its column never holds.
        """
        numbers = self._lowest(len(cells))
        known = np.ones(numbers.shape, dtype=bool)
        for j, (column, places) in enumerate(zip(self.columns, self.places, strict=True)):
            there, own = ~np.isnan(cells[:, j]), np.array(places, dtype=np.int64)
            self._check_column(j, cells[there, j], np.flatnonzero(there))
            numbers[np.ix_(there, own)] = column.numbers(cells[there, j])
            if isinstance(column, MissingColumn):
                numbers[:, own[0]], own = 1, own[1:]
            known[np.ix_(~there, own)] = False
        return self._numbers.forward(torch.from_numpy(numbers)).float(), torch.from_numpy(known)

    def tolerant(self, cells: Array) -> tuple[Tensor, Tensor, Array]:
        """Rows as they are, where columns may hold what they never did: y, which of its numbers are known, (n, E), and which cells are
        none of their column's, (n, d) bool, whose numbers are not known.

        Args:
            cells: (n, d) float64, NaN where missing.
        """
        strange = np.stack([column.strange(cells[:, j]) for j, column in enumerate(self.columns)], axis=1)
        numbers = self._lowest(len(cells))
        known = np.ones(numbers.shape, dtype=bool)
        for j, (column, places) in enumerate(zip(self.columns, self.places, strict=True)):
            own = np.array(places, dtype=np.int64)
            numbers[np.ix_(~strange[:, j], own)] = column.numbers(cells[~strange[:, j], j])
            known[np.ix_(strange[:, j], own)] = False
        return self._numbers.forward(torch.from_numpy(numbers)).float(), torch.from_numpy(known), strange

    def ends(self, j: int, low: float, high: float) -> tuple[float, float] | None:
        """The first and the last of the cells from `low` to `high` that column j may hold, as they come back; None if there is none.

        Raises:
            SaltusError: for a range of cells that have no order.
        """
        column = self.columns[j]
        column = column.column if isinstance(column, DeterminedColumn) else column
        if (found := column.between(low, high)) is None:
            return None
        numbers = np.array([[*[1.0] * (len(column.axes) - 1), end] for end in found])  # of a cell that is there
        first, last = column.cells(numbers)
        return float(first), float(last)

    def interval(self, j: int, low: float, high: float) -> tuple[int, tuple[float, float]] | None:
        """The number of y that says of column j that its cells are from `low` to `high`, and where it is then; None if it cannot be.

        Raises:
            SaltusError: for a range of cells that have no order.
        """
        ends = self.columns[j].between(low, high)
        if ends is None:
            return None
        place = self.places[j][-1]
        x = self._lowest(2)
        if isinstance(self.columns[j], MissingColumn):
            x[:, place - 1] = 1
        x[:, place] = ends
        y = self._numbers.forward(torch.from_numpy(x))
        below, above, counted = (value[:, place] for value in self._numbers.cells(y))
        return place, (float(below[0] if counted[0] else y[0, place]), float(above[1] if counted[1] else y[1, place]))

    def missing(self, j: int, name: str) -> Tensor:
        """y of the numbers of column j where its cell is missing.

        Raises:
            SaltusError: if none is.
        """
        if not isinstance(self.columns[j], MissingColumn):
            raise SaltusError(f"a missing cell of {name} was asked for, and none is missing in the data; give a value")
        x = self._lowest(1)
        x[0, self.places[j][0]] = 0
        return self._numbers.forward(torch.from_numpy(x))[0, list(self.places[j])].float()

    def _lowest(self, n: int) -> Array:
        """The lowest numbers of n rows, (n, E) float64, in place of those that are not told."""
        return np.tile(self._numbers.columns(torch.device("cpu")).low.numpy(), (n, 1))

    def write_determined(self, cells: Array) -> None:
        """Write the columns that follow from others, in cells (n, d) float64."""
        for j, follower in self._determined.items():
            cells[:, j] = follower.written(cells[:, list(follower.sources)])

    def log_jacobian(self, y: Tensor) -> Tensor:
        nats = self._numbers.log_jacobian(y.double()).sum(1)
        return nats + self._kept(y.double()) if self._hides.any() else nats

    def _kept(self, y: Tensor) -> Tensor:
        """-ln of what values keep of the masses that they share with cells that have no number of their own, (B,)."""
        x, on = self._numbers.inverse(y), self._numbers.columns(y.device)
        ends, every = self._hides.to(y.device)
        kept = (every | (ends & ((x == on.low) | (x == on.high)))) & ~x.isnan()
        nats: Tensor = -math.log1p(-BEYOND) * kept.sum(1)
        return nats

    def surprise(self, raw: Array) -> Array:
        """As of every encoding: of cells that a column has no number for, and of columns that follow from others, which y does not hold."""
        found: Array = self.surprise_by_column(raw).sum(1)
        return found

    def surprise_by_column(self, raw: Array) -> Array:
        """That of each cell of rows (N, d), nats (N, d): what it has more than the value that it becomes; and of columns that follow from
        others -ln p of the cell, given those that it follows from."""
        found = self._by_column(raw, lambda column, cells, sources: column.surprise(cells, sources))
        for j, column in enumerate(self.columns):
            if column.hides != "none":
                found[:, j] = column.beyond(raw[:, j])
        return found

    @property
    def tells_all(self) -> bool:
        """Whether y tells all of any row, so that none has a surprise."""
        return not self._determined and all(column.hides == "none" for column in self.columns)

    def disagreeing(self, raw: Array) -> Array:
        """Which cells of rows (N, d) are others than came with the same sources in training, (N, d) bool.  They are not in y."""
        return self._by_column(raw, lambda column, cells, sources: column.known(sources) & ~column.agrees(cells, sources)) > 0

    def summary(self) -> str:
        kinds = Counter(column.kind for column in self.columns)
        return f"{self._items()}: {', '.join(f'{n} {kind}' for kind, n in sorted(kinds.items()))}"

    def _check(self, raw: Array) -> None:
        check_kind(raw, self.dtype, self._kinds)
        for j in range(len(self.columns)):
            self._check_column(j, raw[:, j], np.arange(len(raw)))

    def _check_column(self, j: int, cells: Array, rows: Array) -> None:
        strange = self.columns[j].strange(cells)
        if strange.any():
            first = int(strange.argmax())
            raise SaltusError(f"{self._named(j)} holds {self._told(j, cells[first], rows[first])}; give values of the same kind")

    def _named(self, j: int) -> str:
        return f"the column {in_one_line(self.names[j]) or j}" if len(self.names) == len(self.columns) else f"column {j}"

    def _told(self, j: int, cell: Any, row: int) -> str:
        """What is strange about a cell."""
        if np.isnan(cell):
            return f"a missing cell in row {row} where none was missing in the data"
        dtype = self.dtypes[j] if len(self.dtypes) == len(self.columns) else ""
        if family_of(dtype) not in ("numbers", "text"):
            return f"{as_arrow(np.array([cell]), dtype)[0]} in row {row} where {family_of(dtype)} in the steps of the data were expected"
        return f"{cell:g} in row {row} where {in_one_line(self.columns[j].describe())} was expected"

    def _forward(self, items: Array) -> Array:
        numbers = np.concatenate([column.numbers(items[:, j]) for j, column in enumerate(self.columns)], axis=1)
        return self._numbers.forward(torch.from_numpy(numbers)).numpy()

    def _backward(self, y: Array) -> Array:
        numbers = self._numbers.inverse(torch.from_numpy(y)).numpy()
        parts = np.split(numbers, self._first, axis=1)
        cells = np.empty((len(y), len(self.columns)))
        for j, (column, part) in enumerate(zip(self.columns, parts, strict=True)):
            if j not in self._determined:
                cells[:, j] = column.cells(part)
        self.write_determined(cells)
        if self.dtype.kind in "iu":
            cells = as_integers(cells, self.dtype)
        raw: Array = cells.astype(self.dtype)
        return raw

    def _by_column(self, raw: Array, measure: Callable[[DeterminedColumn, Array, Array], Array]) -> Array:
        found = np.zeros(raw.shape)
        for j, column in self._determined.items():
            found[:, j] = measure(column, raw[:, j].astype(np.float64), raw[:, list(column.sources)].astype(np.float64))
        return found


def _in_order(determined: dict[int, DeterminedColumn], d: int) -> dict[int, DeterminedColumn]:
    """Columns that follow from others, each after those that it follows from."""
    known, ordered = set(range(d)) - set(determined), dict[int, DeterminedColumn]()
    while len(ordered) < len(determined):
        ready = {j: column for j, column in determined.items() if j not in ordered and set(column.sources) <= known}
        if not ready:
            stuck = min(determined.keys() - ordered.keys())
            raise SaltusError(f"column {stuck} follows from what is not known; expected other columns, in no circle: copy the file again")
        ordered |= ready
        known |= set(ready)
    return ordered


def _categories(column: Column) -> tuple[str, ...]:
    while isinstance(column, MissingColumn | DeterminedColumn):
        column = column.column
    return column.categories if isinstance(column, CategoryColumn) else ()

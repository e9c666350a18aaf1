"""The encoding of a table: each column by its own kind, on an axis of its own."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saltus.data.category_columns import CategoryColumn
from saltus.data.columns import BEYOND, Column, MissingColumn
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
    """Rows (N, d) of cells, one kind for each column; y has a number, or more, for each.

    Args:
        columns: their kinds, (d,).
        dtype: of raw values, integers, floats or "bool".

    Attributes:
        names, dtypes: of the columns, for messages, where they are known; they are not part of the encoding.

    Raises:
        SaltusError: if there are no columns, or the type is another.
    """

    _kinds = "biuf"
    names: Sequence[str] = ()
    dtypes: Sequence[str] = ()

    def __init__(self, columns: Sequence[Column], dtype: str) -> None:
        super().__init__(Layout.VECTOR, (len(columns),), dtype)
        if self.dtype.kind not in self._kinds:
            raise SaltusError(f"a table of type {dtype} was given; expected integers, floats or bool: convert it to numbers")
        self.columns = list(columns)
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
        plain = (column.column if isinstance(column, MissingColumn) else column for column in self.columns)
        return tuple(column.categories if isinstance(column, CategoryColumn) else () for column in plain)

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

    def beyond(self, raw: Array) -> Array:
        found: Array = sum((column.beyond(raw[:, j]) for j, column in enumerate(self.columns)), np.zeros(len(raw)))
        return found

    def summary(self) -> str:
        kinds = Counter(column.kind for column in self.columns)
        return f"{self._items()}: {', '.join(f'{n} {kind}' for kind, n in sorted(kinds.items()))}"

    def _check(self, raw: Array) -> None:
        check_kind(raw, self.dtype, self._kinds)
        for j, column in enumerate(self.columns):
            strange = column.strange(raw[:, j])
            if strange.any():
                row = int(strange.argmax())
                raise SaltusError(f"{self._named(j)} holds {self._told(j, raw[row, j], row)}; give values of the same kind")

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
        cells = np.stack([column.cells(part) for column, part in zip(self.columns, parts, strict=True)], axis=1)
        if self.dtype.kind in "iu":
            cells = as_integers(cells, self.dtype)
        raw: Array = cells.astype(self.dtype)
        return raw

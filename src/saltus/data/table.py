"""The encoding of a table: each column by its own kind, on an axis of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from saltus.data.columns import Column
from saltus.data.encoding import OnNumbers
from saltus.data.layout import Array, Layout
from saltus.data.values import as_integers
from saltus.errors import SaltusError
from saltus.likelihoods import ColumnsHead, GaussianHead, Numbers

__all__ = ["Columns"]

_FLOOR = 0.01  # standard deviations of a column: without a floor, columns with ties would win density without limit


class Columns(OnNumbers):
    """Rows (N, d) of numbers, one kind for each column.

    Args:
        columns: their kinds, (d,).
        dtype: of raw values, integers, floats or "bool".

    Raises:
        SaltusError: if there are no columns, or the type is another.
    """

    _kinds = "biuf"

    def __init__(self, columns: Sequence[Column], dtype: str) -> None:
        super().__init__(Layout.VECTOR, (len(columns),), dtype)
        if self.dtype.kind not in self._kinds:
            raise SaltusError(f"a table of type {dtype} was given; expected integers, floats or bool: convert it to numbers")
        self.columns = list(columns)
        numbers = [column.number for column in columns]
        self._numbers = Numbers(numbers)
        counted = any(number.counted for number in numbers)
        self._head = ColumnsHead(GaussianHead(1.0), numbers) if counted else GaussianHead(_FLOOR)

    def log_jacobian(self, y: Tensor) -> Tensor:
        return self._numbers.log_jacobian(y.double()).sum(1)

    def summary(self) -> str:
        kinds = Counter(column.kind for column in self.columns)
        return f"{self._items()}: {', '.join(f'{n} {kind}' for kind, n in sorted(kinds.items()))}"

    def _check(self, raw: Array) -> None:
        super()._check(raw)
        for j, column in enumerate(self.columns):
            strange = column.strange(raw[:, j])
            if strange.any():
                raise SaltusError(
                    f"column {j} holds {raw[strange.argmax(), j]:g} where {column.describe()} was expected; give values of the same kind"
                )

    def _forward(self, items: Array) -> Array:
        numbers = np.stack([column.numbers(items[:, j]) for j, column in enumerate(self.columns)], axis=1)
        return self._numbers.forward(torch.from_numpy(numbers)).numpy()

    def _backward(self, y: Array) -> Array:
        numbers = self._numbers.inverse(torch.from_numpy(y)).numpy()
        values = np.stack([column.values(numbers[:, j]) for j, column in enumerate(self.columns)], axis=1)
        if self.dtype.kind in "iu":
            values = as_integers(values, self.dtype)
        raw: Array = values.astype(self.dtype)
        return raw

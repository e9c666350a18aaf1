"""The encoding of values from a short list, where a likelihood is a probability as it is for `Binned`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from saltus.data.checks import not_finite
from saltus.data.encoding import CHUNK, OUTLIERS, Encoding
from saltus.data.layout import Array, Layout
from saltus.errors import SaltusError
from saltus.likelihoods import DiscretisedHead, Head

__all__ = ["Listed"]

_NEAR = 0.01  # of the distance of two values: what rounding to float32 moves one by, and more


class Listed(Encoding):
    """Values of a short list, in their order on equal bins from -1 to 1: grey values with gaps, or pixels that were divided by 255.

    Args:
        layout, shape, dtype: as for `Encoding`; an integer or float type.
        values: that occur, increasing, (k,) float64.

    Raises:
        SaltusError: if there are fewer than 2 values, they do not increase, or the type cannot hold them.

    >>> quarters = Listed("gray", (8, 8), torch.tensor([0.0, 85.0, 170.0, 255.0]), "uint8")
    >>> quarters.encode(np.full((1, 8, 8), 85, dtype=np.uint8)).unique()
    tensor([-0.3333])
    """

    def __init__(self, layout: Layout | str, shape: Sequence[int], values: Tensor, dtype: str) -> None:
        super().__init__(layout, shape, dtype)
        self._values = values.detach().cpu().to(torch.float64).numpy()
        if self._values.ndim != 1 or len(self._values) < 2 or not (np.diff(self._values) > 0).all():
            raise SaltusError(
                f"a list of {self._values.size} values was given; expected at least 2 that increase: give them in their order"
            )
        if self.dtype.kind not in "iuf" or (self.dtype.kind != "f" and not np.array_equal(self._values.astype(self.dtype), self._values)):
            raise SaltusError(f"the type {dtype} cannot hold the listed values; give one that does")

    @property
    def bins(self) -> int:
        """How many values there are."""
        return len(self._values)

    @property
    def key(self) -> str:
        return self._key(values=self._values.tolist())

    @property
    def scaling(self) -> float:
        return 0.0

    @property
    def shown(self) -> tuple[float, float]:
        return -1.0, 1.0

    def head(self) -> Head:
        return DiscretisedHead(self.bins, outliers=OUTLIERS)

    def summary(self) -> str:
        return f"{self._items()} with {self.bins} values from {self._values[0]:g} to {self._values[-1]:g}"

    def _check(self, raw: Array) -> None:
        if raw.dtype.kind not in "iuf":
            raise SaltusError(f"the array is of type {raw.dtype} where {self.dtype} was expected; convert it to numbers")
        if found := not_finite(raw):
            raise SaltusError(f"the array holds {found} where finite numbers were expected; fill or drop them")
        for start in range(0, len(raw), CHUNK):
            chunk = raw[start : start + CHUNK].astype(np.float64)
            off = np.abs(self._values[self._index(chunk)] - chunk)
            if (off > _NEAR * np.diff(self._values).min()).any():
                odd = chunk.reshape(-1)[int(off.argmax())]
                raise SaltusError(
                    f"the value {odd:g} is none of the {self.bins} from {self._values[0]:g} to {self._values[-1]:g} that the data have; "
                    "give values of the same kind"
                )

    def _index(self, raw: Array) -> Array:
        """The place of the nearest value."""
        found: Array = np.searchsorted((self._values[1:] + self._values[:-1]) / 2, raw)
        return found

    def _forward(self, items: Array) -> Array:
        steps = self.bins - 1
        doubled: Array = 2.0 * self._index(items.astype(np.float64)) - steps
        return doubled / steps

    def _backward(self, y: Array) -> Array:
        index = np.rint((np.clip(y, -1, 1) + 1) / 2 * (self.bins - 1)).astype(np.int64)
        found: Array = self._values[index].astype(self.dtype)
        return found

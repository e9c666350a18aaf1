"""Encodings of values that can be numbered, whose likelihood is a probability: integers from low to high, and those of a short list."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from saltus.data.encoding import CHUNK, Encoding, check_numbers
from saltus.data.layout import Array, Layout
from saltus.data.values import EXACT, nearest
from saltus.errors import SaltusError
from saltus.likelihoods import DiscretisedHead, Head

__all__ = ["Binned", "Listed"]

_OUTLIERS = 1e-4  # costs 1e-4 nats a dimension where there are none; docs/decisions/0007-outliers.md
_MOST_BINS = 2**16  # float32 tells them apart with room to spare
_NEAR = 0.01  # of the distance of two values: what rounding to float32 moves one by, and more


class OnBins(Encoding):
    """Values that are numbered, on equal bins from -1 to 1, where a likelihood is a probability."""

    @property
    @abstractmethod
    def bins(self) -> int:
        """How many values there are."""

    @abstractmethod
    def _number(self, items: Array) -> Array:
        """The numbers, from 0 on, of raw values."""

    @abstractmethod
    def _value(self, number: Array) -> Array:
        """The raw values, in this dtype, of whole numbers in float64."""

    def log_jacobian(self, y: Tensor) -> Tensor:
        return torch.zeros(len(y), dtype=torch.float64, device=y.device)

    @property
    def shown(self) -> tuple[float, float]:
        return -1.0, 1.0

    def head(self) -> Head:
        return DiscretisedHead(self.bins, outliers=_OUTLIERS)

    def _forward(self, items: Array) -> Array:
        steps = self.bins - 1
        doubled: Array = 2 * self._number(items.astype(np.float64)) - steps
        return doubled / steps  # rounded once

    def _backward(self, y: Array) -> Array:
        return self._value(np.rint((np.clip(y, -1, 1) + 1) / 2 * (self.bins - 1)))


class Binned(OnBins):
    """Integers low ... high, on equal bins from -1 to 1.

    Args:
        layout, shape, dtype: as for `Encoding`; an integer type or "bool".
        low, high: the first and the last value.

    Raises:
        SaltusError: if there are fewer than 2 or more than 65536 values, or `dtype` does not hold them.

    >>> grey = Binned("gray", (8, 8), 0, 255, "uint8")
    >>> grey.encode(np.full((1, 8, 8), 255, dtype=np.uint8)).unique()
    tensor([1.])
    """

    def __init__(self, layout: Layout | str, shape: Sequence[int], low: int, high: int, dtype: str) -> None:
        super().__init__(layout, shape, dtype)
        self.low, self.high = int(low), int(high)
        if not 2 <= self.bins <= _MOST_BINS:
            raise SaltusError(
                f"the values {low} to {high} make {self.bins} bins; expected 2 to {_MOST_BINS}: give floats, which are standardised"
            )
        first, last = _integers(self.dtype)
        if not first <= self.low < self.high <= last:
            raise SaltusError(
                f"the type {dtype} cannot hold {low} to {high}, it goes from {first} to {last}; give an integer type that does"
            )

    @property
    def bins(self) -> int:
        return self.high - self.low + 1

    @property
    def key(self) -> str:
        return self._key(low=self.low, high=self.high)

    def summary(self) -> str:
        return f"{self._items()} with {self.bins} values"

    def _check(self, raw: Array) -> None:
        if raw.dtype != self.dtype:
            raise SaltusError(
                f"the array is of type {raw.dtype} where {self.dtype} was expected; convert it to the values {self.low} to {self.high}"
            )
        if raw.size and not (self.low <= raw.min() and raw.max() <= self.high):
            raise SaltusError(
                f"the values go from {raw.min()} to {raw.max()} where {self.low} to {self.high} was expected; clip or rescale them"
            )

    def _number(self, items: Array) -> Array:
        return items - self.low

    def _value(self, number: Array) -> Array:
        return (number + self.low).astype(self.dtype)


class Listed(OnBins):
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
        return len(self._values)

    @property
    def key(self) -> str:
        return self._key(values=self._values.tolist())

    def summary(self) -> str:
        return f"{self._items()} with {self.bins} values from {self._values[0]:g} to {self._values[-1]:g}"

    def _check(self, raw: Array) -> None:
        check_numbers(raw, self.dtype, "iuf")
        for start in range(0, len(raw), CHUNK):
            chunk = raw[start : start + CHUNK].astype(np.float64)
            off = np.abs(self._values[self._number(chunk)] - chunk)
            if (off > _NEAR * np.diff(self._values).min()).any():
                odd = chunk.reshape(-1)[int(off.argmax())]
                raise SaltusError(
                    f"the value {odd:g} is none of the {self.bins} from {self._values[0]:g} to {self._values[-1]:g} that the data have; "
                    "give values of the same kind"
                )

    def encode_means(self, means: Array) -> Tensor:
        steps = np.diff(self._values)
        if not np.allclose(steps, steps.mean()):
            raise SaltusError("the values of these images are not evenly spaced, so means of them are not known; train on all grey values")
        return torch.from_numpy((2 * (means - self._values[0]) / (self._values[-1] - self._values[0]) - 1).astype(np.float32))

    def _number(self, items: Array) -> Array:
        """Of the nearest value."""
        return nearest(self._values, items)

    def _value(self, number: Array) -> Array:
        found: Array = self._values[number.astype(np.int64)].astype(self.dtype)
        return found


def _integers(dtype: np.dtype) -> tuple[int, int]:
    """The integers that a type, and float64, hold."""
    match dtype.kind:
        case "b":
            return 0, 1
        case "i" | "u":
            return max(int(np.iinfo(dtype).min), -EXACT), min(int(np.iinfo(dtype).max), EXACT)
        case _:
            return 0, 0

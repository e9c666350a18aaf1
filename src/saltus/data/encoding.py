r"""How raw values become y, and y raw values again.

`Binned` puts the integers low ... high on equal bins of [-1, 1], where a likelihood is a probability and needs no
Jacobian.  `Standardised` gives floats mean 0 and variance 1; a density then changes by

    -ln p(raw) = -ln p(y) - ln |dy/draw| = -ln p(y) + sum over dimensions of ln(std),

which is `log_jacobian` in nats: without it likelihoods in two scalings cannot be compared.  `Columns` gives each column of a
table an axis of its own.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from saltus.data.checks import check_finite, not_finite
from saltus.data.layout import Array, Layout
from saltus.errors import SaltusError
from saltus.likelihoods import GaussianHead, Head
from saltus.registry import Configurable, describe

__all__ = ["CHUNK", "Encoding", "OnNumbers", "Standardised", "check_kind", "check_numbers"]

CHUNK = 1024  # items encoded at a time, so that float64 is never held for a whole data set


class Encoding(Configurable, ABC):
    """A map from raw items to y and back.

    Args:
        layout: the order of the raw axes.
        shape: of one raw item, without N.
        dtype: numpy's name for the type of raw values, such as "uint8".

    Raises:
        SaltusError: if layout and shape do not go together.
    """

    def __init__(self, layout: Layout | str, shape: Sequence[int], dtype: str) -> None:
        self.layout, self.shape, self.dtype = Layout(layout), tuple(int(n) for n in shape), np.dtype(dtype)
        self._event_shape = self.layout.event_shape(self.shape)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """E: (C, H, W) or (d,)."""
        return self._event_shape

    @property
    def key(self) -> str:
        """A text that is equal for equal encodings; how `Binned` and `Standardised` write theirs stays, as fingerprints hash it."""
        return json.dumps(describe(self)[0], sort_keys=True)

    @abstractmethod
    def log_jacobian(self, y: Tensor) -> Tensor:
        """What -ln p(raw) has more than -ln p(y) at items y (N, *E): nats (N,), float64, summed over dimensions."""

    def surprise(self, raw: Array) -> Array:
        """What -ln p(raw) has more than y can tell, of raw items (N, *shape): nats (N,), float64; 0 where y tells all."""
        return np.zeros(len(raw))

    @property
    @abstractmethod
    def shown(self) -> tuple[float, float]:
        """The values of y that a picture shows as black and white."""

    @abstractmethod
    def head(self) -> Head:
        """The likelihood that fits y."""

    @abstractmethod
    def summary(self) -> str:
        """What the items are, for humans: "images of 28x28 pixels with 256 values"."""

    @abstractmethod
    def _check(self, raw: Array) -> None:
        """Raise SaltusError if the values of `raw` are none that this encoding takes."""

    @abstractmethod
    def _forward(self, items: Array) -> Array:
        """Raw values (n, *E) as y, float64."""

    @abstractmethod
    def _backward(self, y: Array) -> Array:
        """y, float64 (n, *E) and finite, as raw values of this dtype."""

    def encode(self, raw: Array) -> Tensor:
        """y of raw items (N, *shape): float32 (N, *E).

        Raises:
            SaltusError: if shape, type or range of `raw` are not those of this encoding, or a value is not finite.
        """
        if raw.shape[1:] != self.shape or raw.ndim != 1 + len(self.shape):
            raise SaltusError(
                f"the array has shape {raw.shape} where (N, {', '.join(map(str, self.shape))}) was expected; resize or reshape it"
            )
        self._check(raw)
        y = np.empty((len(raw), *self.event_shape), dtype=np.float32)
        with np.errstate(over="ignore"):  # refused below
            for start in range(0, len(raw), CHUNK):
                y[start : start + CHUNK] = self._forward(self.layout.to_event(raw[start : start + CHUNK]))
        if not np.isfinite(y).all():
            raise SaltusError("the array holds values that are too far from the mean for float32; drop or clip them")
        return torch.from_numpy(y)

    def encode_means(self, means: Array) -> Tensor:
        """y of means of raw values, (N, ...) float64, which need not be values themselves: float32, of the same shape.

        Raises:
            SaltusError: if values are not evenly spaced, so that a mean of y is none of theirs, or a mean is no finite number.
        """
        if not np.isfinite(means).all():
            raise SaltusError("the array holds values that are not finite; replace them")
        return torch.from_numpy(self._forward(means).astype(np.float32))

    def decode(self, y: Tensor) -> Array:
        """Raw items (N, *shape), in raw units and dtype, of y (N, *E); what no raw value reaches is clipped.

        Raises:
            SaltusError: if `y` has another shape, or a value that is not finite.
        """
        if y.shape[1:] != self.event_shape:
            raise SaltusError(
                f"y has shape {tuple(y.shape)} where (N, {', '.join(map(str, self.event_shape))}) was expected; give whole items"
            )
        values = y.detach().cpu().to(torch.float64).numpy()
        if found := not_finite(values):
            raise SaltusError(f"y holds {found} where finite numbers were expected; look for the network that made it")
        return self.layout.to_raw(self._backward(values))

    def _key(self, **others: Any) -> str:
        arguments = {"layout": self.layout.value, "shape": list(self.shape), "dtype": self.dtype.name, **others}
        return json.dumps({"class": f"saltus.data.encoding:{type(self).__name__}", "arguments": arguments}, sort_keys=True)

    def _items(self) -> str:
        if not self.layout.is_image:
            return f"rows of {self.shape[0]} columns"
        channels, height, width = self.event_shape
        return f"images of {height}x{width} pixels" + (f" in {channels} channels" if channels > 1 else "")


class OnNumbers(Encoding):
    """An encoding whose y has about mean 0 and variance 1."""

    _head: Head
    _kinds: ClassVar[str] = "iuf"
    """Of raw values that are taken, as numpy abbreviates them."""

    @property
    def shown(self) -> tuple[float, float]:
        return -2.0, 2.0  # standard deviations

    def head(self) -> Head:
        return self._head

    def _check(self, raw: Array) -> None:
        check_numbers(raw, self.dtype, self._kinds)


def check_numbers(raw: Array, expected: np.dtype, kinds: str) -> None:
    """Raise SaltusError if an array is of another kind than these, or holds a value that is not finite."""
    check_kind(raw, expected, kinds)
    check_finite(raw, "the array")


def check_kind(raw: Array, expected: np.dtype, kinds: str) -> None:
    """Raise SaltusError if an array is of another kind than these."""
    if raw.dtype.kind not in kinds:
        raise SaltusError(f"the array is of type {raw.dtype} where {expected} was expected; convert it to numbers")


class Standardised(OnNumbers):
    """Floats, less their mean and divided by their standard deviation: images by one; columns each by its own, in older files.

    Args:
        layout, shape, dtype: as for `Encoding`; a float type. Integers are taken too, and come back as floats.
        mean, std: of the training items, (d,) for rows, () for images.
        floor: the smallest standard deviation of the likelihood, in units of `std`. Columns with ties would
            otherwise win likelihood without limit.

    Raises:
        SaltusError: if shapes do not fit, or a standard deviation is not positive and finite.
        ValueError: if the floor is not positive.
    """

    def __init__(
        self, layout: Layout | str, shape: Sequence[int], mean: Tensor, std: Tensor, dtype: str = "float32", floor: float = 0.01
    ) -> None:
        super().__init__(layout, shape, dtype)
        expected = () if self.layout.is_image else self.shape
        if self.dtype.kind != "f" or mean.shape != expected or std.shape != expected:
            raise SaltusError(
                f"mean {tuple(mean.shape)} and std {tuple(std.shape)} for {dtype}; expected a float type, and both of shape {expected}"
            )
        if not (mean.isfinite().all() and std.isfinite().all() and (std > 0).all()):
            raise SaltusError("a mean or a standard deviation is not finite, or not above 0; drop or rescale what is constant or huge")
        self._mean, self._std = (value.detach().cpu().to(torch.float64).numpy() for value in (mean, std))
        self._floor, self._head = floor, GaussianHead(floor)

    @classmethod
    def fit(cls, layout: Layout | str, raw: Array, columns: Sequence[str] = ()) -> Standardised:
        """From training items (N, *shape), finite; `columns` are names for messages.

        Raises:
            SaltusError: if a column is constant (for images: everything), by its name or its number.
        """
        axis = None if Layout(layout).is_image else 0
        constant = np.flatnonzero(raw.min(axis=axis) == raw.max(axis=axis))
        if len(constant):
            what = "every value" if axis is None else f"column {columns[constant[0]] if columns else constant[0]}"
            others = f" (and {len(constant) - 1} more)" if len(constant) > 1 else ""
            raise SaltusError(f"{what}{others} is the same in all {len(raw)} training items; expected values that vary: leave it out")
        with np.errstate(over="ignore", invalid="ignore"):  # the constructor refuses what is not finite
            mean, std = (torch.as_tensor(f(raw, axis=axis, dtype=np.float64)) for f in (np.mean, np.std))
        return cls(layout, raw.shape[1:], mean, std, raw.dtype.name if raw.dtype.kind == "f" else "float64")

    @property
    def key(self) -> str:
        return self._key(mean={"tensor": "argument.0"}, std={"tensor": "argument.1"}, floor=self._floor)

    def log_jacobian(self, y: Tensor) -> Tensor:
        repeats = math.prod(self.event_shape) // self._std.size
        return torch.full((len(y),), repeats * float(np.log(self._std).sum()), dtype=torch.float64, device=y.device)

    def summary(self) -> str:
        return f"{self._items()}, standardised"

    def _forward(self, items: Array) -> Array:
        standard: Array = (items.astype(np.float64) - self._mean) / self._std
        return standard

    def _backward(self, y: Array) -> Array:
        limits = np.finfo(self.dtype)
        raw: Array = np.clip(y * self._std + self._mean, limits.min, limits.max)
        return raw.astype(self.dtype)

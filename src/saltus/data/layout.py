"""How the axes of raw items are ordered: networks want channels first, files come in four orders."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from saltus.errors import SaltusError

__all__ = ["Array", "Layout"]

Array = npt.NDArray[Any]

_SMALLEST = 8  # pixels a side: below it, an image is better treated as a row of numbers
_MOST_CHANNELS = 4


class Layout(StrEnum):
    """The order of the axes of N raw items."""

    GRAY = "gray"  # (N, H, W), y is (N, 1, H, W)
    CHANNELS_LAST = "channels_last"  # (N, H, W, C), y is (N, C, H, W)
    CHANNELS_FIRST = "channels_first"  # (N, C, H, W), as y
    VECTOR = "vector"  # (N, d), as y

    @property
    def is_image(self) -> bool:
        """Whether an item has height and width."""
        return self is not Layout.VECTOR

    def event_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """E of y, for one raw item of `shape` (without N).

        Raises:
            SaltusError: if `shape` has not the number of axes of this layout, or an axis is empty.
        """
        if len(shape) != _AXES[self] or min(shape) < 1:
            raise SaltusError(
                f"items of shape {tuple(shape)} cannot be {self}; expected {_AXES[self]} axes, none empty: give another layout"
            )
        return self.to_event(np.empty((0, *shape), dtype=np.bool_)).shape[1:]

    def to_event(self, raw: Array) -> Array:
        """A view of raw items as (N, *E)."""
        match self:
            case Layout.GRAY:
                return raw[:, None]
            case Layout.CHANNELS_LAST:
                return np.moveaxis(raw, -1, 1)
            case _:
                return raw

    def to_raw(self, items: Array) -> Array:
        """The inverse of `to_event`, contiguous."""
        match self:
            case Layout.GRAY:
                return np.ascontiguousarray(items[:, 0])
            case Layout.CHANNELS_LAST:
                return np.ascontiguousarray(np.moveaxis(items, 1, -1))
            case _:
                return np.ascontiguousarray(items)

    def like(self, raw: Array, shape: Sequence[int]) -> Array:
        """Raw items (N, ...) in this layout, if only the order of their axes tells them from raw items of `shape`; if not, as they are."""
        if raw.shape[1:] == tuple(shape):
            return raw
        for other in Layout:
            if raw.ndim == 1 + _AXES[other] and other.event_shape(raw.shape[1:]) == self.event_shape(shape):
                return self.to_raw(other.to_event(raw))
        return raw

    @classmethod
    def of(cls, shape: Sequence[int]) -> Layout:
        """The layout of an array of `shape`, N first: no two fit, since channels are few and sides are not.

        Raises:
            SaltusError: if no layout fits.

        >>> Layout.of((100, 32, 32, 3)), Layout.of((100, 3, 32, 32)), Layout.of((100, 9))
        (<Layout.CHANNELS_LAST: 'channels_last'>, <Layout.CHANNELS_FIRST: 'channels_first'>, <Layout.VECTOR: 'vector'>)
        """
        for layout in cls:
            if len(shape) == 1 + _AXES[layout] and layout._fits(shape[1:]):
                return layout
        raise SaltusError(
            f"an array of shape {tuple(shape)} is neither rows (N, d) nor images (N, H, W), (N, H, W, C) or (N, C, H, W) of at least "
            f"{_SMALLEST}x{_SMALLEST} pixels with 1 to {_MOST_CHANNELS} channels; reshape it, or resize small images"
        )

    def _fits(self, shape: Sequence[int]) -> bool:
        if not self.is_image:
            return True
        channels, *sides = self.event_shape(shape)
        return channels <= _MOST_CHANNELS and min(sides) >= _SMALLEST


_AXES = {Layout.GRAY: 2, Layout.CHANNELS_LAST: 3, Layout.CHANNELS_FIRST: 3, Layout.VECTOR: 1}

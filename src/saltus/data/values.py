"""Raw values as numbers: which floats hold them, the nearest of a list, and the way back into their type."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from saltus.data.layout import Array

__all__ = ["EXACT", "NONE", "KnownCells", "as_integers", "between_steps", "nearest", "steps_within"]

EXACT = 2**53
"""The integers up to here are those that float64 holds exactly."""
NONE = -1
"""The place of a cell that is none of those that are known."""
_PRECISION, _APART, _WHOLE = 1e-6, 0.05, 0.25
"""Which cells are a value: what float32 moves it by, and more, but less than so much of the way to the next value or whole number."""
_OFF = 0.05  # of a step: what rounding moves a value by, and more
_OFF_WHOLE = 1e-6  # the same of whole numbers, which were not rounded


def between_steps(values: Array, low: float, step: float) -> Array:
    """Which values lie between those that are steps apart from the first, beyond rounding."""
    plain = values.astype(np.float64)
    places = (plain - low) / step
    found: Array = np.abs(places - np.rint(places)) > np.where(plain == np.rint(plain), _OFF_WHOLE, _OFF)
    return found


def steps_within(low: float, high: float, start: float, step: float, end: float) -> tuple[float, float] | None:
    """The first and the last of the values start, start + step, ..., end from `low` to `high`, as near as rounding tells."""
    if low > end + step * _OFF or high < start - step * _OFF:
        return None
    first = start + step * max(0, math.ceil((low - start) / step - _OFF)) if low > start else start
    last = start + step * math.floor((min(high, end) - start) / step + _OFF)
    return (first, last) if first <= last + step * _OFF else None


def written(values: Array, digits: int | None, came: Array) -> Array:
    """Values as a file has them: rounded to decimal places, or where there are none the nearest that came, if that is the same but for
    rounding."""
    if digits is not None:
        return np.round(values, digits)
    if not len(came):
        return values
    near = came[nearest(came, values)]
    return np.where(np.isclose(near, values, rtol=_PRECISION, atol=_PRECISION), near, values)


def nearest(values: Array, items: Array) -> Array:
    """The place of the nearest of increasing values (k,), for each item."""
    found: Array = np.searchsorted((values[1:] + values[:-1]) / 2, items)
    return found


def as_integers(values: Array, dtype: np.dtype) -> Array:
    """The nearest integers of a type, within its limits, as floats: of 64 bits the last ones are no floats."""
    limits = np.iinfo(dtype)
    last = float(limits.max)
    return np.clip(np.rint(values), float(limits.min), np.nextafter(last, 0) if last > limits.max else last)


class KnownCells:
    """The different cells that a column had: which of them a cell is, and which is nearest.

    Args:
        cells: increasing, (k,); None, the last one, for a missing cell.

    Raises:
        ValueError: if they do not increase.
    """

    def __init__(self, cells: Sequence[float | None]) -> None:
        self.missing = bool(cells) and cells[-1] is None
        self.values = np.asarray(cells[:-1] if self.missing else cells, dtype=np.float64)
        gaps = np.diff(self.values)
        if not (gaps > 0).all():
            raise ValueError(f"{len(cells)} cells that do not increase; expected increasing ones, and None as the last")
        apart = np.concatenate([[np.inf], gaps, [np.inf]])
        near = np.minimum(_APART * np.minimum(apart[:-1], apart[1:])[: len(self.values)], _PRECISION * np.abs(self.values))
        self._near = np.where(self.values == np.rint(self.values), np.minimum(near, _WHOLE), near)

    def __len__(self) -> int:
        return len(self.values) + self.missing

    def nearest(self, cells: Array) -> Array:
        """The place of the nearest of them for each of cells (n,), int64; `NONE` for a missing cell where none was missing."""
        there = ~np.isnan(cells)
        found = np.where(there | (not self.missing), NONE, len(self.values))
        if len(self.values):
            found[there] = nearest(self.values, cells[there])
        return found

    def places(self, cells: Array) -> Array:
        """The place of each of cells (n,) among them, int64; `NONE` for others."""
        found = self.nearest(cells)
        there = ~np.isnan(cells) & (found != NONE)
        off = np.abs(self.values[found[there]] - cells[there]) > self._near[found[there]]
        found[np.flatnonzero(there)[off]] = NONE
        return found

    def taken_for(self, cells: Array, named: bool) -> Array:
        """The place that stands for each of cells (n,): its own, and of a number, which is not named, the nearest."""
        return self.places(cells) if named else self.nearest(cells)

    @property
    def cells(self) -> Array:
        """They, (k,) float64, NaN for a missing one."""
        return np.append(self.values, np.nan) if self.missing else self.values

"""What the values of a rounded column own of the axis, by one rule for every model of `mixed_tables.py`.

A column half of whose rows share their value with another row is rounded.  Its values own cells: of one width where they lie on an even
grid, and otherwise from the middle between a value and the one before it to the middle between it and the next, so that the width is the
mean spacing around the value.  A value x of a cell of width w becomes x' = x + noise, uniform over the cell, and

    density of x' = mass of the cell / w,

so that a model of masses and a model of densities are compared in nats of one thing.  Other columns are continuous: w = 0, x' = x.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_EVEN = 0.1  # of a step: how far off its place a value of an even grid may be, as where numbers were standardised in float32
_SAME = 0.01  # of a step: what is the same value


@dataclass(frozen=True)
class Cells:
    """Those of one column.

    Attributes:
        values: that occur, increasing; of a continuous column its two ends.
        step: from one place of an even grid to the next; 0 without one.
        rounded: whether values own cells.
    """

    values: Array
    step: float
    rounded: bool

    def bounds(self, x: Array) -> tuple[Array, Array]:
        """Where the cells of values (n,) begin, and their widths; continuous ones begin at themselves and have none."""
        if not self.rounded:
            return x, np.zeros_like(x)
        if self.step:
            return x - self.step / 2, np.full_like(x, self.step)
        middles = (self.values[1:] + self.values[:-1]) / 2
        first, last = 2 * self.values[0] - middles[0], 2 * self.values[-1] - middles[-1]
        edges = np.concatenate([[first], middles, [last]])
        place = nearest(self.values, x)
        return edges[place], np.diff(edges)[place]

    def settled(self, x: Array) -> Array:
        """Numbers (n,) in the range of the column, those of rounded columns on its values."""
        x = np.clip(np.nan_to_num(x, nan=float(self.values[0])), self.values[0], self.values[-1])
        if not self.rounded:
            return x
        near = self.values[nearest(self.values, x)]
        if not self.step:
            found: Array = near
            return found
        even = self.values[0] + self.step * np.rint((x - self.values[0]) / self.step)
        same: Array = np.where(np.abs(near - even) <= _SAME * self.step, near, even)
        return same


def cells_of(column: Array) -> Cells:
    """The cells of a column of numbers (n,), of which some may be NaN."""
    column = column.astype(np.float64)
    values, counts = np.unique(column[~np.isnan(column)], return_counts=True)
    if len(values) < 2:
        return Cells(values, 1.0, True)
    rounded = bool(2 * counts[counts > 1].sum() >= counts.sum())
    return Cells(values, even_step(values), True) if rounded else Cells(values[[0, -1]], 0.0, False)


def even_step(values: Array) -> float:
    """The step of an even grid, found from small gaps to large ones; 0 if there is none."""
    gaps = np.sort(np.diff(values))
    step, total, places = float(gaps[0]), 0.0, 0.0
    for gap in gaps:
        total, places = total + gap, places + round(gap / step)
        step = total / places
    off = (values - values[0]) / step
    return step if np.abs(off - np.rint(off)).max() <= _EVEN else 0.0


def nearest(values: Array, x: Array) -> Array:
    """The places of the nearest of increasing values (two at least), for numbers (n,)."""
    after = np.clip(np.searchsorted(values, x), 1, len(values) - 1)
    found: Array = after - (x - values[after - 1] <= values[after] - x)
    return found

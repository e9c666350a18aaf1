"""Raw values as numbers: which floats hold them, the nearest of a list, and the way back into their type."""

from __future__ import annotations

import numpy as np

from saltus.data.layout import Array

__all__ = ["EXACT", "as_integers", "between_steps", "nearest"]

EXACT = 2**53
"""The integers up to here are those that float64 holds exactly."""


_NEAR = 0.05  # of a step: what rounding moves a value by, and more
_WHOLE = 1e-6  # the same of whole numbers, which were not rounded


def between_steps(values: Array, low: float, step: float) -> Array:
    """Which values lie between those that are steps apart from the first, beyond rounding."""
    plain = values.astype(np.float64)
    places = (plain - low) / step
    found: Array = np.abs(places - np.rint(places)) > np.where(plain == np.rint(plain), _WHOLE, _NEAR)
    return found


def nearest(values: Array, items: Array) -> Array:
    """The place of the nearest of increasing values (k,), for each item."""
    found: Array = np.searchsorted((values[1:] + values[:-1]) / 2, items)
    return found


def as_integers(values: Array, dtype: np.dtype) -> Array:
    """The nearest integers of a type, within its limits, as floats: of 64 bits the last ones are no floats."""
    limits = np.iinfo(dtype)
    last = float(limits.max)
    return np.clip(np.rint(values), float(limits.min), np.nextafter(last, 0) if last > limits.max else last)

"""What is asked of every raw value, and how a fault is told."""

from __future__ import annotations

import numpy as np

from saltus.data.layout import Array
from saltus.errors import SaltusError

__all__ = ["check_finite", "checked", "not_finite", "reason"]


_AT_ONCE = 2**22  # numbers looked at in one go


def checked(array: Array, what: str, *, missing: bool = False) -> Array:
    """The array in this machine's byte order, if it holds finite numbers, or NaN for missing ones, and is not empty; `what` names it.

    Raises:
        SaltusError: if not.
    """
    if array.dtype.kind not in "buif":
        raise SaltusError(f"{what} is of type {array.dtype} where integers, floats or booleans were expected; convert it")
    if not array.size:
        raise SaltusError(f"{what} is empty, of shape {array.shape}, where items were expected; write the file again")
    if not missing:
        check_finite(array, what)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def check_finite(array: Array, what: str) -> None:
    """Raise SaltusError if a value is NaN or infinite; `what` names the array."""
    if found := not_finite(array):
        raise SaltusError(f"{what} holds {found} where finite numbers were expected; fill or drop them")


def not_finite(values: Array) -> str:
    """How many values are NaN or infinite and where the first one is, or "" if none."""
    if values.dtype.kind != "f" or not values.ndim:
        return "" if values.dtype.kind != "f" or np.isfinite(values) else "a NaN or infinite value,"
    rows, count, first = max(1, _AT_ONCE // max(1, values[:1].size)), 0, ""
    for start in range(0, len(values), rows):
        bad = ~np.isfinite(values[start : start + rows])
        if bad.any():
            place = np.argwhere(bad)[0]
            first = first or f"[{', '.join(map(str, [start + int(place[0]), *place[1:].tolist()]))}]"
            count += int(bad.sum())
    return f"{count} NaN or infinite value{'s' if count > 1 else ''}, the first at {first}," if count else ""


def reason(error: Exception) -> str:
    """What an exception says, as a part of a sentence."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".").replace(". ", ", ")

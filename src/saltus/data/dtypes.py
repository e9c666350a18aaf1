"""The types of columns by their names, and cells as pyarrow's arrays of these types.

A type has numpy's name, `TEXT`, or the name that pyarrow gives to decimals, dates and times: "decimal128(10, 2)", "date32[day]",
"timestamp[us, tz=Europe/Berlin]".
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Sequence
from typing import Any

import numpy as np

from saltus.data.layout import Array
from saltus.data.values import EXACT, as_integers
from saltus.extras import needs

__all__ = ["TEXT", "as_arrow", "family_of", "is_dtype", "type_of", "unit_of"]

TEXT = "text"
"""The type of columns of categories."""
_NUMBERS = ("bool", *(f"{kind}{bits}" for kind in ("int", "uint", "float") for bits in (8, 16, 32, 64)))
_UNITS = {"day": 86_400 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""In nanoseconds."""
_TIMES = {
    "date32[day]": "dates",
    **{f"timestamp[{unit}]": "times" for unit in ("s", "ms", "us", "ns")},
    **{f"duration[{unit}]": "durations" for unit in ("s", "ms", "us", "ns")},
    **dict.fromkeys(("time32[s]", "time32[ms]", "time64[us]", "time64[ns]"), "times of day"),
}
_ZONED = re.compile(r"timestamp\[(s|ms|us|ns), tz=([A-Za-z0-9_+\-/:]{1,64})\]")
_OFFSET = re.compile(r"[+-]\d\d:\d\d")
_DECIMAL = re.compile(r"(decimal(?:32|64|128|256))\((\d{1,2}), (-?\d{1,2})\)")


def is_dtype(name: str) -> bool:
    """Whether a type has this name."""
    if zoned := _ZONED.fullmatch(name):
        return bool(_OFFSET.fullmatch(zoned[2])) or zoned[2] in zoneinfo.available_timezones()
    if _DECIMAL.fullmatch(name):
        try:
            type_of(name)
        except ValueError:  # more digits than it can have
            return False
        return True
    return name == TEXT or name in _NUMBERS or name in _TIMES


def family_of(name: str) -> str:
    """What cells of a type are, for messages: "numbers", "text", "dates", "times", "times with a time zone", ..."""
    if name == TEXT:
        return "text"
    return "times with a time zone" if _ZONED.fullmatch(name) else _TIMES.get(name, "numbers")


def type_of(name: str) -> Any:
    """Pyarrow's type; ValueError if it has none of these digits."""
    arrow = needs("pyarrow", extra="tables")
    if name == TEXT:
        return arrow.string()
    if zoned := _ZONED.fullmatch(name):
        return arrow.timestamp(zoned[1], zoned[2])
    if digits := _DECIMAL.fullmatch(name):
        return getattr(arrow, digits[1])(int(digits[2]), int(digits[3]))
    return arrow.type_for_alias(name) if name in _TIMES else arrow.from_numpy_dtype(np.dtype(name))


def unit_of(name: str) -> int:
    """The unit that cells of a type of dates and times count, in nanoseconds."""
    return _UNITS[re.split(r"[\[\],]", name)[1]]


def as_arrow(cells: Array, dtype: str, categories: Sequence[str] = ()) -> Any:
    """Cells (n,) as pyarrow's array of the type that their column has in its file: the nearest values that it can hold."""
    arrow = needs("pyarrow", extra="tables")
    missing = np.isnan(cells) if cells.dtype.kind == "f" else np.zeros(len(cells), dtype=bool)
    known = np.where(missing, 0, cells)
    if dtype == TEXT:
        places = arrow.array(known.astype(np.int64), mask=missing)
        return arrow.DictionaryArray.from_arrays(places, arrow.array(list(categories), arrow.string())).cast(arrow.string())
    if digits := _DECIMAL.fullmatch(dtype):
        most = min(10 ** int(digits[2]) - 1, EXACT) / 10.0 ** int(digits[3])
        return arrow.array(np.clip(known, -most, most).astype(np.float64), mask=missing).cast(type_of(dtype))  # which rounds
    if "[" in dtype:
        kind = type_of(dtype)
        integer = np.dtype(np.int32 if kind.bit_width == 32 else np.int64)
        return arrow.array(as_integers(known, integer).astype(integer), mask=missing).cast(kind)
    kind = np.dtype(dtype)
    if kind == np.bool_:
        return arrow.array(known >= 0.5, mask=missing)
    if kind.kind in "iu" and known.dtype.kind == "f":
        known = as_integers(known, kind)
    if kind.kind == "f":
        return arrow.array(cells.astype(kind), mask=missing if missing.any() else None)
    return arrow.array(known.astype(kind), mask=missing)

"""The cells of a column of a pyarrow table: numbers, places in a list of categories, dates as counts of their unit; NaN for a missing one.

| a column of | becomes | and is left out where |
|---|---|---|
| booleans, integers, floats, decimals | numbers | values are infinite, or integers beyond 2**53 |
| dates and times | counts of days, or of the unit of the times, in UTC | |
| text | places in the sorted list of texts, or in the list of a pandas category | there are more than 1,000, or most rows differ |
| other things | | always |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from saltus.data.layout import Array
from saltus.data.values import EXACT, as_integers
from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.terminal import in_one_line

__all__ = ["DTYPES", "TEXT", "ColumnCells", "as_arrow", "cells_of", "in_unit"]

TEXT = "text"
"""The type of columns of categories."""
_NUMBERS = ("bool", *(f"{kind}{bits}" for kind in ("int", "uint", "float") for bits in (8, 16, 32, 64)))
_TIMES = ("date32[day]", *(f"{kind}[{unit}]" for kind in ("timestamp", "duration") for unit in ("s", "ms", "us", "ns")))
DTYPES = frozenset((*_NUMBERS, TEXT, *_TIMES, "time32[s]", "time32[ms]", "time64[us]", "time64[ns]"))
"""Names of all types of columns."""
_MOST_CATEGORIES = 1000
_OWN = 0.5  # share of rows with a text that no other row has: names, ids and free text
_IDS = ("id", "ids", "index", "row", "rowid", "row_id", "unnamed: 0", "")


@dataclass(frozen=True)
class ColumnCells:
    """A column's.

    Attributes:
        parts: of each part of the data, (n,) float64, or integers or booleans where none is missing.
        dtype: that it has in its file: numpy's name, `TEXT`, or the name that pyarrow gives to a type of dates or times.
        categories: that cells are places of.
        unfit: why it is not learned, such as "constant"; "" where it is.
    """

    parts: tuple[Array, ...] = ()
    dtype: str = ""
    categories: tuple[str, ...] = ()
    unfit: str = ""


def cells_of(
    columns: Sequence[Any], name: str, *, known: Sequence[str] | None = None, any_values: bool = False, others: bool = False
) -> ColumnCells:
    """The cells of a column, in all parts of the data.

    Args:
        columns: pyarrow's, one of each part.
        name: for messages, and to tell numbers of rows.
        known: the categories that there may be; all that there are unless given.
        any_values: whether a column may be constant, or number rows: of samples, which are to be like the data.
        others: whether a text that is none of the known categories counts as missing.

    Raises:
        SaltusError: for a text that is none of the known categories.
    """
    arrow = needs("pyarrow", extra="tables")
    kind, types = columns[0].type, arrow.types
    if types.is_null(kind) or all(column.null_count == len(column) for column in columns):
        return ColumnCells(unfit="empty")
    if types.is_dictionary(kind) or any(is_text(kind) for is_text in (types.is_string, types.is_large_string, types.is_string_view)):
        if known is not None and not known:
            raise SaltusError(f"the column {in_one_line(name)} holds text where numbers were expected; convert it as before")
        return _of_text(columns, name, known, any_values, others)
    if known:
        raise SaltusError(f"the column {in_one_line(name)} holds {kind} where text was expected; write its categories as before")
    if not (
        types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_temporal(kind)
    ):
        return ColumnCells(unfit="nested" if types.is_nested(kind) else "of another kind")
    made = [_numbers(column) for column in columns]
    found = ColumnCells(tuple(cells for cells, _ in made), made[0][1] if len({dtype for _, dtype in made}) == 1 else "float64")
    whole = np.concatenate(found.parts)
    there = whole[~np.isnan(whole)] if whole.dtype.kind == "f" else whole
    if there.dtype.kind == "f" and not np.isfinite(there).all():
        return ColumnCells(unfit="with infinite values")
    if types.is_integer(kind) and (float(there.min()) < -EXACT or float(there.max()) > EXACT):
        return ColumnCells(unfit="of integers beyond 2**53")
    if not any_values and types.is_integer(kind) and name.lower() in _IDS and _counts_rows(found.parts):
        return ColumnCells(unfit="of row numbers")
    if not any_values and len(there) == len(whole) and there.min() == there.max():
        return ColumnCells(unfit="constant")
    return found


def _numbers(column: Any) -> tuple[Array, str]:
    """Cells and the name of their type."""
    arrow = needs("pyarrow", extra="tables")
    kind, types = column.type, arrow.types
    if types.is_temporal(kind):
        return _of_times(column)
    if types.is_decimal(kind):
        column, kind = column.cast(arrow.float64()), arrow.float64()
    name = str(np.dtype(kind.to_pandas_dtype()).name)
    if not column.null_count:
        return column.to_numpy(), name
    if types.is_boolean(kind):
        column = column.cast(arrow.int8())
    return column.to_numpy().astype(np.float64), name


def _of_times(column: Any) -> tuple[Array, str]:
    arrow = needs("pyarrow", extra="tables")
    kind, types = column.type, arrow.types
    if types.is_timestamp(kind):
        plain = arrow.timestamp("us" if kind.unit == "ns" else kind.unit)
    else:
        plain = arrow.date32() if types.is_date(kind) else kind
    counts = column.cast(plain, safe=False).cast(arrow.int32() if plain.bit_width == 32 else arrow.int64())
    cells = counts.to_numpy()
    return cells.astype(np.float64) if column.null_count else cells, str(plain)


def _of_text(columns: Sequence[Any], name: str, known: Sequence[str] | None, any_values: bool, others: bool) -> ColumnCells:
    arrow, compute = needs("pyarrow", extra="tables"), needs("pyarrow.compute", extra="tables")
    ordered = tuple(map(str, columns[0].chunk(0).dictionary.to_pylist())) if arrow.types.is_dictionary(columns[0].type) else ()
    plain = [column.cast(arrow.string()) for column in columns]
    counts = compute.value_counts(arrow.chunked_array([chunk for column in plain for chunk in column.chunks], arrow.string()).drop_null())
    texts, often = counts.field("values").to_pylist(), counts.field("counts").to_numpy()
    if known is None:
        if not any_values and len(texts) == 1 and not any(column.null_count for column in plain):
            return ColumnCells(unfit="constant")
        if len(texts) > _MOST_CATEGORIES:
            return ColumnCells(unfit=f"of text with more than {_MOST_CATEGORIES:,} different values")
        if (often == 1).sum() > _OWN * often.sum():
            return ColumnCells(unfit="of text of its own in most rows")
    categories = tuple(known) if known is not None else (ordered or tuple(sorted(texts)))
    if (unknown := sorted(set(texts) - set(categories))) and not others:
        row = next(k for k, text in enumerate(text for column in plain for text in column.to_pylist()) if text == unknown[0])
        raise SaltusError(
            f'the column {in_one_line(name)} holds "{in_one_line(unknown[0])}" in row {row}, which is none of its '
            f"{len(categories)} categories; give rows of the same kind"
        )
    order = arrow.array(categories, arrow.string())
    places = [compute.index_in(column, order) for column in plain]
    whole = not any(column.null_count for column in places)
    return ColumnCells(tuple(cells.to_numpy().astype(np.int64 if whole else np.float64) for cells in places), TEXT, categories)


def _counts_rows(parts: Sequence[Array]) -> bool:
    """Whether cells number the rows, from 0 or 1 on."""
    whole = np.concatenate(parts)
    return bool(whole[0] in (0, 1) and (whole == np.arange(whole[0], whole[0] + len(whole))).all())


def in_unit(column: Any, dtype: str, name: str) -> Any:
    """A column of dates or times in the unit of `dtype`, whichever unit it has; texts of these are read.

    Raises:
        SaltusError: if it holds other things.
    """
    arrow = needs("pyarrow", extra="tables")
    kind, unit = column.type, arrow.type_for_alias(dtype)
    if column.null_count == len(column):
        return column
    if arrow.types.is_timestamp(kind) and arrow.types.is_timestamp(unit):
        unit = arrow.timestamp(unit.unit, kind.tz)
    try:
        return column if kind == unit else column.cast(unit, safe=False)
    except arrow.ArrowException as error:
        raise SaltusError(f"the column {in_one_line(name)} holds {kind} where {dtype} was expected; convert it") from error


def as_arrow(cells: Array, dtype: str, categories: Sequence[str] = ()) -> Any:
    """Cells (n,) as pyarrow's array of the type that their column has in its file: the nearest values that it can hold."""
    arrow = needs("pyarrow", extra="tables")
    missing = np.isnan(cells) if cells.dtype.kind == "f" else np.zeros(len(cells), dtype=bool)
    known = np.where(missing, 0, cells)
    if dtype == TEXT:
        places = arrow.array(known.astype(np.int64), mask=missing)
        return arrow.DictionaryArray.from_arrays(places, arrow.array(list(categories), arrow.string())).cast(arrow.string())
    if "[" in dtype:
        kind = arrow.type_for_alias(dtype)
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

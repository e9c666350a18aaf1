"""The cells of a column of a pyarrow table: numbers, places in a list of categories, dates as counts of their unit; NaN for a missing one.

| a column of | becomes | and is left out where |
|---|---|---|
| booleans, integers, floats, decimals | numbers | values are infinite, or beyond 2**53 in integers or in digits of decimals |
| dates and times | counts of days, or of the unit of the times, in UTC | |
| text | places in the sorted list of texts, or in the list of a pandas category | there are more than 1,000, or most rows differ |
| a dictionary of other things, such as a pandas category of numbers | these, and they are categories | |
| other things | | always |

What a user says of a column goes first: text is then read as numbers, dates or truth, nothing is left out, and a cell that is not as was
said is refused.  So is a cell of rows to score that is not as the column was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from saltus.data.column_cells import ColumnCells, Expected
from saltus.data.declared import Declared
from saltus.data.declaring import MOST_CATEGORIES, settled
from saltus.data.dtypes import TEXT, family_of, unit_of
from saltus.data.layout import Array
from saltus.data.parsing import is_text, parsed
from saltus.data.text_cells import places_of, values_of
from saltus.data.values import EXACT
from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.terminal import in_one_line

__all__ = ["cells_of"]

_IDS = ("id", "ids", "index", "row", "rowid", "row_id", "unnamed: 0", "")
_DECIMAL_BITS = 128


def cells_of(columns: Sequence[Any], name: str, *, declared: Declared | None = None, expected: Expected | None = None) -> ColumnCells:
    """The cells of a column, in all parts of the data.

    Args:
        columns: pyarrow's, one of each part.
        name: for messages, and to tell numbers of rows.
        declared: what a user says of it.
        expected: of samples, which are to be like the data.

    Raises:
        SaltusError: for a cell that is not as was said, or as is expected.
    """
    arrow = needs("pyarrow", extra="tables")
    if declared is not None and declared.kind == "skip":
        return ColumnCells(unfit="skipped")
    column, must = in_one_line(name) if name.strip() else f'"{in_one_line(name)}"', declared is not None or expected is not None
    columns = [part.cast(part.type.storage_type) if isinstance(part.type, arrow.BaseExtensionType) else part for part in columns]
    if declared is not None:
        columns = parsed(columns, column, declared)
    by_type = _of_dictionary(columns) if declared is None else declared
    kind = columns[0].type
    if arrow.types.is_null(kind) or all(part.null_count == len(part) for part in columns):
        if expected is not None:
            return ColumnCells(
                tuple(np.full(len(part), np.nan) for part in columns), expected.dtype or "float64", tuple(expected.categories)
            )
        if declared is not None:
            raise SaltusError(f'the column {column} of the kind {declared.kind} has no value; expected some: give the kind "skip"')
        return ColumnCells(unfit="empty")
    if is_text(kind):
        return places_of(columns, column, by_type, expected, said=declared is not None)
    if arrow.types.is_dictionary(kind):
        kind = kind.value_type
        columns = [part.cast(kind) for part in columns]
    if expected is not None and (expected.categories or expected.dtype == TEXT):
        raise SaltusError(f"the column {column} holds {kind} where text was expected; write its categories as before")
    if unfit := _unfit(kind):
        if must:
            raise SaltusError(f"the column {column} holds {kind} where numbers, text or dates were expected; convert it, or leave it out")
        return ColumnCells(unfit=unfit)
    made = [_numbers(part) for part in columns]
    dtype = made[0][1] if len({dtype for _, dtype in made}) == 1 else "float64"
    found = ColumnCells(tuple(cells for cells, _ in made), dtype)
    if expected is not None and expected.dtype:
        found = _as_expected(found, column, expected.dtype)
    unfit = _not_exact(columns, found.parts, column, must=must) or ("" if must else _dull(found, name))
    if unfit or expected is not None or by_type is None:
        return replace(found, parts=() if unfit else found.parts, unfit=unfit)
    return replace(found, declared=settled(column, found.parts, dtype, by_type))


def _of_dictionary(columns: Sequence[Any]) -> Declared | None:
    """What the type of a dictionary, such as a pandas category, says of a column."""
    kind, values = columns[0].type, values_of(columns)
    if not values or len(values) > MOST_CATEGORIES:
        return None
    if kind.ordered and len(values) > 1 and all(isinstance(value, str | int | float) for value in values):
        return Declared("ordinal", values)
    return None if is_text(kind) else Declared("category")


def _unfit(kind: Any) -> str:
    types = needs("pyarrow", extra="tables").types
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_temporal(kind):
        return "of another kind" if types.is_interval(kind) else ""
    if types.is_nested(kind):
        return "nested"
    binary = types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind) or types.is_fixed_size_binary(kind)
    return "of bytes, or text that is not in UTF-8" if binary else "of another kind"


def _as_expected(found: ColumnCells, column: str, dtype: str) -> ColumnCells:
    """Cells in the unit of a type."""
    given, wanted = family_of(found.dtype), family_of(dtype)
    if given != wanted and {given, wanted} != {"dates", "times"}:
        raise SaltusError(f"the column {column} holds {given} where {wanted} were expected; give them as the data have them")
    for cells in found.parts if dtype == "bool" else ():
        if (odd := (cells != 0) & (cells != 1) & (cells == cells)).any():
            row = int(odd.argmax())
            raise SaltusError(f"the column {column} holds {cells[row]:g} in row {row} where true and false were expected; mend the cell")
    if wanted == "numbers" or found.dtype == dtype:
        return found
    one, other = unit_of(found.dtype), unit_of(dtype)
    wide = (cells if cells.dtype.kind == "f" else cells.astype(np.int64) for cells in found.parts)
    parts = (cells * (one // other) if one >= other else cells / (other // one) for cells in wide)
    return ColumnCells(tuple(parts), dtype)


def _not_exact(columns: Sequence[Any], parts: Sequence[Array], column: str, *, must: bool) -> str:
    """Why numbers are none that float64 can hold, digit by digit; "" where they are."""
    arrow, compute = needs("pyarrow", extra="tables"), needs("pyarrow.compute", extra="tables")
    for cells in parts:
        if cells.dtype.kind == "f" and (infinite := np.isinf(cells)).any():
            row = int(infinite.argmax())
            return _told(column, cells[row], row, "where a finite number was expected", "with infinite values", must=must)
    kind, decimal = columns[0].type, arrow.types.is_decimal(columns[0].type)
    if not (decimal or arrow.types.is_integer(kind)):
        return ""
    digits = 10 ** max(0, kind.scale) if decimal else 1
    if decimal and kind.bit_width < _DECIMAL_BITS:  # of which pyarrow finds no least
        columns = [part.cast(arrow.decimal128(kind.precision, kind.scale)) for part in columns]
    for part in columns:
        for end in compute.min_max(part).as_py().values():
            if end is not None and abs(end) * digits > EXACT:
                row = part.index(arrow.scalar(end, part.type)).as_py()
                unfit = "of decimals of more than 15 digits" if decimal else "of integers beyond 2**53"
                return _told(column, end, row, "and digits are exact up to 2**53", unfit, must=must)
    return ""


def _told(column: str, value: Any, row: int, why: str, unfit: str, *, must: bool) -> str:
    if must:
        raise SaltusError(f"the column {column} holds {value} in row {row}, {why}; mend the cell, or leave the column out")
    return unfit


def _dull(found: ColumnCells, name: str) -> str:
    """Why numbers tell nothing; "" where they do."""
    if found.dtype.startswith(("int", "uint")) and name.lower() in _IDS and _counts_rows(found.parts):
        return "of row numbers"
    there = [cells[~np.isnan(cells)] if cells.dtype.kind == "f" else cells for cells in found.parts]
    low, high = (pick(pick(cells) for cells in there if len(cells)) for pick in (min, max))
    return "constant" if low == high and sum(map(len, there)) == sum(map(len, found.parts)) else ""


def _numbers(column: Any) -> tuple[Array, str]:
    """Cells and the name of their type."""
    arrow = needs("pyarrow", extra="tables")
    kind, types = column.type, arrow.types
    if types.is_temporal(kind):
        return _of_times(column)
    if types.is_decimal(kind):
        return column.cast(arrow.float64()).to_numpy().astype(np.float64), str(kind)
    if types.is_float16(kind):
        column, kind = column.cast(arrow.float32()), arrow.float32()
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
        plain = arrow.timestamp("us" if kind.unit == "ns" else kind.unit, kind.tz)
    else:
        plain = arrow.date32() if types.is_date(kind) else kind
    counts = column.cast(plain, safe=False).cast(arrow.int32() if plain.bit_width == 32 else arrow.int64())
    cells = counts.to_numpy()
    return cells.astype(np.float64) if column.null_count else cells, str(plain)


def _counts_rows(parts: Sequence[Array]) -> bool:
    """Whether cells number the rows, from 0 or 1 on."""
    whole = np.concatenate(parts)
    return bool(whole[0] in (0, 1) and (whole == np.arange(whole[0], whole[0] + len(whole))).all())

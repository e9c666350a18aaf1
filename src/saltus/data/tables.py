"""The columns of a table that are learned: numbers and booleans.

Columns of text and dates, constants, and columns with missing cells are left out, and one line names them; rows never are.  The table is
one array: of booleans or integers if all its columns are, and of float64 if not, which holds integers up to 2**53 exactly.  Samples get the
types of the columns back.

With the condition "labels" the column that is called label, target or class is that, and not learned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from saltus.data.conditions import read_labels
from saltus.data.layout import Array
from saltus.data.parts import Parts, together
from saltus.data.table_files import read_file
from saltus.data.values import EXACT
from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.terminal import in_one_line
from saltus.words import listed

__all__ = ["read_table", "table_parts"]

LABELS = ("labels", "label", "targets", "target", "class", "y")
_SHOWN = 10  # names of a kind


def read_table(path: Path, condition: str | None = None, wanted: Sequence[str] | None = None) -> Parts:
    """The rows of a file of a table.

    Args:
        path: of the file.
        condition: "labels" if the table has to hold them.
        wanted: the columns that are taken, though they may be constant, in their order; all where it is empty, and where it is None those
            that can be learned.

    Raises:
        SaltusError: if the file cannot be read, or holds no columns of numbers, or not those that are wanted.
    """
    table, notes = read_file(path)
    found = table_parts([table, None, None], ["the table", "", ""], condition, wanted)
    return replace(found, notes=notes + found.notes)


def table_parts(tables: Sequence[Any], what: Sequence[str], condition: str | None = None, wanted: Sequence[str] | None = None) -> Parts:
    """The rows of pyarrow tables for training, validation and test, of which the first is there.

    Args:
        tables: of the parts; None for one that is not there.
        what: the tables are called, for messages.
        condition, wanted: as in `read_table`.

    Raises:
        SaltusError: as `read_table`.
    """
    there = [table for table in tables if table is not None]
    names: list[str] = there[0].column_names
    _check(there, names, wanted)
    label = _label(names, condition)
    looked_at = [names.index(name) for name in wanted] if wanted else [k for k in range(len(names)) if k != label]
    why = {k: _unfit([table.column(k) for table in there], names[k], first=k == 0, any_values=wanted is not None) for k in looked_at}
    kept = [k for k in looked_at if not why[k]]
    said = _said({k: (names[k] or f"number {k + 1}", kind) for k, kind in why.items() if kind}, len(looked_at))
    if said and wanted is not None:
        raise SaltusError(f"{said}; expected numbers in them: give samples of the same table")
    if not kept:
        raise SaltusError(f"there is no column to learn from: {said}; expected columns of numbers that vary: convert them")
    dtypes = [_dtype([table.column(k) for table in there]) for k in kept]
    common = _common(dtypes)
    items = together([None if table is None else _array(table, kept, common) for table in tables], what)
    parts = replace(items, columns=tuple(names[k] for k in kept) if any(names) else (), dtypes=tuple(dtypes), notes=(said,) if said else ())
    if label is None:
        return parts
    given = [None if table is None else np.asarray(table.column(label).to_pylist()) for table in tables]
    labels, classes = read_labels(parts, given, [f"the column {names[label]}"] * len(tables))
    return replace(parts, labels=labels, classes=classes)


def _check(tables: Sequence[Any], names: Sequence[str], wanted: Sequence[str] | None) -> None:
    repeated = [name for name in dict.fromkeys(names) if name and list(names).count(name) > 1]
    if repeated:
        raise SaltusError(
            f"{names.count(repeated[0])} columns are named {in_one_line(repeated[0])}; expected names that differ: rename all but one"
        )
    if any(table.column_names != names for table in tables):
        raise SaltusError("the parts have other columns than each other; expected the same: give them the same")
    if not tables[0].num_rows:
        raise SaltusError("there are no rows below the names of the columns; expected one for each item: write the file again")
    if missing := [name for name in wanted or () if name not in names]:
        raise SaltusError(
            f"there is no column {in_one_line(missing[0])}; expected {in_one_line(', '.join(wanted or ()))}: give samples of the same table"
        )


def _label(names: list[str], condition: str | None) -> int | None:
    """The place of the column that items are conditioned on."""
    if condition != "labels":
        return None
    lower = [name.lower() for name in names]
    found = next((lower.index(name) for name in LABELS if name in lower), None)
    if found is None:
        raise SaltusError(f"there is no column of labels; expected one that is named {', '.join(LABELS)}: rename yours")
    return found


def _unfit(columns: Sequence[Any], name: str, *, first: bool, any_values: bool) -> str:
    """Why a column, in all parts, is not learned; "" for one that is."""
    arrow, compute = needs("pyarrow", extra="tables"), needs("pyarrow.compute", extra="tables")
    kind, types = columns[0].type, arrow.types
    if types.is_null(kind):
        return "empty"
    if types.is_temporal(kind):
        return "of dates or times"
    if not (types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)):
        return "nested" if types.is_nested(kind) else "of text"
    if any(column.null_count for column in columns):
        return "with missing cells"
    if types.is_boolean(kind):
        limits = [compute.min_max(column.cast(arrow.int8())).as_py() for column in columns if len(column)]
    else:
        if types.is_floating(kind):
            if any(compute.any(compute.is_nan(column)).as_py() for column in columns):
                return "with missing cells"
            if not all(compute.all(compute.is_finite(column)).as_py() for column in columns):
                return "with infinite values"
        limits = [compute.min_max(column).as_py() for column in columns if len(column)]
    low, high = min(found["min"] for found in limits), max(found["max"] for found in limits)
    if types.is_integer(kind) and (low < -EXACT or high > EXACT):
        return "of integers beyond 2**53"
    if any_values:
        return ""
    if first and not name and len(columns) == 1 and types.is_integer(kind) and _counts(columns[0], low):
        return "of row numbers"
    return "constant" if low == high else ""


def _counts(column: Any, low: int) -> bool:
    """Whether it counts the rows from 0 or 1 on."""
    return low in (0, 1) and bool((column.to_numpy() == np.arange(low, low + len(column))).all())


def _said(left_out: Mapping[int, tuple[str, str]], n: int) -> str:
    """One line that counts and names the columns that are left out, each of which has its name and its kind."""
    kinds: dict[str, list[str]] = {}
    for name, kind in left_out.values():
        kinds.setdefault(kind, []).append(in_one_line(name))
    words = []
    for kind, names in kinds.items():
        words.append(f"{len(names)} {kind} ({listed(names, _SHOWN)})")
    return f"{len(left_out)} of {n} columns {'is' if len(left_out) == 1 else 'are'} left out: {', '.join(words)}" if words else ""


def _dtype(columns: Sequence[Any]) -> str:
    """Of a column, as numpy names it; decimals become float64."""
    kinds = {column.type for column in columns}
    arrow = needs("pyarrow", extra="tables")
    if len(kinds) > 1 or arrow.types.is_decimal(columns[0].type):
        return "float64"
    name: str = np.dtype(columns[0].type.to_pandas_dtype()).name
    return name


def _common(dtypes: Sequence[str]) -> type:
    kinds = {np.dtype(dtype).kind for dtype in dtypes}
    return np.bool_ if kinds == {"b"} else np.int64 if kinds <= set("bui") else np.float64


def _array(table: Any, places: Sequence[int], dtype: type) -> Array:
    rows = np.empty((table.num_rows, len(places)), dtype)
    arrow = needs("pyarrow", extra="tables")
    for place, k in enumerate(places):
        column = table.column(k)
        rows[:, place] = (column.cast(arrow.float64()) if arrow.types.is_decimal(column.type) else column).to_numpy()
    return rows

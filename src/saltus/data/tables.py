"""The columns of a table that are learned: numbers, categories and dates, whose cells may be missing (`saltus.data.cells`).

Other columns are left out, and one line names them; rows never are.  The table is one array: of booleans or integers if all its cells are,
and of float64 if not, which holds integers up to 2**53 exactly.  Samples get the types of the columns back.

With the condition "labels" the column that is called label, target or class is that, and not learned.

What a user says of columns (`saltus.data.declared`) goes before what is detected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from saltus.data.cells import cells_of
from saltus.data.column_cells import ColumnCells, Expected
from saltus.data.conditions import read_labels
from saltus.data.declared import Declared, check_names
from saltus.data.detect import check_width
from saltus.data.dtypes import TEXT, family_of, type_of
from saltus.data.layout import Array
from saltus.data.parts import Parts, together
from saltus.data.table_files import read_file
from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.terminal import in_one_line
from saltus.words import listed

__all__ = ["cells_in", "read_table", "table_parts", "types_in_files", "with_durations"]

LABELS = ("labels", "label", "targets", "target", "class", "y")
_SHOWN = 10  # names of a kind


def read_table(
    path: Path,
    condition: str | None = None,
    wanted: Mapping[str, Expected] | None = None,
    declared: Mapping[str, Declared] | None = None,
) -> Parts:
    """The rows of a file of a table.

    Args:
        path: of the file.
        condition: "labels" if the table has to hold them.
        wanted: the columns that are taken, whatever they hold, in their order, and what each has to be; all where it is empty, and where it
            is None those that can be learned.
        declared: what a user says of columns, by their names.

    Raises:
        SaltusError: if the file cannot be read, or holds no columns of numbers, or not those that are wanted.
    """
    table, notes = read_file(path, types_in_files(wanted, declared))
    table = with_durations(table, wanted or {})
    try:
        found = table_parts([table, None, None], ["the table", "", ""], condition, wanted, declared)
    except SaltusError as error:
        if table.num_columns > 1:
            raise
        raise SaltusError(f"{error} (it has one column: commas, semicolons, tabs or bars would separate more)") from error
    return replace(found, notes=notes + found.notes)


def types_in_files(wanted: Mapping[str, Expected] | None, declared: Mapping[str, Declared] | None) -> dict[str, str]:
    """The types that columns are read as, whatever they look like, from files that say nothing of types; arguments as in `read_table`."""
    types = {name: TEXT for name, kind in (declared or {}).items() if kind.categorical}
    types |= {name: TEXT for name, expected in (wanted or {}).items() if expected.categories}
    return types | {name: expected.dtype for name, expected in (wanted or {}).items() if family_of(expected.dtype) == "times of day"}


def with_durations(table: Any, wanted: Mapping[str, Expected]) -> Any:
    """The table with whole numbers as durations where these are expected: CSV has no other way to write them."""
    arrow = needs("pyarrow", extra="tables")
    for name, expected in wanted.items():
        if family_of(expected.dtype) == "durations" and table.column_names.count(name) == 1:
            k, column = table.column_names.index(name), table.column(name)
            if arrow.types.is_integer(column.type):
                table = table.set_column(k, name, column.cast(arrow.int64()).cast(type_of(expected.dtype)))
    return table


def table_parts(
    tables: Sequence[Any],
    what: Sequence[str],
    condition: str | None = None,
    wanted: Mapping[str, Expected] | None = None,
    declared: Mapping[str, Declared] | None = None,
) -> Parts:
    """The rows of pyarrow tables for training, validation and test, of which the first is there.

    Args:
        tables: of the parts; None for one that is not there.
        what: the tables are called, for messages.
        condition, wanted, declared: as in `read_table`.

    Raises:
        SaltusError: as `read_table`.
    """
    there = [table for table in tables if table is not None]
    names: list[str] = there[0].column_names
    declared = declared or {}
    _check(there, names, wanted)
    if wanted is None:
        check_names(declared, names)
    label = _label(names, condition)
    looked_at = [names.index(name) for name in wanted] if wanted else [k for k in range(len(names)) if k != label]
    found = {
        k: cells_of(
            [table.column(k) for table in there],
            names[k],
            declared=declared.get(names[k]),
            expected=None if wanted is None else wanted.get(names[k], Expected()),
        )
        for k in looked_at
    }
    kept = [k for k in looked_at if not found[k].unfit]
    left_out = {k: (names[k] or f"number {k + 1}", found[k].unfit) for k in looked_at if found[k].unfit}
    notes = [line for line in (_said(left_out, len(looked_at)), *_looks({names[k]: found[k] for k in kept})) if line]
    if not kept:
        raise SaltusError(
            f"there is no column to learn from: {notes[0]}; expected columns of numbers or categories that vary: convert them, or say with "
            "--columns what they are"
        )
    arrays = iter(zip(*(found[k].parts for k in kept), strict=True))
    items = together([None if table is None else _rows(next(arrays)) for table in tables], what, missing=True)
    parts = replace(
        items,
        columns=tuple(names[k] for k in kept) if any(names) else (),
        dtypes=tuple(found[k].dtype for k in kept),
        categories=tuple(found[k].categories for k in kept),
        declared=tuple(found[k].declared for k in kept),
        left_out=tuple(left_out.values()),
        notes=tuple(notes),
    )
    if label is None:
        return parts
    given = [None if table is None else np.asarray(table.column(label).to_pylist()) for table in tables]
    labels, classes = read_labels(parts, given, [f"the column {names[label]}"] * len(tables))
    return replace(parts, labels=labels, classes=classes, label=names[label])


def cells_in(table: Any, wanted: Mapping[str, Expected], declared: Mapping[str, Declared] | None = None, *, others: bool = False) -> Array:
    """The cells of columns of a pyarrow table, (n, d) float64, NaN where one is missing, whichever these are.

    Args:
        table: of rows that may be whole or not.
        wanted, declared: as in `read_table`.
        others: whether a text that is none of its column's categories counts as missing.

    Raises:
        SaltusError: if a column is not there, or holds values that it never had.
    """
    _check([table], table.column_names, wanted)
    declared, found = declared or {}, np.full((table.num_rows, len(wanted)), np.nan)
    for k, (name, expected) in enumerate(wanted.items()):
        held = cells_of([table.column(name)], name, declared=declared.get(name), expected=expected._replace(others=others))
        found[:, k] = held.parts[0]
    return found


def _check(tables: Sequence[Any], names: Sequence[str], wanted: Mapping[str, Expected] | None) -> None:
    check_width(len(names))
    repeated = [name for name in dict.fromkeys(names) if name and list(names).count(name) > 1]
    if repeated:
        raise SaltusError(
            f"{names.count(repeated[0])} columns are named {in_one_line(repeated[0])}; expected names that differ: rename all but one"
        )
    if any(table.column_names != names for table in tables):
        raise SaltusError("the parts have other columns than each other; expected the same: give them the same")
    if not names:
        raise SaltusError("there are no columns; expected some, with a row for each item: give a table that has them")
    if not tables[0].num_rows:
        raise SaltusError("there are no rows, only the names of columns; expected a row for each item: give some")
    if wanted is None and sum(table.num_rows for table in tables) == 1:
        raise SaltusError("there is one row, which does not tell how rows vary; expected a row for each item: give more")
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


def _said(left_out: Mapping[int, tuple[str, str]], n: int) -> str:
    """One line that counts and names the columns that are left out, each of which has its name and its kind."""
    kinds: dict[str, list[str]] = {}
    for name, kind in left_out.values():
        kinds.setdefault(kind, []).append(in_one_line(name))
    words = []
    for kind, names in kinds.items():
        words.append(f"{len(names)} {kind} ({listed(names, _SHOWN)})")
    return f"{len(left_out)} of {n} columns {'is' if len(left_out) == 1 else 'are'} left out: {', '.join(words)}" if words else ""


def _looks(found: Mapping[str, ColumnCells]) -> list[str]:
    """A line for text that is learned as categories, and looks like something else."""
    kinds: dict[str, list[str]] = {}
    for name, cells in found.items():
        if cells.looks:
            kinds.setdefault(cells.looks, []).append(in_one_line(name))
    remedy = "is learned as categories; if it is none, say its kind with --columns"
    return [f"the text of {listed(names, _SHOWN)} looks like {looks}, and {remedy}" for looks, names in kinds.items()]


def _rows(columns: Sequence[Array]) -> Array:
    """Columns (n,) as rows (n, d): booleans or integers if all of them are."""
    kinds = {column.dtype.kind for column in columns}
    common = np.bool_ if kinds == {"b"} else np.int64 if kinds <= set("bui") else np.float64
    return np.stack([column.astype(common) for column in columns], axis=1)

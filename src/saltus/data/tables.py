"""The columns of a table that are learned: numbers, categories and dates, whose cells may be missing (`saltus.data.cells`).

Other columns are left out, and one line names them; rows never are.  The table is one array: of booleans or integers if all its cells are,
and of float64 if not, which holds integers up to 2**53 exactly.  Samples get the types of the columns back.

With the condition "labels" the column that is called label, target or class is that, and not learned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from saltus.data.cells import cells_of
from saltus.data.conditions import read_labels
from saltus.data.layout import Array
from saltus.data.parts import Parts, together
from saltus.data.table_files import read_file
from saltus.errors import SaltusError
from saltus.terminal import in_one_line
from saltus.words import listed

__all__ = ["cells_in", "read_table", "table_parts"]

LABELS = ("labels", "label", "targets", "target", "class", "y")
_SHOWN = 10  # names of a kind


def read_table(path: Path, condition: str | None = None, wanted: Mapping[str, Sequence[str]] | None = None) -> Parts:
    """The rows of a file of a table.

    Args:
        path: of the file.
        condition: "labels" if the table has to hold them.
        wanted: the columns that are taken, though they may be constant, in their order, with the categories that each may have; all where
            it is empty, and where it is None those that can be learned.

    Raises:
        SaltusError: if the file cannot be read, or holds no columns of numbers, or not those that are wanted.
    """
    table, notes = read_file(path)
    found = table_parts([table, None, None], ["the table", "", ""], condition, wanted)
    return replace(found, notes=notes + found.notes)


def table_parts(
    tables: Sequence[Any], what: Sequence[str], condition: str | None = None, wanted: Mapping[str, Sequence[str]] | None = None
) -> Parts:
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
    found = {
        k: cells_of([table.column(k) for table in there], names[k], known=(wanted or {}).get(names[k]), any_values=wanted is not None)
        for k in looked_at
    }
    kept = [k for k in looked_at if not found[k].unfit]
    said = _said({k: (names[k] or f"number {k + 1}", found[k].unfit) for k in looked_at if found[k].unfit}, len(looked_at))
    if said and wanted is not None:
        raise SaltusError(f"{said}; expected them as the data have them: give samples of the same table")
    if not kept:
        raise SaltusError(f"there is no column to learn from: {said}; expected columns of numbers or categories that vary: convert them")
    arrays = iter(zip(*(found[k].parts for k in kept), strict=True))
    items = together([None if table is None else _rows(next(arrays)) for table in tables], what, missing=True)
    parts = replace(
        items,
        columns=tuple(names[k] for k in kept) if any(names) else (),
        dtypes=tuple(found[k].dtype for k in kept),
        categories=tuple(found[k].categories for k in kept),
        notes=(said,) if said else (),
    )
    if label is None:
        return parts
    given = [None if table is None else np.asarray(table.column(label).to_pylist()) for table in tables]
    labels, classes = read_labels(parts, given, [f"the column {names[label]}"] * len(tables))
    return replace(parts, labels=labels, classes=classes, label=names[label])


def cells_in(table: Any, wanted: Mapping[str, Sequence[str]], *, others: bool = False) -> Array:
    """The cells of columns of a pyarrow table, (n, d) float64, NaN where one is missing, whichever these are.

    Args:
        table: of rows that may be whole or not.
        wanted: as in `read_table`.
        others: whether a text that is none of its column's categories counts as missing.

    Raises:
        SaltusError: if a column is not there, or holds values that it never had.
    """
    _check([table], table.column_names, wanted)
    found = np.full((table.num_rows, len(wanted)), np.nan)
    for k, (name, categories) in enumerate(wanted.items()):
        column = table.column(name)
        if column.null_count < len(column):
            held = cells_of([column], name, known=categories, any_values=True, others=others)
            if held.unfit:
                raise SaltusError(
                    f"the column {in_one_line(name)} is {held.unfit}; expected it as in the rows that were learned: convert it"
                )
            found[:, k] = held.parts[0]
    return found


def _check(tables: Sequence[Any], names: Sequence[str], wanted: Mapping[str, Sequence[str]] | None) -> None:
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


def _said(left_out: Mapping[int, tuple[str, str]], n: int) -> str:
    """One line that counts and names the columns that are left out, each of which has its name and its kind."""
    kinds: dict[str, list[str]] = {}
    for name, kind in left_out.values():
        kinds.setdefault(kind, []).append(in_one_line(name))
    words = []
    for kind, names in kinds.items():
        words.append(f"{len(names)} {kind} ({listed(names, _SHOWN)})")
    return f"{len(left_out)} of {n} columns {'is' if len(left_out) == 1 else 'are'} left out: {', '.join(words)}" if words else ""


def _rows(columns: Sequence[Array]) -> Array:
    """Columns (n,) as rows (n, d): booleans or integers if all of them are."""
    kinds = {column.dtype.kind for column in columns}
    common = np.bool_ if kinds == {"b"} else np.int64 if kinds <= set("bui") else np.float64
    return np.stack([column.astype(common) for column in columns], axis=1)

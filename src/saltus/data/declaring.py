"""Cells of a column as what a user says that they are: checked, and what is said in the units of the cells."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from saltus.data.declared import Declared, check_names
from saltus.data.dtypes import family_of, unit_of
from saltus.data.layout import Array
from saltus.data.parts import Parts
from saltus.data.values import between_steps
from saltus.errors import SaltusError
from saltus.terminal import in_one_line
from saltus.words import listed

__all__ = ["MOST_CATEGORIES", "arrays_declared", "settled"]

MOST_CATEGORIES = 2**14
"""Categories of a column that is said to have them: the intervals of more are too narrow for float32."""
_SHOWN = 3


def settled(name: str, parts: Sequence[Array], dtype: str, declared: Declared) -> Declared:
    """What is said, with the range of dates and the categories of numbers as cells are.

    Args:
        name: of the column, in one line.
        parts: its cells (n,), NaN for missing ones, or none at all.
        dtype: the type that it has in its file, none of text.

    Raises:
        SaltusError: for a cell that is not as was said, with its row, or a type that is not.
    """
    family, column = family_of(dtype), name
    numbers = family == "numbers"
    if declared.categorical:
        if declared.kind == "ordinal" and not numbers:
            raise SaltusError(f"the column {column} holds {family}, and an order is of text or numbers; give the kind date or category")
        return _with_codes(column, parts, declared)
    if numbers == (declared.kind == "date"):
        expected, instead = ("dates or times", "number") if numbers else ("numbers", "date")
        raise SaltusError(
            f"the column {column} holds {family} where its kind {declared.kind} expects {expected}; give the kind {instead}, or convert it"
        )
    low, high = (_count(column, end, dtype, family) if isinstance(end, str) else end for end in (declared.low, declared.high))
    if declared.kind == "boolean":
        _refuse(column, parts, " where its kind boolean expects 0 and 1; give another kind", lambda cells: (cells != 0) & (cells != 1))
        low, high = 0.0, 1.0
    if declared.kind == "integer":
        _refuse(column, parts, " where its kind integer expects whole numbers; give the kind number", lambda cells: cells != np.rint(cells))
    if low is not None:
        _refuse(column, parts, f", below low = {declared.low}; expected none below: lower it, or mend the cell", lambda cells: cells < low)
    if high is not None:
        _refuse(
            column, parts, f", above high = {declared.high}; expected none above: raise it, or mend the cell", lambda cells: cells > high
        )
    if step := declared.step:
        _check_steps(column, parts, declared, step)
    return replace(declared, low=low, high=high)


def _check_steps(column: str, parts: Sequence[Array], declared: Declared, step: float) -> None:
    """Whether values lie evenly, from the least on, or from `low`."""
    begin = declared.low
    if begin is None:
        begin = min(
            (float(np.nanmin(cells)) for cells in parts if len(cells) and not np.isnan(cells.astype(np.float64)).all()), default=0.0
        )
    words = f" where steps of {step:g} from {begin:g} on were expected; give another step, or none"
    _refuse(column, parts, words, lambda cells: between_steps(cells, begin, step))
    if declared.low is not None and declared.high is not None and between_steps(np.array([declared.high]), begin, step)[0]:
        raise SaltusError(
            f"high = {declared.high:g} of the column {column} is not in steps of {step:g} from low = {begin:g}; give one that is"
        )


def _refuse(column: str, parts: Sequence[Array], words: str, wrong: Any) -> None:
    """Raise SaltusError if a cell is wrong; NaN never is."""
    for cells in parts:
        bad = wrong(cells) & (cells == cells)
        if bad.any():
            row = int(bad.argmax())
            raise SaltusError(f"the column {column} holds {cells[row]:g} in row {row}{words}")


def _with_codes(column: str, parts: Sequence[Array], declared: Declared) -> Declared:
    """With the categories of numbers, in their order."""
    there = [np.unique(cells[cells == cells]).astype(np.float64) for cells in parts]
    values = np.unique(np.concatenate(there)) if there else np.empty(0)
    if len(values) > MOST_CATEGORIES:
        raise SaltusError(
            f"the column {column} has {len(values):,} different values where its kind {declared.kind} expects at most "
            f'{MOST_CATEGORIES:,}; give the kind "number", or "skip"'
        )
    if declared.kind == "category":
        return replace(declared, order=tuple(values.tolist()))
    try:
        order = np.array([float(entry) for entry in declared.order])
    except ValueError as error:
        raise SaltusError(
            f"the order of the column {column} has text in it ({listed([str(entry) for entry in declared.order], _SHOWN)}), and the column "
            "holds numbers; give numbers"
        ) from error
    _refuse(column, parts, ", which its order lacks; add it there", lambda cells: ~np.isin(cells, order))
    return replace(declared, order=tuple(order.tolist()))


def _count(column: str, end: str, dtype: str, family: str) -> float:
    """A date as a count of the unit of a type."""
    if family not in ("dates", "times", "times with a time zone"):
        raise SaltusError(f"the column {column} holds {family}, which have no low and high; leave these out")
    when = datetime.datetime.fromisoformat(end)
    zoned = when if when.tzinfo else when.replace(tzinfo=datetime.UTC)
    since = zoned - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return (since // datetime.timedelta(microseconds=1)) * 1000 / unit_of(dtype)


def arrays_declared(parts: Parts, declared: dict[str, Declared]) -> Parts:
    """Rows (N, d) of an array whose columns, by their names or their numbers, are what is said of them.

    Raises:
        SaltusError: if they are not rows, a column is not there, or a cell is not as was said.
    """
    if not declared:
        return parts
    if parts.train.ndim != 2:
        raise SaltusError(f"kinds of columns were given for items of shape {parts.train.shape[1:]}, which are no rows; leave --columns out")
    names = parts.columns or tuple(map(str, range(parts.train.shape[1])))
    check_names(declared, names)
    said = [declared.get(name) for name in names]
    kept = [k for k, kind in enumerate(said) if kind is None or kind.kind != "skip"]
    if not kept:
        raise SaltusError("all columns are skipped; expected one to learn from: leave one out of those")
    dtype, found = parts.train.dtype.name, list[Declared | None]()
    for k in kept:
        kind, cells = said[k], [part[:, k] for part in parts.given]
        found.append(None if kind is None else settled(in_one_line(names[k]), cells, dtype, kind))
    train, validation, test = (part if part is None or len(kept) == len(names) else part[:, kept] for part in parts.each)
    assert train is not None  # there are always training items
    left_out = tuple((names[k], "skipped") for k in range(len(names)) if k not in kept)
    columns_left = tuple(names[k] for k in kept)
    return replace(parts, train=train, validation=validation, test=test, columns=columns_left, declared=tuple(found), left_out=left_out)

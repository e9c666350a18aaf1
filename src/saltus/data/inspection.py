"""What a file or folder holds, before anything is learned from it: counts, ranges, copies, classes, and what a training would do."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from saltus.data.category_columns import CodeColumn, OrdinalColumn
from saltus.data.columns import Column as ColumnKind
from saltus.data.columns import MissingColumn
from saltus.data.dataset import DataSet
from saltus.data.declared import Declared
from saltus.data.determined_columns import DeterminedColumn
from saltus.data.dtypes import TEXT, as_arrow, family_of
from saltus.data.encoding import Encoding
from saltus.data.layout import Array
from saltus.data.parts import PARTS, Parts
from saltus.data.preparation import AS_GIVEN, Preparation
from saltus.data.sources import made, read_parts
from saltus.data.split import item_bytes
from saltus.data.table import Columns
from saltus.errors import SaltusError

__all__ = ["Column", "Inspection", "inspect"]

_AT_ONCE = 2**22  # numbers looked at in one go
_MOST_VALUES = 2**16  # that are counted: as many as there can be bins
_DIGEST = 16  # bytes: items of equal digests are equal


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name, dtype: as the file has them.
        missing: number of cells that are missing.
        different: number of values that there are.
        least, mean, greatest: of numbers; of dates as counts of their unit.
        kind: as what it is learned, such as "counted"; "" where the data would be refused.
        holds: its range or its categories, in words.
        why: what makes it of this kind.
        said: what --columns has to say for this kind: see `saltus.data.declared`.
    """

    name: str
    dtype: str
    missing: int
    different: int
    least: float | None = None
    mean: float | None = None
    greatest: float | None = None
    kind: str = ""
    holds: str = ""
    why: str = ""
    said: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Inspection:
    """What data are.

    Attributes:
        name: what humans call it.
        items: the number of items in each part.
        shape, dtype: of one raw item.
        least, greatest: of all raw values.
        different: number of values that there are; None for more than 65,536.
        copies: items that are equal to one before them.
        shared: copies of training items in other parts that the data bring along.
        classes: the number of items of each class, by its name.
        columns: for a table, those that are learned.
        left_out: why others are not, by their names.
        becomes: what a training learns, in words; "" where it would refuse.
        refused: why it would refuse; "" where it would not.
        notes: what a user should know, one sentence each.
    """

    name: str
    items: dict[str, int]
    shape: tuple[int, ...]
    dtype: str
    least: float
    greatest: float
    different: int | None
    copies: int
    shared: int
    classes: dict[str, int]
    columns: tuple[Column, ...]
    left_out: dict[str, str]
    becomes: str
    refused: str
    notes: tuple[str, ...]


def inspect(place: str | Path, condition: str | None = None, preparation: Preparation = AS_GIVEN) -> tuple[Inspection, DataSet | None]:
    """What a file or folder holds, and the data set that a training would learn from; None where it would refuse.

    Raises:
        SaltusError: if it cannot be read.
    """
    parts, data, refused = read_parts(place, condition, preparation), None, ""
    try:
        data = made(parts, place, condition, preparation=preparation)
    except SaltusError as error:
        refused = str(error)
    if data is None:
        items = {name: len(part) for name, part in zip(PARTS, parts.each, strict=True) if part is not None}
    else:
        items = {name: len(getattr(data, name)) for name in PARTS}
    copies, shared = _copies(parts)
    found = Inspection(
        name=Path(place).name,
        items=items,
        shape=parts.train.shape[1:],
        dtype=parts.train.dtype.name,
        least=min(float(np.nanmin(part)) if part.dtype.kind == "f" else part.min().item() for part in parts.given),
        greatest=max(float(np.nanmax(part)) if part.dtype.kind == "f" else part.max().item() for part in parts.given),
        different=_different(parts.given),
        copies=copies,
        shared=shared,
        classes=_classes(parts),
        columns=_columns(parts, None if data is None else data.encoding, preparation.kinds) if parts.train.ndim == 2 else (),
        left_out=dict(parts.left_out),
        becomes="" if data is None else data.encoding.summary(),
        refused=refused,
        notes=parts.notes if data is None else data.notes,
    )
    return found, data


def _copies(parts: Parts) -> tuple[int, int]:
    """How many items are equal to one before them, and how many of these are outside the training part and equal to one in it."""
    trained, seen, copies, shared = set[bytes](), set[bytes](), 0, 0
    for part in parts.given:
        for item in item_bytes(part):
            digest = hashlib.blake2b(item, digest_size=_DIGEST).digest()
            copies += digest in seen
            shared += part is not parts.train and digest in trained
            seen.add(digest)
        trained = trained or set(seen)
    return copies, shared


def _different(given: Sequence[Array]) -> int | None:
    """The number of different values, if they can be counted."""
    found = np.empty(0, given[0].dtype)
    for chunk in (chunk for part in given for chunk in _chunks(part)):
        if chunk.dtype == np.uint8:  # counted sooner than sorted
            own = np.flatnonzero(np.bincount(chunk.reshape(-1), minlength=2**8)).astype(chunk.dtype)
        else:
            own = np.unique(chunk)
        found = np.union1d(found, own)
        if len(found) > _MOST_VALUES:
            return None
    return len(found)


def _chunks(part: Array) -> Iterator[Array]:
    rows = max(1, _AT_ONCE // max(1, part[:1].size))
    return (part[start : start + rows] for start in range(0, len(part), rows))


def _classes(parts: Parts) -> dict[str, int]:
    if parts.labels is None:
        return {}
    counts = Counter(np.concatenate(parts.labels.given).tolist())
    return {parts.classes[k] if parts.classes else str(k): counts[k] for k in sorted(counts)}


def _columns(parts: Parts, encoding: Encoding | None, said: Mapping[str, Declared]) -> tuple[Column, ...]:
    d = parts.train.shape[1]
    names = parts.columns or tuple(map(str, range(d)))
    dtypes = parts.dtypes or (parts.train.dtype.name,) * d
    kinds = encoding.columns if isinstance(encoding, Columns) else [None] * d
    found = []
    for k, (name, dtype, kind) in enumerate(zip(names, dtypes, kinds, strict=True)):
        cells = np.concatenate([part[:, k] for part in parts.given])
        there = cells[~np.isnan(cells)] if cells.dtype.kind == "f" else cells
        counts = len(cells) - len(there), len(np.unique(there))
        figures = (there.min().item(), float(there.mean(dtype=np.float64)), there.max().item()) if dtype != TEXT else ()
        column = Column(name, dtype, *counts, *figures)
        if kind is not None:
            plain = own_kind = kind.column if isinstance(kind, MissingColumn) else kind
            while isinstance(own_kind, MissingColumn | DeterminedColumn):
                own_kind = own_kind.column
            holds = _held(plain, there, dtype)
            declared = said.get(name)
            why = plain.why if declared is None or own_kind is not plain else "as it was said"
            own = _said(own_kind, dtype) if declared is None else declared.plain
            column = replace(column, kind=plain.kind, holds=holds, why=why, said=own)
        found.append(column)
    return tuple(found)


def _held(column: ColumnKind, cells: Array, dtype: str) -> str:
    """Its values in words, dates as dates."""
    if dtype == "bool":
        return "false or true"
    if family_of(dtype) in ("numbers", "text"):
        return column.describe()
    first, last = as_arrow(np.array([cells.min(), cells.max()]), dtype).to_pylist()
    return f"{first} to {last}"


def _said(column: ColumnKind, dtype: str) -> dict[str, Any]:
    """What says that a column is what it was found to be."""
    if isinstance(column, OrdinalColumn):
        return {"kind": "ordinal", "order": [column.categories[place] for place in column.order]}
    if isinstance(column, CodeColumn):
        order = column.codes[column.order].tolist()
        return {"kind": "ordinal", "order": order} if column.ordinal else {"kind": "category"}
    if family_of(dtype) == "numbers":
        return {"kind": "boolean" if dtype == "bool" else "integer" if "int" in dtype else "number"}
    return {"kind": "category" if dtype == TEXT else "date"}

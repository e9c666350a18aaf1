"""The rows that a report compares: those of a run of a table, those that it was trained on, and held-out ones.

Where the table is the one that the run was trained on, its test part is held out; with the validation part where it is small.  Of another
table with the same columns all rows are.  A column of labels that the run is conditioned on is a column like the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from saltus.chain import Chain
from saltus.data import TEXT, DataSet, Expected, TableKind, table_ending
from saltus.data.layout import Array
from saltus.data.parts import PARTS, Parts
from saltus.data.readers import naming
from saltus.data.sources import read_parts
from saltus.data.split import places
from saltus.data.tables import read_table
from saltus.errors import SaltusError
from saltus.evaluation.evaluator import Progress, silent
from saltus.evaluation.quality import some_rows
from saltus.networks import ClassCondition
from saltus.terminal import in_one_line
from saltus.training import encoding_of, load_config, load_data, table_of
from saltus.words import in_brief, listed

__all__ = ["FEWEST", "MOST_ROWS", "Column", "Compared", "compared"]

MOST_ROWS = 20_000
"""Rows of a kind that are compared."""
FEWEST = 20
"""Rows that are too few to compare with, if there are less."""
_SMALL = 200  # rows of a test part that validation rows are added to
_AT_ONCE = 4096  # rows generated at a time
_YES_AND_NO = ("false", "true")
_NAMED = 8  # columns that a message names


@dataclass(frozen=True)
class Column:
    """A column of a table: its name, the type that it has in its file, and the categories that its cells are places of."""

    name: str
    dtype: str
    categories: tuple[str, ...] = ()

    @property
    def categorical(self) -> bool:
        """Whether its cells are places of categories, and not numbers."""
        return bool(self.categories)


@dataclass(frozen=True, eq=False)
class Compared:
    """What a report compares.

    Attributes:
        columns: of all rows.
        synthetic, held_out: rows (n, d) of cells, float64, at most `MOST_ROWS` of each.
        train: all rows that the run was trained on.
        part: what is held out, in words.
        chain: that made the synthetic rows.
        data: that the run was trained on.
        y: the held-out rows as the chain takes them; None where it does not.
        refused: why it does not.
        condition: of each of them, for a run that is conditioned on labels.
        target: the number of the column that is predicted.
    """

    columns: tuple[Column, ...]
    synthetic: Array
    held_out: Array
    train: Array
    part: str
    chain: Chain
    data: DataSet
    y: Tensor | None
    refused: str
    condition: Tensor | None
    target: int

    @property
    def categorical(self) -> Array:
        """Which columns hold categories, (d,) bool."""
        return np.array([column.categorical for column in self.columns], dtype=np.bool_)


@dataclass(frozen=True, eq=False)
class _Real:
    """Rows as a file has them, and the places of their labels in the classes of a run."""

    rows: Array
    labels: Array | None = None

    def drawn(self, n: int, seed: int) -> _Real:
        """At most n of them."""
        kept = some_rows(np.arange(len(self.rows)), n, seed=seed)
        return _Real(self.rows[kept], None if self.labels is None else self.labels[kept])

    def and_also(self, other: _Real) -> _Real:
        """Those of both."""
        labels = None if self.labels is None or other.labels is None else np.concatenate([self.labels, other.labels])
        return _Real(np.concatenate([self.rows, other.rows]), labels)

    @property
    def cells(self) -> Array:
        """(n, d) float64, with the labels as the last column."""
        rows: Array = self.rows.astype(np.float64)
        return rows if self.labels is None else np.column_stack([rows, np.where(self.labels < 0, np.nan, self.labels)])


def compared(
    run: Path, table: Path, *, target: str | None = None, n: int | None = None, seed: int = 0, progress: Progress = silent
) -> Compared:
    """Read a run and a table, and generate rows.

    Args:
        run: the folder of a run that was trained on a file of a table.
        table: such a file with the same columns; where it is the same, held-out rows are those that the run was not trained on.
        target: the name of the column that is predicted; the last one that is no date unless given.
        n: synthetic rows; as many as training rows unless given, and at most `MOST_ROWS`.
        seed: of the synthetic rows, and of the held-out rows that are taken where there are many.
        progress: receives a few words about the next piece of work.

    Raises:
        SaltusError: if the run is none of a table, the table lacks a column or is too short, there is no such target, or the training rows
            are not there.
    """
    chain, kind = _run(run)
    columns = _columns(chain, kind)
    aim = _target_of(columns, target)
    data, train, held_out, part = _real(run, table, chain, kind)
    if len(held_out.rows) < FEWEST:
        raise SaltusError(f"{len(held_out.rows)} rows are too few to compare with ({part}); expected at least {FEWEST}: give another table")
    held_out = held_out.drawn(MOST_ROWS, seed)
    n = min(MOST_ROWS, len(train.rows)) if n is None else n
    progress(f"{n:,} synthetic rows")
    told = chain.conditions_for(None, chain.noise(seed, 0, n))
    rows = encoding_of(chain, run).decode(chain.sample(n, seed=seed, condition=told, batch=_AT_ONCE))
    synthetic = _Real(_as_written(rows, kind.dtypes), None if told is None else told.numpy())
    y, refused = None, ""
    try:
        y = encoding_of(chain, run).encode(held_out.rows)
    except SaltusError as error:
        refused = in_brief(error)
    condition = None if held_out.labels is None else torch.from_numpy(held_out.labels)
    return Compared(columns, synthetic.cells, held_out.cells, train.cells, part, chain, data, y, refused, condition, aim)


def _target_of(columns: Sequence[Column], name: str | None) -> int:
    """The number of the column that is predicted.

    Raises:
        SaltusError: if there is none of this name.
    """
    if name is None:
        plain = [j for j, column in enumerate(columns) if "[" not in column.dtype]
        return plain[-1] if plain else len(columns) - 1
    names = [column.name for column in columns]
    if name not in names:
        raise SaltusError(f"there is no column {name!r:.80} to predict; give one of {listed(names, _NAMED)} with --target")
    return names.index(name)


def _run(run: Path) -> tuple[Chain, TableKind]:
    expected = "give the folder that `saltus train` wrote for a CSV or Parquet file"
    if not run.is_dir() or not (run / "chain.json").exists():
        raise SaltusError(f"{run} is {'no training run' if run.exists() else 'not there'}; {expected}")
    chain = Chain.load(run)
    kind = table_of(run, encoding_of(chain, run))
    if kind is None:
        raise SaltusError(f"{run} is a run of other data than a file of a table; {expected}")
    return chain, kind


def _columns(chain: Chain, kind: TableKind) -> tuple[Column, ...]:
    names = kind.names or [f"column {j + 1}" for j in range(len(kind.dtypes))]
    categories = kind.categories or [()] * len(kind.dtypes)
    columns = [
        Column(name, dtype, _YES_AND_NO if dtype == "bool" else tuple(own))
        for name, dtype, own in zip(names, kind.dtypes, categories, strict=True)
    ]
    if isinstance(chain.condition, ClassCondition):
        columns.append(Column(kind.label, TEXT, tuple(map(str, chain.condition.names))))
    return tuple(columns)


def _real(run: Path, table: Path, chain: Chain, kind: TableKind) -> tuple[DataSet, _Real, _Real, str]:
    """The data of a run, its training rows, held-out rows, and what these are, in words."""
    condition = load_config(run).condition
    given = _given(table, condition, kind)
    try:
        data, own = load_data(run, table), True
    except SaltusError:
        data, own = _trained_on(run), False
    parts = read_parts(data.source, condition, data.preparation)
    divided = places(parts)
    labels = [None] * len(PARTS) if parts.labels is None else [_of_classes(part, parts, chain) for part in divided.divide(parts.labels)]
    train, validation, test = (_Real(rows, own) for rows, own in zip(divided.divide(parts), labels, strict=True))
    if not own:
        other = None if given.labels is None else _of_classes(given.labels.train, given, chain)
        return data, train, _Real(given.train, other), f"all rows of {table.name}"
    if len(test.rows) >= _SMALL:
        return data, train, test, f"the test part of {table.name}"
    return data, train, test.and_also(validation), f"the test and validation parts of {table.name}"


def _given(table: Path, condition: str | None, kind: TableKind) -> Parts:
    """The rows of a table, in the columns of a run."""
    if not table.is_file() or not table_ending(table):
        why = "is no CSV or Parquet file" if table.exists() else "is not there"
        raise SaltusError(f"{table} {why}; give the table that the run was trained on, or another one with the same columns")
    expected = map(Expected, kind.dtypes, kind.categories or [()] * len(kind.dtypes))
    wanted = dict(zip(kind.names, expected, strict=True)) if kind.names else {}
    with naming(table):
        parts = read_table(table, condition, wanted)
    if not kind.names and (len(parts.dtypes) != len(kind.dtypes) or parts.categories != tuple(map(tuple, kind.categories))):
        raise SaltusError(f"{table} holds other columns or categories than the run was trained on; give a table of the same kind")
    return parts


def _trained_on(run: Path) -> DataSet:
    try:
        return load_data(run)
    except SaltusError as error:
        why = in_brief(error).partition(";")[0]
        raise SaltusError(f"the rows that {run} was trained on cannot be read ({why}); put their file back, or give it as TABLE") from error


def _of_classes(labels: Array, parts: Parts, chain: Chain) -> Array:
    """The places of labels (n,) among the classes of a run."""
    assert isinstance(chain.condition, ClassCondition)
    known = {name: place for place, name in enumerate(chain.condition.names)}
    texts = [parts.classes[label] if parts.classes else str(label) for label in labels.tolist()]
    if strange := [text for text in texts if text not in known]:
        raise SaltusError(
            f'the table has the label "{in_one_line(strange[0])}", which is none of the {len(known)} classes of the run; leave its rows out'
        )
    return np.array([known[text] for text in texts], dtype=np.int64)


def _as_written(rows: Array, dtypes: Sequence[str]) -> Array:
    """Cells rounded as their columns round them in a file."""
    found: Array = rows.astype(np.float64)
    for j, dtype in enumerate(dtypes):
        if dtype in ("float16", "float32"):
            found[:, j] = found[:, j].astype(dtype)
    return found

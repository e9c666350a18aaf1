"""What commands on the rows of a table share: the model of a folder, and a file of rows for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.places import PLACE
from saltus.errors import SaltusError
from saltus.terminal import tell

if TYPE_CHECKING:
    from saltus.data.table_texts import TableFile
    from saltus.estimators.rows import TrainedTable

__all__ = ["asked_of", "check_new", "data_option", "read_rows", "trained_table"]


def data_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--data`, the file of rows."""
    words = "The rows, in CSV, TSV or Parquet, with the columns that were learned; others may be there."
    return click.option("--data", type=PLACE, required=True, help=words)(command)


def trained_table(run: Path) -> TrainedTable:
    """The model of a table that a folder holds.

    Raises:
        SaltusError: if there is none.
    """
    from saltus.estimators.kept import read_table

    return read_table(run).trained


def read_rows(path: Path, trained: TrainedTable) -> TableFile:
    """The rows of a file; what was found out of how it is written is told.

    Raises:
        SaltusError: if it is no table.
    """
    from saltus.data.table_texts import TableFile
    from saltus.data.tables import types_in_files

    found = TableFile.read(path, types_in_files(trained.wanted, trained.declared))
    n, expected = found.table.num_columns, len(trained.columns)
    if found.style is not None and not found.style.named and n != expected:
        raise SaltusError(f"{path} has {n} columns without names, and {expected} were learned; give it the names that they had")
    for note in found.notes:
        tell(f"{path}: {note}")
    return found


def asked_of(run: Path, where: Sequence[str]) -> tuple[TrainedTable, Any]:
    """The model of a table, and what conditions such as price=5000: ask of its rows.

    Raises:
        SaltusError: if the folder holds no such model, or a condition is none of its columns.
    """
    from saltus.estimators.where import parsed

    trained = trained_table(run)
    return trained, trained.asked(parsed(where, trained))


def check_new(files: Sequence[Path]) -> None:
    """Raise SaltusError if a file is there that would be written."""
    if taken := [file for file in files if file.exists()]:
        raise SaltusError(f"{taken[0]} is already there; give another name with --out, or remove it first")

"""Files of tables: CSV with commas, tabs or semicolons, plain or gzipped, and Parquet, both read and written by pyarrow."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import IO, Any, NamedTuple

import numpy as np

from saltus.data.checks import reason
from saltus.data.csv_files import read_csv
from saltus.data.detect import check_width
from saltus.data.dtypes import as_arrow
from saltus.data.layout import Array
from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.machine import memory

__all__ = ["PARQUET", "TABLES", "TableKind", "read_file", "table_ending", "table_writer", "written"]

_CELL = 8  # bytes of a cell that is read, at least
PARQUET = ".parquet"
"""The ending of files that say the types of their columns."""
TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", PARQUET)


def table_ending(name: str | PurePath) -> str:
    """The ending of a file of a table; "" for other files."""
    return next((ending for ending in TABLES if str(name).lower().endswith(ending)), "")


def read_file(path: Path, types: Mapping[str, str] = MappingProxyType({})) -> tuple[Any, tuple[str, ...]]:
    """The pyarrow.Table of a file, whose columns have no names where the file gives none; and a sentence about how it was read.

    Args:
        path: of the file.
        types: of columns by their names, for files that say nothing of types: see `saltus.data.dtypes`.

    Raises:
        SaltusError: if pyarrow is not there, or the file is no table.
    """
    if table_ending(path) == PARQUET:
        parquet = needs("pyarrow.parquet", extra="tables")
        try:
            check_width(len(parquet.read_schema(path).names))
            _check_length(parquet.read_metadata(path))
            return parquet.read_table(path, partitioning=None), ()
        except SaltusError:
            raise
        except Exception as error:  # pyarrow has several
            raise SaltusError(f"this cannot be read as Parquet ({reason(error)}); write it again") from error
    needs("pyarrow.csv", extra="tables")
    return read_csv(path, types, tabs=table_ending(path).startswith(".tsv"))


def _check_length(metadata: Any) -> None:
    """Raise SaltusError for a table that cannot be held: rows that repeat take next to nothing in a file."""
    rows, columns, most = metadata.num_rows, metadata.num_columns, memory()
    if _CELL * rows * columns > most:
        raise SaltusError(f"it has {rows:,} rows of {columns:,} columns, more than {most / 1e9:.1f} GB of memory hold; give fewer rows")


class TableKind(NamedTuple):
    """How a table is written.

    Attributes:
        ending: how the file's name ends, one of `TABLES`.
        names: those of the columns; none are written where there are none.
        dtypes: types of the columns, see `saltus.data.cells`.
        categories: for each column, those that its cells are places of.
        label: the name of a column of labels, after the others.
    """

    ending: str
    names: Sequence[str]
    dtypes: Sequence[str]
    categories: Sequence[Sequence[str]] = ()
    label: str = "label"


Write = Callable[[Array, Sequence[str] | None], None]


@contextlib.contextmanager
def table_writer(path: Path, kind: TableKind, *, labelled: bool = False) -> Iterator[Write]:
    """Write a table part by part: what is yielded takes rows (n, d) and their labels, as often as wanted.

    Args:
        path: of the file, whatever it is called.
        kind: how it is written.
        labelled: whether rows have labels.
    """
    arrow, (ending, names, dtypes, *_) = needs("pyarrow", extra="tables"), kind
    categories = kind.categories or [()] * len(dtypes)
    types = [as_arrow(np.zeros(0), *column).type for column in zip(dtypes, categories, strict=True)] + [arrow.string()] * labelled
    header = [*names, *[kind.label] * labelled] if names else []
    schema = arrow.schema(list(zip(header or [""] * len(types), types, strict=True)))
    with contextlib.ExitStack() as open_files:
        if ending == PARQUET:
            writer = open_files.enter_context(needs("pyarrow.parquet", extra="tables").ParquetWriter(path, schema))
        else:
            file = open_files.enter_context(written(path, ending))
            separator = "\t" if ending.startswith(".tsv") else ","
            if header:
                line = io.StringIO()
                csv.writer(line, delimiter=separator, lineterminator="\n").writerow(header)
                file.write(line.getvalue().encode())
            module = needs("pyarrow.csv", extra="tables")
            options = module.WriteOptions(include_header=False, delimiter=separator, quoting_style="needed")
            writer = open_files.enter_context(module.CSVWriter(file, schema, write_options=options))

        def write(rows: Array, labels: Sequence[str] | None = None) -> None:
            columns = [as_arrow(*column) for column in zip(rows.T, dtypes, categories, strict=True)]
            columns += [] if not labelled else [arrow.array(list(labels or ()), arrow.string())]
            writer.write_table(arrow.Table.from_arrays(columns, schema=schema))

        yield write


@contextlib.contextmanager
def written(path: Path, ending: str) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """A file to write to, compressed where its ending says so, whatever it is called."""
    with path.open("wb") as file:
        if not ending.endswith(".gz"):
            yield file
            return
        with gzip.GzipFile(path.name, "wb", fileobj=file) as packed:
            yield packed

"""Files of tables: CSV with commas, tabs or semicolons, plain or gzipped, and Parquet, both read and written by pyarrow."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from saltus.data.cells import as_arrow
from saltus.data.checks import reason
from saltus.data.layout import Array
from saltus.errors import SaltusError
from saltus.extras import needs

__all__ = ["PARQUET", "TABLES", "Style", "TableKind", "read_file", "read_texts", "table_ending", "table_writer", "written"]

PARQUET = ".parquet"
"""The ending of files that say the types of their columns."""
TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", PARQUET)
_LOOKED_AT = 2**16  # bytes at the beginning, by which separators are told
_DECIMAL_COMMA = re.compile(r'(?:^|[;\t"])-?\d+,\d+(?:$|[;\t"])', re.MULTILINE)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def table_ending(name: str | Path) -> str:
    """The ending of a file of a table; "" for other files."""
    return next((ending for ending in TABLES if str(name).lower().endswith(ending)), "")


class Style(NamedTuple):
    """How a file in CSV is written."""

    separator: str
    decimal: str
    named: bool


def read_file(path: Path, text: Collection[str] = ()) -> tuple[Any, tuple[str, ...]]:
    """The pyarrow.Table of a file, whose columns have no names where the file gives none; and a sentence about how it was read.

    Args:
        path: of the file.
        text: names of columns that are read as text where a file says nothing of types, whatever they look like.

    Raises:
        SaltusError: if pyarrow is not there, or the file is no table.
    """
    if table_ending(path) == PARQUET:
        parquet = needs("pyarrow.parquet", extra="tables")
        try:
            return parquet.read_table(path, partitioning=None), ()
        except Exception as error:  # pyarrow has several
            raise SaltusError(f"this cannot be read as Parquet ({reason(error)}); write it again") from error
    arrow, module = needs("pyarrow", extra="tables"), needs("pyarrow.csv", extra="tables")
    style = _style_of(path)
    options = module.ConvertOptions(
        decimal_point=style.decimal,
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        column_types={name: arrow.string() for name in text},
    )
    table = _parsed(path, style, options)
    return table if style.named else table.rename_columns([""] * table.num_columns), _notes(style, path)


def read_texts(path: Path) -> tuple[Any, Style]:
    """The pyarrow.Table of the texts of a file in CSV, as they are written, null where there is nothing; and how it is written.

    Raises:
        SaltusError: as `read_file`.
    """
    arrow, module = needs("pyarrow", extra="tables"), needs("pyarrow.csv", extra="tables")
    style = _style_of(path)
    width = len(_header(path, style.separator))
    options = module.ConvertOptions(null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False)
    names = _header(path, style.separator) if style.named else [f"f{j}" for j in range(width)]  # as pyarrow calls them
    options.column_types = {name: arrow.string() for name in names}
    return _parsed(path, style, options), style


def _header(path: Path, separator: str) -> list[str]:
    """The fields of the first line."""
    return next(csv.reader(io.StringIO(_beginning(path)[0]), delimiter=separator))


def _style_of(path: Path) -> Style:
    header, beginning = _beginning(path)
    tabs = table_ending(path).startswith(".tsv")
    separator = "\t" if tabs else max(",;\t", key=header.count) if any(map(header.count, ",;\t")) else ","
    decimal = "," if separator != "," and _DECIMAL_COMMA.search(beginning) else "."
    named = not all(_is_number(name.replace(decimal, ".")) for name in _header(path, separator))
    return Style(separator, decimal, named)


def _beginning(path: Path) -> tuple[str, str]:
    """The first line that is not empty, and that with those after it."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            raw = file.read(_LOOKED_AT)
    except (OSError, EOFError) as error:
        raise SaltusError(f"this cannot be read as CSV ({reason(error)}); write it again") from error
    if raw.startswith(_UTF16):
        raise SaltusError("this is text in UTF-16 where UTF-8 was expected; save it as CSV in UTF-8")
    lines = raw.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n").splitlines()
    if not lines:
        raise SaltusError("this is empty; expected a row of names and rows of values: write it again")
    try:
        return lines[0].decode(), raw.decode(errors="replace")
    except UnicodeDecodeError as error:
        raise SaltusError("the names of the columns are not in UTF-8; save the file as CSV in UTF-8") from error


def _parsed(path: Path, style: Style, options: Any) -> Any:
    """By pyarrow."""
    module = needs("pyarrow.csv", extra="tables")

    def parsed(threads: bool) -> Any:
        read = module.ReadOptions(use_threads=threads, autogenerate_column_names=not style.named)
        return module.read_csv(path, read, module.ParseOptions(delimiter=style.separator, newlines_in_values=True), options)

    try:
        return parsed(threads=True)
    except Exception:
        try:
            return parsed(threads=False)  # which tells the row
        except Exception as error:
            why = reason(error).removeprefix("CSV parse error: ")
            raise SaltusError(f"this cannot be read as CSV ({why:.120}); expected as many fields in every row: repair it") from error


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _notes(style: Style, path: Path) -> tuple[str, ...]:
    """What was found out and is not as in most files."""
    (separator, decimal, named), tabs = style, table_ending(path).startswith(".tsv")
    found = [
        *["its columns are separated by semicolons"] * (separator == ";"),
        *["its columns are separated by tabs"] * (separator == "\t" and not tabs),
        *["its decimals are written with commas"] * (decimal == ","),
        *["its first row holds numbers, so that its columns have no names"] * (not named),
    ]
    return (", ".join(found),) if found else ()


class TableKind(NamedTuple):
    """How a table is written.

    Attributes:
        ending: of its file, one of `TABLES`.
        names: of the columns; none are written where there are none.
        dtypes: of the columns, see `saltus.data.cells`.
        categories: of each column, those that its cells are places of.
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

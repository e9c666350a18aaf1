"""A file of a table as it stands, and with cells that are filled: all else is written as it was.

A CSV file is kept as its texts, since numbers, dates and truth can be written in many ways (00501, 1.50, TRUE), and a filled cell is
written as the file writes that value elsewhere.  Parquet files say the types of their columns, which they keep.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from saltus.data.csv_files import Style, read_texts
from saltus.data.table_files import PARQUET, read_file, table_ending, written
from saltus.errors import SaltusError
from saltus.extras import needs

__all__ = ["TableFile"]

_AT_ONCE = 2**16  # lines written at a time


@dataclass(frozen=True, eq=False)
class TableFile:
    """A file of a table.

    Attributes:
        ending: how the file's name ends, one of `saltus.data.TABLES`.
        table: the pyarrow.Table, its columns called "column 0", "column 1", ... where the file gives no names.
        notes: what says how it was read.
        texts: for a CSV file the texts of all cells, null where there is nothing.
        style: that of a CSV file.
    """

    ending: str
    table: Any
    notes: tuple[str, ...] = ()
    texts: Any = None
    style: Style | None = None

    @classmethod
    def read(cls, path: Path, types: Mapping[str, str] = MappingProxyType({})) -> TableFile:
        """A file.

        Args:
            path: of the file.
            types: of columns by their names, for files that say nothing of types: see `saltus.data.dtypes`.

        Raises:
            SaltusError: if it is not there, or is no table; the sentence names the file.
        """
        ending = table_ending(path)
        if not path.is_file() or not ending:
            found = "is not read" if path.exists() else "is not there"
            raise SaltusError(f"{path} {found}; expected a table in a file of the kind .csv, .tsv or .parquet: give one")
        try:
            table, notes = read_file(path, types)
            texts, style = (None, None) if ending == PARQUET else read_texts(path, tabs=ending.startswith(".tsv"))
        except SaltusError as error:
            raise SaltusError(f"{path}: {error}") from error
        if not any(table.column_names):
            table = table.rename_columns([f"column {j}" for j in range(table.num_columns)])
        return cls(ending, table, notes, texts, style)

    def write(self, path: Path, table: Any) -> None:
        """Write this file with cells that were missing as a table has them.

        Args:
            path: of the new file, whatever it is called.
            table: as this one's, cells that were missing filled.
        """
        if self.style is None:
            needs("pyarrow.parquet", extra="tables").write_table(table, path)
            return
        columns = [self._texts(j, table.column(j)) for j in range(table.num_columns)]
        with written(path, self.ending) as file:
            if self.style.named:
                header = needs("pyarrow", extra="tables").table([[name] for name in self.texts.column_names], names=self.texts.column_names)
                file.writelines(_lines(header.columns, self.style.separator))
            file.writelines(_lines(columns, self.style.separator))

    def _texts(self, j: int, filled: Any) -> Any:
        """The texts of a column: those of the file, and of cells that were missing there new ones."""
        arrow, compute = needs("pyarrow", extra="tables"), needs("pyarrow.compute", extra="tables")
        own, texts = self.table.column(j), self.texts.column(j)
        if own.null_count == filled.null_count:
            return texts
        plain = filled.cast(arrow.string())
        if self.style is not None and self.style.decimal != "." and arrow.types.is_floating(filled.type):
            plain = compute.replace_substring(plain, ".", self.style.decimal)
        holes = compute.and_(own.is_null(), filled.is_valid())
        if filled.type.equals(own.type):  # the first way in which the file writes each value
            values, first = own.to_pylist(), texts.to_pylist()
            ways = dict(zip(reversed(values), reversed(first), strict=True))
            found = arrow.array([ways.get(value) for value in filled.to_pylist()], arrow.string())
            plain = compute.coalesce(found, plain)
        return compute.if_else(holes, plain, texts)


def _lines(columns: list[Any], separator: str) -> Any:
    """The lines of a file in CSV, with quotes where they are needed, as bytes."""
    compute = needs("pyarrow.compute", extra="tables")
    special = f'["\\r\\n{separator}]|^$'  # an empty text is quoted, and nothing is not
    fields = []
    for column in columns:
        quoted = compute.binary_join_element_wise('"', compute.replace_substring(column, '"', '""'), '"', "")
        fields.append(compute.fill_null(compute.if_else(compute.match_substring_regex(column, special), quoted, column), ""))
    joined = compute.binary_join_element_wise(*fields, separator) if len(fields) > 1 else fields[0]
    for batch in range(0, len(joined), _AT_ONCE):
        yield "".join(f"{line}\n" for line in joined.slice(batch, _AT_ONCE).to_pylist()).encode()

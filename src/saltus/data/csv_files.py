"""Files of CSV as people have them: other separators, decimals with commas, no names, marks for missing cells; what was found out is said.

An empty cell is missing, and so is one with a mark such as NA, null or nan that is not in quotes.  Among numbers alone ?, - and the like
are such marks too; among text they are categories.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from saltus.data.checks import reason
from saltus.data.declared import Declared
from saltus.data.detect import check_width
from saltus.data.dtypes import TEXT, type_of
from saltus.data.parsing import CODE, MARKS, ODD_MARKS, parsed
from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.terminal import in_one_line
from saltus.words import listed

__all__ = ["SEPARATORS", "Style", "is_number", "read_csv", "read_texts"]

_LOOKED_AT = 2**16  # bytes at the beginning, by which separators are told
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_DECIMAL_COMMA = re.compile(r'(?:^|[;\t|"])-?\d+,\d+(?:$|[;\t|"])', re.MULTILINE)
_GZIP = b"\x1f\x8b"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_LONGEST_HEADER = 2**24  # bytes
_SHOWN = 5  # names of columns


class Style(NamedTuple):
    """How a file is written: the separator, the sign before decimals, whether there is a row of names; and types to read as."""

    separator: str
    decimal: str
    named: bool
    types: Mapping[str, str] = MappingProxyType({})


def read_csv(path: Path, types: Mapping[str, str], *, tabs: bool) -> tuple[Any, tuple[str, ...]]:
    """The pyarrow.Table of a file, and sentences about how it was read.

    Args:
        path: of the file, gzipped if it ends in .gz.
        types: that columns are read as, by their names, whatever they look like: see `saltus.data.dtypes`.
        tabs: whether tabs are expected between columns, and not commas.

    Raises:
        SaltusError: if the file is no such table.
    """
    written, usual, names, beginning = _style_of(path, tabs=tabs)
    written = written._replace(types=types)
    padded = _padded(beginning, written, names) if written.named else []
    notes = (*_notes(written, usual), *[f"read as text, as a number would lose digits of it: {listed(padded, _SHOWN)}"] * bool(padded))
    written = written._replace(types={**dict.fromkeys(padded, TEXT), **types})
    table = _parsed(path, written)
    if not written.named:
        return table.rename_columns([""] * table.num_columns), notes
    table, odd = _without_odd_marks(table, written)
    found = {**odd, **_marks(path, table, written)}
    return table, (*notes, *[_said(found)] * bool(found))


def read_texts(path: Path, *, tabs: bool) -> tuple[Any, Style]:
    """The pyarrow.Table of the texts of a file, as they are written, null where there is nothing; and how it is written.

    Raises:
        SaltusError: as `read_csv`.
    """
    written, _, names, _ = _style_of(path, tabs=tabs)
    names = names if written.named else [f"f{j}" for j in range(len(names))]  # as pyarrow calls them
    return _parsed(path, written._replace(types=dict.fromkeys(names, TEXT)), null_values=[""]), written


def _style_of(path: Path, *, tabs: bool) -> tuple[Style, str, list[str], str]:
    """How a file is written, the separator that was expected, the fields of the first line, and the beginning."""
    header, beginning = _beginning(path)
    usual = "\t" if tabs else ","
    there = [separator for separator in SEPARATORS if separator in header]
    separator = usual if tabs and usual in there else max(there, key=header.count, default=usual)
    decimal = "," if separator != "," and _DECIMAL_COMMA.search(beginning) else "."
    names = next(csv.reader(io.StringIO(header), delimiter=separator))
    check_width(len(names))
    named = not all(is_number(name.replace(decimal, ".")) for name in names)
    if named and len(beginning) < _LOOKED_AT and not beginning.removeprefix("\ufeff").strip()[len(header.strip()) :]:
        raise SaltusError("there are no rows, only the names of columns; expected a row for each item: write it again")
    return Style(separator, decimal, named), usual, names, beginning


def _beginning(path: Path) -> tuple[str, str]:
    """The first line that is not empty, and that with those after it."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            raw = file.read(_LOOKED_AT)
            if b"\n" not in raw:  # of very many columns
                raw += file.read(_LONGEST_HEADER)
    except (OSError, EOFError) as error:
        raise SaltusError(f"this cannot be read as CSV ({reason(error)}); write it again") from error
    if raw.startswith(_GZIP):
        raise SaltusError("this is gzipped where text was expected; let its name end in .gz")
    if raw.startswith(_UTF16):
        raise SaltusError("this is text in UTF-16 where UTF-8 was expected; save it as CSV in UTF-8")
    if b"\0" in raw:
        raise SaltusError("this has NUL bytes, as UTF-16 and damaged files have, where text in UTF-8 was expected; save it as CSV in UTF-8")
    lines = raw.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n").splitlines()
    if not lines:
        raise SaltusError("this is empty; expected a row of names and rows of values: write it again")
    try:
        return lines[0].decode(), raw.decode(errors="replace")
    except UnicodeDecodeError as error:
        raise SaltusError("the names of the columns are not in UTF-8; save the file as CSV in UTF-8") from error


def _padded(beginning: str, written: Style, names: list[str]) -> list[str]:
    """The columns of digits that numbers would lose some of, as codes are."""
    whole = beginning if len(beginning) < _LOOKED_AT // 4 else beginning[: beginning.rfind("\n")]  # a letter has up to 4 bytes
    try:
        rows = [row for row in csv.reader(io.StringIO(whole), delimiter=written.separator) if len(row) == len(names)][1:]
    except csv.Error:
        return []
    columns = zip(names, zip(*rows, strict=True), strict=True) if rows else ()
    return [name for name, cells in columns if any(map(CODE.fullmatch, cells)) and all(cell.isdigit() for cell in cells if cell)]


def _options(written: Style, **options: Any) -> tuple[Any, Any]:
    """Of pyarrow, to parse and to convert."""
    module = needs("pyarrow.csv", extra="tables")
    convert = module.ConvertOptions(
        **{
            "decimal_point": written.decimal,
            "strings_can_be_null": True,
            "quoted_strings_can_be_null": False,
            "column_types": {name: type_of(dtype) for name, dtype in written.types.items()},
            **options,
        }
    )
    return module.ParseOptions(delimiter=written.separator, newlines_in_values=True), convert


def _parsed(path: Path, written: Style, **options: Any) -> Any:
    """By pyarrow."""
    module = needs("pyarrow.csv", extra="tables")

    def once(threads: bool) -> Any:
        read = module.ReadOptions(use_threads=threads, autogenerate_column_names=not written.named)
        return module.read_csv(path, read, *_options(written, **options))

    try:
        return once(threads=True)
    except Exception:
        try:
            return once(threads=False)  # which tells the row
        except Exception as error:
            why = in_one_line(reason(error).removeprefix("CSV parse error: "))
            remedy = "expected as many fields in every row: repair it" if "olumn" in why else "write it again"
            raise SaltusError(f"this cannot be read as CSV ({why:.120}); {remedy}") from error


def is_number(text: str) -> bool:
    """Whether a cell is written as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _notes(written: Style, usual: str) -> tuple[str, ...]:
    """What was found out and is not as in most files."""
    found = [
        *[f"its columns are separated by {SEPARATORS[written.separator]}"] * (written.separator != usual),
        *["its decimals are written with commas"] * (written.decimal == ","),
        *["its first row holds numbers, so that its columns have no names"] * (not written.named),
    ]
    return (", ".join(found),) if found else ()


def _without_odd_marks(table: Any, written: Style) -> tuple[Any, dict[str, list[str]]]:
    """Columns of text that are numbers but for marks as numbers, and which marks they had, by the names of the columns."""
    found = dict[str, list[str]]()
    if written.decimal != ".":
        return table, found
    arrow = needs("pyarrow", extra="tables")
    for k, name in enumerate(table.column_names):
        if not arrow.types.is_string(table.schema.field(k).type) or name in written.types:
            continue
        different = table.column(k).unique().drop_null().to_pylist()
        marks = sorted({text.strip() for text in different} & ODD_MARKS)
        rest = [text.strip() for text in different if text.strip() not in ODD_MARKS]
        if marks and rest and _are_numbers(rest):
            (column,) = parsed([table.column(k)], name, Declared("number"))
            table, found[name] = table.set_column(k, name, column), marks
    return table, found


def _are_numbers(texts: list[str]) -> bool:
    arrow = needs("pyarrow", extra="tables")
    try:
        arrow.array(texts).cast(arrow.float64())
    except arrow.ArrowInvalid:
        return False
    return True


def _marks(path: Path, table: Any, written: Style) -> dict[str, list[str]]:
    """The marks other than nothing that stood in missing cells of text, by the names of the columns: the file is read again for them."""
    arrow, module = needs("pyarrow", extra="tables"), needs("pyarrow.csv", extra="tables")
    names = [field.name for k, field in enumerate(table.schema) if arrow.types.is_string(field.type) and table.column(k).null_count]
    if not names or len(set(table.column_names)) < table.num_columns:
        return {}
    types = dict.fromkeys(table.column_names, arrow.string())
    parse, convert = _options(written, null_values=[""], include_columns=names, column_types=types)
    found, row = dict[str, set[str]](), 0
    for batch in module.open_csv(path, module.ReadOptions(use_threads=False), parse, convert):
        for name in names:
            marked = batch.column(name).filter(table.column(name).slice(row, len(batch)).is_null().combine_chunks())
            found.setdefault(name, set()).update(text for text in marked.unique().to_pylist() if text in MARKS and text)
        row += len(batch)
    return {name: sorted(marks) for name, marks in found.items() if marks}


def _said(found: Mapping[str, list[str]]) -> str:
    by_mark: dict[str, list[str]] = {}
    for name, marks in found.items():
        for mark in marks:
            by_mark.setdefault(mark, []).append(in_one_line(name))
    words = [f'"{mark}" in {listed(names, _SHOWN)}' for mark, names in by_mark.items()]
    remedy = "; a mark that is text has to be in quotes" if set(by_mark) - ODD_MARKS else ""
    return f"read as missing cells: {', '.join(words)}{remedy}"

"""What the page shows of rows that were made: the first of them, the strangest, and a report that can do nothing to the page around it."""

from __future__ import annotations

import csv
import gzip
import heapq
import html
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from saltus.data import table_ending
from saltus.data.csv_files import is_number
from saltus.data.table_files import PARQUET
from saltus.extras import needs
from saltus.studio.html import marked, page, paragraph, table
from saltus.studio.views.growing import table_texts
from saltus.terminal import in_one_line

__all__ = ["first_rows", "formulas", "report_page", "rows_page", "score_page", "strangest"]

_SHOWN, _RANKED = 20, 20
_LONGEST = 2**28  # letters of a cell, which may be all that a file unpacks to
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet may run."""


def _rows(file: Path) -> Iterator[list[str]]:
    """Of a CSV file that saltus wrote, the names first; as they stand in it."""
    ending = table_ending(file)
    separator = "\t" if ending.startswith(".tsv") else ","
    csv.field_size_limit(max(_LONGEST, csv.field_size_limit()))
    with gzip.open(file, "rt", newline="") if ending.endswith(".gz") else file.open(newline="") as lines:
        yield from csv.reader(lines, delimiter=separator)


def first_rows(file: Path) -> tuple[list[str], list[list[str]]]:
    """The names of the columns and the first rows of a file that saltus wrote, as texts to look at."""
    if table_ending(file) == PARQUET:
        batches = needs("pyarrow.parquet", extra="tables").ParquetFile(file).iter_batches(batch_size=_SHOWN)
        first = next(iter(batches), None)
        if first is None:
            return [], []
        return table_texts(first.schema.names, zip(*(column.to_pylist() for column in first.columns), strict=True))
    rows = _rows(file)
    return table_texts(next(rows, []), islice(rows, _SHOWN))


def formulas(file: Path) -> int:
    """How many cells of a file, names too, a spreadsheet may take for formulas: numbers are none."""
    if table_ending(file) == PARQUET:  # which says what is text
        return 0
    return sum(map(_formulas, _rows(file)))


def _formulas(row: Sequence[str]) -> int:
    return sum(cell.startswith(_FORMULA) and not is_number(cell) for cell in row)


def rows_page(file: Path, words: str, said: Sequence[str] = ()) -> str:
    """The first rows of a file that was made, as markup.

    Args:
        file: that saltus wrote.
        words: what was done, in a sentence.
        said: what else is to be known.
    """
    headings, rows = first_rows(file)
    parts = [*map(paragraph, (words, *said, *_warned(formulas(file))))]
    if rows:
        parts.append(table(headings, rows, "the first rows"))
    return page(parts, "rows that were made")


def _warned(n: int) -> list[str]:
    """Of so many cells."""
    if not n:
        return []
    return [
        f"{n:,} cell{'s start' if n > 1 else ' starts'} with =, +, - or @ and {'are' if n > 1 else 'is'} no number.  The file has what the "
        "data have, so that values stay what they are; a spreadsheet may run such a cell as a formula: import its column as text."
    ]


def strangest(file: Path, n: int = _RANKED) -> tuple[list[dict[str, str]], int]:
    """The first rows of `saltus score` by how strange they are, and how many cells of all rows a spreadsheet may take for formulas.

    The file is read once, and only so many rows of it are held.  A cell that never came is infinitely strange.
    """
    rows = _rows(file)
    names = next(rows)
    place, found = names.index("anomaly"), _formulas(names)

    def each() -> Iterator[list[str]]:
        nonlocal found
        for row in rows:
            found += _formulas(row)
            yield row

    first = heapq.nlargest(n, each(), key=lambda row: _number(row[place]))
    return [dict(zip(names, row, strict=True)) for row in first], found


def _number(text: str) -> float:
    """A number as a file has it: nothing, as in JSON, where it is not finite."""
    return float(text) if text else math.inf


def score_page(result: Mapping[str, Any], file: Path) -> str:
    """The strangest rows, as markup; `result` is what `saltus score --json` said, and the file has the scores of all rows."""
    words = (
        f"{result['rows']:,} rows; ordinary rows have an anomaly of 1 on average, 3 is one in twenty and 7 is one in a thousand."
        + f"  {result['unseen']:,} rows hold what never came, and are the strangest." * bool(result["unseen"])
    )
    headings = ["row", "anomaly", "strangest cell", "its anomaly", "nats"]
    first, n = strangest(file)
    rows = [
        [row["row"], _figure(row["anomaly"]), _brief(row["column"]), _figure(row["column_anomaly"]), _figure(row["nats"])] for row in first
    ]
    return page([paragraph(words), *map(paragraph, _warned(n)), table(headings, rows, "the strangest rows, from 0 on")], "strange rows")


def _figure(text: str) -> str:
    value = float(text) if text else math.nan
    return f"{value:.2f}" if math.isfinite(value) else "never came"


def _brief(text: str) -> str:
    return in_one_line(text)[:60]


def report_page(document: str, finding: Sequence[str]) -> str:
    """A report inside the page, which can run nothing, fetch nothing and lead nowhere, as markup.

    Args:
        document: the page that `saltus report` wrote.
        finding: its sentences, which stand above it.
    """
    frame = f'<iframe class="report" title="The quality report" sandbox="" srcdoc="{html.escape(document)}"></iframe>'
    return page([*map(paragraph, finding), marked(frame.replace("{", "{{").replace("}", "}}"))], "the quality report")

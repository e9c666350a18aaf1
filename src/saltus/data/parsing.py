"""Text that stands for something else: numbers, dates, truth, and missing cells."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from saltus.data.declared import Declared
from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.terminal import in_one_line

__all__ = ["CODE", "MARKS", "ODD_MARKS", "Looks", "is_text", "looks_like", "number_of", "parsed"]

MARKS = frozenset(
    (
        "",
        "#N/A",
        "#N/A N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "N/A",
        "NA",
        "NULL",
        "NaN",
        "n/a",
        "nan",
        "null",
    )
)
"""What stands for a missing cell in every column of CSV; these are pyarrow's."""
ODD_MARKS = frozenset(("?", "-", "--", ".", "*", "None", "none"))
"""What stands for one among numbers alone: among text it may be a category."""
CODE = re.compile(r"0\d+|\d{19,}", re.ASCII)
"""Digits that a number would lose: those after a 0, or beyond what it holds exactly."""
_NUMBER = re.compile(r"([+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*%?", re.ASCII)
_INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d.*)?$", re.ASCII)
_DAY = len("2024-12-31")
_LOOKED_AT = 1000  # texts that tell what a column looks like
_ODD = 0.2  # of these may be something else: a word among numbers, a date that is none


def is_text(kind: Any) -> bool:
    """Whether a type of pyarrow's is text, in a dictionary or not."""
    types = needs("pyarrow", extra="tables").types
    plain = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_string(plain) or types.is_large_string(plain) or types.is_string_view(plain))


def number_of(text: str) -> int | float | None:
    """The number that a text stands for, None for a missing one.

    Raises:
        ValueError: if it is none.
    """
    plain = text.strip()
    if plain in MARKS or plain in ODD_MARKS:
        return None
    if _INFINITE.fullmatch(plain):
        return float(plain)
    found = _NUMBER.fullmatch(plain)
    if not found:
        raise ValueError(text)
    digits = found[1].replace(",", "")
    return int(digits) if digits.lstrip("+-").isdigit() else float(digits)


class Looks(NamedTuple):
    """What text could be read as too: a kind, "number" or "date", and the first text that could not; "" for none."""

    kind: str = ""
    except_for: str = ""


def looks_like(texts: Sequence[str]) -> Looks:
    """What all of these texts could be read as, or most of them."""
    some = [text for text in texts[:_LOOKED_AT] if text.strip() not in MARKS | ODD_MARKS]
    if any(map(CODE.fullmatch, some)):
        return Looks()
    for kind, read in (("number", number_of), ("date", _date_of)):
        odd = [text for text in some if not _is_read(text, read)]
        if len(odd) <= _ODD * len(some) and len(some) > len(odd):
            return Looks(kind, odd[0] if odd else "")
    return Looks()


def _is_read(text: str, read: Callable[[str], Any]) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


def parsed(columns: Sequence[Any], name: str, declared: Declared) -> list[Any]:
    """Columns of text, pyarrow's, as what their cells are said to be; categories, and columns of other types, as they are.

    Raises:
        SaltusError: for a text that does not stand for such a cell, with its row.
    """
    if declared.categorical or not is_text(columns[0].type):
        return list(columns)
    if declared.kind == "date":
        return _arrays(columns, name, declared, _dates_alike(), _dates)
    if declared.kind == "boolean":
        return _arrays(columns, name, declared, _truth_of, lambda _: needs("pyarrow", extra="tables").bool_())
    return _arrays(columns, name, declared, number_of, _numbers)


_EXPECTED = {
    "number": "a number",
    "integer": "a whole number",
    "boolean": 'true, false, 1 or 0 (other words are of the kind "category")',
    "date": "dates as 2024-12-31 or times as 2024-12-31 08:30:00, all with a time zone or none",
}


def _arrays(
    columns: Sequence[Any], name: str, declared: Declared, read: Callable[[str], Any], type_for: Callable[[Sequence[Any]], Any]
) -> list[Any]:
    """Each text is read once, however many rows have it."""
    arrow = needs("pyarrow", extra="tables")
    pieces = list[list[tuple[list[Any], Any]]]()
    for column in columns:
        pieces.append([])
        row = 0
        for chunk in column.cast(arrow.string()).chunks:
            encoded, values = chunk.dictionary_encode(), list[Any]()
            for place, text in enumerate(encoded.dictionary.to_pylist()):
                try:
                    values.append(read(text))
                except ValueError:
                    at = row + encoded.indices.index(place).as_py()
                    raise SaltusError(
                        f'the column {name} holds "{in_one_line(text)[:60]}" in row {at} where its kind {declared.kind} '
                        f"expects {_EXPECTED[declared.kind]}; mend the cell, or give another kind"
                    ) from None
            pieces[-1].append((values, encoded.indices))
            row += len(chunk)
    kind = type_for([value for chunks in pieces for values, _ in chunks for value in values if value is not None])
    return [arrow.chunked_array([_array(values, kind).take(places) for values, places in chunks], kind) for chunks in pieces]


def _array(values: list[Any], kind: Any) -> Any:
    arrow = needs("pyarrow", extra="tables")
    if arrow.types.is_timestamp(kind):  # which takes no plain dates
        midnight = datetime.time()
        values = [
            value if value is None or isinstance(value, datetime.datetime) else datetime.datetime.combine(value, midnight)
            for value in values
        ]
    return arrow.array(values, kind)


def _numbers(values: Sequence[Any]) -> Any:
    arrow = needs("pyarrow", extra="tables")
    return arrow.int64() if all(isinstance(value, int) and abs(value) < 2**63 for value in values) else arrow.float64()


def _date_of(text: str) -> datetime.datetime | datetime.date | None:
    plain = text.strip()
    if plain in MARKS or plain in ODD_MARKS:
        return None
    if not _DATE.match(plain):  # other forms of ISO 8601 are taken for numbers as easily
        raise ValueError(text)
    return datetime.datetime.fromisoformat(plain) if len(plain) > _DAY else datetime.date.fromisoformat(plain)


def _dates_alike() -> Callable[[str], Any]:
    """Reads dates that all have a time zone, or none of which has."""
    first: list[bool] = []

    def read(text: str) -> Any:
        found = _date_of(text)
        if found is None:
            return None
        first.append(isinstance(found, datetime.datetime) and found.tzinfo is not None)
        if first[0] != first[-1]:
            raise ValueError(text)
        return found

    return read


def _dates(values: Sequence[Any]) -> Any:
    arrow = needs("pyarrow", extra="tables")
    times = [value for value in values if isinstance(value, datetime.datetime)]
    return arrow.timestamp("us", "UTC" if times[0].tzinfo else None) if times else arrow.date32()


def _truth_of(text: str) -> bool | None:
    plain = text.strip().lower()
    if plain in MARKS or plain in ODD_MARKS:
        return None
    if plain not in _TRUTH:
        raise ValueError(text)
    return _TRUTH[plain]

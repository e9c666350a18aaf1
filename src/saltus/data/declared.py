"""What a user says of columns, in place of what would be detected: a mapping, or a file of TOML, with a line for a column.

    age = {kind = "integer", low = 0, high = 120}
    grade = {kind = "ordinal", order = ["poor", "fair", "good"]}
    "post code" = "category"
    note = "skip"

| kind | the cells are | and it may say |
|---|---|---|
| number | numbers; text is read as such, with commas between thousands or a percent sign too | step, low, high |
| integer | whole numbers | step, low, high |
| category | categories, also where they are written as numbers | |
| ordinal | categories that lie in an order | order, which it has to |
| boolean | true and false, or 1 and 0 | |
| date | dates or times; text is read as such | low, high |
| skip | not learned | |

`step` is how far apart neighbouring values are, 0 where they may be anywhere; `low` and `high` are the range in which data can be, and
draws are.  What is left open is detected (`saltus.data.detect`).
"""

from __future__ import annotations

import datetime
import math
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltus.errors import SaltusError
from saltus.terminal import in_one_line
from saltus.words import in_brief

__all__ = ["KINDS", "Declared", "check_names", "declarations"]

_MAY = {
    "number": ("step", "low", "high"),
    "integer": ("step", "low", "high"),
    "category": (),
    "ordinal": ("order",),
    "boolean": (),
    "date": ("low", "high"),
    "skip": (),
}
KINDS = tuple(_MAY)
"""The kinds that a column can be said to be."""
_MOST_BYTES = 2**24  # of a file: a line for each of 10,000 columns is a tenth of it


@dataclass(frozen=True)
class Declared:
    """What is said of one column.

    Attributes:
        kind: one of `KINDS`.
        order: the categories of an ordinal column along its axis, text or numbers.
        step: from one value to the next; 0 for values that may be anywhere, None for what is detected.
        low, high: the range of numbers; of dates as ISO 8601 writes them; None for what is detected.
    """

    kind: str
    order: tuple[Any, ...] = ()
    step: float | None = None
    low: Any = None
    high: Any = None

    @property
    def categorical(self) -> bool:
        """Whether its cells are categories."""
        return self.kind in ("category", "ordinal")

    @property
    def plain(self) -> dict[str, Any]:
        """What is said, as JSON has it."""
        said = {"kind": self.kind, "order": list(self.order), "step": self.step, "low": self.low, "high": self.high}
        return {name: value for name, value in said.items() if value is not None and value != []}

    @classmethod
    def of(cls, name: str, given: Any) -> Declared:
        """From a kind, or a mapping with one, or what this has made.

        Raises:
            SaltusError: if it is something else.
        """
        if isinstance(given, cls):
            return given
        column = in_one_line(name)
        said = {"kind": given} if isinstance(given, str) else given
        if not isinstance(said, Mapping) or not isinstance(said.get("kind"), str):
            raise SaltusError(f'of the column {column} {given!r:.60} is said; expected its kind: write it as {{kind = "number"}}')
        kind = said["kind"]
        if kind not in KINDS:
            raise SaltusError(f'the column {column} is said to be of the kind "{in_one_line(kind)}"; expected one of {", ".join(KINDS)}')
        if others := [str(key) for key in said if key != "kind" and key not in _MAY[kind]]:
            may = ", ".join(_MAY[kind]) or "nothing else"
            raise SaltusError(f"the column {column} of the kind {kind} has {in_one_line(others[0])}; expected {may}: leave it out")
        ends = {end: _end(column, kind, end, said.get(end)) for end in ("low", "high")}
        found = cls(kind, _order(column, kind, said.get("order")), _step(column, kind, said.get("step")), **ends)
        if kind != "date" and None not in ends.values() and not ends["low"] < ends["high"]:
            raise SaltusError(f"the column {column} goes from low = {ends['low']:g} to high = {ends['high']:g}; expected low below high")
        return found


def declarations(given: Any) -> dict[str, Declared]:
    """Of columns by their names.

    Args:
        given: a mapping, the path of a file of TOML, or None for nothing.

    Raises:
        SaltusError: if it cannot be read, or says what cannot be said.
    """
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return {str(name): Declared.of(str(name), said) for name, said in given.items()}
    if not isinstance(given, str | os.PathLike):
        raise SaltusError(
            f'columns is a {type(given).__name__}; expected a mapping of names to kinds, such as {{"age": "integer"}}, or a file'
        )
    path = Path(given).expanduser()
    try:
        return declarations(_read(path))
    except SaltusError as error:
        raise SaltusError(f"{path}: {error}") from error


def check_names(declared: Mapping[str, Declared], names: Sequence[str]) -> None:
    """Raise SaltusError if something is said of a column that is not there."""
    if unknown := [name for name in declared if name not in names]:
        close = next((name for name in names if name.strip().lower() == unknown[0].strip().lower()), None)
        there = f"there is {in_one_line(close)}" if close else f"expected one of {in_one_line(', '.join(names)):.200}"
        raise SaltusError(f"a kind is given for the column {in_one_line(unknown[0])}, which is not there; {there}: mend its name")


def _read(path: Path) -> Mapping[str, Any]:
    try:
        if path.is_file() and path.stat().st_size > _MOST_BYTES:
            raise SaltusError(f"this has {path.stat().st_size:,} bytes, and at most {_MOST_BYTES:,} were expected; give a file of kinds")
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SaltusError(f"this cannot be read ({error.strerror or error}); give a file of TOML with a kind for a column") from error
    except ValueError as error:  # no UTF-8, or no TOML
        raise SaltusError(
            f'this is no TOML ({in_brief(error)}); expected a line for a column, such as age = {{kind = "integer"}}: mend it'
        ) from error


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _step(column: str, kind: str, value: Any) -> float | None:
    if value is None:
        return None
    whole = kind != "integer" or (_number(value) and value >= 1 and value == int(value))
    if not _number(value) or value < 0 or not whole:
        expected = "a whole number from 1 up" if kind == "integer" else "a positive number, or 0 for values that may be anywhere"
        raise SaltusError(f"the step of the column {column} is {value!r:.40}; expected {expected}")
    return float(value)


def _end(column: str, kind: str, end: str, value: Any) -> Any:
    """Of the range: a number, or a date as text."""
    if value is None:
        return None
    if kind == "date" and isinstance(value, datetime.date | str):
        try:
            datetime.datetime.fromisoformat(value if isinstance(value, str) else value.isoformat())
        except ValueError:
            pass
        else:
            return value if isinstance(value, str) else value.isoformat()
    elif kind != "date" and _number(value):
        return float(value)
    expected = "a date such as 2024-12-31" if kind == "date" else "a number"
    raise SaltusError(f"{end} of the column {column} is {value!r:.40}; expected {expected}")


def _order(column: str, kind: str, value: Any) -> tuple[Any, ...]:
    if kind != "ordinal":
        return ()
    listed = isinstance(value, list | tuple)
    if not listed or len(value) < 2 or not all(isinstance(entry, str) or _number(entry) for entry in value):
        raise SaltusError(
            f'the order of the ordinal column {column} is {value!r:.60}; expected its categories in a list, such as ["low", "high"]'
        )
    if len(set(map(str, value))) < len(value):
        twice = next(str(entry) for entry in value if list(map(str, value)).count(str(entry)) > 1)
        raise SaltusError(f'the order of the column {column} names "{in_one_line(twice)}" twice; expected each category once: take one out')
    return tuple(value)

"""Conditions on columns as a command is given them: NAME=VALUE, NAME=LOW:HIGH with an end left out where it is open, NAME=A|B, and
NAME= for a missing cell.

What a column can hold goes first: a category may have a colon in it, and so may a time of day.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from saltus.data import TEXT, type_of
from saltus.errors import SaltusError
from saltus.estimators.rows import TrainedTable
from saltus.extras import needs
from saltus.terminal import in_one_line
from saltus.words import listed

__all__ = ["parsed"]

_TRUTH = {"true": True, "false": False, "1": True, "0": False}
_COLONS = (1, 2)  # in a time of day
_SHOWN = 10  # names that a message names


def parsed(texts: Sequence[str], trained: TrainedTable) -> dict[str, Any]:
    """A condition, as `TableModel.sample` takes it.

    Raises:
        SaltusError: for a text that has no column's name, a column that is named twice, or a value that its column cannot have.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name = _name(text, trained.columns)
        if name in found:
            raise SaltusError(f"{in_one_line(name)} was given twice; expected one condition on a column: give several values as A|B")
        j = list(trained.columns).index(name)
        found[name] = _value(text[len(name) + 1 :], in_one_line(name), trained.dtypes[j], trained.encoding.categories[j])
    return found


def _name(text: str, columns: Sequence[str]) -> str:
    """Of the column: names may have a sign of equality in them."""
    fits = [name for name in columns if text.startswith(f"{name}=")]
    if not fits:
        raise SaltusError(
            f"the condition {in_one_line(text)} was given; expected NAME=VALUE, and a name of {in_one_line(listed(list(columns), _SHOWN))}"
        )
    return max(fits, key=len)


def _value(text: str, name: str, dtype: str, categories: Sequence[str]) -> Any:
    if text in categories:
        return text
    if not text:
        return None
    if dtype == TEXT:
        return text.split("|") if "|" in text else text
    if (whole := _number(text, dtype)) is not None:
        return whole
    values = [_number(part, dtype) for part in text.split("|")]
    if len(values) > 1 and None not in values:
        return values
    for place in (place for place, sign in enumerate(text) if sign == ":"):
        ends = text[:place], text[place + 1 :]
        low, high = (_number(end, dtype) if end else None for end in ends)
        if any(ends) and (low is not None) == bool(ends[0]) and (high is not None) == bool(ends[1]):
            return low, high
    raise SaltusError(f"{name} = {in_one_line(text)} was asked for; expected {dtype}: give a value, LOW:HIGH, or values as A|B")


def _number(text: str, dtype: str) -> Any:
    """A value of a type; None where the text is none."""
    text = text.strip()
    if dtype == "bool":
        return _TRUTH.get(text.lower())
    if "[" not in dtype:
        try:
            return float(text)
        except ValueError:
            return None
    arrow = needs("pyarrow", extra="tables")
    kind = type_of(dtype)
    plain: Any = text
    try:
        if arrow.types.is_duration(kind):
            plain = int(text)
        elif arrow.types.is_time(kind):
            plain = datetime.time.fromisoformat(text if text.count(":") in _COLONS else "")
        return arrow.array([plain]).cast(kind)[0].as_py()
    except (arrow.ArrowException, ValueError):
        return None

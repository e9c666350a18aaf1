"""How long something may take: seconds, or text such as 90s, 20m or 1.5h."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

__all__ = ["Duration", "in_seconds", "in_words"]

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = 10 * 365 * _UNITS["d"]  # beyond which a clock is no limit


def in_seconds(given: Any) -> Any:
    """Seconds of a text; what is no text is left to be checked as a number.

    Raises:
        ValueError: if the text names no time.

    >>> in_seconds("20m")
    1200.0
    """
    if not isinstance(given, str):
        return given
    found = re.fullmatch(r"(\d+\.?\d*|\.\d+) ?([a-z]*)", given.strip().lower())
    if found is None or found[2] not in _UNITS:
        raise ValueError("expected a time such as 90s, 20m or 2h")
    return float(found[1]) * _UNITS[found[2]]


def in_words(seconds: float) -> str:
    """The same the other way, for humans.

    >>> in_words(1200), in_words(95)
    ('20 min', '1 min 35 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    return " ".join(part for part in (f"{minutes} min" * (minutes > 0), f"{rest} s" * (rest > 0 or not minutes)) if part)


Duration = Annotated[float, BeforeValidator(in_seconds), Field(gt=0, le=_LONGEST)]
"""Seconds above 0, of a number or a text."""

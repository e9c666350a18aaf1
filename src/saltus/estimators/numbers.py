"""Numbers that a user gives."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from saltus.errors import SaltusError

__all__ = ["check_number"]


def check_number(n: Any, what: str) -> None:
    """Raise SaltusError for what is no number of things that can be drawn."""
    if type(n) is bool or not isinstance(n, Integral) or n < 1:
        raise SaltusError(f"{what} was given as {n!r:.60}; expected a whole number from 1 up")

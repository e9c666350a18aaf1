"""Parts of the sentences that users read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from saltus.errors import SaltusError

__all__ = ["counted", "in_brief", "instead", "listed"]

_LONGEST = 200  # letters of a message in another one


def in_brief(error: Exception) -> str:
    """What an error says; of another library's, its kind too."""
    if isinstance(error, SaltusError):
        return str(error)[:_LONGEST]
    first = str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".")
    return f"{type(error).__name__}: {first}"[:_LONGEST] if first else type(error).__name__


def listed(names: Sequence[str], most: int) -> str:
    """Names with commas between them, and how many there are beyond the first `most`.

    >>> listed(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def counted(kinds: Mapping[str, int]) -> str:
    """How many there are of each kind, by name.

    >>> counted({"hidden": 2, ".txt": 1})
    '1 .txt, 2 hidden'
    """
    return ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items()))


def instead(changes: Mapping[str, tuple[Any, Any]]) -> str:
    """What is asked for otherwise than something was made: for each name the new value and the old one.

    >>> instead({"seed": (1, 0)})
    'seed 1 instead of 0'
    """
    return ", ".join(f"{name} {given} instead of {kept}" for name, (given, kept) in changes.items())

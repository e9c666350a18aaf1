"""What gives the same without the page: a command, and a few lines of Python."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

__all__ = ["Equivalent", "command"]


@dataclass(frozen=True)
class Equivalent:
    """Two ways to what a tab shows.

    Attributes:
        command: for a terminal; "" where there is none.
        python: a whole program.
    """

    command: str
    python: str


def command(*words: str | float, **options: str | float | bool | None) -> str:
    """A command of saltus, as it can be pasted; options that are None or False are left out.

    >>> command("sample", "digits", n=16, condition="a b", json=True, calls=None)
    "saltus sample digits --n 16 --condition 'a b' --json"
    """
    parts = ["saltus", *map(_word, words)]
    for name, value in options.items():
        if value is None or value is False:
            continue
        parts += [f"--{name.replace('_', '-')}"] + ([] if value is True else [_word(value)])
    return shlex.join(parts)


def _word(value: str | float) -> str:
    return value if isinstance(value, str) else repr(value)

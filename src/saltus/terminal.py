r"""What goes to a terminal is written here: what it would act on, in names and in files of others, is written out instead.

>>> shown("red\x1b[31m")
'red\\x1b[31m'
"""

from __future__ import annotations

import re
import sys

__all__ = ["in_one_line", "shown", "shown_json", "tell"]

_UNSAFE = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""What JSON lets through and a terminal may act on: control characters, and those that turn the direction of a line."""


def shown(text: str) -> str:
    """A text as a terminal may show it."""
    return "".join(letter if letter in "\n\t" else in_one_line(letter) for letter in text)


def in_one_line(text: str) -> str:
    """The same without ends of lines and tabs, as a name in a sentence is."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def shown_json(text: str) -> str:
    """JSON that says the same in characters that a terminal may show."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def tell(words: str, *, result: bool = False) -> None:
    """Write words to stderr, or to stdout if they are the result that was asked for.

    Raises:
        OSError: if there is no room or no way.
    """
    print(shown(words), file=sys.stdout if result else sys.stderr, flush=True)

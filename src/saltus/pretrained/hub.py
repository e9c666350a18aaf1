"""Folders of the Hugging Face hub, by names such as hf:OWNER/NAME: they are downloaded once, and kept by its library."""

from __future__ import annotations

import string
from pathlib import Path, PurePath

from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.words import in_brief

__all__ = ["HUB", "downloaded", "is_hub_name", "name_on_hub"]

HUB = "hf:"
"""What names of the hub begin with."""
_LETTERS = frozenset(string.ascii_letters + string.digits + "-_.")


def is_hub_name(place: str | PurePath) -> bool:
    """Whether a place is a name of the hub, and no path."""
    return str(place).startswith(HUB)


def name_on_hub(place: str | PurePath) -> str:
    """OWNER/NAME.

    Raises:
        SaltusError: if it is no such name.
    """
    name = str(place).removeprefix(HUB)
    owner, _, rest = name.partition("/")
    if not owner or not rest or "/" in rest or not all(part.strip("._-") and set(part) <= _LETTERS for part in (owner, rest)):
        raise SaltusError(f"{name!r:.80} is no name of the hub; give OWNER/NAME, of letters, digits, dots, dashes and underscores")
    return name


def downloaded(place: str | PurePath, *patterns: str) -> Path:
    """A folder with the files of hf:OWNER/NAME, or with those that fit a pattern.

    Raises:
        SaltusError: if it is no name of the hub, or cannot be downloaded.
    """
    name, hub = name_on_hub(place), needs("huggingface_hub", extra="hub")
    try:
        return Path(hub.snapshot_download(name, allow_patterns=list(patterns) or None))
    except Exception as error:  # of the network, of the hub, and of the library
        raise SaltusError(f"{name} cannot be downloaded ({in_brief(error)}); check the name, the network and the login") from error

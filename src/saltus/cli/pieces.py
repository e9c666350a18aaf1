"""Long work in pieces on the disk, so that the same command goes on where it was ended.

A piece's name holds the digest of its content, so that one which was changed is made again.  A piece appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saltus.errors import SaltusError
from saltus.storage import read_json, to_json, write_atomically

if TYPE_CHECKING:
    from saltus.data.layout import Array

__all__ = ["PIECES", "Pieces", "digest", "in_pieces"]

PIECES = ".pieces"
"""The folder of what is made so far, within that of what is to be made."""

_CALL = "call.json"
_SECONDS = 30.0  # between two lines of progress


class Pieces:
    """The pieces of one call in a folder.

    Args:
        folder: where they are; made where it is not there.
        call: what decides the content of all pieces.

    Raises:
        SaltusError: if the pieces of another call are there.
    """

    def __init__(self, folder: Path, call: Mapping[str, Any]) -> None:
        self._folder, text = folder, to_json(call)
        if self._call() is None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            write_atomically(folder / _CALL, text)
        elif to_json(self._call()) != text:
            before: Any = self._call()
            differing = [name for name, value in call.items() if before.get(name) != value]
            changed = ", ".join(f"{name} {call[name]} instead of {before.get(name)}" for name in differing)
            raise SaltusError(f"{folder} holds pieces of another call ({changed}); give another folder with --out, or remove it first")

    def _call(self) -> dict[str, Any] | None:
        """What the pieces that are there are of; None where nobody says so."""
        try:
            found = read_json(self._folder / _CALL)
        except (OSError, SaltusError):
            return None
        return found if isinstance(found, dict) else None

    def get(self, number: int, make: Callable[[], Array]) -> tuple[Array, bool]:
        """The piece of this number, and whether it was there: from the disk if it is whole, or else made and kept."""
        import numpy as np

        for file in sorted(self._folder.glob(f"{number:08d}-*.npy")):
            content = file.read_bytes()
            if file.stem.partition("-")[2] == digest(content):
                whole: Array = np.load(io.BytesIO(content), allow_pickle=False)
                return whole, True
            file.unlink()
        made, written = make(), io.BytesIO()
        np.save(written, made, allow_pickle=False)
        content = written.getvalue()
        write_atomically(self._folder / f"{number:08d}-{digest(content)}.npy", content)
        return made, False


def digest(content: bytes) -> str:
    """32 hexadecimal digits that change with the content."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def in_pieces(make: Callable[[int, int], Array], n: int, at_once: int, folder: Path, call: Mapping[str, Any]) -> Iterator[Array]:
    """n items, piece by piece, with a line of progress on stderr now and then.

    Args:
        make: the items from one number up to another.
        n: how many there are.
        at_once: items of a piece.
        folder: where pieces are kept; none are where one piece will do.
        call: what decides the content of all items.
    """
    first = None if folder.exists() else make(0, min(at_once, n))  # what is refused is so before there is a folder
    if n <= at_once:
        yield make(0, n) if first is None else first
        return
    pieces, begun, due, made = Pieces(folder, call), time.monotonic(), time.monotonic() + _SECONDS, 0

    def piece_from(start: int) -> Array:
        return make(start, min(start + at_once, n)) if first is None or start else first

    for number, start in enumerate(range(0, n, at_once)):
        piece, was_there = pieces.get(number, partial(piece_from, start))
        yield piece
        made += len(piece) * (not was_there)
        if (now := time.monotonic()) >= due and made:
            due, left = now + _SECONDS, n - start - len(piece)
            click.echo(f"{n - left:,} of {n:,} items  {left * (now - begun) / made / 60:.0f} min left", err=True)

"""Long work in pieces on the disk, so that the same command goes on where it was ended.

A piece's name holds a digest of its content and of the call, so that one which was changed, or is of another call, is made again.  A piece
appears whole or not at all.  Several processes, of one job or of many, may each make a part of the pieces in one folder.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saltus.errors import SaltusError
from saltus.processes import run_of
from saltus.terminal import tell
from saltus.words import instead

if TYPE_CHECKING:
    from saltus.data.layout import Array

    Make = Callable[[int, int], Array]

__all__ = ["PIECES", "Pieces", "digest", "in_pieces", "make_part"]

PIECES = ".pieces"
"""The folder of what is made so far, within that of what is to be made."""

_CALL, _AT_ONCE = "call.json", "at_once"
_FEWEST = 4  # pieces of a part: what is lost where one is ended, and by how much parts differ, is no more than one of them
_SECONDS = 30.0  # between two lines of progress


class Pieces:
    """The pieces of one call in a folder; several processes may make them at a time.

    Args:
        folder: where they are; made where it is not there.
        call: what decides the content of all pieces.
        n: items in all.
        at_once: items of a piece, where the folder does not say.

    Attributes:
        at_once: items of a piece.

    Raises:
        SaltusError: if the pieces of another call are there.
    """

    def __init__(self, folder: Path, call: Mapping[str, Any], n: int, at_once: int) -> None:
        from saltus.files import to_json, write_atomically

        self._folder, self._n, self._text = folder, n, to_json(call).encode()
        before = self._call()
        if before is None:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / _CALL, to_json({**call, _AT_ONCE: at_once}))
            before = {**call, _AT_ONCE: at_once}
        self.at_once: int = before.pop(_AT_ONCE)
        if to_json(before).encode() != self._text:
            changes = {name: (value, before.get(name)) for name, value in call.items() if before.get(name) != value}
            raise SaltusError(
                f"{folder} holds pieces of another call ({instead(changes)}); give another folder with --out, or remove it first"
            )

    @property
    def count(self) -> int:
        """How many pieces there are to be."""
        return -(-self._n // self.at_once)

    @property
    def missing(self) -> int:
        """How many of them are not there."""
        return self.count - len({file.stem.partition("-")[0] for file in self._folder.glob("*-*.npy")})

    def _call(self) -> dict[str, Any] | None:
        """What the pieces that are there are of; None where nobody says so."""
        from saltus.files import read_json

        try:
            found = read_json(self._folder / _CALL)
        except (OSError, SaltusError):
            return None
        return found if isinstance(found, dict) and isinstance(found.get(_AT_ONCE), int) and found[_AT_ONCE] > 0 else None

    def made(self, numbers: range, make: Make, first: Array | None = None) -> Iterator[Array]:
        """The pieces of these numbers, with a line of progress on stderr now and then; `first` is the first of them, if it is known."""
        begun, due, fresh = time.monotonic(), time.monotonic() + _SECONDS, 0

        def piece(number: int) -> Array:
            start = number * self.at_once
            return make(start, min(start + self.at_once, self._n)) if first is None or number != numbers.start else first

        for number in numbers:
            found, was_there = self.get(number, partial(piece, number))
            yield found
            fresh += not was_there
            if (now := time.monotonic()) >= due and fresh:
                due, minutes = now + _SECONDS, (numbers.stop - number - 1) * (now - begun) / fresh / 60
                tell(f"piece {number + 1 - numbers.start:,} of {len(numbers):,}  {minutes:.0f} min left")

    def get(self, number: int, make: Callable[[], Array]) -> tuple[Array, bool]:
        """The piece of this number, and whether it was there: from the disk if it is whole, or else made and kept."""
        import numpy as np

        from saltus.files import write_atomically

        for file in sorted(self._folder.glob(f"{number:08d}-*.npy")):
            content = file.read_bytes()
            if file.stem.partition("-")[2] == digest(self._text + content):
                whole: Array = np.load(io.BytesIO(content), allow_pickle=False)
                return whole, True
            file.unlink()
        made, written = make(), io.BytesIO()
        np.save(written, made, allow_pickle=False)
        content = written.getvalue()
        write_atomically(self._folder / f"{number:08d}-{digest(self._text + content)}.npy", content)
        return made, False


def digest(content: bytes) -> str:
    """32 hexadecimal digits that change with the content."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def in_pieces(make: Make, n: int, at_once: int, folder: Path, call: Mapping[str, Any]) -> Iterator[Array]:
    """n items, piece by piece.

    Args:
        make: the items from one number up to another.
        n: how many there are.
        at_once: items of a piece.
        folder: where pieces are kept; none are where one piece will do.
        call: what decides the content of all items.
    """
    first = None if folder.exists() else make(0, min(at_once, n))  # what is refused is so before there is a folder
    if first is not None and n <= at_once:
        yield first
        return
    pieces = Pieces(folder, call, n, at_once)
    if first is None and pieces.missing:
        tell(f"{pieces.missing:,} of {pieces.count:,} pieces are not there yet; they are made now")
    yield from pieces.made(range(pieces.count), make, first)


def make_part(make: Make, n: int, at_once: int, folder: Path, call: Mapping[str, Any], part: tuple[int, int]) -> int:
    """Make the pieces of one part; the number of its items.

    Args:
        make, n, folder, call: as for `in_pieces`, which joins all parts.
        at_once: items of a piece, at most: each part gets several.
        part: which one of how many, from 0.
    """
    number, parts = part
    each = max(_FEWEST, -(-n // (parts * at_once)))
    at_once = -(-n // (parts * each))
    if not folder.exists():
        make(0, 1)  # what is refused is so before there is a folder
    pieces = Pieces(folder, call, n, at_once)
    return sum(len(piece) for piece in pieces.made(run_of(pieces.count, number, parts), make))

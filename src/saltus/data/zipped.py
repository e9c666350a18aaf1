"""The arrays of an .npz file by their names; one that is too large for memory is unpacked into the cache and mapped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from saltus.data.kept import MOST_UNPACKED, Allocate, kept, key_of
from saltus.data.layout import Array
from saltus.data.parts import Parts

__all__ = ["Zipped"]

_AT_ONCE = 2**24  # bytes copied at a time


class Zipped(Mapping[str, Array]):
    """What `numpy.load` gave of a file, an array at a time, when it is asked for.

    Attributes:
        notes: where large arrays are.
    """

    def __init__(self, path: Path, file: Any) -> None:
        self._path, self._file, self.notes = path, file, list[str]()
        self._sizes = {info.filename: info.file_size for info in file.zip.infolist()}

    def __iter__(self) -> Iterator[str]:
        return iter(self._file.files)

    def __len__(self) -> int:
        return len(self._file.files)

    def __getitem__(self, name: str) -> Array:
        nbytes = self._sizes.get(f"{name}.npy", 0)
        if nbytes <= MOST_UNPACKED:
            found: Array = self._file[name]
            return found
        key = key_of("array", str(self._path.resolve()), self._path.stat().st_mtime_ns, name, nbytes)
        parts = kept(key, nbytes, partial(self._unpacked, name))
        self.notes += parts.notes
        return parts.train

    def _unpacked(self, name: str, allocate: Allocate) -> Parts:
        with self._file.zip.open(f"{name}.npy") as stream:
            shape, columns_first, dtype = _header(stream)
            if dtype.hasobject:
                raise ValueError("it holds Python objects, which only pickle reads")
            items = allocate("train", shape, dtype)
            if columns_first:
                items[...] = self._file[name]
                return Parts(items)
            bytes_of, done = items.reshape(-1).view(np.uint8), 0
            while done < len(bytes_of):
                piece = stream.read(min(_AT_ONCE, len(bytes_of) - done))
                if not piece:
                    raise ValueError("it is cut short")
                bytes_of[done : done + len(piece)] = np.frombuffer(piece, np.uint8)
                done += len(piece)
        return Parts(items)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it is in Fortran's order, and type."""
    major, _ = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    return read(stream)

"""Raw items that are too many for memory, unpacked once into the user's cache folder and mapped from there.

PART.npy, PART.labels.npy   items and their classes, of the training, validation and test part
parts.json                  the number of items of each part, names and notes; written last

The cache is the folder that SALTUS_CACHE names, or the user's own.  A folder there appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from saltus.data.layout import Array
from saltus.data.parts import PARTS, Parts
from saltus.errors import SaltusError
from saltus.files import read_json, to_json
from saltus.machine import cache_folder

__all__ = ["MOST_UNPACKED", "Allocate", "in_memory", "kept", "key_of"]

MOST_UNPACKED = 2**28
"""Bytes of raw items that are held in memory: as float32, bytes take 1 GiB."""
_RECIPE = 1  # raise it with every change of what readers make of files: it is kept
_LEFT = 2**30  # bytes that stay free on the disk
_DIGEST = 16  # bytes of a key
_DOCUMENT = "parts.json"

Allocate = Callable[[str, Sequence[int], np.dtype[Any]], Array]
"""Room for the items of a part, by its name, shape (N, ...) and type."""


def in_memory(_: str, shape: Sequence[int], dtype: np.dtype[Any]) -> Array:
    """Room in memory."""
    return np.empty(shape, dtype)


def key_of(*what: Any) -> str:
    """The name of what is kept: of everything that it is made of."""
    return hashlib.blake2b(repr((_RECIPE, *what)).encode("utf-8", "surrogatepass"), digest_size=_DIGEST).hexdigest()


def kept(key: str, nbytes: int, make: Callable[[Allocate], Parts]) -> Parts:
    """Parts whose items are mapped from the cache, made the first time.

    Args:
        key: of what they are made of.
        nbytes: that the items take.
        make: makes them, in the room that it is given.

    Raises:
        SaltusError: if there is no room on the disk, or the cache cannot be written.
    """
    folder = cache_folder() / "items" / key
    if not folder.is_dir():
        _check_room(folder, nbytes)
        partial = folder.with_name(f".{key}.{uuid.uuid4().hex}.partial")
        try:
            partial.mkdir(parents=True)
            _write(partial, make(lambda part, shape, dtype: _mapped(partial / f"{part}.npy", shape, dtype)))
            os.rename(partial, folder)
        except OSError as error:
            if not folder.is_dir():  # of another process that was sooner
                raise SaltusError(
                    f"the items cannot be kept in {folder.parent} ({error.strerror or error}); set SALTUS_CACHE to a folder with room"
                ) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return _read(folder)


def _check_room(folder: Path, nbytes: int) -> None:
    place = next(place for place in folder.parents if place.is_dir())
    free = shutil.disk_usage(place).free
    if nbytes + _LEFT > free:
        raise SaltusError(
            f"the items take {nbytes / 1e9:.1f} GB, more than are held in memory, and {place} has {max(0, free - _LEFT) / 1e9:.1f} GB for "
            "them; set SALTUS_CACHE to a folder on a larger disk, give --size, or give fewer"
        )


def _mapped(file: Path, shape: Sequence[int], dtype: np.dtype[Any]) -> Array:
    found: Array = np.lib.format.open_memmap(file, mode="w+", dtype=dtype, shape=tuple(shape))
    return found


def _write(folder: Path, parts: Parts) -> None:
    for name, part in zip(PARTS, parts.labels.each if parts.labels else (), strict=False):
        if part is not None:
            np.save(folder / f"{name}.labels.npy", part)
    counts = {name: len(part) for name, part in zip(PARTS, parts.each, strict=True) if part is not None}
    (folder / _DOCUMENT).write_text(to_json({"items": counts, "classes": parts.classes, "notes": parts.notes}))


def _read(folder: Path) -> Parts:
    try:
        document = read_json(folder / _DOCUMENT)
        items = {name: np.load(folder / f"{name}.npy", mmap_mode="r")[:n] for name, n in document["items"].items()}
        labels = {name: np.load(file) for name in items if (file := folder / f"{name}.labels.npy").is_file()}
        return Parts(
            items["train"],
            items.get("validation"),
            items.get("test"),
            labels=Parts(labels["train"], labels.get("validation"), labels.get("test")) if labels else None,
            classes=tuple(map(str, document["classes"])),
            notes=(*map(str, document["notes"]), f"the items are kept, unpacked, in {folder}"),
        )
    except (KeyError, TypeError, AttributeError, ValueError, OSError) as error:
        raise SaltusError(f"{folder} is damaged; remove it, and it is made again") from error

"""Things that are expensive to make, kept in the user's cache folder or in the folder that SALTUS_CACHE names.

A thing that is damaged is not used, since `saltus.storage` writes digests and checks them.  A cache that cannot be used costs one
warning and the time to make the thing: it never stops or changes a measurement.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError

from saltus.errors import SaltusError
from saltus.machine import cache_folder
from saltus.registry import Configurable
from saltus.storage import read, write

__all__ = ["cached"]

T = TypeVar("T", bound=Configurable)


def cached(kind: type[T], name: str, key: str, make: Callable[[], T]) -> T:
    """The thing of this kind that is kept under a name and a key; if there is none, `make` makes it and it is kept."""
    folder, problem = cache_folder() / name / key, None
    try:
        if (folder / f"{name}.json").exists():
            return _read(kind, name, folder)
    except (OSError, SaltusError) as error:
        problem = f"what is kept in {folder} cannot be used ({error}); it is made again"
    thing = make()
    try:
        write(thing, folder, name)
    except (OSError, SafetensorError) as error:
        problem = f"nothing can be kept in {folder} ({error}); set SALTUS_CACHE to a folder that can be written to"
    if problem:
        warnings.warn(problem, stacklevel=3)
    return thing


def _read(kind: type[T], name: str, folder: Path) -> T:
    thing = read(folder, name)
    if not isinstance(thing, kind):
        raise SaltusError(f"it is a {type(thing).__name__}; remove it")
    return thing

"""A folder that one process at a time works in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from saltus.errors import SaltusError

__all__ = ["LOCK", "exclusively"]

LOCK = ".lock"


@contextlib.contextmanager
def exclusively(folder: Path, otherwise: str) -> Iterator[None]:
    """The folder, without what a kill in mid-write has left there.

    Args:
        folder: that is there.
        otherwise: the sentence for the user where another process has it.

    Raises:
        SaltusError: if another process has it.
    """
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise SaltusError(otherwise) from None
    try:
        for left in folder.rglob(".*.partial"):
            left.unlink(missing_ok=True)
        yield
    finally:
        lock.release()

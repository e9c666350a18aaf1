"""Files that appear whole or not at all, and JSON that is checked as it comes in."""

from __future__ import annotations

import contextlib
import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic_core

from saltus.errors import SaltusError
from saltus.words import in_brief

__all__ = ["AGAIN", "atomically", "check_regular", "parse_json", "read_bytes", "read_json", "to_json", "write_atomically"]

AGAIN = "copy all files again from one training, or train again"
"""What to do where a file of a run is damaged."""
_MOST_BYTES = 2**24  # of a file of JSON: what saltus writes is a hundredth of it


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON as its standard has it, with null for numbers that are not finite."""
    return pydantic_core.to_json(value, indent=indent, inf_nan_mode="null").decode()


def read_json(file: Path) -> Any:
    """What a JSON file says.

    Raises:
        SaltusError: if it is not JSON, or no regular file, or a very large one.
        OSError: if it cannot be read.
    """
    return parse_json(read_bytes(file), file)


def read_bytes(file: Path) -> bytes:
    """The bytes of a file of JSON; raises as `read_json`."""
    check_regular(file)
    if (size := file.stat().st_size) > _MOST_BYTES:
        raise SaltusError(f"{file} has {size:,} bytes, and at most {_MOST_BYTES:,} were expected; {AGAIN}")
    return file.read_bytes()


def check_regular(file: Path) -> None:
    """Raise SaltusError if it is a folder, a device or a pipe, which may have no end; OSError if it is not there."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise SaltusError(f"{file} is no regular file; {AGAIN}")


def parse_json(raw: bytes | str, file: Path) -> Any:
    """What JSON says; a SaltusError that names the file if it is none, nested too deeply, or has numbers that are too long."""
    try:
        return pydantic_core.from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise SaltusError(f"{file} is damaged ({in_brief(error)}); {AGAIN}") from error


@contextlib.contextmanager
def atomically(file: Path) -> Iterator[Path]:
    """A new path in the same folder to write to; what is there at the end takes the file's place at once, and is on the disk.

    If the writing fails, the file stays as it was.
    """
    unique = file.with_name(f".{file.name}.{uuid.uuid4().hex}.partial")
    try:
        unique.touch(exist_ok=False)
        mode = unique.stat().st_mode  # as the user's umask has it; libraries may write files of other modes
        yield unique
        unique.chmod(mode)
        _sync(unique, os.O_RDWR)
        os.replace(unique, file)
    except OSError as error:
        if error.filename == str(unique):  # a name that tells a user nothing
            error.filename = str(file)
        raise
    finally:
        unique.unlink(missing_ok=True)
    if os.name == "posix":
        _sync(file.parent, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(file: Path, content: bytes | str) -> None:
    """Write bytes, or text as UTF-8, so that the file appears whole or not at all."""
    with atomically(file) as path:
        path.write_bytes(content.encode() if isinstance(content, str) else content)

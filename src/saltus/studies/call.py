"""The folder of a long work: for one process at a time, and for the call that it was made for, which goes on where it was ended."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from saltus.errors import SaltusError
from saltus.exclusive import LOCK, exclusively
from saltus.files import read_json, to_json, write_atomically
from saltus.words import instead

__all__ = ["CALL", "only_call"]

CALL = "call.json"
_OTHER = "give its own options, or another folder with --out"


@contextlib.contextmanager
def only_call(folder: Path, call: Mapping[str, Any]) -> Iterator[None]:
    """A new or empty folder, or that of the same call, which no other process works in meanwhile.

    Args:
        folder: made if it is not there.
        call: everything that was asked for, in values that JSON has.

    Raises:
        SaltusError: if the folder holds something else, was made by another call, or another process works there.
    """
    if folder.exists() and not folder.is_dir():
        raise SaltusError(f"{folder} is already there and not a folder; give another one with --out")
    existed = folder.exists()
    if existed and not {file.name for file in folder.iterdir()} <= {LOCK} and not (folder / CALL).exists():
        raise SaltusError(f"{folder} is already there, not an empty folder, and holds nothing that can go on; give another one with --out")
    folder.mkdir(parents=True, exist_ok=True)
    with exclusively(folder, f"another process works in {folder}; wait for it, or give another folder with --out"):
        new = _check(folder / CALL, json.loads(to_json(dict(call))))
        try:
            yield
        except SaltusError:
            if new:
                _empty(folder, existed)
            raise


def _empty(folder: Path, existed: bool) -> None:
    """Take the call away if nothing was made for it, and the folder if that was made for it."""
    if any(file.is_file() for file in folder.rglob("*") if file.name not in (CALL, LOCK)):
        return
    for name in (CALL, LOCK):
        (folder / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        for inside in folder.iterdir():
            inside.rmdir()
        if not existed:
            folder.rmdir()


def _check(file: Path, call: dict[str, Any]) -> bool:
    """Whether the call is new, which is written down then; a SaltusError if another one is there."""
    if not file.exists():
        write_atomically(file, to_json(call, indent=1) + "\n")
        return True
    try:
        kept = read_json(file)
    except SaltusError:
        kept = None
    if not isinstance(kept, dict):
        raise SaltusError(f"{file} is damaged, and with it what its folder was made for is lost; give another folder with --out")
    names = dict.fromkeys([*call, *kept])
    if differences := [name for name in names if call.get(name) != kept.get(name)]:
        changes = {name: (_short(call.get(name)), _short(kept.get(name))) for name in differences}
        raise SaltusError(f"{file.parent} was made by another call: {instead(changes)} is asked for now; {_OTHER}")
    return False


def _short(value: Any) -> str:
    return f"{to_json(value):.200}"

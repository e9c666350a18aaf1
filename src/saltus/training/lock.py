"""The folder of a run, for one training at a time."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from saltus.errors import SaltusError
from saltus.exclusive import LOCK, exclusively
from saltus.training.folder import CHECKPOINTS, SOURCE

__all__ = ["begun", "locked"]


@contextlib.contextmanager
def locked(home: Path) -> Iterator[None]:
    """The folder, for one process at a time; what could not begin leaves nothing there.

    Raises:
        SaltusError: if another process trains there, or the folder holds something else than a run.
    """
    if home.exists() and not home.is_dir():
        raise SaltusError(f"{home} is already there and not a folder; give the run a new one")
    existed = home.exists()
    if existed and any(home.iterdir()) and not begun(home) and not (home / LOCK).exists():
        raise SaltusError(f"{home} is already there and holds no run that can go on; give the run a new folder, or remove it first")
    if begun(home) and not (home / CHECKPOINTS).is_dir():
        raise SaltusError(f"the run in {home} has no checkpoints to go on from; give a new folder, or remove it first")
    home.mkdir(parents=True, exist_ok=True)
    with exclusively(home, f"another process trains in {home}; wait for it, or give the run a new folder"):
        try:
            yield
        finally:
            if not begun(home):
                _empty(home, existed)


def _empty(home: Path, existed: bool) -> None:
    """Take away what a run that did not begin has written, and the folder if it made that."""
    shutil.rmtree(home / CHECKPOINTS, ignore_errors=True)
    for file in [home / SOURCE, *home.glob("chain.*"), home / LOCK]:
        file.unlink(missing_ok=True)
    if not existed:
        with contextlib.suppress(OSError):  # somebody else's file is there
            home.rmdir()


def begun(home: Path) -> bool:
    """Whether a run is there: its configuration is what is written last before the first update."""
    return (home / "config.json").exists()

"""Where the page keeps what its readers send and make: a folder for each of them, in one that goes when the studio ends or that stays.

    READER/NAME          a table, or a folder of images, as it was unpacked
    READER/runs/NAME     a run, and beside it the command that trains it and what it said
    READER/made/NAME     what is made with a run, until it is handed out
    studio/              what the studio itself keeps: uploads, copies that are handed out, and the lock that says that it is its own

A reader is told by a key that the browser keeps.  Names of folders are digests of keys, and names of files are letters, digits, `-`, `_`
and dots, so that none leads elsewhere or is read as an option.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import time
import unicodedata
import weakref
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from saltus.data import BUILT_IN, table_ending
from saltus.errors import SaltusError
from saltus.exclusive import exclusively
from saltus.studio.commands import end_in
from saltus.studio.limits import Limits
from saltus.words import listed

__all__ = ["Session", "Workspace", "remove", "safe_name"]

_DIGEST = 12  # bytes of a key
_LETTERS = 60  # of a name
_LONGEST_KEY = 200
_RUNS, _MADE = "runs", "made"
_OWN, _UPLOADS, _GIVEN = "studio", "uploads", "given"
_PRIVATE = 0o700  # what is sent is for nobody else on the machine
_READERS = 4  # that fill the workspace together: none may have more than such a share of it
_SHOWN = 10  # names in a message
_HANDED = 600.0  # seconds that a copy is there to be handed out


def safe_name(text: str) -> str:
    """The name of a file without folders and its ending, as one that leads nowhere else.

    >>> safe_name("../../my rows (2).csv"), safe_name("-rf.zip"), safe_name("..")
    ('my_rows_2', 'rf', 'data')
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", text))[-1]
    ending = table_ending(last)
    stem = last[: -len(ending)] if ending else last.rpartition(".")[0] or last
    return re.sub(r"[^\w.-]+", "_", stem).strip("._-")[:_LETTERS] or "data"


@dataclass(frozen=True)
class Session:
    """What one reader has.

    Attributes:
        folder: of all of it, which commands of the page are run in; it is made when something is put into it.
        removed: runs that are no more. Their names are not given again while the studio runs, since the page knows runs by their place.
    """

    folder: Path
    removed: set[Path] = field(default_factory=set)

    @property
    def data(self) -> list[str]:
        """The names of tables and of folders of images."""
        own = (_RUNS, _MADE)
        if not self.folder.is_dir():
            return []
        return sorted(place.name for place in self.folder.iterdir() if place.name not in own and not place.name.startswith("."))

    @property
    def runs(self) -> list[str]:
        """The names of runs that have a model or are trained."""
        home = self.folder / _RUNS
        return sorted(place.name.removesuffix(".json") for place in home.glob("*.json")) if home.is_dir() else []

    def check_data(self, name: str | None) -> str:
        """The name of data that are there, as the commands of the page have it: the folder with the images, or the file.

        Raises:
            SaltusError: for another name.
        """
        _check_name(name, self.data, "there are no data named", "send data first")
        place = self.folder / str(name)
        while place.is_dir() and len(inside := [*place.iterdir()]) == 1 and inside[0].is_dir():  # an archive of one folder
            place = inside[0]
        return place.relative_to(self.folder).as_posix()

    def check_run(self, name: str | None, others: Sequence[str] = ()) -> Path:
        """The folder of a run; `others` are names that are told beside the reader's own.

        Raises:
            SaltusError: for another name.
        """
        if name not in self.runs:
            _check_name(None if name in others else name, [*self.runs, *others], "there is no run named", "start a training first")
        return self.folder / _RUNS / str(name)

    def new_data(self, name: str, ending: str = "") -> Path:
        """A place for data that is not taken: of a second file of one name another."""
        return _new(self.folder, safe_name(name), ending, {_RUNS, _MADE, *map(str, BUILT_IN)})

    def new_run(self, name: str) -> Path:
        """A folder for a run that is not taken."""
        home = self.folder / _RUNS
        return _new(home, safe_name(name), "", {place.name for place in self.removed if place.parent == home})

    def new_made(self, name: str, ending: str = "") -> Path:
        """A place for what is made that is not taken."""
        return _new(self.folder / _MADE, safe_name(name), ending, set())

    def relative(self, place: Path) -> str:
        """A place as the commands of the page have it."""
        return place.relative_to(self.folder).as_posix()

    def remove_data(self, name: str | None) -> None:
        """Remove a table, or a folder of images.

        Raises:
            SaltusError: for another name.
        """
        self.check_data(name)
        remove(self.folder / str(name))


def _new(folder: Path, stem: str, ending: str, reserved: set[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    taken = {place.name.removesuffix(".json") for place in folder.iterdir()} | reserved
    names = (f"{stem}{'' if k == 1 else f'-{k}'}{ending}" for k in range(1, len(taken) + 2))
    return folder / next(name for name in names if name not in taken)


def remove(*places: Path) -> None:
    """Remove files and folders, where they are there."""
    for place in places:
        shutil.rmtree(place, ignore_errors=True) if place.is_dir() else place.unlink(missing_ok=True)


def _check_name(name: str | None, names: list[str], missing: str, first: str) -> None:
    """Raise SaltusError for a name that is not among these."""
    if name not in names:
        expected = f"expected one of {listed(names, _SHOWN)}" if names else first
        raise SaltusError(f"{missing} {name or ''!r:.80}; {expected}")


class Workspace:
    """The folder of all readers; as a context it is this process's alone.

    Args:
        folder: that is kept; a temporary one unless given.
        limits: of how much is kept.

    Raises:
        SaltusError: if it cannot be written; as a context, if another studio has it.
    """

    def __init__(self, folder: Path | None = None, limits: Limits | None = None) -> None:
        self._limits, self._removed, self._owned = limits or Limits(), set[Path](), contextlib.ExitStack()
        try:
            self.folder = Path(tempfile.mkdtemp(prefix="saltus-studio-") if folder is None else folder.expanduser()).resolve()
            self.folder.mkdir(_PRIVATE, parents=True, exist_ok=True)
        except OSError as error:
            raise SaltusError(f"the workspace {folder} cannot be made ({error.strerror or error}); give another folder") from error
        if not os.access(self.folder, os.W_OK):
            raise SaltusError(f"the workspace {folder} cannot be written; give another folder, or change its permissions")
        self._gone = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True) if folder is None else None

    @property
    def uploads(self) -> Path:
        """Where the server of the page keeps what is uploaded, and what it hands out, for a while."""
        return self.folder / _OWN / _UPLOADS

    def session(self, key: str | None) -> Session:
        """What the reader of a key has.

        Raises:
            SaltusError: for no key, or a very long one.
        """
        if not isinstance(key, str) or not 0 < len(key) <= _LONGEST_KEY:
            raise SaltusError("no key of a reader was given; load the page again, or give any text of your own")
        digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).hexdigest()
        return Session(self.folder / digest, self._removed)

    def check_room(self, session: Session | None = None, more: int = 0) -> None:
        """Raise SaltusError where readers, or one of them, have sent and made as much as is kept.

        Args:
            session: of the reader, who may have a share of it all.
            more: bytes that are to come.
        """
        most = self._limits.workspace_bytes
        if (used := _size(self.folder) + more) > most:
            raise SaltusError(
                f"the workspace holds {used / 1e9:.1f} GB, and at most {most / 1e9:.1f} GB are kept; "
                "remove what you no longer need, or start the studio on an empty one"
            )
        if session is not None and (own := _size(session.folder)) > most // _READERS:
            raise SaltusError(
                f"you have sent and made {own / 1e9:.1f} GB, and at most {most / _READERS / 1e9:.1f} GB are kept for one reader; "
                "remove what you no longer need"
            )

    def given_out(self, file: Path) -> Path:
        """A file that was made, moved to where the page may hand it to its reader, who may not read the workspace itself."""
        place = self._outbox() / file.name
        shutil.move(file, place)
        return place

    def packed(self, run: Path) -> Path:
        """The model of a run as a zip that the page may hand to its reader: all but what only a training needs to go on.

        Raises:
            SaltusError: if there is no model yet.
        """
        if not (run / "chain.json").is_file():
            raise SaltusError(f"{run.name} holds no model yet; wait until the training has begun")
        place = self._outbox() / f"{run.name}-model.zip"
        with zipfile.ZipFile(place, "w") as archive:
            for file in sorted(run.iterdir()):
                if file.is_file() and not file.name.startswith("."):
                    archive.write(file, f"{run.name}/{file.name}")
        return place

    def _outbox(self) -> Path:
        """A new folder for a file that is handed out; those from a while ago are removed."""
        given = self.uploads / _GIVEN
        given.mkdir(parents=True, exist_ok=True)
        for old in given.iterdir():
            if time.time() - old.stat().st_mtime > _HANDED:
                shutil.rmtree(old, ignore_errors=True)
        return Path(tempfile.mkdtemp(dir=given))

    def close(self) -> None:
        """End what works in it, and remove what is not kept: all of it, if it is a temporary one."""
        end_in(self.folder)
        remove(self.uploads)
        self._owned.close()
        if self._gone is not None:
            self._gone()

    def __enter__(self) -> Self:
        own = self.folder / _OWN
        own.mkdir(_PRIVATE, exist_ok=True)
        words = f"another studio keeps its files in {self.folder}; end it, or give another folder with --workspace"
        self._owned.enter_context(exclusively(own, words))
        remove(self.uploads)  # of a studio that was killed
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _size(folder: Path) -> int:
    """Bytes of all files in a folder; others may remove them meanwhile."""
    found = 0
    for home, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                found += os.lstat(os.path.join(home, name)).st_size
    return found

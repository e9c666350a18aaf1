"""A file that a reader of the page sends: looked at before anything parses it, and put into the reader's folder under a name that is safe.

What reads it then, `saltus data` and the commands after it, are processes of their own, with an end to their time and memory.
"""

from __future__ import annotations

import gzip
import shutil
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from saltus.data import table_ending
from saltus.data.csv_files import SEPARATORS
from saltus.data.detect import MOST_COLUMNS
from saltus.errors import SaltusError
from saltus.studio.archives import unpacked
from saltus.studio.limits import Limits
from saltus.studio.workspace import Session, Workspace
from saltus.terminal import in_one_line

__all__ = ["ENDINGS", "Received", "check_table", "receive"]

ENDINGS = (".zip", ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
"""Of files that may be sent."""
_AT_ONCE = 2**20  # bytes
_SHOWN = 60  # letters of a name


@dataclass(frozen=True)
class Received:
    """What was sent.

    Attributes:
        name: under which it is kept.
        notes: sentences about what was passed over or renamed.
    """

    name: str
    notes: list[str] = field(default_factory=list)


def receive(file: Path, session: Session, workspace: Workspace, limits: Limits) -> Received:
    """Keep a file that was sent; a zip, of images or of one table, unpacked.

    Args:
        file: as it was sent, under the reader's own name for it.
        session: the reader's folder.
        workspace: whose room is checked.
        limits: of its size, packed and unpacked.

    Raises:
        SaltusError: if it is empty, of another type, too large or hostile.
    """
    told, size = in_one_line(file.name[-_SHOWN:]), file.stat().st_size
    if not file.name.lower().endswith(ENDINGS):
        raise SaltusError(f"{told} was sent; expected a file that ends in {', '.join(ENDINGS)}: convert it, or pack images as a zip")
    if size == 0:
        raise SaltusError(f"{told} is empty; send a file with something in it")
    if size > limits.upload_bytes:
        raise SaltusError(f"{told} has {size:,} bytes; expected at most {limits.upload_bytes:,}: send less, or use the command line")
    workspace.check_room(session)
    notes: list[str] = []
    if ending := table_ending(file):
        check_table(file, limits)
        place = session.new_data(file.name, ending)
        shutil.copyfile(file, place)
    elif zipfile.is_zipfile(file):
        place, notes = _unzipped(file, session, limits)
    else:
        raise SaltusError(f"{told} is no zip, whatever its name says; pack the images as a zip")
    if place.name not in (file.name, file.name[: -len(".zip")]):
        notes.append(f"it is kept as {place.name}")
    return Received(place.name, notes)


def _unzipped(file: Path, session: Session, limits: Limits) -> tuple[Path, list[str]]:
    """The folder of images that a zip holds, or its one table; and what was passed over.

    Raises:
        SaltusError: as `receive`.
    """
    stem = file.name[: -len(".zip")]
    folder = session.new_data(stem.removesuffix(table_ending(stem)) + ".zip")
    notes = unpacked(file, folder, limits)
    inside = [place for place in folder.rglob("*") if place.is_file() and table_ending(place)]
    if not inside:
        return folder, notes
    try:
        check_table(inside[0], limits)
        return inside[0].rename(session.new_data(inside[0].name, table_ending(inside[0]))), notes
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_table(file: Path, limits: Limits) -> None:
    """Raise SaltusError for a table that unpacks to too much, or whose first line has more columns than are looked at.

    The first line is counted as it is read, before anything is made of its fields; Parquet says its columns itself.
    """
    ending = table_ending(file)
    if ending == ".parquet":
        return
    told, most = in_one_line(file.name[-_SHOWN:]), limits.unpacked_bytes
    fields, begun, whole, done = dict.fromkeys(SEPARATORS, 0), False, False, 0
    try:
        with gzip.open(file) if ending.endswith(".gz") else file.open("rb") as stream:
            while piece := stream.read(_AT_ONCE):
                done += len(piece)
                if done > most:
                    raise SaltusError(f"{told} unpacks to more than {most:,} bytes; send fewer rows")
                if not whole:
                    line = piece if begun else piece.lstrip(b"\r\n")
                    line, end, _ = line.replace(b"\r", b"\n").partition(b"\n")
                    begun, whole = begun or bool(line), bool(end)
                    fields = {mark: count + line.count(mark.encode()) for mark, count in fields.items()}
                if max(fields.values()) >= MOST_COLUMNS:
                    raise SaltusError(
                        f"{told} has more than {MOST_COLUMNS:,} columns; expected at most as many: leave out those that tell least"
                    )
    except (OSError, EOFError, zlib.error) as error:
        raise SaltusError(f"{told} cannot be unpacked; send it again, or as plain CSV") from error

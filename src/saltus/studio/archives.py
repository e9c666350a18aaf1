"""An archive of images, or of one table, that may be made to do harm: read name by name, unpacked byte by byte, or refused as a whole.

Nothing is written for a name that is absolute, leads upwards or is a link; nor for what is no image, and not the one table, by its name.
Sizes that the archive declares are not trusted: bytes are counted as they come.
"""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from saltus.data import table_ending
from saltus.data.images import EXTENSIONS
from saltus.errors import SaltusError
from saltus.studio.items import check_pixels
from saltus.studio.limits import Limits
from saltus.terminal import in_one_line
from saltus.words import counted

__all__ = ["unpacked"]

_RATIO, _SMALL = 200, 2**20  # unpacked bytes of a file for each packed one, where it is larger than this: images are far below
_DEPTH = 8  # folders inside one another
_AT_ONCE = 2**16  # bytes
_LONGEST_PART = 200  # bytes of a part of a name
_SHOWN = 80  # letters of a name
_ENCRYPTED = 0x1
_ENTRY = b"PK\x01\x02"
"""Before each entry of the directory of an archive."""


def unpacked(file: Path, folder: Path, limits: Limits) -> list[str]:
    """Unpack the images of a zip, or its one table where it has no image, into a new folder; sentences about what was passed over.

    Args:
        file: the archive.
        folder: that is made; it is not there if the archive is refused.
        limits: of the number of files, and of the bytes in all.

    Raises:
        SaltusError: if it is none, damaged, hostile, too large, or holds neither.
    """
    try:
        _check_entries(file, limits.files)
        with zipfile.ZipFile(file) as archive:
            chosen, passed = _chosen(archive)
            folder.mkdir()
            _unpack(archive, chosen, folder, limits)
    except SaltusError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError, OSError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        why = (error.strerror or "") if isinstance(error, OSError) else str(error)  # which names no place on this machine
        raise SaltusError(f"the zip cannot be read ({in_one_line(why)[:_SHOWN] or 'damaged'}); pack the images again") from error
    return [f"passed over in the zip: {counted(passed)}"] if passed else []


def _check_entries(file: Path, most: int) -> None:
    """Raise SaltusError for an archive with more files than these, before its directory is parsed.

    What an archive says of their number and of the size of its directory is not trusted: none has more files than such marks.
    """
    n, before = 0, b""
    with file.open("rb") as stream:
        while piece := stream.read(_AT_ONCE):
            whole = before + piece
            n, before = n + whole.count(_ENTRY), whole[1 - len(_ENTRY) :]
            if n > most:
                raise SaltusError(f"the zip holds more than {most:,} files; expected at most as many: send fewer")


def _chosen(archive: zipfile.ZipFile) -> tuple[list[tuple[zipfile.ZipInfo, PurePosixPath]], Counter[str]]:
    """What is unpacked by where it is put, and a count of all else by its kind.

    Raises:
        SaltusError: as `unpacked`.
    """
    pictures, tables = list[tuple[zipfile.ZipInfo, PurePosixPath]](), list[tuple[zipfile.ZipInfo, PurePosixPath]]()
    passed, seen = Counter[str](), set[PurePosixPath]()
    for info in archive.infolist():
        place = _place(info)
        if info.is_dir():
            continue
        if any(part.startswith(".") or part == "__MACOSX" for part in place.parts):
            passed["hidden"] += 1
        elif not place.name.lower().endswith(EXTENSIONS) and not table_ending(place):
            passed[in_one_line(place.suffix.lower())[:_SHOWN] or "without an ending"] += 1
        elif place in seen:
            raise SaltusError(f"the zip holds two files named {_told(info.filename)}; give each its own name")
        else:
            seen.add(place)
            (tables if table_ending(place) else pictures).append((info, place))
    for place in seen:
        if not seen.isdisjoint(place.parents):
            raise SaltusError(f"the zip holds a file inside of another file, {_told(place.as_posix())}; pack the images again")
    if pictures:
        passed.update(table_ending(place) for _, place in tables)
        return pictures, passed
    if len(tables) > 1:
        raise SaltusError(f"the zip holds {len(tables):,} tables and no image; expected one table: send each by itself")
    if not tables:
        held = f"only {counted(passed)}" if passed else "nothing"
        raise SaltusError(f"the zip holds no image, {held}; expected files that end in .png, .jpg and the like, or one table")
    return tables, passed


def _place(info: zipfile.ZipInfo) -> PurePosixPath:
    """Where a file of an archive belongs.

    Raises:
        SaltusError: if that is elsewhere, or it is no plain file.
    """
    text = info.orig_filename.replace("\\", "/")  # before zipfile mends it
    place, kind = PurePosixPath(text), stat.S_IFMT(info.external_attr >> 16)
    if text.startswith("/") or text[1:2] == ":" or ".." in place.parts or "\0" in text:
        raise SaltusError(f"the zip holds {_told(info.orig_filename)}, which leads out of its folder; pack the images again")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise SaltusError(f"the zip holds {_told(info.filename)}, which is a link or a device and no file; pack the images themselves")
    if info.flag_bits & _ENCRYPTED:
        raise SaltusError("the zip is protected by a password; pack the images again without one")
    if len(place.parts) > _DEPTH or any(len(part.encode("utf-8", "replace")) > _LONGEST_PART for part in place.parts):
        raise SaltusError(f"the zip holds {_told(info.filename)}, whose name is too long or in too many folders; shorten it")
    return place


def _unpack(archive: zipfile.ZipFile, chosen: list[tuple[zipfile.ZipInfo, PurePosixPath]], folder: Path, limits: Limits) -> None:
    left = limits.unpacked_bytes
    for info, place in chosen:
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as written:
            done = 0
            for piece in _pieces(archive, info):
                done += len(piece)
                if done > left:
                    raise SaltusError(f"the zip unpacks to more than {limits.unpacked_bytes:,} bytes; send fewer or smaller images")
                if done > _SMALL and done > _RATIO * max(1, info.compress_size):
                    raise SaltusError(f"{_told(info.filename)} unpacks to over {_RATIO} times its size, as few files do; send another")
                written.write(piece)
        left -= done
        if not table_ending(place):
            check_pixels(target, _told(info.filename))


def _pieces(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(info) as packed:
        while piece := packed.read(_AT_ONCE):
            yield piece


def _told(name: str) -> str:
    """A name in a message."""
    return in_one_line(name if len(name) <= _SHOWN else f"...{name[-_SHOWN:]}")

"""Shards in the format of WebDataset: tar files whose members are named KEY.ENDING, read in their order and never unpacked to the disk.

A member whose ending is one of an image is an item; KEY.cls beside it holds its class, a number or a word.  Shards are given as a folder
of .tar files, one file, or several by a range in braces, as in `shards-{000..003}.tar`.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tarfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from saltus.data.checks import reason
from saltus.data.images import EXTENSIONS
from saltus.data.parts import Parts
from saltus.data.preparation import Preparation
from saltus.data.stacking import Label, Stream, stack
from saltus.errors import SaltusError
from saltus.terminal import in_one_line
from saltus.words import counted

__all__ = ["read_shards", "shards_at"]

_SHARDS = (".tar", ".tar.gz", ".tgz")
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_MOST_SHARDS = 100_000
_CLASS = ".cls"
_LONGEST_CLASS = 1000  # bytes
_LARGEST = 2**28  # bytes of a file of an image


def shards_at(path: Path) -> list[Path]:
    """The shards that a path names; none if it names something else, such as a folder with images or folders of its own.

    Raises:
        SaltusError: if a range names shards that are not there.
    """
    if found := _RANGE.search(path.name):
        first, last = found.groups()
        if not path.name.lower().endswith(_SHARDS):
            return []
        if not 0 <= int(last) - int(first) < _MOST_SHARDS:
            raise SaltusError(f"the range {found[0]} names no shards; expected numbers that rise, such as {{000..003}}: correct it")
        names = (path.name.replace(found[0], f"{number:0{len(first)}}") for number in range(int(first), int(last) + 1))
        shards = [path.with_name(name) for name in names]
        if missing := [shard.name for shard in shards if not shard.is_file()]:
            raise SaltusError(f"{missing[0]} is not there; expected {len(shards)} shards: correct the range")
        return shards
    if os.path.isdir(path):  # of os.path: pathlib raises where a path cannot be
        inside = [path / name for name in sorted(os.listdir(path)) if not name.startswith(".")]
        shards = [each for each in inside if _is_shard(each)]
        mixed = any(os.path.isdir(each) or each.name.lower().endswith(EXTENSIONS) for each in inside)
        return [] if mixed else shards
    return [path] if _is_shard(path) else []


def _is_shard(path: Path) -> bool:
    return path.name.lower().endswith(_SHARDS) and os.path.isfile(path)


def read_shards(shards: Sequence[Path], preparation: Preparation) -> Parts:
    """The images of shards in their order.

    Raises:
        SaltusError: if a shard cannot be read, or there are no images in them; as for folders.
    """
    listed, passed = [], Counter[str]()
    for shard in shards:
        listed.append(_members(shard, passed))
    n = sum(map(len, listed))
    if not n:
        raise SaltusError(f"there is no image in {len(shards)} shards; expected members that end in {', '.join(EXTENSIONS)}: give others")

    def images() -> Iterator[tuple[str, io.BytesIO, Label]]:
        for shard, members in zip(shards, listed, strict=True):
            for name, content in _contents(shard, members):
                yield f"{shard.name}/{name}", io.BytesIO(content), members[name]

    def made_of() -> Any:
        return [(str(shard.resolve()), (stat := shard.stat()).st_size, stat.st_mtime_ns) for shard in shards]

    parts = stack({"train": Stream(n, images)}, preparation, made_of)
    return replace(parts, notes=(*parts.notes, f"passed over in the shards: {counted(passed)}")) if passed else parts


def _members(shard: Path, passed: Counter[str]) -> dict[str, Label]:
    """The labels of the images of a shard, by the names of these members."""
    images, labels = dict[str, str](), dict[str, Label]()
    with _opened(shard) as archive:
        for member in archive:
            key, ending = _split(member.name)
            if not member.isreg():
                passed["no regular file"] += not member.isdir()
            elif ending in EXTENSIONS:
                if key in images or member.size > _LARGEST:
                    passed["image beside another" if key in images else "image too large"] += 1
                else:
                    images[key] = member.name
            elif ending == _CLASS and member.size <= _LONGEST_CLASS:
                text = archive.extractfile(member).read().decode(errors="replace").strip()  # type: ignore[union-attr]
                labels[key] = int(text) if text.isascii() and text.isdigit() else in_one_line(text)
            else:
                passed[in_one_line(ending) or "without an ending"] += 1
        _check_end(archive)
    return {name: labels.get(key) for key, name in images.items()}


def _check_end(archive: tarfile.TarFile) -> None:
    """Whether the last header that was looked at is none: one that is cut short would pass for the end."""
    assert archive.fileobj is not None
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE) not in (b"", bytes(tarfile.BLOCKSIZE)):
        raise tarfile.ReadError("it is cut short")


def _split(name: str) -> tuple[str, str]:
    """A member's key and its ending, which begins at the first dot of its last part."""
    folder, slash, last = name.rpartition("/")
    stem, dot, ending = last.partition(".")
    return f"{folder}{slash}{stem}", (dot + ending).lower()


def _contents(shard: Path, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """The wanted members of a shard in their order."""
    left = set(wanted)
    with _opened(shard) as archive:
        for member in archive:
            if member.name in left and member.isreg():
                left.remove(member.name)  # a name may come again
                yield member.name, archive.extractfile(member).read()  # type: ignore[union-attr]


@contextlib.contextmanager
def _opened(shard: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(shard) as archive:
            yield archive
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise SaltusError(f"{shard.name} cannot be read as a tar file ({reason(error)}); write it again") from error

"""A folder of images, or of folders of images by class or by part, as arrays of raw items.

| in the folder are | they become |
|---|---|
| images | the items, without those in folders inside unless `recursive` |
| folders with images, at any depth | classes, by the names of these folders |
| folders named train and, if there are any more, validation and test | the parts; folders in each of them are classes |

What is passed over is counted in a line: hidden files, other files, folders that are not read.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from saltus.data.checks import reason
from saltus.data.images import EXTENSIONS
from saltus.data.parts import Parts
from saltus.data.preparation import AS_GIVEN, Preparation
from saltus.data.stacking import Stream, stack
from saltus.errors import SaltusError
from saltus.terminal import in_one_line
from saltus.words import counted

__all__ = ["read_folder"]

_VALIDATION, _TEST = ("validation", "valid", "val"), ("test", "testing")
_PART_OF = dict.fromkeys(("train", "training"), "train") | dict.fromkeys(_VALIDATION, "validation") | dict.fromkeys(_TEST, "test")

Images = Mapping[str, list[Path]]
"""Of one part, by class; of the class "" where there are no classes."""


def read_folder(folder: Path, preparation: Preparation = AS_GIVEN) -> Parts:
    """The images of a folder, sorted by name: (N, H, W) or (N, H, W, C).

    Raises:
        SaltusError: if there is no image, too many cannot be read, or two differ in size or kind.
    """
    listing = _Listing(folder)
    found = listing.parts(recursive=preparation.recursive)
    if any("" in images for images in found.values()) and len({name for images in found.values() for name in images}) > 1:
        bare = next(part for part, images in found.items() if "" in images)
        raise SaltusError(f"the {bare} images are in no folders by class and others are; expected classes in all parts or none: move them")
    files = {part: [(path, name or None) for name, paths in images.items() for path in paths] for part, images in found.items()}

    def made_of() -> Any:
        stats = ((part, path, name, path.stat()) for part, images in files.items() for path, name in images)
        return [(part, str(path.resolve()), name, stat.st_size, stat.st_mtime_ns) for part, path, name, stat in stats]

    parts = stack({part: _stream(images, folder) for part, images in files.items()}, preparation, made_of)
    return replace(parts, notes=(*parts.notes, *listing.notes))


def _stream(files: Sequence[tuple[Path, str | None]], folder: Path) -> Stream:
    return Stream(len(files), lambda: ((path.relative_to(folder).as_posix(), path, name) for path, name in files))


class _Listing:
    """The images of a folder, and what is passed over."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._passed, self._hint = folder, Counter[str](), ""

    @property
    def notes(self) -> tuple[str, ...]:
        """One line that counts what was passed over, by its kind; none where that is nothing."""
        if not self._passed:
            return ()
        return (f"passed over in {in_one_line(self._folder.name)}: {counted(self._passed)}{self._hint}",)

    def parts(self, *, recursive: bool) -> dict[str, Images]:
        """The images by part, class and name."""
        if recursive:
            return self._some({"train": {"": self._below(self._folder)}})
        inside = [path for path in _every(self._folder) if path.is_dir() and not _is_hidden(path) and _holds_images(path)]
        if any(map(_is_image, _every(self._folder))) or not inside:
            return self._some({"train": {"": self._own(self._folder)}})
        words = [_PART_OF.get(path.name.lower(), "") for path in inside]
        if not any(words):
            return {"train": self._by_class(self._folder)}
        if "train" not in words or "" in words or len(set(words)) < len(words):
            names = ", ".join(in_one_line(path.name) for path in inside)
            raise SaltusError(
                f"the folders inside are named {names}, which are neither all parts nor all classes; expected train, validation and test, "
                "or names of classes: rename or move some"
            )
        self._count(self._folder, but=inside)
        return {part: self._by_class(path) for part, path in zip(words, inside, strict=True)}

    def _some(self, found: dict[str, Images]) -> dict[str, Images]:
        if not any(paths for images in found.values() for paths in images.values()):
            raise SaltusError(
                f"there is no image in this folder or the folders inside; expected files that end in {', '.join(EXTENSIONS)}: "
                "give the folder they are in"
            )
        return found

    def _by_class(self, folder: Path) -> Images:
        """The images of a folder, or of the folders inside if it has none of its own."""
        if any(map(_is_image, _every(folder))):
            return {"": self._own(folder)}
        inside = [path for path in _every(folder) if path.is_dir() and not _is_hidden(path) and _holds_images(path)]
        self._count(folder, but=inside)
        return {in_one_line(path.name): self._below(path) for path in inside}

    def _own(self, folder: Path) -> list[Path]:
        self._count(folder)
        if name := next((path.name for path in _every(folder) if path.is_dir() and not _is_hidden(path) and _holds_images(path)), ""):
            self._hint = (
                f"; there are images in {in_one_line(name)} too: --recursive takes all along, and folders of their own make all classes"
            )
        return [path for path in _every(folder) if _is_image(path)]

    def _below(self, folder: Path, seen: frozenset[str] = frozenset()) -> list[Path]:
        """The images of a folder and of the folders inside, and a count of all else."""
        seen |= {os.path.realpath(folder)}  # a link may lead back
        inside = [path for path in _every(folder) if path.is_dir() and not _is_hidden(path) and os.path.realpath(path) not in seen]
        self._count(folder, but=inside)
        own = [path for path in _every(folder) if _is_image(path)]
        return own + [path for each in inside for path in self._below(each, seen)]

    def _count(self, folder: Path, but: Sequence[Path] = ()) -> None:
        """Count what is in a folder and no image, but for some folders."""
        for path in _every(folder):
            if _is_hidden(path):
                self._passed["hidden"] += 1
            elif path.is_dir():
                self._passed["a folder inside"] += path not in but
            elif not _is_image(path):
                self._passed[(in_one_line(path.suffix) or "without an ending") if path.is_file() else "no regular file"] += 1
        self._passed = +self._passed


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".")


def _is_image(path: Path) -> bool:
    """By its name; a pipe or a device is none."""
    return not _is_hidden(path) and path.name.lower().endswith(EXTENSIONS) and path.is_file()


def _holds_images(folder: Path, seen: frozenset[str] = frozenset()) -> bool:
    """Whether there is an image in a folder, at any depth."""
    seen |= {os.path.realpath(folder)}
    every = _every(folder)
    return any(map(_is_image, every)) or any(
        _holds_images(path, seen) for path in every if path.is_dir() and not _is_hidden(path) and os.path.realpath(path) not in seen
    )


def _every(folder: Path) -> list[Path]:
    """What is in a folder, sorted by name."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise SaltusError(
            f"the folder {in_one_line(folder.name)} cannot be read ({reason(error)}); change its permissions or give another"
        ) from error
    return [folder / name for name in names]

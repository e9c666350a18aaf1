"""A folder of images, or of folders of images by class, as one array of raw items."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from saltus.data.checks import checked, reason
from saltus.data.layout import Array
from saltus.data.parts import Parts
from saltus.errors import SaltusError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["EXTENSIONS", "read_folder"]

_FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM", "TGA", "JPEG2000", "QOI", "PCX", "SGI")
"""Of Pillow, none of which starts a program of another kind, as EPS does."""
_PHOTOGRAPHS = (".jpg", ".jpeg", ".jpe", ".jfif", ".jp2")
_OTHERS = (".png", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".qoi", ".pcx", ".sgi")
EXTENSIONS = (*_PHOTOGRAPHS, *_OTHERS)
_MODES = ("1", "L", "LA", "RGB", "RGBA", "I;16", "I;16B", "I", "F")
_PARTS = {"train", "training", "validation", "val", "valid", "test"}


def read_folder(folder: Path) -> Parts:
    """The images of a folder, sorted by name: (N, H, W) or (N, H, W, C).

    A folder without images of its own may have folders with images inside: these are classes, sorted by name.
    Hidden files, files with other extensions and other folders inside are passed over, and counted in a note.

    Raises:
        SaltusError: if there is no image, one cannot be read, or two differ in size or kind.
    """
    classes = {"": _images(folder)}
    if not classes[""]:
        inside = [path for path in _listed(folder) if path.is_dir()]
        classes = {path.name: images for path in inside if (images := _images(path))}
        _check_classes(classes)
    paths = [path for images in classes.values() for path in images]
    items, notes = _stacked(paths, folder), _notes(folder, list(classes))
    if "" in classes:
        return Parts(items, notes=notes)
    numbers = np.repeat(np.arange(len(classes)), [len(images) for images in classes.values()])
    return Parts(items, labels=Parts(numbers), classes=tuple(classes), notes=notes)


def _notes(folder: Path, classes: Sequence[str]) -> tuple[str, ...]:
    """One line that counts what was passed over, by its kind; none where that is nothing."""
    found: Counter[str] = Counter()
    for name in {"", *classes}:
        for path in _every(folder / name):
            if path.name.startswith("."):
                found["hidden"] += 1
            elif path.is_dir():
                found["a folder inside"] += path.name not in classes
            elif not _is_image(path):
                found[f"{path.suffix or 'without an ending'}" if path.is_file() else "no regular file"] += 1
    if name := next((path.name for path in _every(folder) if "" in classes and _holds_images(path)), ""):
        hint = f"; the images in {name} too: give that folder, or put all images into folders by class"
    else:
        hint = ""
    if not +found:
        return ()
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted((+found).items()))
    return (f"passed over in {folder.name}: {kinds}{hint}",)


def _holds_images(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".") and any(_is_image(inside) for inside in _every(path))


def _check_classes(classes: Collection[str]) -> None:
    if not classes:
        raise SaltusError(
            f"there is no image in this folder or the folders inside; expected files that end in {', '.join(EXTENSIONS)}: "
            "give the folder they are in"
        )
    if parts := _PARTS & {name.lower() for name in classes}:
        raise SaltusError(
            f"the folders inside are named {', '.join(sorted(parts))} as parts are, where classes were expected; "
            "give one of them, or an .npz file with the parts"
        )


def _stacked(paths: Sequence[Path], folder: Path) -> Array:
    first = _read(paths[0])
    items = np.empty((len(paths), *first.shape), dtype=first.dtype)
    for index, path in enumerate(paths):
        item = _read(path)
        if item.shape != first.shape or item.dtype != first.dtype:
            one, other = (path.relative_to(folder).as_posix() for path in (paths[0], path))
            raise SaltusError(f"{one} is {_kind(first)} and {other} is {_kind(item)}; expected one size and kind: resize or convert them")
        items[index] = item
    return checked(items, "the folder")


def _images(folder: Path) -> list[Path]:
    return [path for path in _listed(folder) if _is_image(path)]


def _is_image(path: Path) -> bool:
    """By its name; a pipe or a device is none."""
    return path.name.lower().endswith(EXTENSIONS) and path.is_file()


def _listed(folder: Path) -> list[Path]:
    """What is in a folder and not hidden, sorted by name."""
    return [path for path in _every(folder) if not path.name.startswith(".")]


def _every(folder: Path) -> list[Path]:
    """What is in a folder, sorted by name."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise SaltusError(f"the folder {folder.name} cannot be read ({reason(error)}); change its permissions or give another") from error
    return [folder / name for name in names]


def _read(path: Path) -> Array:
    """One image, (H, W) or (H, W, C)."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=_FORMATS) as image:
            frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # a photograph and its preview
            upright = _upright(image)
            pixels = np.asarray(upright)
    except UnidentifiedImageError as error:
        raise SaltusError(f"{path.name} is no image of a known format; repair or remove it") from error
    except Exception as error:  # each format has its own
        raise SaltusError(f"{path.name} cannot be read as an image ({reason(error)}); repair or remove it") from error
    if frames > 1:
        raise SaltusError(f"{path.name} has {frames} frames; expected a still image: save its frames as files of their own")
    if upright.mode not in _MODES:
        raise SaltusError(f"{path.name} is an image of mode {upright.mode}; expected one of {', '.join(_MODES)} or P: convert it to RGB")
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _upright(image: Image) -> Image:
    """The image as a viewer shows it: turned as its camera says, palettes looked up."""
    from PIL import ImageOps

    turned = ImageOps.exif_transpose(image)
    return turned.convert("RGBA").convert("RGB") if turned.mode == "P" else turned  # in one step, Pillow warns of transparency


def _kind(pixels: Array) -> str:
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    return f"{width}x{height} in {channels} channel{'s' if channels > 1 else ''} of {pixels.dtype}"

"""A folder of images, or of folders of images by class, as one array of raw items."""

from __future__ import annotations

import os
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

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
_MODES = ("1", "L", "LA", "RGB", "RGBA", "I;16", "I;16B", "I", "F")
_PARTS = {"train", "training", "validation", "val", "valid", "test"}


def read_folder(folder: Path) -> Parts:
    """The images of a folder, sorted by name: (N, H, W) or (N, H, W, C).

    A folder without images of its own may have folders with images inside: these are classes, sorted by name.
    Hidden files, files with other extensions and other folders inside are passed over.

    Raises:
        SaltusError: if there is no image, one cannot be read, or two differ in size or kind.
    """
    classes = {"": _images(folder)}
    if not classes[""]:
        inside = [path for path in _listed(folder) if path.is_dir()]
        classes = {path.name: images for path in inside if (images := _images(path))}
        _check_classes(classes)
    paths = [path for images in classes.values() for path in images]
    items = _stacked(paths, folder)
    if "" in classes:
        return Parts(items)
    numbers = np.repeat(np.arange(len(classes)), [len(images) for images in classes.values()])
    return Parts(items, labels=Parts(numbers), classes=tuple(classes))


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
    return [path for path in _listed(folder) if path.name.lower().endswith(EXTENSIONS) and not path.is_dir()]


def _listed(folder: Path) -> list[Path]:
    """What is in a folder and not hidden, sorted by name."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise SaltusError(f"the folder {folder.name} cannot be read ({reason(error)}); change its permissions or give another") from error
    return [folder / name for name in names if not name.startswith(".")]


def _read(path: Path) -> Array:
    """One image, (H, W) or (H, W, C)."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
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

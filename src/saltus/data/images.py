"""A folder of images as one array of raw items."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from saltus.data.arrays import Parts
from saltus.data.checks import checked, reason
from saltus.data.layout import Array
from saltus.errors import SaltusError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["EXTENSIONS", "read_folder"]

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
_MODES = ("1", "L", "LA", "RGB", "RGBA", "I;16", "I;16B", "I", "F")


def read_folder(folder: Path) -> Parts:
    """The images of a folder, sorted by name: (N, H, W) or (N, H, W, C).

    Hidden files, files with other extensions and folders inside are passed over.

    Raises:
        SaltusError: if there is no image, one cannot be read, or two differ in size or kind.
    """
    paths = _images(folder)
    first = _read(paths[0])
    items = np.empty((len(paths), *first.shape), dtype=first.dtype)
    for index, path in enumerate(paths):
        item = _read(path)
        if item.shape != first.shape or item.dtype != first.dtype:
            raise SaltusError(
                f"{paths[0].name} is {_kind(first)} and {path.name} is {_kind(item)}; expected one size and kind: resize or convert them"
            )
        items[index] = item
    return Parts(checked(items, "the folder"))


def _images(folder: Path) -> list[Path]:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise SaltusError(f"this folder cannot be read ({reason(error)}); change its permissions or give another") from error
    paths = [folder / name for name in names if not name.startswith(".") and name.lower().endswith(EXTENSIONS)]
    paths = [path for path in paths if not path.is_dir()]
    if not paths:
        raise SaltusError(
            f"there is no image in this folder itself; expected files that end in {', '.join(EXTENSIONS)}: give the folder they are in"
        )
    return paths


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

"""Images of any kind, preprocessed one after the other; what was done to them is counted, and told in a line or two.

Images are turned as their camera says; of several frames the first is taken; palettes are looked up, and CMYK and the like become RGB.
With a size, each is resized by Pillow's bicubic filter, which averages where it makes smaller; with `crop` the largest part around the
centre that has the proportions of the size is taken, without it the image is stretched.  With channels, each becomes grey, RGB or RGBA of
8 bits, and what is transparent is shown on white where alpha is left out.  Where alpha is kept, colours that it hides are set to 0.  Images
that cannot be read are left out, up to a share of them, and so are those that unpack to more pixels than a camera makes.
"""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from saltus.data.checks import reason
from saltus.data.layout import Array
from saltus.data.preparation import Preparation
from saltus.errors import SaltusError
from saltus.terminal import in_one_line
from saltus.words import listed

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["EXTENSIONS", "ImageReader"]

_FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM", "TGA", "JPEG2000", "QOI", "PCX", "SGI")
"""Of Pillow, none of which starts a program of another kind, as EPS does."""
_PHOTOGRAPHS = (".jpg", ".jpeg", ".jpe", ".jfif", ".jp2")
_OTHERS = (".png", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".qoi", ".pcx", ".sgi")
EXTENSIONS = (*_PHOTOGRAPHS, *_OTHERS)
_KEPT = ("1", "L", "LA", "RGB", "RGBA", "I", "F")
_CONVERTED = {"CMYK": "RGB", "YCbCr": "RGB", "HSV": "RGB", "RGBX": "RGB", "La": "LA", "RGBa": "RGBA"}
_CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}
_NAMED = {"L": "grey", "RGB": "RGB", "RGBA": "RGBA"}
_MOST_PIXELS = 2**27  # of one image: 134 megapixels
_MOST_BROKEN = 0.05  # of the images: more is no accident
_UNEVEN = 0.01  # by which proportions may differ: what rounding to pixels makes
_GAP = 3.0  # Pillow's: how much larger than asked for an image may be made by skipping pixels
_ORIENTATION = 0x0112  # in EXIF
_DEEP = 2**16 - 1
_SHOWN = 3  # names in a note


class ImageReader:
    """Reads images as arrays of one shape and type.

    Args:
        preparation: how they are preprocessed.
    """

    def __init__(self, preparation: Preparation) -> None:
        self._asked, self._mode = preparation, _CHANNELS.get(preparation.channels or 0)
        self._first: tuple[str, Array] | None = None
        self._seen, self._done, self._broken = 0, Counter[str](), list[str]()

    def read(self, file: Path | BinaryIO, name: str) -> Array | None:
        """One image, (H, W) or (H, W, C); None for one that is left out.

        Raises:
            SaltusError: if it differs from the first one in size or kind.
        """
        self._seen += 1
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of Pillow, about what is mended or refused below
                pixels = self._pixels(file)
        except (SaltusError, MemoryError):
            raise
        except Exception as error:  # each format has its own
            self._broken.append(f"{in_one_line(name)} ({_why(error)})")
            return None
        if self._first is None:
            self._first = name, pixels
        elif pixels.shape != self._first[1].shape or pixels.dtype != self._first[1].dtype:
            raise SaltusError(_unlike(*self._first, name, pixels))
        return pixels

    def check(self) -> None:
        """Whether images that cannot be read are few among all.

        Raises:
            SaltusError: if they are not.
        """
        if len(self._broken) > _MOST_BROKEN * self._seen:
            raise SaltusError(
                f"{len(self._broken)} of {self._seen} images cannot be read, such as {self._broken[0]}; expected at most "
                f"{_MOST_BROKEN:.0%}: repair or remove them"
            )

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the images, and which were left out, in a line each."""
        said = [self._said_of_all(), self._said_of_some()]
        if self._broken:
            said.append(f"{len(self._broken):,} of {self._seen:,} images cannot be read and are left out: {listed(self._broken, _SHOWN)}")
        return tuple(line for line in said if line)

    def _said_of_all(self) -> str:
        if self._asked.size is None and self._mode is None:
            return ""
        words = []
        if self._asked.size is not None:
            target = "{}x{}".format(*self._asked.size)
            words = [f"cut to the proportions of {target} around its centre"] * self._asked.crop + [f"resized to {target} pixels (bicubic)"]
        if self._mode is not None:
            words.append(f"made {_NAMED[self._mode]} of 8 bits")
        return f"every image is {' and '.join([', '.join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]}"

    def _said_of_some(self) -> str:
        counts = sorted((+self._done).items(), key=lambda each: -each[1])
        words = ", ".join(f"{'all' if count == self._seen else f'{count:,}'} {what}" for what, count in counts)
        return f"of {self._seen:,} images {words}" if words else ""

    def _pixels(self, file: Path | BinaryIO) -> Array:
        from PIL import Image, ImageOps

        with Image.open(file, formats=_FORMATS) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise ValueError(f"it unpacks to {image.width}x{image.height} pixels")
            if self._asked.size is not None:
                image.draft(None, (2 * max(self._asked.size),) * 2)  # of a photograph much larger, a smaller version
            self._done["have colours of 16 bits (the upper 8 are read)"] += image.mode in ("RGB", "RGBA") and _is_deep(image)
            self._done["have several frames (the first is taken)"] += image.format != "MPO" and getattr(image, "n_frames", 1) > 1
            self._done["are turned as their camera says"] += image.getexif().get(_ORIENTATION, 1) in range(2, 9)
            whole = _of_16_bits(image) if image.format == "PNG" and image.mode == "I" else ImageOps.exif_transpose(image)
            upright = self._of_mode(whole)
        pixels = _array(upright if self._asked.size is None else self._resized(upright, *self._asked.size))
        if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
            hidden = pixels[..., -1] == 0
            if pixels[hidden].any():
                self._done["have colours under alpha 0 (set to 0)"] += 1
                pixels = np.where(hidden[..., None], np.zeros_like(pixels), pixels)
        return pixels

    def _of_mode(self, image: Image) -> Image:
        """In one of the modes that are arrays, or in the one that is asked for."""
        keyed = "transparency" in image.info
        if image.mode in ("P", "PA"):
            image = image.convert("RGBA" if keyed or image.mode == "PA" else "RGB")
        elif image.mode in _CONVERTED:
            self._done[f"are {image.mode} (made {_CONVERTED[image.mode]})"] += 1
            image = image.convert(_CONVERTED[image.mode])
        elif keyed and image.mode in ("1", "L", "RGB"):
            image = image.convert("RGBA" if image.mode == "RGB" else "LA")
        if image.mode not in _KEPT and not image.mode.startswith("I;16"):
            raise ValueError(f"its mode is {image.mode}")
        if self._mode is None or image.mode == self._mode:
            return image
        return self._converted(image, self._mode)

    def _converted(self, image: Image, mode: str) -> Image:
        from PIL import Image as Pillow

        if image.mode[0] in "IF":
            deep = np.asarray(image)
            if image.mode == "F" or deep.min() < 0 or deep.max() > _DEEP:
                raise SaltusError(
                    "images of 32 bits cannot be made 8 bits without losing their range; leave --channels out, or convert them"
                )
            self._done["have 16 bits (made 8)"] += 1
            image = Pillow.fromarray(np.rint(deep / (_DEEP / 255)).astype(np.uint8))
        if image.mode in ("LA", "RGBA") and mode != "RGBA":
            self._done["have alpha (shown on white)"] += 1
            colours = image.convert("RGBA")
            image = Pillow.alpha_composite(Pillow.new("RGBA", image.size, "white"), colours).convert("RGB")
        return image.convert(mode)

    def _resized(self, image: Image, height: int, width: int) -> Image:
        from PIL.Image import Resampling

        across, down = image.width / width, image.height / height
        uneven = abs(across / down - 1) > _UNEVEN
        self._done["are cut" if self._asked.crop else "are stretched (--crop keeps proportions)"] += uneven
        self._done["are enlarged"] += min(across, down) < 1
        scale = min(across, down)
        wide, high = (scale * width, scale * height) if self._asked.crop else (image.width, image.height)
        left, top = (image.width - wide) / 2, (image.height - high) / 2
        box = (left, top, min(left + wide, image.width), min(top + high, image.height))
        if image.mode == "1":  # stays black and white
            return image.resize((width, height), Resampling.NEAREST, box)
        deep = image.mode.startswith("I;16")
        made = (image.convert("I") if deep else image).resize((width, height), Resampling.BICUBIC, box, _GAP)
        if not deep:
            return made
        from PIL import Image as Pillow

        return Pillow.fromarray(np.clip(np.asarray(made), 0, _DEEP).astype(np.uint16))


def _array(image: Image) -> Array:
    pixels: Array = np.asarray(image)
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _of_16_bits(image: Image) -> Image:
    """A grey PNG, which older versions of Pillow give 32 bits."""
    from PIL import Image as Pillow

    return Pillow.fromarray(np.asarray(image).astype(np.uint16))


def _is_deep(image: Image) -> bool:
    """Whether a file that is not unpacked yet holds more bits of colour than Pillow reads."""
    return any("16" in str(tile[-1]) for tile in getattr(image, "tile", ()))


def _why(error: Exception) -> str:
    """What an error of Pillow says, without the name of a file or an object."""
    if type(error).__name__ == "UnidentifiedImageError":
        return "of no known format"
    return in_one_line(f"{reason(error):.80}")


def _unlike(first: str, one: Array, name: str, other: Array) -> str:
    """Two images that differ, and the options that make all of one size and kind."""
    options = []
    if one.shape[:2] != other.shape[:2]:
        options.append(f"--size {min(*one.shape[:2], *other.shape[:2])} (and --crop to keep proportions)")
    if one.shape[2:] != other.shape[2:] or one.dtype != other.dtype:
        options.append(f"--channels {1 if max(_channels(one), _channels(other)) < 3 else 3}")
    return (
        f"{in_one_line(first)} is {_kind(one)} and {in_one_line(name)} is {_kind(other)}; "
        f"expected one size and kind: give {' and '.join(options)}, or convert them"
    )


def _channels(pixels: Array) -> int:
    return pixels.shape[2] if pixels.ndim == 3 else 1


def _kind(pixels: Array) -> str:
    height, width = pixels.shape[:2]
    channels = _channels(pixels)
    return f"{width}x{height} in {channels} channel{'s' if channels > 1 else ''} of {pixels.dtype}"

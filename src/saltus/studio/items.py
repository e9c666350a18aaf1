"""An image of the reader's own as an item of a run: read with care, as it may be made to do harm, and brought to the size of the run's."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor

from saltus.data import Encoding, Preparation
from saltus.data.images import ImageReader
from saltus.errors import SaltusError
from saltus.terminal import in_one_line

__all__ = ["check_pixels", "read_image"]

_MOST_PIXELS = 2**24
_LETTERS = 60  # of a file's name in a message


def read_image(file: Path, encoding: Encoding) -> Tensor:
    """An image as y, (1, *E): cut to the proportions of the run's images, resized, in as many channels; black and white as they are shown.

    Raises:
        SaltusError: if it is no image, or unpacks to more than 16 megapixels, or the run is of none.
    """
    if not encoding.layout.is_image:
        raise SaltusError(f"an image was given for {encoding.summary()}; choose a run of images")
    name = in_one_line(file.name[-_LETTERS:])
    check_pixels(file, name)
    channels, height, width = encoding.event_shape
    reader = ImageReader(Preparation(size=(height, width), crop=True, channels=channels if channels != 2 else 1))
    pixels = reader.read(file, name)
    if pixels is None:
        reader.check()  # which says why
        raise SaltusError(f"{name} cannot be read; give another image")
    whole = torch.from_numpy(pixels.astype("float32")).reshape(height, width, -1).movedim(-1, 0).expand(channels, -1, -1)
    black, white = encoding.shown
    y = (black + (white - black) * whole / 255)[None]
    return encoding.encode(encoding.decode(y))  # on the values that the run knows


def check_pixels(file: Path, name: str) -> None:
    """Raise SaltusError for an image whose header says that it is too large to unpack."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of what is refused here
            with Image.open(file) as image:
                width, height = image.size
    except Image.DecompressionBombError:
        width = height = _MOST_PIXELS
    except Exception:  # the reader says what is wrong
        return
    if width * height > _MOST_PIXELS:
        raise SaltusError(f"{name} unpacks to more than {_MOST_PIXELS:,} pixels; give a smaller image")

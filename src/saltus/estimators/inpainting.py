"""Images of which a part is known, drawn whole: some pixels, the means of blocks of pixels, or the grey values of colours."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from saltus.chain import Chain, Inpainted, inpaint, like
from saltus.data import Encoding
from saltus.data.layout import Array
from saltus.data.parts import as_array
from saltus.errors import SaltusError
from saltus.kernels import Known
from saltus.process import Measurement

__all__ = ["Pixels", "draw_known", "known_greys", "known_means", "known_pixels"]

_GREY = (0.299, 0.587, 0.114)
"""Of red, green and blue, as files of images are made grey (ITU-R BT.601)."""


class Pixels(NamedTuple):
    """Images of which some pixels are known.

    Attributes:
        known: what is known of each.
        raw: the images, (N, *shape).
        there: where their pixels are known, of the same shape.
    """

    known: list[Known]
    raw: Array
    there: Array


def known_pixels(encoding: Encoding, images: Any, mask: Any) -> Pixels:
    """What is known of images by a mask.

    Args:
        encoding: of images.
        images: (N, *shape) such as were learned; pixels that are not known may be anything.
        mask: (H, W) for all of them or (N, H, W), where pixels are known: true, or not 0.

    Raises:
        SaltusError: if the model is of no images, shapes do not fit, or none or all of the pixels of an image are known.
    """
    raw, told = _images(encoding, images), as_array(mask)
    C, H, W = encoding.event_shape
    if told.shape not in ((H, W), (len(raw), H, W)):
        raise SaltusError(f"the mask has shape {told.shape} where ({H}, {W}) or ({len(raw)}, {H}, {W}) was expected; give one of that size")
    known = np.broadcast_to((told != 0).reshape(-1, 1, H, W), (len(raw), C, H, W))
    share = known.reshape(len(raw), -1).mean(1)
    for wrong, words, remedy in ((share == 0, "no pixel", "sample draws whole images"), (share == 1, "every pixel", "nothing is to draw")):
        if wrong.any():
            raise SaltusError(f"{words} of image {int(wrong.argmax())} is known by the mask, where a part was expected; {remedy}")
    there = encoding.layout.to_raw(known)
    first = raw.reshape(len(raw), -1)[np.arange(len(raw)), there.reshape(len(raw), -1).argmax(1)]
    y = encoding.encode(np.where(there, raw, first.reshape(-1, *(1,) * (raw.ndim - 1))))
    measurements = [Measurement.of_known(torch.from_numpy(each.copy())) for each in known]
    return Pixels([_known(own, each) for own, each in zip(measurements, y, strict=True)], raw, there)


def known_means(encoding: Encoding, images: Any) -> list[Known]:
    """What is known of images by smaller ones, whose pixels are means of blocks of theirs.

    Args:
        encoding: of images.
        images: (N, ...), laid out as they are; height and width are those that were learned over one whole number.

    Raises:
        SaltusError: if the model is of no images, or shapes or values do not fit.
    """
    small = _laid_out(encoding, images)
    C, H, W = encoding.event_shape
    h, w = small.shape[2:]
    factor = H // max(h, 1)
    if small.shape[1] != C or factor < 2 or (h * factor, w * factor) != (H, W):
        raise SaltusError(
            f"the images have {small.shape[1]} channels and {h}x{w} pixels where {C} channels and a half, a third or the like of {H}x{W} "
            "pixels were expected; resize them"
        )
    measurement = Measurement.of_blocks((C, H, W), factor)
    return [Known(measurement, each.flatten()) for each in encoding.encode_means(small)]


def known_greys(encoding: Encoding, images: Any) -> list[Known]:
    """What is known of images in red, green and blue by grey ones, (N, H, W).

    Raises:
        SaltusError: if the model is of no images in colours, or shapes or values do not fit.
    """
    _check_images(encoding)
    grey = as_array(images)
    C, H, W = encoding.event_shape
    if len(_GREY) != C:
        raise SaltusError(f"the model is of {encoding.summary()}, where images in red, green and blue were expected; give a model of such")
    if grey.shape[1:] != (H, W):
        raise SaltusError(f"the grey images have shape {grey.shape} where (N, {H}, {W}) was expected; make them grey and resize them")
    measurement = Measurement.of_channels((C, H, W), _GREY)
    return [Known(measurement, each.flatten()) for each in encoding.encode_means(grey[:, None].astype(np.float64))]


def draw_known(
    chain: Chain, encoding: Encoding, known: list[Known] | Pixels, *, draws: int, particles: int, condition: Any = None, seed: int = 0
) -> tuple[Array, Inpainted]:
    """Draws of images of which something is known, (N, draws, *shape), and what is told of them; see `saltus.chain.inpaint`.  Pixels that
    are known stay as they are."""
    made, given = like(chain), known.known if isinstance(known, Pixels) else known
    asked = [Known(each.measurement, each.value.to(made), chain.sampling.final) for each in given]
    found = inpaint(chain, asked, draws=draws, particles=particles, condition=condition, seed=seed)
    drawn = encoding.decode(found.y.flatten(0, 1)).reshape(len(given), draws, *encoding.shape)
    if isinstance(known, Pixels):
        drawn = np.where(known.there[:, None], known.raw[:, None].astype(drawn.dtype), drawn)
    return drawn, found


def _known(measurement: Measurement, y: Tensor) -> Known:
    return Known(measurement, measurement.of(y[None])[0])


def _check_images(encoding: Encoding) -> None:
    if not encoding.layout.is_image:
        raise SaltusError(f"the model is of {encoding.summary()}, where one of images was expected; TableModel.impute completes rows")


def _images(encoding: Encoding, images: Any) -> Array:
    """Raw items of the shape that was learned."""
    _check_images(encoding)
    raw = encoding.layout.like(as_array(images), encoding.shape)
    if raw.ndim != 1 + len(encoding.shape) or raw.shape[1:] != encoding.shape or not len(raw):
        expected = ", ".join(map(str, encoding.shape))
        raise SaltusError(f"the images have shape {raw.shape} where (N, {expected}) was expected; resize or reshape them")
    return raw


def _laid_out(encoding: Encoding, images: Any) -> Array:
    """Images of any size as (N, C, h, w) float64."""
    _check_images(encoding)
    raw = as_array(images)
    if raw.ndim != 1 + len(encoding.shape) or not len(raw):
        raise SaltusError(f"the images have shape {raw.shape}; expected an array with axes as those of the images that were learned")
    return encoding.layout.to_event(raw).astype(np.float64)

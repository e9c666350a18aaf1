"""`saltus compress` and `decompress`: images in a file without loss, by the distribution of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.common import data_options, json_option, say
from saltus.cli.places import PLACE
from saltus.cli.table_rows import check_new
from saltus.errors import SaltusError

if TYPE_CHECKING:
    from saltus.data import Encoding, Preparation
    from saltus.data.layout import Array

__all__ = ["compress", "decompress"]

_ARRAYS = (".npy", ".npz")
_PICTURES = (1, 3, 4)  # channels


@click.command()
@click.argument("run", type=PLACE)
@click.option("--data", type=PLACE, required=True, help="The images: a folder of them, or an .npy or .npz file.")
@click.option("--n", type=click.IntRange(min=1), help="Take the first N images.  [default: all]")
@click.option("--out", type=PLACE, required=True, help="The file to write.")
@click.option("--check/--no-check", default=True, show_default=True, help="Read the file again before it is kept, and compare all pixels.")
@data_options
@json_option
def compress(run: Path, data: Path, n: int | None, out: Path, check: bool, preparation: Preparation, as_json: bool) -> None:
    """Keep images in a file without loss.

    It has about as many bits as the model's bound, and begins with some hundred bytes more: few images are better kept as PNG.  It is
    read by `saltus decompress` with the same RUN, on a machine and with a version of torch that round alike; others say that they do not.
    Images of another size are refused, unless --size makes them fit: then what comes back are the resized ones.
    """
    import math
    import time

    from saltus.data import read_items
    from saltus.data.readers import naming
    from saltus.estimators import Model
    from saltus.estimators.compression import compress as compressed
    from saltus.files import write_atomically

    check_new([out])
    model, start = Model.load(run), time.monotonic()
    items = read_items(data, preparation=preparation)[:n]
    with naming(data):
        found = compressed(model.chain, model.encoding, items, check=check)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, found.data)
    images, size, bound = len(found.nats), len(found.data), float(found.nats.sum()) / math.log(2) / 8
    result = {
        "images": images,
        "bytes": size,
        "bytes_per_image": size / images,
        "bits_per_dim": 8 * size / images / math.prod(model.encoding.event_shape),
        "bound_bytes": bound,
        "first_bytes": found.head + found.lent,
        "checked": check,
        "seconds": time.monotonic() - start,
        "file": str(out),
    }
    words = (
        f"{images:,} images in {size:,} bytes, {size / images:.1f} an image, {result['bits_per_dim']:.4f} bits/dim: {out}\n"
        f"{found.head + found.lent:,} bytes are its beginning, however many images there are; the bound is {bound:,.0f} bytes"
    )
    say(as_json, result, f"{words}\nit was read again, and all pixels are the same" if check else words)


@click.command()
@click.argument("run", type=PLACE)
@click.argument("file", type=PLACE)
@click.option("--out", type=PLACE, required=True, help="An .npy or .npz file for one array, or a folder for a PNG file of each image.")
@json_option
def decompress(run: Path, file: Path, out: Path, as_json: bool) -> None:
    """Get the images of a compressed file.

    Every pixel is as it was.  RUN is what the file was compressed with.
    """
    from saltus.data.readers import naming
    from saltus.estimators import Model
    from saltus.estimators.compression import decompress as decompressed

    check_new([out])
    try:
        data = file.read_bytes()
    except OSError as error:
        raise SaltusError(f"{file} cannot be read ({error.strerror}); give a file that saltus compress wrote") from error
    model = Model.load(run)
    with naming(file):
        images = decompressed(model.chain, model.encoding, data)
    _write(images, model.encoding, out)
    say(as_json, {"images": len(images), "out": str(out)}, f"{len(images):,} images: {out}")


def _write(images: Array, encoding: Encoding, out: Path) -> None:
    import numpy as np

    from saltus.files import atomically

    if out.suffix in _ARRAYS:
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomically(out) as place, place.open("wb") as opened:
            if out.suffix == ".npy":
                np.save(opened, images)
            else:
                np.savez_compressed(opened, images=images)
        return
    from PIL import Image

    each: Any = encoding.layout.to_event(images)
    if images.dtype != np.uint8 or each.shape[1] not in _PICTURES:
        raise SaltusError(f"the images are {images.dtype} in {each.shape[1]} channels, which PNG does not hold; give --out a name in .npz")
    out.mkdir(parents=True)
    digits = len(str(len(each) - 1))
    for number, image in enumerate(each.transpose(0, 2, 3, 1)):
        Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(out / f"{number:0{digits}}.png")

"""`saltus inpaint`, `upscale` and `colour`: images of which a part is known, drawn whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.common import condition_of, say
from saltus.cli.image_jobs import PICTURED, image_job, places_in, write_job
from saltus.cli.places import PLACE
from saltus.errors import SaltusError

if TYPE_CHECKING:
    from torch import Tensor

    from saltus.data import Preparation
    from saltus.data.layout import Array
    from saltus.estimators import Model
    from saltus.estimators.inpainting import Pixels
    from saltus.kernels import Known

__all__ = ["colour", "inpaint", "upscale"]

_MOST = 1000  # draws, and particles of each
_NAME = "drawn"
_drawing = image_job(
    _NAME,
    "drawn along",
    "Seed of all noise: the same one gives the same draws.",
    click.option("--draws", type=click.IntRange(1, _MOST), default=1, show_default=True, help="Of each image, independent ones."),
    click.option(
        "--particles",
        type=click.IntRange(1, _MOST),
        help="Of each draw: more take longer and are closer to the model's own distribution.  [default: 64]",
    ),
)


@click.command()
@click.option(
    "--mask", type=PLACE, help="An image as large as the others, white where pixels are known; or an .npy file, (H, W) or (N, H, W)."
)
@click.option("--keep", metavar="X,Y,W,H", help="Know the pixels of a box, from column X and row Y on, W wide and H high: outpainting.")
@click.option("--drop", metavar="X,Y,W,H", help="Know all pixels but those of a box.")
@_drawing
def inpaint(mask: Path | None, keep: str | None, drop: str | None, **options: Any) -> None:
    """Fill in the pixels of images that are not known.

    In the limit of many particles they are drawn from the model's own distribution given those that are.  The effective number tells how
    many of the particles of a draw counted: near 1, a draw is the best of its particles.  RUN is a folder that `saltus train` wrote for
    images, or a chain that comes with saltus.
    """
    if sum(given is not None for given in (mask, keep, drop)) != 1:
        raise click.UsageError("expected one of --mask, --keep and --drop; give the pixels that are known")

    def known_of(model: Model, images: Array) -> Pixels:
        from saltus.estimators.inpainting import known_pixels

        told = _mask(mask) if mask else _boxed(model, (keep or drop or ""), inside=keep is not None)
        return known_pixels(model.encoding, images, told)

    _draw(known_of, "what is not known of them drawn", **options)


@click.command()
@_drawing
def upscale(**options: Any) -> None:
    """Draw large images of small ones.

    Height and width of --data are those that the model was trained on over one whole number.  The last step moves a draw to the means and
    is not the model's own distribution.
    """

    def known_of(model: Model, images: Array) -> list[Known]:
        from saltus.estimators.inpainting import known_means

        return known_means(model.encoding, images)

    _draw(known_of, "drawn in the model's size", **options)


@click.command()
@_drawing
def colour(**options: Any) -> None:
    """Draw the colours of grey images.

    The model is one of images in red, green and blue.  The last step moves a draw to the grey values: it is not the model's own.
    """

    def known_of(model: Model, images: Array) -> list[Known]:
        from saltus.estimators.inpainting import known_greys

        return known_greys(model.encoding, images)

    _draw(known_of, "drawn in colours", **options)


def _draw(
    known_of: Callable[[Model, Array], list[Known] | Pixels],
    what: str,
    *,
    run: Path,
    data: Path,
    n: int | None,
    out: Path,
    draws: int,
    particles: int | None,
    condition: str | None,
    seed: int,
    preparation: Preparation,
    as_json: bool,
) -> None:
    from saltus.chain import PARTICLES
    from saltus.data import read_items
    from saltus.data.readers import naming
    from saltus.estimators import Model
    from saltus.estimators.inpainting import Pixels, draw_known

    files = places_in(out, _NAME)
    model = Model.load(run)
    with naming(data):
        known = known_of(model, read_items(data, preparation=preparation)[:n])
        told = None if condition is None else condition_of(model.chain, condition).parse(condition)
        options = {"draws": draws, "particles": particles or PARTICLES, "seed": seed}
        drawn, found = draw_known(model.chain, model.encoding, known, condition=told, **options)
    arrays = {"drawn": drawn, "effective": found.effective.numpy(), "log_prob": found.log_prob.cpu().numpy()}
    write_job(files, arrays, _rows(model, known.known if isinstance(known, Pixels) else known, drawn), model)
    effective = float(found.effective.mean())
    counted = f"{effective:.1f} of {options['particles']} particles of a draw counted"
    words = f"{len(drawn)} images, {what}, {draws} times each: {' and '.join(map(str, files))}; {counted}"
    result = {"images": len(drawn), **options, "condition": condition, "effective": effective, "files": [str(file) for file in files]}
    say(as_json, result, words)


def _mask(file: Path) -> Array:
    """True where pixels are known."""
    import numpy as np

    try:
        if file.suffix == ".npy":
            found: Array = np.load(file, allow_pickle=False)
            return found
        from PIL import Image

        with Image.open(file) as image:
            return np.asarray(image.convert("L")) >= 2**7
    except (OSError, ValueError, EOFError) as error:
        raise SaltusError(
            f"the mask {file} cannot be read ({type(error).__name__}); expected an image, or an array of numpy.save"
        ) from None


def _boxed(model: Model, text: str, *, inside: bool) -> Array:
    """True within a box, or outside of it, (H, W)."""
    import numpy as np

    H, W = model.encoding.event_shape[-2:]
    try:
        x, y, w, h = map(int, text.split(","))
    except ValueError:
        raise SaltusError(f"the box {text} was given; expected four whole numbers X,Y,W,H such as 7,7,14,14") from None
    if min(x, y) < 0 or min(w, h) < 1 or x + w > W or y + h > H:
        raise SaltusError(f"the box {text} is not within the {H}x{W} pixels of an image; give X,Y,W,H in pixels from the upper left corner")
    box = np.zeros((H, W), dtype=np.bool_)
    box[y : y + h, x : x + w] = True
    return box if inside else ~box


def _rows(model: Model, known: list[Known], drawn: Array) -> dict[str, Tensor]:
    """For each image what is known, grey elsewhere, and the draws."""
    import torch

    low, high = model.encoding.shown
    grey = torch.full((1, *model.encoding.event_shape), (low + high) / 2)
    pictured = enumerate(known[:PICTURED])
    return {str(i): torch.cat([each.put(grey), model.encoding.encode(drawn[i, :PICTURED])]) for i, each in pictured}

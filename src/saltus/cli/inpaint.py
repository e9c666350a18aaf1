"""`saltus inpaint`, `upscale` and `colour`: images of which a part is known, drawn whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.common import data_options, json_option, say, seed_option
from saltus.cli.places import PLACE
from saltus.cli.table_rows import check_new
from saltus.errors import SaltusError

if TYPE_CHECKING:
    from torch import Tensor

    from saltus.data import Preparation
    from saltus.data.layout import Array
    from saltus.estimators import Model
    from saltus.kernels import Known

__all__ = ["colour", "inpaint", "upscale"]

_MOST = 1000  # draws, and particles of each
_PICTURED = 16  # images in the picture
_FILE, _PICTURE = "drawn.npz", "drawn.png"


def _drawing(command: Callable[..., Any]) -> Callable[..., Any]:
    """What the three commands share."""
    options = (
        click.argument("run", type=PLACE),
        click.option("--data", type=PLACE, required=True, help="The images: a folder of them, or an .npy or .npz file."),
        click.option("--n", type=click.IntRange(min=1), help="Take the first N images.  [default: all]"),
        click.option("--out", type=PLACE, required=True, help=f"Folder for {_FILE} and {_PICTURE}."),
        click.option("--draws", type=click.IntRange(1, _MOST), default=1, show_default=True, help="Of each image, independent ones."),
        click.option(
            "--particles",
            type=click.IntRange(1, _MOST),
            help="Of each draw: more take longer and are closer to the model's own law.  [default: 64]",
        ),
        click.option("--condition", metavar="CLASS", help="Of all images, of a model of classes.  [default: drawn along]"),
        seed_option("Seed of all noise: the same one gives the same draws."),
        data_options,
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.option(
    "--mask", type=PLACE, help="An image as large as the others, white where pixels are known; or an .npy file, (H, W) or (N, H, W)."
)
@click.option("--keep", metavar="X,Y,W,H", help="Know the pixels of a box, from column X and row Y on, W wide and H high: outpainting.")
@click.option("--drop", metavar="X,Y,W,H", help="Know all pixels but those of a box.")
@_drawing
def inpaint(mask: Path | None, keep: str | None, drop: str | None, **options: Any) -> None:
    """Fill in the pixels of images that are not known.

    In the limit of many particles they are drawn from the model's own law given those that are.  The effective number tells how many of
    the particles of a draw counted: near 1, a draw is the best of its particles.  RUN is a folder that `saltus train` wrote for images,
    or a chain that comes with saltus.
    """
    if sum(given is not None for given in (mask, keep, drop)) != 1:
        raise click.UsageError("expected one of --mask, --keep and --drop; give the pixels that are known")

    def known_of(model: Model, images: Array) -> tuple[list[Known], Array, Array]:
        from saltus.estimators.inpainting import known_pixels

        told = _mask(mask) if mask else _boxed(model, (keep or drop or ""), inside=keep is not None)
        known, there = known_pixels(model.encoding, images, told)
        return known, images, there

    _draw(known_of, "what is not known of them drawn", **options)


@click.command()
@_drawing
def upscale(**options: Any) -> None:
    """Draw large images of small ones.

    Height and width of --data are those that the model was trained on over one whole number.  The last step moves a draw to the means and
    is not the model's own law.
    """

    def known_of(model: Model, images: Array) -> tuple[list[Known], Array, None]:
        from saltus.estimators.inpainting import known_means

        return known_means(model.encoding, images), images, None

    _draw(known_of, "drawn in the model's size", **options)


@click.command()
@_drawing
def colour(**options: Any) -> None:
    """Draw the colours of grey images.

    The model is one of images in red, green and blue.  The last step moves a draw to the grey values and is not the model's own law.
    """

    def known_of(model: Model, images: Array) -> tuple[list[Known], Array, None]:
        from saltus.estimators.inpainting import known_greys

        return known_greys(model.encoding, images), images, None

    _draw(known_of, "drawn in colours", **options)


def _draw(
    known_of: Callable[[Model, Array], tuple[list[Known], Array, Array | None]],
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
    import numpy as np

    from saltus.chain import PARTICLES
    from saltus.data import read_items
    from saltus.data.readers import naming
    from saltus.estimators import Model
    from saltus.estimators.inpainting import draw_known
    from saltus.files import atomically

    files = [out / _FILE, out / _PICTURE]
    check_new(files)
    model = Model.load(run)
    with naming(data):
        images = read_items(data, preparation=preparation)[:n]
        known, images, there = known_of(model, images)
        options = {"draws": draws, "particles": particles or PARTICLES, "seed": seed}
        drawn, told = draw_known(model.chain, model.encoding, known, condition=_class(model, condition), **options)
    if there is not None:
        drawn = np.where(there[:, None], images[:, None].astype(drawn.dtype), drawn)
    out.mkdir(parents=True, exist_ok=True)
    with atomically(files[0]) as place, place.open("wb") as file:
        np.savez_compressed(file, drawn=drawn, effective=told.effective.numpy(), log_prob=told.log_prob.cpu().numpy())
    _picture(model, known, drawn, files[1])
    effective = float(told.effective.mean())
    counted = f"{effective:.1f} of {options['particles']} particles of a draw counted"
    words = f"{len(drawn)} images, {what}, {draws} times each: {' and '.join(map(str, files))}; {counted}"
    result = {"images": len(drawn), **options, "condition": condition, "effective": effective, "files": [str(file) for file in files]}
    say(as_json, result, words)


def _class(model: Model, text: str | None) -> Tensor | None:
    if text is None:
        return None
    if model.chain.condition is None:
        raise SaltusError(f"the condition {text} was given, and this run was trained without one; leave it out")
    return model.chain.condition.parse(text)


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


def _picture(model: Model, known: list[Known], drawn: Array, file: Path) -> None:
    """A row for each image: what is known, grey elsewhere, and the draws."""
    import torch

    from saltus.evaluation import draw_rows

    low, high = model.encoding.shown
    rows: dict[str, torch.Tensor] = {}
    for i, each in enumerate(known[:_PICTURED]):
        grey = torch.full((1, *model.encoding.event_shape), (low + high) / 2)
        rows[str(i)] = torch.cat([each.put(grey), model.encoding.encode(drawn[i, :_PICTURED])])
    draw_rows(rows, file, shown=(low, high))

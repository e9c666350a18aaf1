"""`saltus reconstruct`, `vary` and `interpolate`: images by what the model's latents hold of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.common import say
from saltus.cli.image_jobs import PICTURED, image_job, places_in, write_job
from saltus.errors import SaltusError

if TYPE_CHECKING:
    from saltus.data import Preparation
    from saltus.data.layout import Array
    from saltus.estimators import Model

__all__ = ["interpolate", "reconstruct", "vary"]

_MOST = 100  # images made of one
_NAME = "made"
_editing = image_job(_NAME, "none", "Seed of all noise: the same one gives the same images.")


@click.command()
@_editing
def reconstruct(**options: Any) -> None:
    """Make images again from what their latents hold.

    z_L and the latents of each step stay, and the decoder's noise is another: what differs from an image is what latents do not hold.
    """

    def made(model: Model, images: Array, told: dict[str, Any]) -> tuple[Array, Array]:
        return images, model.reconstruct(images, **told)[:, None]

    _make(made, "made again", **options)


@click.command()
@click.option(
    "--level", type=click.IntRange(min=1), default=1, show_default=True, help="How noisy the image is made: up to the calls of RUN."
)
@click.option("--draws", type=click.IntRange(1, _MOST), default=4, show_default=True, help="Of each image.")
@_editing
def vary(level: int, draws: int, **options: Any) -> None:
    """Draw images that resemble others.

    The noisier the level, the less they share.
    """

    def made(model: Model, images: Array, told: dict[str, Any]) -> tuple[Array, Array]:
        return images, model.vary(images, level=level, draws=draws, **told)

    _make(made, f"varied {draws} times from level {level}", **options)


@click.command()
@click.option("--steps", type=click.IntRange(2, _MOST), default=8, show_default=True, help="Images of each pair, both ends included.")
@_editing
def interpolate(steps: int, **options: Any) -> None:
    """Go from one image to another.

    Images are taken in pairs: from the first to the second, from the third to the fourth, and so on.
    """

    def made(model: Model, images: Array, told: dict[str, Any]) -> tuple[Array, Array]:
        if len(images) < 2 or len(images) % 2:
            raise SaltusError(f"{len(images)} images were given where pairs were expected; give an even number, or choose it with --n")
        return images[::2], model.interpolate(images[::2], images[1::2], steps=steps, **told)

    _make(made, f"from each to its partner in {steps} steps", **options)


def _make(
    made: Callable[[Model, Array, dict[str, Any]], tuple[Array, Array]],
    what: str,
    *,
    run: Path,
    data: Path,
    n: int | None,
    out: Path,
    condition: str | None,
    seed: int,
    preparation: Preparation,
    as_json: bool,
) -> None:
    import torch

    from saltus.data import read_items
    from saltus.data.readers import naming
    from saltus.estimators import Model

    files = places_in(out, _NAME)
    model = Model.load(run)
    encoding = model.encoding
    if not encoding.layout.is_image:
        raise SaltusError(f"{run} is of {encoding.summary()}, where images were expected; give a run of such")
    with naming(data):
        images = encoding.layout.like(read_items(data, preparation=preparation)[:n], encoding.shape)
        first, found = made(model, images, {"condition": condition, "seed": seed})
    rows = {
        str(i): torch.cat([encoding.encode(first[i : i + 1]), encoding.encode(found[i, :PICTURED])]) for i in range(len(first[:PICTURED]))
    }
    write_job(files, {"images": first, "made": found}, rows, model)
    result = {"images": len(found), "of_each": found.shape[1], "condition": condition, "seed": seed, "files": [str(file) for file in files]}
    say(as_json, result, f"{len(found)} images, {what}: {' and '.join(map(str, files))}")

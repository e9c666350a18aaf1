"""What commands on images share: their options, and the array and the picture that they write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.common import all_of, data_options, json_option, seed_option
from saltus.cli.places import PLACE
from saltus.cli.table_rows import check_new

if TYPE_CHECKING:
    from torch import Tensor

    from saltus.estimators import Model

__all__ = ["PICTURED", "image_job", "places_in", "write_job"]

PICTURED = 16
"""Images in a picture, and what is made of each."""


def image_job(
    name: str, condition: str, seed: str, *own: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options of a command on images.

    Args:
        name: of the files in --out, without their endings.
        condition: what is taken where none is given.
        seed: help of --seed.
        own: options of the command, between --out and --condition.
    """
    return all_of(
        click.argument("run", type=PLACE),
        click.option("--data", type=PLACE, required=True, help="The images: a folder of them, or an .npy or .npz file."),
        click.option("--n", type=click.IntRange(min=1), help="Take the first N images.  [default: all]"),
        click.option("--out", type=PLACE, required=True, help=f"Folder for {name}.npz and {name}.png."),
        *own,
        click.option("--condition", metavar="CLASS", help=f"Of all images, of a model of classes.  [default: {condition}]"),
        seed_option(seed),
        data_options,
        json_option,
    )


def places_in(out: Path, name: str) -> list[Path]:
    """Where the array and the picture go.

    Raises:
        SaltusError: if something is there.
    """
    files = [out / f"{name}.npz", out / f"{name}.png"]
    check_new(files)
    return files


def write_job(files: list[Path], arrays: Mapping[str, Any], rows: Mapping[str, Tensor], model: Model) -> None:
    """The arrays as an .npz file, and rows of y as a picture."""
    import numpy as np

    from saltus.evaluation import draw_rows
    from saltus.files import atomically

    files[0].parent.mkdir(parents=True, exist_ok=True)
    with atomically(files[0]) as place, place.open("wb") as file:
        np.savez_compressed(file, **arrays)
    draw_rows(rows, files[1], shown=model.encoding.shown)

"""`saltus score` of images: how likely and how strange they are, by what, and in which pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saltus.cli.common import say
from saltus.cli.floors import drawn
from saltus.errors import SaltusError

if TYPE_CHECKING:
    from saltus.data import Preparation
    from saltus.data.layout import Array

__all__ = ["is_of_images", "score_images", "write_scores"]

_PICTURED = 16  # images of a picture
_TOLD = 5
_PICTURE = ".png"
_DTYPES = {"image": "int64", "nats": "float64", "bits_per_dim": "float64", "anomaly": "float64", "part": "text", "part_anomaly": "float64"}
"""The columns of the file, and their types."""


def is_of_images(run: Path) -> bool:
    """Whether a folder holds a chain of images; what it holds otherwise is for others to say."""
    from saltus.pretrained import run_folder
    from saltus.training import load_encoding

    folder = run_folder(run)
    return (folder / "chain.json").is_file() and load_encoding(folder).layout.is_image


def score_images(
    run: Path, data: Path, out: Path | None, map_file: Path | None, seed: int, preparation: Preparation, as_json: bool
) -> None:
    """Tell, and write, what was asked for."""
    import numpy as np

    from saltus.data import read_items
    from saltus.data.readers import naming
    from saltus.estimators import ImageModel
    from saltus.estimators.strange_images import IMAGE_PARTS
    from saltus.evaluation import draw_maps

    if map_file is not None and map_file.suffix.lower() != _PICTURE:
        raise SaltusError(f"{map_file} was given for the picture; expected a file of the kind {_PICTURE}: give such a name")
    model = ImageModel.load(run)
    encoding = model.model_.encoding
    images = encoding.layout.like(read_items(data, preparation=preparation), encoding.shape)
    with naming(data):
        found = model.strangeness(images, seed)
        first = (-found.score).argsort(kind="stable")
        few = first[:_PICTURED]
        maps = None if map_file is None else found.map(few)
        nats = model.model_.log_prob_bound(images, seed=seed)
    bits = -nats / (np.prod(encoding.event_shape) * np.log(2))
    scores = np.stack([np.arange(len(nats)), nats, bits, found.score, found.by_part.argmax(1), found.by_part.max(1)], axis=1)
    if out is not None:
        write_scores(out, scores, _DTYPES, IMAGE_PARTS)
    if map_file is not None and maps is not None:
        map_file.parent.mkdir(parents=True, exist_ok=True)
        titles = [f"{i}: {found.score[i]:.1f}" for i in few]
        draw_maps(encoding.encode(images[few]), maps, titles, map_file, shown=encoding.shown)
    strangest = [
        {**dict(zip(_DTYPES, scores[i].tolist(), strict=True)), "image": int(i), "part": IMAGE_PARTS[int(scores[i, 4])]}
        for i in first[:_TOLD]
    ]
    means = {"nats": float(nats.mean()), "bits_per_dim": float(bits.mean()), "anomaly": float(found.score.mean())}
    files = [file for file in (out, map_file) if file is not None]
    words = (
        f"{len(nats):,} images: {means['nats']:.4f} nats, {means['bits_per_dim']:.4f} bits/dim and an anomaly of {means['anomaly']:.3f} on "
        "average; ordinary images have 1"
    )
    lines = [words, _told(strangest), *(f"{what} {file}" for what, file in zip(_said(out, map_file), files, strict=True))]
    result = {"images": len(nats), **means, "strangest": strangest, "seed": seed}
    places = {"file": None if out is None else str(out), "map": None if map_file is None else str(map_file)}
    say(as_json, {**result, **places}, "\n".join(lines))


def write_scores(out: Path, scores: Array, dtypes: Mapping[str, str], names: Sequence[str]) -> None:
    """Scores (n, k) as a table of columns with these types; numbers in columns of text are places of names."""
    from saltus.data import TableKind, table_ending, table_writer
    from saltus.files import atomically

    categories = [tuple(names) if dtype == "text" else () for dtype in dtypes.values()]
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomically(out) as place, table_writer(place, TableKind(table_ending(out), [*dtypes], [*dtypes.values()], categories)) as write:
        write(scores, None)


def _said(out: Path | None, map_file: Path | None) -> list[str]:
    return [*([] if out is None else ["the scores of all images are in"]), *([] if map_file is None else ["the strangest images are in"])]


def _told(strangest: Sequence[dict[str, Any]]) -> str:
    from rich.table import Table

    table = Table(title="the strangest images", title_style="", title_justify="left")
    for heading in ("image", "nats", "bits/dim", "anomaly", "strangest part", "its anomaly"):
        table.add_column(heading, justify="left" if heading == "strangest part" else "right")
    for row in strangest:
        numbers = f"{row['nats']:.2f}", f"{row['bits_per_dim']:.3f}", f"{row['anomaly']:.2f}"
        table.add_row(str(row["image"]), *numbers, row["part"], f"{row['part_anomaly']:.2f}")
    return drawn(table)

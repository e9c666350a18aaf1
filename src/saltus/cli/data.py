"""`saltus data`: what a file or folder holds, and what a training would do with it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from saltus.cli.columns_file import write_columns
from saltus.cli.common import data_options, json_option, say
from saltus.cli.places import PLACE
from saltus.errors import SaltusError
from saltus.terminal import in_one_line
from saltus.words import listed

if TYPE_CHECKING:
    from rich.table import Table

    from saltus.data import DataSet, Preparation
    from saltus.data.inspection import Column, Inspection

__all__ = ["data_command"]

_PICTURED = 32
_SHOWN = 40  # columns, or classes


@click.command("data")
@click.argument("place", metavar="PATH")
@click.option("--condition", metavar="NAME", help="What a model would be told: labels or attributes.")
@data_options
@click.option("--out", type=PLACE, help=f"A PNG for a picture of {_PICTURED} items, for images.")
@click.option(
    "--columns-out", type=PLACE, metavar="FILE", help="A file of TOML for what the columns of a table are, to edit: see --columns."
)
@json_option
def data_command(
    place: str, condition: str | None, preparation: Preparation, out: Path | None, columns_out: Path | None, as_json: bool
) -> None:
    """Look at data before learning from them.

    PATH is what `saltus train` takes as --data: a folder of images, a file of images or rows (.npz, .npy, .csv, .parquet, .tar), hf:NAME,
    or digits.
    """
    from saltus.data import inspect

    if out is not None and out.suffix.lower() != ".png":
        raise SaltusError(f"{out} is no name for a picture; expected one that ends in .png: give that with --out")
    for option, file in (("--out", out), ("--columns-out", columns_out)):
        if file is not None and file.exists():
            raise SaltusError(f"{file} is already there; give another name with {option}, or remove it first")
    found, data = inspect(place, condition, preparation)
    if columns_out is not None and not any(column.kind for column in found.columns):
        raise SaltusError(f"{found.name} cannot be learned as a table, so that its columns have no kinds; leave --columns-out away")
    words = _words(found)
    if out is not None:
        _picture(found, data, out)
        words.append(f"a picture of {min(_PICTURED, found.items['train'])} training items is in {out}")
    if columns_out is not None:
        write_columns(found, columns_out)
        words.append(f"what the columns are is in {columns_out}; edit it, and give it as --columns")
    written = {name: None if file is None else str(file) for name, file in (("picture", out), ("columns_file", columns_out))}
    say(as_json, {**asdict(found), **written}, "\n".join(words))


def _picture(found: Inspection, data: DataSet | None, out: Path) -> None:
    from saltus.data import subsample
    from saltus.evaluation import save_grid

    if data is None:
        raise SaltusError(f"there is no picture of what cannot be learned: {found.refused}")
    if not data.encoding.layout.is_image:
        raise SaltusError(f"{found.name} holds rows, and pictures are of images; leave --out away")
    out.parent.mkdir(parents=True, exist_ok=True)
    save_grid(subsample(data.train, _PICTURED), out, shown=data.encoding.shown)


def _words(found: Inspection) -> list[str]:
    """Line by line."""
    from saltus.cli.floors import drawn

    counts = ", ".join(f"{n:,} {part}" for part, n in found.items.items())
    words = [f"{found.name}: {counts} items of shape {found.shape} and type {found.dtype}"]
    if not found.columns:
        different = "more than 65,536" if found.different is None else f"{found.different:,}"
        words.append(f"values from {found.least:g} to {found.greatest:g}, {different} different ones")
    if found.copies:
        shared = f", {found.shared:,} of them in the validation or test part to a training item" if found.shared else ""
        words.append(f"{found.copies:,} items are equal to one before them{shared}")
    if found.classes:
        words.append(f"{len(found.classes)} classes: {listed([f'{name}: {count:,}' for name, count in found.classes.items()], _SHOWN)}")
    if found.columns:
        words.append(drawn(_table(found)))
    words += found.notes
    return [*words, f"a training would refuse this: {found.refused}" if found.refused else f"a training learns {found.becomes}"]


def _table(found: Inspection) -> Table:
    from rich.table import Table

    rows = [_row(column, sum(found.items.values())) for column in found.columns]
    rows += [(in_one_line(name), "", "left out", "", "", "", why) for name, why in found.left_out.items()]
    table = Table(caption=f"{len(rows) - _SHOWN} columns more" if len(rows) > _SHOWN else None, caption_style="")
    for heading in ("column", "type", "kind", "values", "different", "missing", "why"):
        table.add_column(heading, justify="right" if heading in ("different", "missing") else "left")
    for row in rows[:_SHOWN]:
        table.add_row(*row)
    return table


def _row(column: Column, n: int) -> tuple[str, ...]:
    plain = column.holds or ("" if column.least is None else f"{column.least:.6g} to {column.greatest:.6g}")
    missing = f"{column.missing / n:.2%}" if column.missing else ""
    return in_one_line(column.name), column.dtype, column.kind, in_one_line(plain), f"{column.different:,}", missing, column.why

"""`saltus score`: how likely and how strange rows of a table or images are, and by what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.common import PREPARATION_OPTIONS, data_options, json_option, say, seed_option
from saltus.cli.floors import drawn
from saltus.cli.places import PLACE
from saltus.cli.score_images import is_of_images, score_images, write_scores
from saltus.cli.table_rows import check_new, read_rows, trained_table
from saltus.errors import SaltusError

if TYPE_CHECKING:
    from saltus.data import Preparation

__all__ = ["score"]

_STRANGEST = 5  # rows that are told
_LONGEST = 40  # letters of a value that are told
_DTYPES = {"row": "int64", "nats": "float64", "anomaly": "float64", "column": "text", "column_anomaly": "float64"}
"""The columns of the file, and their types."""


@click.command()
@click.argument("run", type=PLACE)
@click.option(
    "--data",
    type=PLACE,
    required=True,
    help="The rows, in CSV, TSV or Parquet, with the columns that were learned; or the images: a folder of them, or an .npy or .npz file.",
)
@click.option("--out", type=PLACE, help="File for the scores of all items, in the order of --data; CSV, TSV or Parquet, by its name.")
@click.option("--map", "map_file", type=PLACE, help="A .png file for the strangest images, and which of their pixels are strange.")
@seed_option("Seed of the noise that nats are estimated with.")
@data_options
@json_option
def score(run: Path, data: Path, out: Path | None, map_file: Path | None, seed: int, preparation: Preparation, as_json: bool) -> None:
    """Tell how likely and how strange rows or images are.

    \b
    row, image      its number, from 0 on
    nats            a lower bound on ln p: more is likelier
    bits_per_dim    of an image, -nats in bits a number; it does not tell
                    strange images, as simple ones are likely everywhere
    anomaly         -ln of the share of ordinary ones that are at least as
                    strange: 3 is one in twenty, 7 is one in a thousand
    column          whose cell is the strangest, given the rest of the row
    column_anomaly  the same as anomaly, of this cell
    part            of an image, what is the stranger: the terms of its bound
                    together, or where its pixels are dear
    part_anomaly    the same as anomaly, of this part

    A row with a cell that never came, such as another category, has -inf nats and an infinite anomaly (in JSON null for both).  RUN is a
    folder that `saltus train`, TableModel.save or ImageModel.save wrote, or a chain that comes with saltus; ordinary are the rows or images
    that it has held out.
    """
    import numpy as np

    from saltus.data import table_ending
    from saltus.data.readers import naming

    if out is not None and not table_ending(out):
        raise SaltusError(f"{out} was given for the scores; expected a file of the kind .csv, .tsv or .parquet: give such a name")
    check_new([file for file in (out, map_file) if file is not None])
    if is_of_images(run):
        score_images(run, data, out, map_file, seed, preparation, as_json)
        return
    _refuse_for_tables()
    trained = trained_table(run)
    given = read_rows(data, trained)
    trained.ordinary  # noqa: B018 - what it lacks is of the run, and not of the rows
    with naming(data):
        anomaly, strange = trained.strangeness(given.table, seed)
        nats = trained.nats(given.table, seed, unseen=np.isinf(strange))
    scores = np.stack([np.arange(len(nats)), nats, anomaly, strange.argmax(1), strange.max(1)], axis=1)
    if out is not None:
        write_scores(out, scores, _DTYPES, trained.columns)
    strangest = [
        {**dict(zip(_DTYPES, scores[row].tolist(), strict=True)), "row": int(row), "column": (name := trained.columns[int(scores[row, 3])])}
        | {"value": _text(given.table.column(name)[int(row)].as_py())}
        for row in (-anomaly).argsort(kind="stable")[:_STRANGEST]
    ]
    came = np.isfinite(nats)
    means = {"nats": float(nats[came].mean()), "anomaly": float(anomaly[came].mean()), "unseen": int((~came).sum())}
    words = f"{len(nats):,} rows: {means['nats']:.4f} nats and an anomaly of {means['anomaly']:.3f} on average; ordinary rows have 1"
    if means["unseen"]:
        words += f"; {means['unseen']:,} rows are left out of this, as they hold what never came"
    lines = [words, _told(strangest), *([] if out is None else [f"the scores of all rows are in {out}"])]
    result = {"rows": len(nats), **means, "strangest": strangest}
    say(as_json, {**result, "seed": seed, "file": None if out is None else str(out)}, "\n".join(lines))


def _refuse_for_tables() -> None:
    """Say so when an option was given that is for images alone."""
    context = click.get_current_context()
    for option in ("map_file", *PREPARATION_OPTIONS):
        if context.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE:
            flag = next(parameter.opts[0] for parameter in context.command.params if parameter.name == option)
            raise click.UsageError(f"{flag} is for images, and the run is of a table; leave it out")


def _text(value: Any) -> str | None:
    """A cell, in few letters."""
    return None if value is None else f"{value:g}" if isinstance(value, float) else str(value)[:_LONGEST]


def _told(strangest: Sequence[dict[str, Any]]) -> str:
    from rich.table import Table

    table = Table(title="the strangest rows", title_style="", title_justify="left")
    for heading in ("row", "nats", "anomaly", "strangest cell", "its anomaly"):
        table.add_column(heading, justify="left" if heading == "strangest cell" else "right")
    for row in strangest:
        cell = f"{row['column']} = {'missing' if row['value'] is None else row['value']}"
        table.add_row(str(row["row"]), f"{row['nats']:.2f}", f"{row['anomaly']:.2f}", cell, f"{row['column_anomaly']:.2f}")
    return drawn(table)

"""`saltus impute`: a file of a table with its missing cells drawn."""

from __future__ import annotations

from pathlib import Path

import click

from saltus.cli.common import json_option, say, seed_option
from saltus.cli.places import PLACE
from saltus.cli.table_rows import check_new, data_option, read_rows, trained_table
from saltus.errors import SaltusError
from saltus.terminal import tell

__all__ = ["impute"]

_MOST_DRAWS = 1000


@click.command()
@click.argument("run", type=PLACE)
@data_option
@click.option("--out", type=PLACE, required=True, help="File for the same rows without missing cells, of the kind of --data.")
@click.option(
    "--draws",
    type=click.IntRange(min=1, max=_MOST_DRAWS),
    default=1,
    show_default=True,
    help="How many files.  For more than one, --out full.csv gives full-1.csv, full-2.csv, ...; what differs between them is not sure.",
)
@seed_option("Seed of all noise: the same one gives the same cells.")
@json_option
def impute(run: Path, data: Path, out: Path, draws: int, seed: int, as_json: bool) -> None:
    """Fill the missing cells of a table.

    Each is drawn from what it can be, given all that is there in its row.  Everything else stays as it is written, columns that were not
    learned too.  RUN is a folder that `saltus train` wrote for a table, or TableModel.save.
    """
    from saltus.data.readers import naming
    from saltus.files import atomically

    trained = trained_table(run)
    files = _files(out, data, draws)
    given = read_rows(data, trained)
    with naming(data):
        tables = trained.filled(given.table, draws, seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    for file, table in zip(files, tables, strict=True):
        with atomically(file) as place:
            given.write(place, table)
    missing = {name: given.table.column(name).null_count for name in trained.columns}
    filled, left = sum(missing.values()), sum(column.null_count for column in tables[0].columns)
    if left:
        tell(f"{left:,} cells are missing still, in columns that were not learned")
    by_column = {name: count for name, count in missing.items() if count}
    told = {"rows": given.table.num_rows, "filled": filled, "by_column": by_column, "left": left, "draws": draws, "seed": seed}
    where = " to ".join(dict.fromkeys((str(files[0]), str(files[-1]))))
    words = f"{filled:,} missing cells in {given.table.num_rows:,} rows are filled: {where}"
    say(as_json, {**told, "files": [str(file) for file in files]}, words)


def _files(out: Path, data: Path, draws: int) -> list[Path]:
    """The files that are written; of data of a kind that is not read none.

    Raises:
        SaltusError: if they are of another kind than the data, or one is there.
    """
    from saltus.data import table_ending

    if not (kind := table_ending(data)):
        return []  # reading them tells
    stem, ending = out.name[: -len(kind)], out.name[-len(kind) :]
    if ending.lower() != kind or not stem:
        raise SaltusError(f"{out} was given for the rows of {data}; expected a file of the same kind: give a name in {kind}")
    files = [out] if draws == 1 else [out.with_name(f"{stem}-{k}{ending}") for k in range(1, draws + 1)]
    check_new(files)
    return files

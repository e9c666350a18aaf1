"""`saltus report`: one page about the quality of the rows that a run of a table generates."""

from __future__ import annotations

import time
from importlib.metadata import version
from pathlib import Path

import click

from saltus.cli.common import json_option, say, seed_option
from saltus.cli.places import PLACE
from saltus.errors import SaltusError
from saltus.terminal import tell

__all__ = ["report"]

_FEWEST, _MOST = 20, 20_000  # synthetic rows
_PAGE = (".html", ".htm")


@click.command()
@click.argument("run", type=PLACE)
@click.argument("table", metavar="TABLE", type=PLACE)
@click.option("--out", type=PLACE, default=Path("report.html"), show_default=True, help="The page: one file that needs no other.")
@click.option(
    "--n", type=click.IntRange(min=_FEWEST, max=_MOST), help=f"Synthetic rows.  [default: as many as training rows, up to {_MOST:,}]"
)
@click.option("--target", metavar="NAME", help="The column that is predicted from the others.  [default: the last one that is no date]")
@seed_option("Seed of the synthetic rows, and of all choices of rows, folds and models.")
@json_option
def report(run: Path, table: Path, out: Path, n: int | None, target: str | None, seed: int, as_json: bool) -> None:
    """Write a page about the quality of synthetic rows.

    RUN is the folder of a run that was trained on a CSV or Parquet file, and TABLE is that file: rows that the run was not trained on are
    what its samples are compared with.  Of another file with the same columns all rows are.  The page tells how often synthetic rows are
    told from real ones and by which columns, how columns go together, whether rows are copies, what they are worth for a prediction, and
    the bound on -ln p beside closed forms.
    """
    if out.suffix.lower() not in _PAGE:
        raise SaltusError(f"{out} is no name for a page; expected one that ends in .html: give that with --out")
    if out.exists():
        raise SaltusError(f"{out} is already there; give another name with --out, or remove it first")
    from saltus.evaluation import words_of
    from saltus.extras import needs
    from saltus.studies.quality.measure import measured
    from saltus.studies.quality.page import write_page
    from saltus.studies.quality.rows import compared
    from saltus.studies.quality.words import as_json as figures

    needs("matplotlib", extra="compare")  # before the work, not after it
    needs("jinja2", extra="compare")
    start = time.monotonic()
    rows = compared(run, table, n=n, seed=seed, target=target, progress=tell)
    quality = measured(rows, seed=seed, progress=tell)
    found = figures(quality)
    made = {"seed": seed, "seconds": round(time.monotonic() - start, 1), "version": version("saltus")}
    made |= {"calls": rows.chain.levels.L, "sampling": words_of(rows.chain.sampling)}
    out.parent.mkdir(parents=True, exist_ok=True)
    write_page(quality, out, title=f"Synthetic rows of {run.resolve().name}, beside {table.name}", made=made)
    say(
        as_json,
        {**found, "run": str(run), "table": str(table), **made, "page": str(out)},
        "\n".join([*found["finding"], *[found["caution"]] * bool(found["caution"]), f"the page is {out}"]),
    )

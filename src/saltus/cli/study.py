"""`saltus study`: questions about few-step diffusion, answered by measurements on any data set."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.common import Interrupted, data_options, json_option, say, seed_option
from saltus.errors import SaltusError

if TYPE_CHECKING:
    from saltus.data import Preparation
    from saltus.studies.collapse.experiment import Job, Record

__all__ = ["study"]


@click.group()
def study() -> None:
    """Answer a question about few-step diffusion.

    The answer is a page of measurements that a student can read.
    """


@study.command()
@click.option(
    "--data",
    default="digits",
    show_default=True,
    help="A folder of images, a file of images or rows (.npz, .npy, .csv, .parquet, .tar), hf:NAME, or digits.",
)
@data_options
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for index.html and collapse.json; new or empty.")
@click.option("--quick", is_flag=True, help="Take half a minute and one small run of everything; what it says of networks means little.")
@seed_option("Seed of the first training, and of all noise.")
@json_option
def collapse(data: str, preparation: Preparation, out: Path, quick: bool, seed: int, as_json: bool) -> None:
    """Why does a deterministic decoder collapse?

    Why does it give one image, why do trained networks not, and what brings diversity back?
    """
    from saltus.data import load
    from saltus.storage import to_json
    from saltus.studies.collapse.claims import claims
    from saltus.studies.collapse.experiment import Plan, Record, jobs, summary
    from saltus.studies.collapse.page import write_page

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SaltusError(f"{out} is already there and not an empty folder; give the study a new one, or remove it first")
    items = load(data, preparation=preparation)
    click.echo(items.describe(), err=True)
    plan, start, records = Plan.quick() if quick else Plan(), time.monotonic(), list[Record]()
    listed, file = jobs(items, plan, seed=seed), out / "collapse.json"
    out.mkdir(parents=True, exist_ok=True)

    def result() -> dict[str, Any]:
        return summary(items, plan, records, seed=seed, seconds=time.monotonic() - start)

    try:
        _work(listed, records)
    except KeyboardInterrupt:
        file.write_text(to_json(result(), indent=1) + "\n")
        raise Interrupted(f"stopped; {len(records)} measurements are kept in {file}, without a page or conclusions") from None
    found = result() | {"claims": claims(plan, records)}
    write_page(items, plan, records, found, out / "index.html")
    file.write_text(to_json(found, indent=1) + "\n")
    say(as_json, found, "\n".join([*found["claims"], f"The page is {out / 'index.html'}, its numbers are in {file}"]))


def _work(listed: list[Job], records: list[Record]) -> None:
    """Do the parts one by one, with a progress bar on stderr; what is done stays in `records` if the work is stopped."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=len(listed))
        for job in listed:
            bar.update(task, description=job.title)
            records += job.run()
            bar.advance(task)

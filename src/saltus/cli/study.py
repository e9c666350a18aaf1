"""`saltus study`: questions about few-step diffusion, answered by measurements on any data set."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.common import Interrupted, data_options, json_option, say, seed_option
from saltus.cli.places import PLACE, SOURCE
from saltus.terminal import tell

if TYPE_CHECKING:
    from saltus.data import Preparation
    from saltus.studies.collapse.experiment import Job

__all__ = ["study"]


@click.group()
def study() -> None:
    """Answer a question about few-step diffusion.

    The answer is a page of measurements that a student can read.
    """


@study.command()
@click.option(
    "--data",
    type=SOURCE,
    default="digits",
    show_default=True,
    help="A folder of images, a file of images or rows (.npz, .npy, .csv, .parquet, .tar), hf:NAME, or digits.",
)
@data_options
@click.option("--out", required=True, type=PLACE, help="Folder for index.html and collapse.json; new or empty, or of this study.")
@click.option("--quick", is_flag=True, help="Take half a minute and one small run of everything; what it says of networks means little.")
@seed_option("Seed of the first training, and of all noise.")
@json_option
def collapse(data: str, preparation: Preparation, out: Path, quick: bool, seed: int, as_json: bool) -> None:
    """Why does a deterministic decoder collapse?

    Why does it give one image, why do trained networks not, and what brings diversity back?
    Where this command was stopped, the same command continues.
    """
    from saltus.data import load
    from saltus.files import to_json, write_atomically
    from saltus.studies.cache import ResultCache
    from saltus.studies.call import only_call
    from saltus.studies.collapse.claims import claims, finding
    from saltus.studies.collapse.experiment import Plan, Record, jobs, summary
    from saltus.studies.collapse.kept import kept
    from saltus.studies.collapse.page import write_page

    items = load(data, preparation=preparation)
    tell(items.describe())
    plan, start, records = Plan.quick() if quick else Plan(), time.monotonic(), list[Record]()
    call = {"command": "study collapse", "data": items.fingerprint, "seed": seed, "plan": asdict(plan)}
    file = out / "collapse.json"

    def write(found: dict[str, Any]) -> None:
        write_atomically(file, to_json(found, indent=1) + "\n")

    def result() -> dict[str, Any]:
        return summary(items, plan, records, seed=seed, seconds=time.monotonic() - start)

    with only_call(out, call):
        cache = ResultCache(out / "parts")
        try:
            with closing(_listed(jobs(items, plan, seed=seed))) as listed:
                for job in listed:
                    records += kept(cache, job, call)
        except KeyboardInterrupt:
            write(result())
            raise Interrupted(
                f"stopped; {len(records)} measurements are kept in {file}, without a page or conclusions; the same command goes on"
            ) from None
        found = result() | {"finding": finding(plan, records), "claims": claims(plan, records)}
        write_page(items, plan, records, found, out / "index.html")
        write(found)
    say(as_json, found, "\n".join([found["finding"], *found["claims"], f"The page is {out / 'index.html'}, its numbers are in {file}"]))


def _listed(listed: list[Job]) -> Generator[Job]:
    """The parts one by one, with a progress bar on stderr."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=len(listed))
        for job in listed:
            bar.update(task, description=job.title)
            yield job
            bar.advance(task)

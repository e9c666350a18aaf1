"""`saltus push`: a run on the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

import click

from saltus.cli.common import json_option, say
from saltus.cli.places import PLACE

__all__ = ["push_command"]


@click.command("push")
@click.argument("run", type=PLACE)
@click.argument("name", metavar="OWNER/NAME")
@click.option("--private", is_flag=True, help="Let a new repository be seen by its owner alone.")
@click.option("--license", metavar="NAME", help="Of the weights, as the hub names it, such as mit.  [default: unknown]")
@json_option
def push_command(run: Path, name: str, private: bool, license: str | None, as_json: bool) -> None:
    """Write a run to the Hugging Face hub, with a card.

    A run on images is a pipeline of diffusers there.  Every command takes hf:OWNER/NAME for RUN then.  The card has the figures that
    saltus evaluate RUN --out RUN wrote before.
    """
    from saltus.integrations.hub import push

    place = push(run, name, private=private, license=license)
    say(as_json, {"run": str(run), "name": name, "place": place}, f"the run is at {place}; sample it with: saltus sample hf:{name} --n 64")

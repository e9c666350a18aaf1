"""What every command shares: the options of all, and how results and interruptions are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

__all__ = ["ETA_OPTION", "LAST_OPTION", "LATENT_ITEMS", "SEED", "Interrupted", "json_option", "say"]

LATENT_ITEMS = 1000
"""Items whose use of latents is measured: each is decoded with many."""

SEED = click.IntRange(min=0, max=2**63 - 1)
LAST_OPTION = click.option(
    "--last", type=click.Choice(["mean", "draw"]), default="mean", show_default=True, help="The last step: its mean, or a draw."
)


def _share(_: click.Context, __: click.Parameter, value: float) -> float:
    if not 0 <= value <= 1:  # which click's own range lets NaN through
        raise click.BadParameter(f"{value} is no share; expected a number from 0 to 1")
    return value


ETA_OPTION = click.option(
    "--eta", type=float, callback=_share, default=1.0, show_default=True, help="From 0 to 1: below 1 steps reuse a part of their noise."
)


class Interrupted(Exception):
    """The user stopped a command that had something to keep; the message says what."""


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`, which the command receives as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout; all else goes to stderr.")(command)


def say(as_json: bool, result: dict[str, Any], words: str) -> None:
    """Print the result on stdout, as JSON or in words."""
    from saltus.storage import to_json

    click.echo(to_json(result) if as_json else words)

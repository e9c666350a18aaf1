"""What every command shares: the options of all, and how results and interruptions are told."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from saltus.kernels import Last

__all__ = ["LATENT_ITEMS", "SAMPLING_OPTIONS", "SEED", "Interrupted", "json_option", "sampling_options", "say"]

LATENT_ITEMS = 1000
"""Items whose use of latents is measured: each is decoded with many."""

SEED = click.IntRange(min=0, max=2**63 - 1)


def _share(_: click.Context, __: click.Parameter, value: float) -> float:
    if not 0 <= value <= 1:  # which click's own range lets NaN through
        raise click.BadParameter(f"{value} is no share; expected a number from 0 to 1")
    return value


def _positive(_: click.Context, __: click.Parameter, value: float) -> float:
    if not 0 < value < math.inf:
        raise click.BadParameter(f"{value} is no temperature; expected a number above 0")
    return value


_LASTS = ("median", "mean", "draw")
_SAMPLING = (
    click.option("--last", type=click.Choice(_LASTS), default=_LASTS[0], show_default=True, help="What the last step gives of its law."),
    click.option(
        "--eta", type=float, callback=_share, default=1.0, show_default=True, help="From 0 to 1: below 1 steps reuse a part of their noise."
    ),
    click.option(
        "--temperature", type=float, callback=_positive, default=1.0, show_default=True, help="Of latents: above 1 they vary more."
    ),
)
SAMPLING_OPTIONS = ("last", "eta", "temperature")


def sampling_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--last, --eta and --temperature, which the command receives as `how`."""

    @wraps(command)
    def told(*args: Any, last: Last, eta: float, temperature: float, **options: Any) -> Any:
        from saltus.kernels import Sampling

        return command(*args, how=Sampling(last, eta, temperature), **options)

    result: Callable[..., Any] = told
    for option in reversed(_SAMPLING):
        result = option(result)
    return result


class Interrupted(Exception):
    """The user stopped a command that had something to keep; the message says what."""


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`, which the command receives as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout; all else goes to stderr.")(command)


def say(as_json: bool, result: dict[str, Any], words: str) -> None:
    """Print the result on stdout, as JSON or in words."""
    from saltus.storage import to_json

    click.echo(to_json(result) if as_json else words)

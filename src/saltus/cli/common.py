"""What every command shares: the options of all, and how results and interruptions are told."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.places import PLACE
from saltus.errors import SaltusError
from saltus.terminal import shown_json, tell

if TYPE_CHECKING:
    from pathlib import Path

    from saltus.chain import Chain
    from saltus.networks import Condition

__all__ = [
    "LATENT_ITEMS",
    "PREPARATION_OPTIONS",
    "SAMPLING_OPTIONS",
    "Interrupted",
    "all_of",
    "chain_of",
    "condition_of",
    "data_options",
    "json_option",
    "parse_calls",
    "same_command",
    "sampling_options",
    "say",
    "seed_option",
]

LATENT_ITEMS = 1000
"""Items whose use of latents is measured: each is decoded with many."""

_MOST_SEEDS = 2**63


def _within(noun: str, expected: str, fits: Callable[[Any], bool]) -> Callable[..., Any]:
    """A callback that checks an option's range: click's own ranges let NaN through."""

    def checked(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
        if value is not None and not fits(value):
            raise click.BadParameter(f"{value} is no {noun}; expected {expected}")
        return value

    return checked


_CHOSEN = "[default: what was best on validation items at the end of training]"
_FINALS = ("auto", "mode", "mean", "sample")
_SAMPLING = (
    click.option(
        "--final",
        type=click.Choice(_FINALS),
        help="What the last step returns of p(y | .); auto is the mode of grey values on their own, and a sample of everything else.  "
        f"{_CHOSEN}",
    ),
    click.option(
        "--eta",
        type=float,
        metavar="NUMBER",
        callback=_within("share", "a number from 0 to 1", lambda share: 0 <= share <= 1),
        help=f"Share of fresh noise, from 0 to 1: below 1, steps reuse the noise of z_t.  {_CHOSEN}",
    ),
    click.option(
        "--temperature",
        type=float,
        metavar="NUMBER",
        callback=_within("temperature", "a number above 0", lambda temperature: 0 < temperature < math.inf),
        help=f"Standard deviation of latents: above 1 they vary more.  {_CHOSEN}",
    ),
    click.option(
        "--guidance",
        type=float,
        metavar="NUMBER",
        callback=_within("weight", "a number from 0 up", lambda weight: 0 <= weight < math.inf),
        help="Weight of the condition: above 1, samples follow it more closely.  [default: 1]",
    ),
)
SAMPLING_OPTIONS = ("final", "eta", "temperature", "guidance")


def all_of(*options: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Several options as one decorator; help lists them in this order."""

    def decorated(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated


def sampling_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--final, --eta, --temperature and --guidance; the command receives those that were given as the dictionary `sampling`."""

    @wraps(command)
    def told(*args: Any, **options: Any) -> Any:
        given = {name: options.pop(name) for name in SAMPLING_OPTIONS}
        return command(*args, sampling={name: value for name, value in given.items() if value is not None}, **options)

    return all_of(*_SAMPLING)(told)


def _image_channels(_: click.Context, __: click.Parameter, given: str | None) -> int | None:
    """The channels of every image; a training's network has an option of its own."""
    if given is not None and given not in ("1", "3", "4"):
        raise click.BadParameter(f"{given} channels were given where 1, 3 or 4 were expected; those of a network are --network-channels")
    return None if given is None else int(given)


_PREPARATION = (
    click.option("--size", metavar="PIXELS", help="Resize every image to 32x32 with 32, or to height and width with 48x32."),
    click.option("--crop", is_flag=True, help="Cut images to the proportions of --size around their centre first, or they are stretched."),
    click.option(
        "--channels",
        "image_channels",
        metavar="[1|3|4]",
        callback=_image_channels,
        help="Make every image grey, in colours, or in colours and alpha.",
    ),
    click.option("--recursive", is_flag=True, help="Take the images in folders inside along, all without classes."),
    click.option("--array", metavar="NAME", help="The array of an .npz file that holds the items."),
    click.option(
        "--columns",
        type=PLACE,
        metavar="FILE",
        help='A file of TOML that says what columns of a table are, in place of what is detected, such as: age = {kind = "integer"}.  '
        "saltus data --columns-out writes one.",
    ),
)


PREPARATION_OPTIONS = ("size", "crop", "image_channels", "recursive", "array", "columns")


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How the items of files are preprocessed, which the command receives as `preparation`."""

    @wraps(command)
    def told(
        *args: Any,
        size: Any,
        crop: bool,
        image_channels: int | None,
        recursive: bool,
        array: str | None,
        columns: Path | None,
        **options: Any,
    ) -> Any:
        from saltus.data import Preparation, declarations

        kinds = declarations(columns)
        try:
            preparation = Preparation(size, crop, image_channels, recursive, array, kinds)
        except SaltusError as error:
            raise click.UsageError(str(error)) from None
        return command(*args, preparation=preparation, **options)

    result: Callable[..., Any] = told
    for option in reversed(_PREPARATION):
        result = option(result)
    return result


def chain_of(run: Path, calls: int | None) -> Chain:
    """The chain of a run; with a number of calls, on the grid that `saltus plan` found best for them, or on the cosine grid.

    Raises:
        SaltusError: if the folder holds no chain, or one that was trained for another number of calls.
    """
    from saltus.chain import Chain
    from saltus.training import planned_levels

    chain = Chain.load(run)
    return chain if calls is None else chain.on(planned_levels(run, chain, calls))


def condition_of(chain: Chain, text: str) -> Condition:
    """What a chain is conditioned on.

    Raises:
        SaltusError: if it is on nothing, and the condition `text` was given.
    """
    if chain.condition is None:
        raise SaltusError(f"the condition {text} was given, and this run was trained without one; leave it out")
    return chain.condition


def parse_calls(_: click.Context, __: click.Parameter, value: str) -> tuple[int, ...]:
    """Numbers of network calls, ascending, of a text such as 1,2,4,8."""
    try:
        calls = tuple(sorted({int(part) for part in value.split(",")}))
    except ValueError:
        calls = ()
    if not calls or calls[0] < 1:
        raise click.BadParameter(f"{value!r:.60} was given where numbers of calls from 1 up were expected; write them as 1,2,4,8")
    return calls


def same_command() -> str:
    """What was typed, as it can be pasted."""
    return shlex.join(["saltus", *sys.argv[1:]])


class Interrupted(Exception):
    """The user stopped a command that had something to keep; the message says what."""


def seed_option(words: str) -> Callable[..., Any]:
    """`--seed`, with what it is the seed of."""
    check = _within("seed", "a whole number from 0 to 2**63 - 1", lambda seed: 0 <= seed < _MOST_SEEDS)
    return click.option("--seed", type=int, callback=check, default=0, show_default=True, help=words)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`, which the command receives as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, and all else on stderr.")(command)


def say(as_json: bool, result: dict[str, Any], words: str) -> None:
    """Print the result on stdout, as JSON or in words."""
    from saltus.files import to_json

    tell(shown_json(to_json(result)) if as_json else words, result=True)

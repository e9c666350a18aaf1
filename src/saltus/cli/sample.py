"""`saltus sample`: items of a run, in batches to disk, so that memory does not grow with their number."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.common import Interrupted, chain_of, condition_of, json_option, same_command, sampling_options, say, seed_option
from saltus.cli.pieces import PIECES, digest, in_pieces, make_part
from saltus.cli.places import PLACE
from saltus.cli.sample_files import write_arrays, write_table
from saltus.errors import SaltusError
from saltus.pretrained import PRETRAINED, run_folder

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from saltus.chain import Chain
    from saltus.data.layout import Array

__all__ = ["sample"]

_AT_ONCE = 2**20  # numbers held in memory, and lost where the work is ended
_STARTS = ("noise", "mixture")
_MOST_ITEMS = 10**10  # more would take years


def _part(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """3/100 as (2, 100)."""
    if value is None:
        return None
    number, _sign, parts = value.partition("/")
    if not (number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
        raise click.BadParameter(f"{value!r} is no part; expected its number and how many there are, such as 3/100")
    return int(number) - 1, int(parts)


@click.command()
@click.argument("run", type=PLACE)
@click.option("--n", type=click.IntRange(min=1, max=_MOST_ITEMS), required=True, help="How many items to generate.")
@click.option(
    "--out",
    required=True,
    type=PLACE,
    help="Folder for samples.npz and, for images, samples.png; of a CSV or Parquet file, for samples in such a file.",
)
@click.option("--calls", type=click.IntRange(min=1), help="Network calls of each item; for a run that was trained with --any-step.")
@click.option(
    "--condition",
    metavar="VALUE",
    help="A class by its name or number, a vector as numbers with commas, or a .npy file with one condition an item.",
)
@click.option(
    "--where",
    multiple=True,
    metavar="NAME=VALUE",
    help="What rows of a table are to be: NAME=VALUE, NAME=LOW:HIGH with an end left out where it is open, NAME='A|B' for one of these, or "
    "NAME= for a missing cell.  May be given again.",
)
@seed_option("Seed of all noise: the same one gives the same items.")
@sampling_options
@click.option(
    "--start",
    type=click.Choice(_STARTS),
    help="What to start from, of a run that starts from a mixture: from noise takes a step more, in closed form.  [default: the run's own]",
)
@click.option("--device", default="cpu", show_default=True, help="Where to compute, as torch names it, such as cuda or cuda:1.")
@click.option(
    "--part",
    metavar="K/PARTS",
    callback=_part,
    help="Make the K-th of so many parts of the items alone, for jobs that share --out; the same command without it joins them.",
)
@json_option
def sample(
    run: Path,
    n: int,
    out: Path,
    calls: int | None,
    condition: str | None,
    where: tuple[str, ...],
    seed: int,
    sampling: dict[str, Any],
    start: str | None,
    device: str,
    part: tuple[int, int] | None,
    as_json: bool,
) -> None:
    """Generate items from a training run.

    RUN is its folder, or the name of a chain that comes with saltus: digits, fashion-mnist or mnist.
    """
    from saltus.chain import started
    from saltus.estimators.kept import kind_of
    from saltus.evaluation import words_of
    from saltus.launched import together
    from saltus.training import encoding_of, usable_device

    if not (run := run_folder(run)).is_dir():
        found, known = "a file" if run.exists() else "not there", ", ".join(PRETRAINED)
        raise SaltusError(f"{run} is {found}; give the folder of a training run, or a chain that comes with saltus: {known}")
    place = usable_device(device)
    processes = together(place)
    own = chain_of(run, calls)
    chain = (own if start is None else started(own, start)).to(processes.device(place))
    chosen = replace(chain.sampling, **sampling)
    encoding = encoding_of(chain, run)
    table = kind_of(run, encoding)
    files = [out / f"samples{table.ending if table else '.npz'}"] + [out / "samples.png"] * encoding.layout.is_image
    if taken := [file for file in files if file.exists()]:
        raise SaltusError(f"{taken[0]} is already there; give another folder with --out, or remove it first")
    told_items = chain.conditions_for(None if condition is None else _parsed(chain, condition, n), chain.noise(seed, 0, n))
    told: dict[str, Any] = {} if condition is None else {"condition": condition}
    asked = _asked(run, where, processes.device(place)) if where else None
    told |= {"where": list(where)} if where else {}
    told |= {} if start is None else {"start": start}
    given = None if told_items is None else told_items.cpu().numpy().tobytes()
    call = {"chain": digest((run / "chain.json").read_bytes()), "n": n, "seed": seed, "calls": own.levels.L, "device": device, **told}
    call |= {**asdict(chosen), "conditions": given and digest(given)}

    def make(start: int, stop: int) -> Array:
        if asked is not None:
            return asked(start, stop, seed)
        condition = None if told_items is None else told_items[start:stop]
        return encoding.decode(chain.sample(stop - start, seed=seed, first_item=start, sampling=chosen, condition=condition))

    work = make, n, max(1, _AT_ONCE // math.prod(chain.event_shape)), out / PIECES, call
    result = {"samples": n, "seed": seed, **asdict(chosen), **told, "calls": own.levels.L, "files": [str(file) for file in files]}
    try:
        if part is not None or processes.world > 1:
            number, parts = part or (0, 1)
            with processes.minding():
                made = sum(processes.everyones(make_part(*work, (number * processes.world + processes.rank, parts * processes.world))))
        if not processes.is_main:
            return
        if part is not None:
            joined = "once all parts are there, the same command without --part joins them"
            words = f"part {number + 1} of {parts}: {_counted(made, 'sample')} of {n} are in {out}; {joined}"
            say(as_json, {**result, "samples": made, "part": [number + 1, parts], "files": []}, words)
            return
        items, labels = in_pieces(*work), _names(chain, told_items)
        if table:
            write_table(items, files[0], table, labels)
        else:
            write_arrays(items, n, encoding, files, labels)
    except KeyboardInterrupt:
        if not (out / PIECES).exists():
            raise
        raise Interrupted(f"stopped; samples made so far are kept in {out}; to go on, give the same command: {same_command()}") from None
    for left in out.glob(".samples.*.partial"):  # of a kill in mid-write
        left.unlink(missing_ok=True)
    shutil.rmtree(out / PIECES, ignore_errors=True)
    how = f" ({words})" if (words := words_of(chosen)) else ""
    words = f"{_counted(n, 'sample')}, {_counted(own.levels.L, 'network call')} each{how}: " + " and ".join(map(str, files))
    say(as_json, result, words)


def _asked(run: Path, where: Sequence[str], device: torch.device) -> Callable[[int, int, int], Array]:
    """Draws of rows that are as was asked: of those from `start` to `stop` of a seed."""
    from functools import partial

    from saltus.cli.table_rows import asked_of

    trained, asked = asked_of(run, where)
    trained.model.chain.to(device)
    return partial(trained.drawn, asked)


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def _parsed(chain: Chain, text: str, n: int) -> Tensor:
    """The condition of each of n items."""
    import numpy as np

    told = condition_of(chain, text)
    if not text.endswith(".npy"):
        return told.check(told.parse(text), n)
    try:
        values = np.load(Path(text).expanduser(), allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise SaltusError(f"the condition {text} cannot be read; expected a .npy file: write it with numpy.save") from None
    return told.check(values, n)


def _names(chain: Chain, conditions: Tensor | None) -> Sequence[str] | None:
    """The class of each item, for a model of classes."""
    from saltus.networks import ClassCondition

    if conditions is None or not isinstance(chain.condition, ClassCondition):
        return None
    return [chain.condition.names[c] if c >= 0 else "" for c in conditions.tolist()]

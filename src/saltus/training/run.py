"""A training run in a folder, which goes on where it was when the same command is given again.

Checkpoints are written every half minute, or more seldom where writing takes long.  A run that was killed goes on from its last one:
which items an update sees, and their noise, follow from its number.  On the CPU of one machine, with as many threads, it ends with the same
weights, bit for bit, as one that was left alone.  Ctrl-C and SIGTERM let the update end, keep the run and stop; a second one stops at once.

Several processes that torchrun or `accelerate launch` started train one chain, each on its share of every batch.  The main one alone writes
and speaks, and they all end after the same update; the next call goes on with any number of processes.
"""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections.abc import Generator, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from saltus import storage
from saltus.chain import Chain, OraclePrior
from saltus.data import DataSet
from saltus.errors import SaltusError
from saltus.files import to_json, write_atomically
from saltus.kernels import Teacher
from saltus.launched import own_device, together
from saltus.oracles import LowRankMixture
from saltus.processes import Processes
from saltus.terminal import tell
from saltus.training.build import build_chain, check_condition
from saltus.training.checkpoint import Checkpoints
from saltus.training.config import Config
from saltus.training.display import show
from saltus.training.folder import CHECKPOINTS, METRICS, SOURCE, check_data, load_config, source_of, updates_done
from saltus.training.level_sampling import LevelSampling
from saltus.training.lock import begun, locked
from saltus.training.metrics import recorded
from saltus.training.outcome import failing, finite
from saltus.training.progress import Progress
from saltus.training.start import choose_start, with_closed_forms
from saltus.training.stopping import stopping
from saltus.training.tables import for_table
from saltus.training.tracking import check_tracker, tracker
from saltus.training.trainer import Trainer
from saltus.training.trial import choose_speed
from saltus.training.warm import check_teacher, warm_start
from saltus.words import instead

__all__ = ["train", "usable_device"]

_SECONDS = 30.0  # between checkpoints, at least
_SHARE = 20  # times as long as writing one took, at least
_CHAIN = "chain"


def train(
    data: DataSet,
    config: Config,
    folder: str | Path | None = None,
    *,
    start: str | Path | Teacher | None = None,
    device: str = "cpu",
    quiet: bool = False,
    level_sampling: LevelSampling | None = None,
    extend: bool = False,
    track: str | None = None,
    spent: float = 0.0,
) -> Chain:
    """Train a chain; with a folder, keep the run there, and go on with the run that is there.

    Args:
        data: what to learn, given its condition if it has one.
        config: how; for a table what it does not say is as `for_table` has it.
        folder: where to keep the run; new or empty, or of a run with the same configuration on the same data.
        start: the folder of a run on the same data whose network a VAE kernel starts from, see `warm_start`; or another library's
            network, of which its steps are made.
        device: where to compute, as torch names it, such as "cuda".
        quiet: no progress bar.
        level_sampling: see `Trainer`.
        extend: whether the run that is there may get more updates than it was asked for.
        track: "tensorboard" or "trackio", which gets the run's metrics too; the folder keeps them.
        spent: seconds of its time that are gone already.

    Returns:
        The averaged, calibrated chain, on the CPU.

    Raises:
        SaltusError: if there is no such device or condition, the folder holds something else or another process trains there, the chain
            cannot start from that one, or the training diverges, which marks the folder.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, once the run is kept.
    """
    config = for_table(config, data)
    if config.condition is None:  # the data say what they are conditioned on
        config = config.model_copy(update={"condition": data.conditioned_on})
    place, home = usable_device(device), None if folder is None else Path(folder)
    check_condition(config, data)
    if isinstance(start, Teacher):
        check_teacher(start, config, data)
    if track is not None:
        check_tracker(track, home)
    processes = together(place)
    quiet = quiet or not processes.is_main
    if processes.world > 1 and len(set(processes.everyones((config.model_dump_json(), data.fingerprint)))) > 1:
        raise SaltusError("the processes were given different data or options; start all of them by one command, with the same data")
    with processes.minding(), contextlib.ExitStack() as opened:

        def opening() -> tuple[bool, Chain, Config]:
            if home is not None:
                opened.enter_context(locked(home))
            found = home is not None and begun(home)
            if home and found:
                return found, *_resumed(home, data, config, start, extend)
            return found, *_made(home, data, config, start, quiet, place)

        began = time.monotonic()
        found, chain, config = processes.agreed(opening)
        trainer = Trainer(chain.to(processes.device(place)), data, config, level_sampling=level_sampling, processes=processes)
        trainer.schedule.resume(processes.mains(time.monotonic() - began + spent))  # fitting what the chain starts from took time too
        if home is not None:
            checkpoint = processes.agreed(Checkpoints(home / CHECKPOINTS).latest)
            if checkpoint is not None:
                trainer.restore(checkpoint)
                del checkpoint  # what it has mapped into memory is let go
        if found and not quiet:
            tell(f"the run in {home} goes on after {trainer.schedule.reached(trainer.done)}")
        with failing(home if processes.is_main else None):
            _run(trainer, home, quiet, processes, track)
            kept = finite(trainer)
        if trainer.remark and not quiet:
            tell(trainer.remark)
        chain = _finished(kept, data, config, home if processes.is_main else None, quiet)
        processes.meet()  # or one reads what the main one still writes
        return chain


def usable_device(device: str) -> torch.device:
    """The device of this name.

    Raises:
        SaltusError: if it cannot be used here.
    """
    try:
        number = torch.zeros(1, device=own_device(device))
        number.cpu()  # a device that holds no numbers, such as meta, cannot
    except (RuntimeError, AssertionError):  # AssertionError: torch was built without it
        raise SaltusError(f"device {device} cannot be used here; give one that torch finds on this machine, or leave it at cpu") from None
    return number.device


def _made(
    home: Path | None, data: DataSet, config: Config, start: str | Path | Teacher | None, quiet: bool, device: torch.device
) -> tuple[Chain, Config]:
    """A new chain and its configuration, with what was left open decided; written down, which shows that there is room."""
    config, fit, start_said = choose_start(config, data)
    chain = build_chain(config, data, fit, start if isinstance(start, Teacher) else None)
    speed, speed_said = choose_speed(chain, data, config, device)
    config = config.model_copy(update=speed)
    for said in (start_said, speed_said):
        if said and not quiet:
            tell(said)
    if start is not None and not isinstance(start, Teacher):
        check_data(start, data)
        warm_start(chain, Chain.load(start))
    if home is not None:
        storage.write(chain, home / CHECKPOINTS, _CHAIN)
        source = {**data.origin, "start": _beginning(start), "versions": _versions()}
        write_atomically(home / SOURCE, to_json(source) + "\n")
        chain.save(home)
        config.save(home)
    return chain, config


def _beginning(start: str | Path | Teacher | None) -> dict[str, Any] | None:
    """What a run remembers of the one, or of the network, that it began with."""
    if start is None:
        return None
    if isinstance(start, Teacher):
        return {"config": {"network": start.digest}, "updates": 0}
    return {"config": load_config(start).model_dump(mode="json"), "updates": updates_done(start)}


def _resumed(home: Path, data: DataSet, asked: Config, start: str | Path | Teacher | None, extend: bool) -> tuple[Chain, Config]:
    """The chain of a run as it began, and its configuration.

    Raises:
        SaltusError: if the run was made otherwise than is asked for now.
    """
    config = load_config(home)
    length, more = ("updates", asked.updates > config.updates) if asked.time is None else ("time", asked.time > (config.time or math.inf))
    longer = {length: getattr(asked, length), "last_update": None}  # what goes on has a schedule as that of many rows
    extended = config.model_copy(update=longer) if extend and more else config
    if differences := _differences(asked, extended):
        hint = f"; --extend goes on with more {length}" if list(differences) == [length] and more else ""
        raise SaltusError(
            f"the run in {home} was made otherwise: {instead(differences)} is asked for now{hint}; give its own options, or a new folder"
        )
    check_data(home, data)
    if source_of(home).get("start") != _beginning(start):
        raise SaltusError(f"the run in {home} began from another network than is asked for now; give its own --start, or a new folder")
    if (versions := source_of(home).get("versions")) not in (None, _versions()):
        warnings.warn(f"the run in {home} was begun with {_listed(versions)}, and this is {_listed(_versions())}", stacklevel=2)
    if extended != config:
        extended.save(home)
    chain = storage.read(home / CHECKPOINTS, _CHAIN)
    assert isinstance(chain, Chain)
    return chain, extended


def _differences(asked: Config, kept: Config) -> dict[str, tuple[Any, Any]]:
    """What is asked for otherwise than a run was made; what is left open is as it was decided there."""
    one, other = asked.model_dump(mode="json"), kept.model_dump(mode="json")
    return {name: (one[name], other[name]) for name in one if one[name] is not None and one[name] != other[name]}


def _versions() -> dict[str, str]:
    return {"saltus": version("saltus"), "torch": torch.__version__}


def _listed(versions: Mapping[str, str]) -> str:
    return " and ".join(f"{name} {number}" for name, number in versions.items())


def _run(trainer: Trainer, home: Path | None, quiet: bool, processes: Processes, track: str | None) -> None:
    """The updates that are left; Ctrl-C and SIGTERM, to any process, end them after one."""
    updates: Iterator[Progress] = iter(trainer) if quiet else show(trainer, trainer.config.kernel)
    with stopping() as stopped, contextlib.closing(_kept(updates, trainer, home, processes, track)) as kept:
        for _ in kept:
            if any(processes.any(stopped.is_set())):
                kept.close()
                processes.meet()  # a process that is gone would end the others before the state is kept
                raise KeyboardInterrupt


def _kept(updates: Iterator[Progress], trainer: Trainer, home: Path | None, processes: Processes, track: str | None) -> Generator[Progress]:
    """The updates, with metrics and checkpoints in the folder.  Ended between two updates, the state is kept; within one, the averaged
    weights, and the state of the checkpoint before."""
    if home is None or not (processes.is_main or processes.sharded):
        yield from updates
        return
    checkpoints, due, saved, whole = Checkpoints(home / CHECKPOINTS), time.monotonic() + _SECONDS, trainer.done, True
    try:
        with tracker(track if processes.is_main else None, home, trainer.config, trainer.done) as tell:
            for progress in recorded(updates, home / METRICS, trainer, tell) if processes.is_main else updates:
                whole = True
                if processes.is_time(time.monotonic() >= due):
                    took, saved = _keep(trainer, checkpoints, home, processes), trainer.done
                    due = time.monotonic() + max(_SECONDS, _SHARE * took)
                yield progress
                whole = False  # until the next update is whole
            whole = True
    finally:
        if not whole and processes.sharded:
            pass  # what is whole is in the last checkpoint
        elif not whole:
            with contextlib.suppress(OSError):  # what ended the update is what is told
                trainer.best().cpu().save(home)
        elif saved != trainer.done:
            _keep(trainer, checkpoints, home, processes)


def _keep(trainer: Trainer, checkpoints: Checkpoints, home: Path, processes: Processes) -> float:
    """A checkpoint, and the chain as it is, for `saltus sample`; the seconds that it took.  Without room, the last ones stay."""
    begun = time.monotonic()
    checkpoint, chain = trainer.checkpoint(), trainer.best().cpu()
    if not processes.is_main:  # which was needed for its parts of them
        return 0.0
    try:
        checkpoints.save(checkpoint)
        chain.save(home)
    except OSError as error:
        warnings.warn(f"no checkpoint was written after update {trainer.done} ({error}); make room, the training goes on", stacklevel=2)
    return time.monotonic() - begun


def _finished(chain: Chain, data: DataSet, config: Config, home: Path | None, quiet: bool) -> Chain:
    """The chain with closed forms where they are better, saved."""
    oracle = chain.prior.oracle if isinstance(chain.prior, OraclePrior) else None
    known = isinstance(oracle, LowRankMixture) and (chain.condition is None or oracle.labelled)
    if known and config.closed_forms and config.eta == 1 and not chain.any_step and chain.has_bound:
        condition = data.conditions_for(chain.condition, "validation")
        chain, words = with_closed_forms(chain, data.validation, data.encoding.head(), condition, seed=config.seed)
        for line in words if not quiet else ():
            tell(line)
    if home is not None:
        chain.save(home)
    return chain

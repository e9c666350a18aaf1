"""A training run in a folder, which goes on where it was when the same command is given again.

Checkpoints are written every half minute, or more seldom where writing takes long.  A run that was killed goes on from its last one:
which items an update sees, and their noise, follow from its number.  On the CPU of one machine, with as many threads, it ends with the same
weights, bit for bit, as one that was left alone.  Ctrl-C and SIGTERM let the update end, keep the run and stop; a second one stops at once.
"""

from __future__ import annotations

import contextlib
import shutil
import time
import warnings
from collections.abc import Generator, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from saltus import storage
from saltus.chain import Chain, OraclePrior
from saltus.data import DataSet
from saltus.errors import SaltusError
from saltus.oracles import LowRankMixture
from saltus.terminal import tell
from saltus.training.build import build_chain, check_condition
from saltus.training.checkpoint import Checkpoints
from saltus.training.config import Config
from saltus.training.display import show
from saltus.training.folder import CHECKPOINTS, METRICS, SOURCE, check_data, load_config, source_of, updates_done
from saltus.training.level_sampling import LevelSampling
from saltus.training.metrics import recorded
from saltus.training.outcome import failing, finite
from saltus.training.progress import Progress
from saltus.training.start import choose_start, with_closed_forms
from saltus.training.stopping import stopping
from saltus.training.trainer import Trainer
from saltus.training.warm import warm_start

__all__ = ["train", "usable_device"]

_SECONDS = 30.0  # between checkpoints, at least
_SHARE = 20  # times as long as writing one took, at least
_LOCK = ".lock"
_CHAIN = "chain"


def train(
    data: DataSet,
    config: Config,
    folder: str | Path | None = None,
    *,
    start: str | Path | None = None,
    device: str = "cpu",
    quiet: bool = False,
    level_sampling: LevelSampling | None = None,
    extend: bool = False,
) -> Chain:
    """Train a chain; with a folder, keep the run there, and go on with the run that is there.

    Args:
        data: what to learn, given its condition if it has one.
        config: how.
        folder: where to keep the run; new or empty, or of a run with the same configuration on the same data.
        start: the folder of a run on the same data whose network a VAE kernel starts from, see `warm_start`.
        device: where to compute, as torch names it, such as "cuda".
        quiet: no progress bar.
        level_sampling: see `Trainer`.
        extend: whether the run that is there may get more updates than it was asked for.

    Returns:
        The averaged, calibrated chain, on the CPU.

    Raises:
        SaltusError: if there is no such device or condition, the folder holds something else or another process trains there, the chain
            cannot start from that one, or the training diverges, which marks the folder.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, once the run is kept.
    """
    if config.condition is None:  # the data say what they are conditioned on
        config = config.model_copy(update={"condition": data.conditioned_on})
    place, home = usable_device(device), None if folder is None else Path(folder)
    check_condition(config, data)
    with contextlib.nullcontext() if home is None else _locked(home):
        found = home is not None and _begun(home)
        chain, config = _resumed(home, data, config, start, extend) if home and found else _made(home, data, config, start, quiet)
        trainer = Trainer(chain.to(place), data, config, level_sampling=level_sampling)
        if home is not None:
            _restore(trainer, home)
        if found and not quiet:
            tell(f"the run in {home} goes on after update {trainer.done:,} of {config.updates:,}")
        with failing(home):
            _run(trainer, home, quiet)
            kept = finite(trainer)
        if trainer.remark and not quiet:
            tell(trainer.remark)
        return _finished(kept, data, config, home, quiet)


def usable_device(device: str) -> torch.device:
    """The device of this name.

    Raises:
        SaltusError: if it cannot be used here.
    """
    try:
        number = torch.zeros(1, device=device)
        number.cpu()  # a device that holds no numbers, such as meta, cannot
    except (RuntimeError, AssertionError):  # AssertionError: torch was built without it
        raise SaltusError(f"device {device} cannot be used here; give one that torch finds on this machine, or leave it at cpu") from None
    return number.device


def _restore(trainer: Trainer, home: Path) -> None:
    """Go on from the latest checkpoint, if there is one; what it has mapped into memory is let go."""
    checkpoint = Checkpoints(home / CHECKPOINTS).latest()
    if checkpoint is not None:
        trainer.restore(checkpoint)


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """The folder, for one process at a time; what could not begin leaves nothing there.

    Raises:
        SaltusError: if another process trains there, or the folder holds something else than a run.
    """
    if home.exists() and not home.is_dir():
        raise SaltusError(f"{home} is already there and not a folder; give the run a new one")
    existed = home.exists()
    if existed and any(home.iterdir()) and not _begun(home) and not (home / _LOCK).exists():
        raise SaltusError(f"{home} is already there and holds no run that can go on; give the run a new folder, or remove it first")
    if _begun(home) and not (home / CHECKPOINTS).is_dir():
        raise SaltusError(f"the run in {home} has no checkpoints to go on from; give a new folder, or remove it first")
    home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(home / _LOCK, blocking=False):
            for left in home.glob(".*.partial"):  # of a kill in mid-write
                left.unlink(missing_ok=True)
            try:
                yield
            finally:
                if not _begun(home):
                    _empty(home, existed)
    except Timeout:
        raise SaltusError(f"another process trains in {home}; wait for it, or give the run a new folder") from None


def _empty(home: Path, existed: bool) -> None:
    """Take away what a run that did not begin has written, and the folder if it made that."""
    shutil.rmtree(home / CHECKPOINTS, ignore_errors=True)
    for file in [home / SOURCE, *home.glob("chain.*"), home / _LOCK]:
        file.unlink(missing_ok=True)
    if not existed:
        with contextlib.suppress(OSError):  # somebody else's file is there
            home.rmdir()


def _begun(home: Path) -> bool:
    """Whether a run is there: its configuration is what is written last before the first update."""
    return (home / "config.json").exists()


def _made(home: Path | None, data: DataSet, config: Config, start: str | Path | None, quiet: bool) -> tuple[Chain, Config]:
    """A new chain and its configuration, with what was left open decided; written down, which shows that there is room."""
    config, fit, said = choose_start(config, data)
    if said and not quiet:
        tell(said)
    chain, begun = build_chain(config, data, fit), None
    if start is not None:
        check_data(start, data)
        warm_start(chain, Chain.load(start))
        begun = _beginning(start)
    if home is not None:
        storage.write(chain, home / CHECKPOINTS, _CHAIN)
        told = {"fingerprint": data.fingerprint, "conditions": data.condition_fingerprint}
        source = {"source": data.source, **told, "start": begun, "versions": _versions()}
        storage.write_atomically(home / SOURCE, storage.to_json(source) + "\n")
        chain.save(home)
        config.save(home)
    return chain, config


def _beginning(start: str | Path) -> dict[str, Any]:
    """What a run remembers of the one whose network it began with."""
    return {"config": load_config(start).model_dump(mode="json"), "updates": updates_done(start)}


def _resumed(home: Path, data: DataSet, asked: Config, start: str | Path | None, extend: bool) -> tuple[Chain, Config]:
    """The chain of a run as it began, and its configuration.

    Raises:
        SaltusError: if the run was made otherwise than is asked for now.
    """
    config = load_config(home)
    more = extend and asked.updates > config.updates
    if differences := _differences(asked, config.model_copy(update={"updates": asked.updates}) if more else config):
        hint = "; --extend goes on with more updates" if list(differences) == ["updates"] and asked.updates > config.updates else ""
        listed = ", ".join(f"{name} {given} instead of {kept}" for name, (given, kept) in differences.items())
        raise SaltusError(f"the run in {home} was made otherwise: {listed} is asked for now{hint}; give its own options, or a new folder")
    check_data(home, data)
    began = source_of(home).get("start")
    if (start is None) != (began is None) or (start is not None and began != _beginning(start)):
        raise SaltusError(f"the run in {home} began from another network than is asked for now; give its own --start, or a new folder")
    if (versions := source_of(home).get("versions")) not in (None, _versions()):
        warnings.warn(f"the run in {home} was begun with {_listed(versions)}, and this is {_listed(_versions())}", stacklevel=2)
    if more:
        config = config.model_copy(update={"updates": asked.updates})
        config.save(home)
    chain = storage.read(home / CHECKPOINTS, _CHAIN)
    assert isinstance(chain, Chain)
    return chain, config


def _differences(asked: Config, kept: Config) -> dict[str, tuple[Any, Any]]:
    """What is asked for otherwise than a run was made; what is left open is as it was decided there."""
    one, other = asked.model_dump(mode="json"), kept.model_dump(mode="json")
    return {name: (one[name], other[name]) for name in one if one[name] is not None and one[name] != other[name]}


def _versions() -> dict[str, str]:
    return {"saltus": version("saltus"), "torch": torch.__version__}


def _listed(versions: Mapping[str, str]) -> str:
    return " and ".join(f"{name} {number}" for name, number in versions.items())


def _run(trainer: Trainer, home: Path | None, quiet: bool) -> None:
    """The updates that are left; Ctrl-C and SIGTERM end them after one."""
    updates: Iterator[Progress] = iter(trainer) if quiet else show(trainer, trainer.config.kernel)
    with stopping() as stopped, contextlib.closing(_kept(updates, trainer, home)) as kept:
        for _ in kept:
            if stopped.is_set():
                raise KeyboardInterrupt


def _kept(updates: Iterator[Progress], trainer: Trainer, home: Path | None) -> Generator[Progress]:
    """The updates, with metrics and checkpoints in the folder.  Ended between two updates, the state is kept; within one, the averaged
    weights, and the state of the checkpoint before."""
    if home is None:
        yield from updates
        return
    checkpoints, due, saved, whole = Checkpoints(home / CHECKPOINTS), time.monotonic() + _SECONDS, trainer.done, True
    try:
        for progress in recorded(updates, home / METRICS, trainer):
            whole = True
            if time.monotonic() >= due:
                took, saved = _keep(trainer, checkpoints, home), trainer.done
                due = time.monotonic() + max(_SECONDS, _SHARE * took)
            yield progress
            whole = False  # until the next update is whole
        whole = True
    finally:
        if not whole:
            with contextlib.suppress(OSError):  # what ended the update is what is told
                trainer.best().cpu().save(home)
        elif saved != trainer.done:
            _keep(trainer, checkpoints, home)


def _keep(trainer: Trainer, checkpoints: Checkpoints, home: Path) -> float:
    """A checkpoint, and the chain as it is, for `saltus sample`; the seconds that it took.  Without room, the last ones stay."""
    begun = time.monotonic()
    try:
        checkpoints.save(trainer.checkpoint())
        trainer.best().cpu().save(home)
    except OSError as error:
        warnings.warn(f"no checkpoint was written after update {trainer.done} ({error}); make room, the training goes on", stacklevel=2)
    return time.monotonic() - begun


def _finished(chain: Chain, data: DataSet, config: Config, home: Path | None, quiet: bool) -> Chain:
    """The chain with closed forms where they are better, saved."""
    law = chain.prior.oracle if isinstance(chain.prior, OraclePrior) else None
    known = isinstance(law, LowRankMixture) and (chain.condition is None or law.labelled)
    if known and config.closed_forms and config.eta == 1 and not chain.any_step and chain.has_bound:
        condition = data.conditions_for(chain.condition, "validation")
        chain, words = with_closed_forms(chain, data.validation, data.encoding.head(), condition, seed=config.seed)
        for line in words if not quiet else ():
            tell(line)
    if home is not None:
        chain.save(home)
    return chain

"""A training run in a folder, with everything that is needed to sample:

config.json                    what was asked for
source.json                    where the data came from, their fingerprint, and the run that it started from
chain.json, chain.safetensors  the averaged, calibrated chain, with its encoding of the data
metrics.jsonl                  one JSON object a line, from the first update to the last
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from saltus import storage
from saltus.chain import Chain
from saltus.data import DataSet, Encoding, load
from saltus.errors import SaltusError
from saltus.levels import Levels
from saltus.registry import describe
from saltus.training.build import build_chain, check_condition
from saltus.training.config import Config
from saltus.training.display import show
from saltus.training.level_sampling import LevelSampling
from saltus.training.start import choose_start, with_closed_forms
from saltus.training.trainer import Progress, Trainer
from saltus.training.warm import warm_start

__all__ = [
    "PLAN",
    "check_data",
    "encoding_of",
    "load_config",
    "load_data",
    "load_encoding",
    "planned_levels",
    "recipe",
    "train",
    "updates_done",
    "usable_device",
]

PLAN = "plan.json"
"""What `saltus plan` keeps in a run's folder."""
_LINES = 200  # of metrics over a run


def train(
    data: DataSet,
    config: Config,
    folder: str | Path | None = None,
    *,
    start: str | Path | None = None,
    device: str = "cpu",
    quiet: bool = False,
    level_sampling: LevelSampling | None = None,
) -> Chain:
    """Train a chain; with a folder, keep the run there.  Interrupted, it keeps what it has reached.

    Args:
        data: what to learn, given its condition if it has one.
        config: how.
        folder: where to keep the run; new or empty.
        start: the folder of a run on the same data whose network a VAE kernel starts from, see `warm_start`.
        device: where to compute, as torch names it, such as "cuda".
        quiet: no progress bar.
        level_sampling: see `Trainer`.

    Returns:
        The averaged, calibrated chain, on the CPU.

    Raises:
        SaltusError: if there is no such device or condition, the folder is not empty, the chain cannot start from that one, or the loss
            stays infinite.
    """
    if config.condition is None:  # the data say what they are conditioned on
        config = config.model_copy(update={"condition": data.conditioned_on})
    place = usable_device(device)
    check_condition(config, data)
    config, fit, said = choose_start(config, data)
    if said and not quiet:
        print(said, file=sys.stderr)
    chain = build_chain(config, data, fit)
    begun = None
    if start is not None:
        check_data(start, data)
        warm_start(chain, Chain.load(start))
        begun = {"config": load_config(start).model_dump(mode="json"), "updates": updates_done(start)}
    home = None if folder is None else _new(Path(folder))
    trainer = Trainer(chain.to(place), data, config, level_sampling=level_sampling)
    updates: Iterator[Progress] = iter(trainer) if quiet else show(trainer, config.kernel)
    try:
        if home is not None:
            config.save(home)
            told = {"fingerprint": data.fingerprint, "conditions": data.condition_fingerprint}
            source = {"source": data.source, **told, "start": begun}
            storage.write_atomically(home / "source.json", storage.to_json(source) + "\n")
            updates = _recorded(updates, home / "metrics.jsonl", config)
        for _ in updates:
            pass
    finally:
        chain = trainer.averaged().cpu()
        if home is not None:
            chain.save(home)
    known = fit is not None and (chain.condition is None or fit.mixture.labelled)
    if not known or not config.closed_forms or config.eta != 1 or chain.any_step or not chain.has_bound:
        return chain
    condition = data.conditions_for(chain.condition, "validation")
    chain, words = with_closed_forms(chain, data.validation, data.encoding.head(), condition, seed=config.seed)
    for line in words if not quiet else ():
        print(line, file=sys.stderr)
    if words and home is not None:
        chain.save(home)
    return chain


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


def load_encoding(folder: str | Path) -> Encoding:
    """How values of a run map to the data and back.

    Raises:
        SaltusError: if the folder holds no run.
    """
    return encoding_of(Chain.load(folder), folder)


def encoding_of(chain: Chain, folder: str | Path) -> Encoding:
    """The encoding that the chain of a folder carries.

    Raises:
        SaltusError: if it has none.
    """
    if not isinstance(chain.encoding, Encoding):
        raise SaltusError(f"the chain in {folder} has no encoding of data; give the folder of a training run")
    return chain.encoding


def load_data(folder: str | Path, given: str | Path | None = None) -> DataSet:
    """The data set of a run: from where it was trained from, or from where it is now.

    Args:
        folder: of the run.
        given: the data, if they have moved.

    Raises:
        SaltusError: if the folder does not say where its data are, they are not there, or they are others.
    """
    place = given or _source(Path(folder)).get("source")
    if not place:
        raise SaltusError(f"{folder} does not say where its data are; give them with --data")
    data = load(place, condition=load_config(folder).condition)
    check_data(folder, data)
    return data


def check_data(folder: str | Path, data: DataSet) -> None:
    """Whether a run was trained on these data, by their fingerprint, or where it has none by their encoding.

    Raises:
        SaltusError: if it was not.
    """
    source = _source(Path(folder))
    same = data.fingerprint == source["fingerprint"] if source else describe(data.encoding)[0] == describe(load_encoding(folder))[0]
    if not same:
        raise SaltusError(f"{data.source or data.name} holds other data than those that {folder} was trained on; give the same data")
    if (told := source.get("conditions")) and data.condition_fingerprint not in (None, told):
        raise SaltusError(f"{data.source or data.name} holds other conditions than those that {folder} was trained on; give the same data")


def planned_levels(folder: str | Path, chain: Chain, calls: int) -> Levels:
    """The grid of so many calls that `saltus plan` found for a run; the cosine grid where it was not asked, or the chain's own."""
    if not chain.any_step and calls == chain.levels.L:
        return chain.levels
    planned = _planned(Path(folder), calls) if chain.any_step else None
    return Levels.cosine(calls, chain.levels.last) if planned is None else planned  # which a chain of one grid refuses


def _planned(folder: Path, calls: int) -> Levels | None:
    file = folder / PLAN
    if not file.exists():
        return None
    try:
        found = _json(file)["plans"].get(str(calls))
        return None if found is None else Levels(found["times"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SaltusError(f"{file} is damaged; remove it, or plan again with: saltus plan {folder}") from error


def load_config(folder: str | Path) -> Config:
    """What a run was asked for.

    Raises:
        SaltusError: if the folder holds no run, or the file is damaged.
    """
    return Config.from_saved(_json(Path(folder) / "config.json"))


def recipe(folder: str | Path) -> str:
    """What made a run, in everything but its seeds: runs with one recipe differ by chance alone.

    Raises:
        SaltusError: as `load_config`.
    """
    start = _source(Path(folder)).get("start")
    begun = start and [start["config"] | {"seed": 0}, start["updates"]]
    config = load_config(folder).model_copy(update={"seed": 0})
    return storage.to_json([config.model_dump(mode="json"), updates_done(folder), begun])


def updates_done(folder: str | Path) -> int:
    """How many updates a run has reached: fewer than its configuration asks for if it was stopped."""
    file = Path(folder) / "metrics.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    last: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return int(last.get("update", last.get("step", 0)))  # older runs count steps


def _source(folder: Path) -> dict[str, Any]:
    file = folder / "source.json"
    return _json(file) if file.exists() else {}


def _json(file: Path) -> dict[str, Any]:
    try:
        content = storage.read_json(file)
    except FileNotFoundError:
        raise SaltusError(f"{file} is not there; give the folder that training wrote") from None
    if not isinstance(content, dict):
        raise SaltusError(f"{file} is damaged; train again, or take the file from a copy of the run")
    return content


def _new(folder: Path) -> Path:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SaltusError(f"{folder} is already there and not an empty folder; give the run a new one, or remove it first")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _recorded(updates: Iterator[Progress], file: Path, config: Config) -> Iterator[Progress]:
    start, every = time.monotonic(), max(1, config.updates // _LINES)
    with file.open("w") as lines:
        for progress in updates:
            if progress.update % every == 0 or progress.update in (1, config.updates):
                seconds = time.monotonic() - start
                rate = progress.update * config.batch / max(seconds, 1e-9)
                lines.write(storage.to_json({**asdict(progress), "seconds": round(seconds, 3), "items_per_second": round(rate, 1)}) + "\n")
                lines.flush()
            yield progress

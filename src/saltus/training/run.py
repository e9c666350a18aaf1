"""A training run in a folder, with everything that is needed to sample:

config.json                    what was asked for
data.json, data.safetensors    how values map to the data and back
chain.json, chain.safetensors  the averaged, calibrated chain
metrics.jsonl                  one JSON object a line, from the first update to the last
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from saltus import storage
from saltus.chain import Chain
from saltus.data import DataSet, Encoding
from saltus.mistakes import Mistake
from saltus.training.build import build_chain
from saltus.training.config import Config
from saltus.training.display import show
from saltus.training.trainer import Progress, Trainer

__all__ = ["load_encoding", "train"]

_LINES = 200  # of metrics over a run


def train(data: DataSet, config: Config, folder: str | Path | None = None, *, quiet: bool = False) -> Chain:
    """Train a chain; with a folder, keep the run there.  Interrupted, it keeps what it has reached.

    Args:
        data: what to learn.
        config: how.
        folder: where to keep the run; new or empty.
        quiet: no progress bar.

    Returns:
        The averaged, calibrated chain.

    Raises:
        Mistake: if the folder is not empty, or the loss stays infinite.
    """
    home = None if folder is None else _new(Path(folder))
    trainer = Trainer(build_chain(config, data), data, config)
    updates: Iterator[Progress] = iter(trainer) if quiet else show(trainer, config.kernel)
    try:
        if home is not None:
            config.save(home)
            storage.write(data.encoding, home, "data")
            updates = _recorded(updates, home / "metrics.jsonl", config)
        for _ in updates:
            pass
    finally:
        chain = trainer.averaged()
        if home is not None:
            chain.save(home)
    return chain


def load_encoding(folder: str | Path) -> Encoding:
    """How values of a run map to the data and back.

    Raises:
        Mistake: if the folder holds no run.
    """
    encoding = storage.read(Path(folder), "data")
    if not isinstance(encoding, Encoding):
        raise Mistake(f"{Path(folder) / 'data.json'} holds a {type(encoding).__name__}; give the folder that training wrote")
    return encoding


def _new(folder: Path) -> Path:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Mistake(f"{folder} is already there and not an empty folder; give the run a new one, or remove it first")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _recorded(updates: Iterator[Progress], file: Path, config: Config) -> Iterator[Progress]:
    start, every = time.monotonic(), max(1, config.steps // _LINES)
    with file.open("w") as lines:
        for progress in updates:
            if progress.step % every == 0 or progress.step in (1, config.steps):
                seconds = time.monotonic() - start
                rate = progress.step * config.batch / max(seconds, 1e-9)
                lines.write(storage.to_json({**asdict(progress), "seconds": round(seconds, 3), "items_per_second": round(rate, 1)}) + "\n")
                lines.flush()
            yield progress

"""The metrics of a run, one JSON object a line, which go on where a training does."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from saltus.files import to_json, write_atomically
from saltus.training.folder import metrics_of
from saltus.training.progress import Progress
from saltus.training.tracking import Tell, untold
from saltus.training.trainer import Trainer

__all__ = ["recorded"]

_LINES = 200  # over a run


def recorded(updates: Iterator[Progress], file: Path, trainer: Trainer, tell: Tell = untold) -> Iterator[Progress]:
    """The updates, with a line of metrics now and then, which is told too, after those up to where the training goes on."""
    config, kept = trainer.config, [line for line in metrics_of(file) if line["update"] <= trainer.done]
    write_atomically(file, "".join(f"{to_json(line)}\n" for line in kept))
    before, begun, first, schedule = (kept[-1]["seconds"] if kept else 0.0), time.monotonic(), trainer.done, trainer.schedule
    lines_due = round(schedule.share(first) * _LINES)
    for progress in updates:
        due, lines_due = lines_due, round(schedule.share(progress.update) * _LINES)
        if lines_due > due or progress.update == 1 or schedule.over(progress.update):
            seconds = time.monotonic() - begun
            rate = (progress.update - first) * config.batch / max(seconds, 1e-9)
            told = {**asdict(progress), "seconds": round(before + seconds, 3), "items_per_second": round(rate, 1)}
            try:
                with file.open("a") as lines:
                    lines.write(to_json(told) + "\n")
                tell(progress.update, told)
            except OSError as error:  # no reason to end a training
                warnings.warn(f"no metrics were written after update {progress.update} ({error})", stacklevel=2)
        yield progress

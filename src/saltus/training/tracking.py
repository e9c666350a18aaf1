"""Curves of a training in another program's form, through accelerate's trackers; they stay in the run's folder.

    tensorboard   RUN/tensorboard, which `tensorboard --logdir RUN` shows
    trackio       RUN/trackio, which `TRACKIO_DIR=RUN/trackio trackio show` shows

A tracker is told the lines that `metrics.jsonl` has.  Neither of the two calls another machine, unless its own settings say so.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.training.config import Config

__all__ = ["TRACKERS", "Tell", "check_tracker", "tracker", "untold"]

TRACKERS = ("tensorboard", "trackio")
"""By their names in accelerate, which are those of their packages."""

Tell = Callable[[int, Mapping[str, Any]], None]
"""Takes the number of an update and its figures, nested as JSON is."""


def check_tracker(name: str, home: Path | None) -> None:
    """Raise SaltusError for a tracker that is unknown or not installed, or a training without a folder."""
    if name not in TRACKERS:
        raise SaltusError(f"there is no tracker {name!r}; give one of {', '.join(TRACKERS)}")
    if home is None:
        raise SaltusError(f"{name} keeps its files in the folder of the run, and there is none; give a folder")
    if name == "tensorboard":
        needs("tensorboard", extra="track")
    elif importlib.util.find_spec(name) is None:  # in no extra: it wants an older Pillow than the others are tested with
        raise SaltusError(f"this needs {name}, which is not installed; install it with: pip install {name}")
    needs("accelerate", extra="track")


def untold(update: int, figures: Mapping[str, Any]) -> None:
    """Tell nobody."""


@contextlib.contextmanager
def tracker(name: str | None, home: Path, config: Config, done: int) -> Iterator[Tell]:
    """Where to tell figures to; nowhere without a name.

    Args:
        name: one of `TRACKERS`.
        home: the folder of the run.
        config: of the run, which is told first.
        done: updates after which it goes on; what was told of later ones is dropped, where the tracker can do that.

    """
    if name is None:
        yield untold
        return
    needs("accelerate", extra="track").PartialState()  # which its trackers ask
    trackers = needs("accelerate.tracking", extra="track")
    if name == "tensorboard":
        told = trackers.TensorBoardTracker(name, logging_dir=home, purge_step=done + 1)
    else:
        os.environ.setdefault("TRACKIO_DIR", str(home / name))
        told = trackers.TrackioTracker(home.name, name=home.name, resume="allow", embed=False)
    told.start()
    try:
        if done == 0:
            told.store_init_configuration({key: _plain(value) for key, value in config.model_dump(mode="json").items()})
        yield lambda update, figures: told.log(dict(_flat(figures)), step=update)
    finally:
        told.finish()


def _flat(figures: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, float]]:
    """Numbers by paths such as validation/kl/1, lists counted from 1; what is no number is left out."""
    for key, value in figures.items():
        if isinstance(value, list):
            value = {str(place): each for place, each in enumerate(value, 1)}
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}/")
        elif isinstance(value, int | float):
            yield f"{before}{key}", value


def _plain(value: Any) -> bool | int | float | str:
    return value if isinstance(value, bool | int | float) else str(value)

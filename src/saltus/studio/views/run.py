r"""A run in progress or finished, from the files of its folder alone: how far it is, how fast, when it will end, and its curves.

With a share :math:`x` of the way done, which is of updates or of seconds, the rest takes :math:`(1 - x)\,\Delta t / \Delta x` seconds; the
pace :math:`\Delta x / \Delta t` is that of the last lines of its metrics.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltus.chain import Chain
from saltus.errors import SaltusError
from saltus.evaluation import closed_forms
from saltus.files import read_json
from saltus.training import Config, Validation, load_config, load_data
from saltus.training.duration import in_words
from saltus.training.folder import CHECKPOINTS, METRICS, metrics_of

__all__ = ["Floor", "Watched", "floors_of", "watched"]

_PACE = 20  # lines of metrics that the pace is of
_VALIDATION = 256  # items that a training watches its bound on
_SILENT = 120.0  # seconds without a line after which a run is taken to have stopped
_DAY = 86400.0


@dataclass(frozen=True)
class Floor:
    """What a closed form has on the grid of a run, nats an item.

    Attributes:
        total: with the log-Jacobian of the data's encoding.
        bits_per_dim: the same in bits per dimension.
        per_level: of each step, cleanest first.
    """

    total: float
    bits_per_dim: float
    per_level: list[float]


@dataclass(frozen=True, eq=False)
class Watched:
    """A run, as its folder tells.

    Attributes:
        name: of the run.
        config: what it was asked for.
        updates, seconds, loss, rate: of each line of metrics: updates done, seconds up to there (of a budget of time those before the first
            update too), loss in nats per dimension, items/s.
        validations: the update and the figures of each validation, in order.
        skipped: updates that were skipped.
        age: seconds since the last line was written.
    """

    name: str
    config: Config
    updates: list[int]
    seconds: list[float]
    loss: list[float]
    rate: list[float]
    validations: list[tuple[int, Validation]]
    skipped: int
    age: float

    @property
    def shares(self) -> list[float]:
        """Of the way, at each line, from 0 to 1."""
        done, whole = (self.updates, self.config.updates) if self.config.time is None else (self.seconds, self.config.time)
        return [min(1.0, value / whole) for value in done]

    @property
    def over(self) -> bool:
        """Whether no update is left."""
        return bool(self.updates) and self.shares[-1] >= 1

    @property
    def left(self) -> float | None:
        """Seconds until the last update, at the pace of late; None where that is not known."""
        if self.over:
            return 0.0
        shares, seconds = self.shares[-_PACE:], self.seconds[-_PACE:]
        if len(shares) < 2 or shares[-1] <= shares[0]:
            return None
        return (1 - shares[-1]) * (seconds[-1] - seconds[0]) / (shares[-1] - shares[0])

    @property
    def state(self) -> str:
        """In a word or two, as far as a folder tells."""
        if not self.updates:
            return "no metrics are kept here"
        if self.over:
            return "all updates are done"
        return "in progress" if self.age < _SILENT else f"no update for {in_words(60 * (self.age // 60))}: stopped"

    def figures(self, now: float | None = None) -> dict[str, str]:
        """What stands above the curves, by name; `now` are seconds since 1970, of which the end is told as a time of day."""
        found = {"state": self.state}
        if not self.updates:
            return found
        of = f"{self.config.updates:,}" if self.config.time is None else f"as many as fit into {in_words(self.config.time)}"
        found |= {"updates": f"{self.updates[-1]:,} of {of}", "time so far": in_words(self.seconds[-1])}
        found |= {"items a second": f"{self.rate[-1]:,.0f}", "loss, nats per dimension": f"{self.loss[-1]:.4g}"}
        if self.validations and (bits := self.validations[-1][1].bits_per_dim) is not None:
            found["bound on validation items, bits per dimension"] = f"{bits:.4g}"
        if self.skipped:
            found["updates skipped"] = f"{self.skipped:,}"
        if not self.over and self.left is not None and self.age < _SILENT:
            found["estimated end of the updates"] = _told(self.left, time.time() if now is None else now)
        return found


def _told(left: float, now: float) -> str:
    day = time.strftime("%H:%M" if left < _DAY else "%d %B, %H:%M", time.localtime(now + left))
    return f"in {in_words(left)}, at {day}"


def watched(folder: Path) -> Watched:
    """What the folder of a run tells.

    Raises:
        SaltusError: if it holds no run, or one that is damaged.
    """
    config, file = load_config(folder), folder / METRICS
    lines = [line for line in metrics_of(file) if _is_whole(line)]
    validations: list[tuple[int, Validation]] = []
    for line in lines:
        try:
            found = Validation.from_json(line["validation"])
        except (KeyError, TypeError, ValueError):  # of an older version, or damaged
            continue
        if found.per_level and (not validations or found != validations[-1][1]):
            validations.append((line["update"], found))
    before = 0.0 if config.time is None else _before(folder, lines)
    return Watched(
        name=folder.resolve().name,
        config=config,
        updates=[line["update"] for line in lines],
        seconds=[before + float(line["seconds"]) for line in lines],
        loss=[math.nan if line["loss"] is None else float(line["loss"]) for line in lines],
        rate=[float(line.get("items_per_second") or math.nan) for line in lines],
        validations=validations,
        skipped=int(lines[-1].get("skipped") or 0) if lines else 0,
        age=time.time() - file.stat().st_mtime if file.exists() else math.inf,
    )


def _before(folder: Path, lines: list[dict[str, Any]]) -> float:
    """Seconds of the budget that went before the first update, such as to fit what a chain starts from: its last checkpoint tells."""
    files = [file for file in (folder / CHECKPOINTS).glob("*.json") if file.stem.isdecimal()]
    try:
        kept = read_json(max(files, key=lambda file: int(file.stem)))
        reached = [line["seconds"] for line in lines if line["update"] <= kept["update"]]
        return max(0.0, float(kept["numbers"]["seconds"]) - float(reached[-1]))
    except (OSError, SaltusError, IndexError, KeyError, TypeError, ValueError):  # there is none yet, or it is of an older version
        return 0.0


def _is_whole(line: dict[str, Any]) -> bool:
    number, absent = (int, float), (int, float, type(None))
    return (
        "loss" in line
        and all(isinstance(line.get(name), absent) for name in ("loss", "items_per_second", "skipped"))
        and isinstance(line["seconds"], number)
    )


def floors_of(folder: Path) -> dict[str, Floor]:
    """What closed forms have on the validation items that a run watches, by name; none for a kernel without a bound.  It takes seconds.

    Raises:
        SaltusError: if the data of the run are not here.
    """
    chain, data = Chain.load(folder), load_data(folder)
    if not chain.has_bound:
        return {}
    condition = data.conditions_for(chain.condition, "validation")
    some = None if condition is None else condition[:_VALIDATION]
    found = closed_forms(chain, data, data.validation[:_VALIDATION], condition=some)
    return {name: Floor(floor.total, floor.bits_per_dim, floor.per_level) for name, floor in found.items()}

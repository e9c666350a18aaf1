"""Which ways of computing a machine repays: a few updates of each, in turns, on a copy of the chain.

Some machines have units for bfloat16 and some compute it in software, at half the speed; the same goes for the order of channels.
What is chosen is kept in the run's configuration, so that the run goes on as it began.
"""

from __future__ import annotations

import copy
import itertools
import statistics
import time

import torch

from saltus.chain import Chain
from saltus.data import DataSet
from saltus.training.config import Config
from saltus.training.trainer import Trainer

__all__ = ["choose_speed"]

_OPTIONS = {"bf16": "bfloat16", "channels_last": "channels last"}
_REPAYS = 60.0  # seconds of a training, below which a trial is not worth its time, and the same call gives the same bits anywhere
_ROUNDS = 3
_SLOW = 2.0  # seconds of an update, of which one has to do
_GAIN = 1.1  # times as fast as the plain way: less is noise


def choose_speed(chain: Chain, data: DataSet, config: Config, device: torch.device) -> tuple[dict[str, bool], str]:
    """Options of the configuration that are open, decided, and what was found in words; nothing in words where nothing was gained.

    Args:
        chain: to be trained; left as it is.
        data: of the training.
        config: whose open options of speed are tried.
        device: where it is to be trained.
    """
    plain = {name: False for name in _OPTIONS if getattr(config, name) is None}
    if not plain or (config.time or config.updates) < _REPAYS:  # no update takes more than a second or so
        return plain, ""
    begun = time.monotonic()
    config = config.model_copy(update={"compile": False})  # which takes minutes for each way
    loops: dict[tuple[str, ...], _Loop] = {(): _Loop(chain, data, config.model_copy(update=plain), device)}
    pace = loops[()].seconds()
    if (config.time or config.updates * pace) < _REPAYS:
        return plain, ""
    for size in range(1, len(plain) + 1):
        for names in itertools.combinations(plain, size):
            loops[names] = _Loop(chain, data, config.model_copy(update={**plain, **dict.fromkeys(names, True)}), device)
    times: dict[tuple[str, ...], list[float]] = {names: [] for names in loops}
    for _ in range(1 if pace > _SLOW else _ROUNDS):
        for names, loop in loops.items():
            times[names].append(loop.seconds())
    medians = {names: statistics.median(found) for names, found in times.items()}
    best = min(medians, key=lambda names: medians[names])
    gain = medians[()] / medians[best]
    if gain < _GAIN:
        return plain, ""
    words = " and ".join(_OPTIONS[name] for name in best)
    return {**plain, **dict.fromkeys(best, True)}, f"computes with {words}: {gain:.1f} times as fast here, by a trial of {_took(begun)}"


def _took(begun: float) -> str:
    return f"{time.monotonic() - begun:.0f} s"


class _Loop:
    """Updates of a copy, one of which is made to warm up."""

    def __init__(self, chain: Chain, data: DataSet, config: Config, device: torch.device) -> None:
        self._trainer = Trainer(copy.deepcopy(chain).to(device), data, config)
        self._trainer.warm()

    def seconds(self) -> float:
        """That an update takes."""
        begun = time.perf_counter()
        self._trainer.warm()
        return time.perf_counter() - begun

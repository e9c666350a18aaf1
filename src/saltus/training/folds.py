r"""How long few rows are to be learned: cross-validation.

A tenth of a few hundred rows says too little about when a training is to end.  Here $K$ trainings, each without one of $K$ parts of the
rows, go on side by side, at one learning rate.  After $u$ updates the averaged weights of all of them cost

.. math:: c(u) = \frac{1}{n} \sum_{k=1}^{K} \sum_{y \in \mathrm{part}_k} -\ln p_{k,u}(y),

where each row is seen by the training without it alone.  The least $c(u)$ tells how long all rows are to be learned (Stone 1974,
https://doi.org/10.1111/j.2517-6161.1974.tb00994.x).

Rows are divided by chance, whatever their values: of a table of categories equal rows are no copies, and a part whose combinations
no other part has would be foretold by none.  Where a column tells rows apart (it has a value for every four of them, or more), equal
rows are copies, and are in one part.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from saltus.chain import Chain
from saltus.data import Columns, DataSet
from saltus.processes import alone
from saltus.terminal import tell
from saltus.training.build import build_chain
from saltus.training.config import Config
from saltus.training.lock import begun, locked
from saltus.training.start import choose_start
from saltus.training.tables import for_table
from saltus.training.trainer import Trainer

__all__ = ["FEW_ROWS", "Folds", "cross_validated", "length_found"]

FEW_ROWS = 1000
"""Of fewer rows a tenth does not say when a training is to end."""
_PARTS = 4
_APART = 0.25  # of the rows: with so many values a column tells them apart
_SHARE = 0.5  # of the time that there is, after which nothing is found
_FIRST, _GROWTH = 5, 1.2  # updates before the first figure, and from one to the next
_BEYOND, _LEAST = 2.0, 100  # times as many updates as the best has, and so many, tell that it is the best


@dataclass(frozen=True, eq=False)
class Folds:
    """What cross-validation found.

    Attributes:
        update: u where c(u) is least; 0 where the start, a closed form, is best.
        bits_per_dim: c(u) there, in bits per dimension.
        chains: the K chains there.
        held: for each of them the rows (n_k, d) that it did not learn.
    """

    update: int
    bits_per_dim: float
    chains: tuple[Chain, ...]
    held: tuple[Tensor, ...]

    def config(self, asked: Config) -> Config:
        """A configuration with the length that was found."""
        return asked.model_copy(update={"last_update": max(1, self.update)})

    @property
    def words(self) -> str:
        """What a user is told."""
        rows = sum(map(len, self.held))
        if not self.update:
            return f"{rows} rows are few: by cross-validation no training is better than their closed form, which is kept"
        return f"{rows} rows are few: by cross-validation {self.update} updates are best, so all rows are learned for as many"


def cross_validated(data: DataSet, config: Config) -> Folds | None:
    """How long the training rows of a table are to be learned; None where they are not few, updates are given, another kernel is asked
    for, several processes train together, or half of the time was too short to tell.

    Args:
        data: whose training rows alone are used.
        config: with a time, or without a length.
    """
    asked = for_table(config, data)
    given = config.model_fields_set & {"updates", "last_update", "condition"}
    few = isinstance(data.encoding, Columns) and asked.kernel == "autoregressive" and len(data.train) < FEW_ROWS
    if not few or given or not alone():
        return None
    rows = data.train[:]
    parts = _parts(rows, asked.seed)
    if parts is None:
        return None
    end = time.monotonic() + _SHARE * (asked.time or math.inf)
    trainers = [_trainer(data, rows[parts != k], rows[parts == k], asked) for k in range(_PARTS)]
    sizes = [len(trainer.data.validation) for trainer in trainers]
    best, chains, at = math.inf, tuple[Chain, ...](), 0
    for update, costs in _side_by_side(trainers):
        mean = float(np.average(costs, weights=sizes))
        if mean < best:
            best, at, chains = mean, update, tuple(trainer.averaged() for trainer in trainers)
        elif update >= max(_LEAST, _BEYOND * at):
            return Folds(at, best, chains, tuple(t.data.validation for t in trainers))
        if time.monotonic() > end:
            return None
    return None


def length_found(data: DataSet, config: Config, folder: Path, *, quiet: bool = False) -> tuple[Config, float]:
    """The configuration of a new run in a folder, with the length that cross-validation finds, and the seconds that it took; what is there
    in the folder goes on as it began.

    Raises:
        SaltusError: if no run can begin or go on there.
    """
    with locked(folder):
        if begun(folder):
            return config, 0.0
        start = time.monotonic()
        found = cross_validated(data, config)
    spent = time.monotonic() - start
    if found is not None and not quiet:
        tell(found.words)
    elif config.time is not None and spent > _SHARE * config.time and not quiet:
        tell("half of the time was too short for cross-validation to tell how long few rows are to be learned; validation rows tell it")
    return found.config(config) if found else config, spent


def _parts(rows: Tensor, seed: int) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
    """The part of each row (n,), from 0; None where fewer rows differ."""
    different, which = np.unique(rows.numpy(), axis=0, return_inverse=True)
    if len(different) < _PARTS:
        return None
    if max(len(np.unique(column)) for column in rows.numpy().T) < _APART * len(rows):
        different, which = rows.numpy(), np.arange(len(rows))
    found: np.ndarray[tuple[int], np.dtype[np.int64]] = np.random.default_rng(seed).permutation(len(different))[which.reshape(-1)] % _PARTS
    return found


def _trainer(data: DataSet, train: Tensor, held: Tensor, asked: Config) -> Trainer:
    """Of a training without some rows, which it validates on."""
    own = replace(data, train=train, validation=held, test=held, labels=None, surprise=None)
    config, fit, _ = choose_start(asked.model_copy(update={"time": None, "last_update": asked.updates}), own)
    return Trainer(build_chain(config, own, fit), own, config)


def _cost(trainer: Trainer) -> float:
    """Of the rows that a training is without, in bits per dimension."""
    bits = trainer.validate().bits_per_dim
    return math.inf if bits is None else bits


def _side_by_side(trainers: list[Trainer]) -> Iterator[tuple[int, list[float]]]:
    """Numbers of updates, and what the rows that each training is without cost after them."""
    running = [iter(trainer) for trainer in trainers]
    update, due = 0, 0.0
    while True:
        yield update, [_cost(trainer) for trainer in trainers]
        due = max(_FIRST, due * _GROWTH)
        for _ in range(int(due) - update):
            for each in running:
                if next(each, None) is None:
                    return
        update = int(due)

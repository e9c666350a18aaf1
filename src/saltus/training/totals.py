"""Sums over the items of a batch, wherever their losses were computed: of each term, and of each level's squares."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from saltus.chain import Loss
from saltus.processes import Processes
from saltus.training.level_sampling import level_sums

__all__ = ["Totals"]


class Totals:
    """One message between processes for each batch, of which each has the loss of its share.

    Args:
        processes: that have shares.
        L: levels whose losses are followed, 0 for none.
    """

    def __init__(self, processes: Processes, L: int) -> None:
        self._processes, self._L = processes, L
        self._names: list[str] = []  # of terms, the same in every process; a share may be without an item that has one

    def of(self, loss: Loss) -> tuple[dict[str, float], NDArray[np.float64]]:
        """The sum of each term over all shares, and `level_sums` of all shares together, the same for every process."""
        found = torch.stack([value.detach().sum() for value in loss.terms.values()]).tolist()
        sums = dict(zip(loss.terms, found, strict=True))
        levels = level_sums(loss, self._L) if self._L else np.zeros((2, 0))
        if self._processes.world == 1:
            return sums, levels
        unknown = True
        while unknown:
            named = [[float(name in sums), sums.get(name, 0.0)] for name in self._names]
            here = np.concatenate([[len(sums.keys() - set(self._names))], np.ravel(named), levels.ravel()])
            whole = self._processes.summed(torch.from_numpy(here)).numpy()
            unknown = whole[0] > 0
            if unknown:
                listed = self._processes.everyones(list(sums))
                self._names = list(dict.fromkeys([*self._names, *(name for names in listed for name in names)]))
        terms, both = np.split(whole[1:], [2 * len(self._names)])
        told = zip(self._names, terms.reshape(-1, 2).tolist(), strict=True)
        return {name: total for name, (shares, total) in told if shares}, both.reshape(2, -1)

"""Sums over the shares of a batch are those of the whole, and a share may be without a term."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from saltus.chain import Loss
from saltus.processes import Processes
from saltus.training.level_sampling import level_sums
from saltus.training.totals import Totals


class Lined(Processes):
    """Two processes of which the other has said what it says."""

    def __init__(self, others: Sequence[Tensor], names: list[str]) -> None:
        self.world, self._others, self._names, self.asked = 2, list(others), names, 0

    def summed(self, numbers: Tensor) -> Tensor:
        self.asked += 1
        return numbers + self._others.pop(0)

    def everyones(self, thing: object) -> list:  # type: ignore[type-arg]
        return [thing, self._names]


def loss(level: list[int], **terms: list[float]) -> Loss:
    return Loss(torch.tensor(level), {name: torch.tensor(values) for name, values in terms.items()}, torch.full((len(level),), 0.5))


WHOLE = loss([1, 1, 2, 3, 3], kl=[1.0, 2.0, 3.0, 0.0, 0.0], flow=[0.0, 0.0, 0.0, 4.0, 5.0])


def test_one_process_has_its_own_sums() -> None:
    totals = Totals(Processes(), 3)
    for _ in range(2):
        terms, levels = totals.of(WHOLE)
        assert terms == {"kl": 6.0, "flow": 9.0}
        np.testing.assert_allclose(levels, [[4 + 16, 36, 64 + 100], [2, 1, 2]])
        assert np.array_equal(levels, level_sums(WHOLE, 3))
    terms, levels = Totals(Processes(), 0).of(WHOLE)
    assert (terms, levels.size) == ({"kl": 6.0, "flow": 9.0}, 0)
    terms, _ = totals.of(loss([1], kl=[7.0]))
    assert terms == {"kl": 7.0}  # the other was in no share


def test_a_share_without_a_term_learns_of_it() -> None:
    mine, other = loss([1, 3], kl=[1.0, 0.0], flow=[0.0, 4.0]), torch.tensor([4.0, 6.0, 0.0, 2.0, 1.0, 0.0])  # squares, then counts
    before = torch.cat([torch.tensor([1.0]), other])  # it knows no name yet, and says so
    after = torch.cat([torch.tensor([0.0, 1.0, 10.0, 0.0, 0.0]), other])  # it has kl and no flow
    processes = Lined([before, after, after], ["kl"])
    totals = Totals(processes, 3)
    for asked in (2, 3):  # once more for the names, the first time
        terms, levels = totals.of(mine)
        assert terms == {"kl": 11.0, "flow": 4.0}
        np.testing.assert_allclose(levels, level_sums(mine, 3) + other.reshape(2, 3).numpy())
        assert processes.asked == asked

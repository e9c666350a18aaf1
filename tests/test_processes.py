"""Shares of items, and what a process knows of others without asking them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from saltus import processes
from saltus.errors import SaltusError
from saltus.processes import Processes, alone, is_main, run_of
from tests.helpers.checks import assert_one_sentence

TOLD = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


class OneOf(Processes):
    """One of several, which knows its number alone."""

    def __init__(self, rank: int, world: int) -> None:
        self.rank, self.world = rank, world


@pytest.mark.parametrize("world", [1, 2, 3, 7])
@pytest.mark.parametrize("n", [7, 8, 100])
def test_a_batch_is_dealt_out(n: int, world: int) -> None:
    shares = [list(range(n))[OneOf(rank, world).dealt(n)] for rank in range(world)]
    assert sorted(item for share in shares for item in share) == list(range(n))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert all(share[0] == rank for rank, share in enumerate(shares))


def test_a_batch_that_does_not_go_round_is_refused() -> None:
    with pytest.raises(SaltusError, match="a batch of 2 items is too small for 3 processes") as error:
        OneOf(0, 3).dealt(2)
    assert_one_sentence(error)


@pytest.mark.parametrize("world", [1, 3, 10])
@pytest.mark.parametrize(("n", "unit"), [(0, 4), (1, 4), (29, 4), (30, 3), (31, 3), (1000, 1)])
def test_runs_follow_each_other_in_whole_units(n: int, unit: int, world: int) -> None:
    runs = [run_of(n, rank, world, unit) for rank in range(world)]
    assert [item for run in runs for item in run] == list(range(n))
    each = unit if n >= unit * world else 1
    assert max(map(len, runs)) - min(map(len, runs)) <= each
    assert all(run.start % each == 0 for run in runs if run)


def test_a_process_alone_asks_nobody() -> None:
    one, loss = Processes(), nn.Linear(1, 1)
    assert (one.is_main, one.dealt(5), one.run(5, 2)) == (True, slice(0, 5, 1), range(5))
    assert one.prepare(loss, torch.optim.SGD(loss.parameters()), uneven=True) is loss
    assert (one.any(True, False), one.mains(2.0), one.agreed(lambda: 3), one.everyones(4)) == ((True, False), 2.0, 3, [4])
    slot = torch.zeros(2)
    one.fill(slot, torch.ones(2))
    assert torch.equal(one.whole(slot), one.summed(torch.ones(2)))


def test_a_launcher_is_known_by_all_that_it_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TOLD:
        monkeypatch.delenv(name, raising=False)
    assert (alone(), is_main()) == (True, True)
    for name, value in TOLD.items():
        assert alone()
        monkeypatch.setenv(name, value)
    assert (alone(), is_main()) == (False, False)
    monkeypatch.setenv("RANK", "0")
    assert is_main()
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert alone()
    assert set(TOLD) == set(processes._TOLD)

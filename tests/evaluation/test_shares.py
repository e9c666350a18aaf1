"""The shares of samples and of a bound are those of the whole, in their order."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from saltus.chain import Bound, Chain
from saltus.evaluation import shares
from saltus.evaluation.shares import shared_bound, shared_samples
from saltus.kernels import DEFAULT
from saltus.processes import Processes
from tests.helpers.chains import MIXTURE, chain_of

N = 23


class OneOf(Processes):
    """One of several, who hears what those after it said."""

    def __init__(self, rank: int, world: int, said: list[Any]) -> None:
        self.rank, self.world, self._said = rank, world, said

    def everyones(self, thing: Any) -> list[Any]:
        self._said.insert(0, thing)
        return list(self._said)


@pytest.fixture
def chain() -> Chain:
    return chain_of("vae")


@pytest.mark.parametrize("world", [1, 2, 3, 30])
def test_samples_of_all_are_those_of_one(world: int, chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "_BATCH", 4)
    said: list[Any] = []
    for rank in reversed(range(world)):
        found = shared_samples(chain, N, OneOf(rank, world, said), seed=2, sampling=DEFAULT, condition=None)
    torch.testing.assert_close(found, chain.sample(N, seed=2), rtol=1e-5, atol=1e-6)
    assert sum(len(part) for part in said if part is not None) == N


@pytest.mark.parametrize("world", [1, 2, 3])
def test_bounds_of_all_are_those_of_one(world: int, chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "_BATCH", 4)
    y, said = MIXTURE.sample(N, seed=5).float(), list[Any]()
    for rank in reversed(range(world)):
        found = shared_bound(chain, y, OneOf(rank, world, said), condition=None, seed=1)
    whole = chain.bound(y, seed=1)
    assert isinstance(found, Bound)
    for one, other in ((found.total, whole.total), (found.kl, whole.kl), (found.per_level, whole.per_level)):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    assert found.active_units == whole.active_units
    assert found.aggregate_kl == pytest.approx(whole.aggregate_kl, rel=1e-5)
    assert found.terms.keys() == whole.terms.keys()

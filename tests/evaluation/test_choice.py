"""How a chain is sampled best is found where it is clear, and left at the default where it is not."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from saltus import Chain
from saltus.data import DataSet
from saltus.evaluation import choice, choose_sampling, keep_sampling, words_of
from saltus.kernels import DEFAULT, Sampling
from saltus.training import Config, build_chain

BEST = Sampling(temperature=1.25, eta=0.5)


@pytest.fixture(scope="module")
def data() -> DataSet:
    rows = torch.randn(3000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64).numpy()
    return DataSet.from_arrays(rows)


class Pretended(Chain):
    """A chain whose samples are as wide as data where it is sampled one way, and wider the more it is sampled otherwise."""

    def sample(self, n: int, *, seed: int, sampling: Sampling | None = None, **options: Any) -> Tensor:
        given = sampling or self.sampling
        off = abs(given.temperature - BEST.temperature) + abs(given.eta - BEST.eta) + (given.final == "mode")
        return (1 + off) * torch.randn(n, 2, generator=torch.Generator().manual_seed(seed % 1000))


def chain_of(data: DataSet, kind: type[Chain] = Chain, **options: Any) -> Chain:
    made = build_chain(Config(levels=3, prior="normal", width=16, **options), data)
    return kind(made.prior, made.levels, made.kernels[0], encoding=made.encoding)


def test_the_best_is_found_setting_by_setting(data: DataSet) -> None:
    assert choose_sampling(chain_of(data, Pretended), data) == BEST


def test_what_is_chosen_is_kept(data: DataSet, tmp_path: Path) -> None:
    chain = chain_of(data, Pretended)
    keep_sampling(chain, data, tmp_path)
    assert chain.sampling == BEST
    assert (tmp_path / "chain.json").exists()
    plain = chain_of(data, latent=0, parametrisation="direct")
    keep_sampling(plain, data, tmp_path / "plain")
    assert plain.sampling == DEFAULT
    assert not (tmp_path / "plain").exists()


def test_what_the_kernels_do_not_know_is_not_tried(data: DataSet) -> None:
    assert list(choice._tried(chain_of(data, latent=0, parametrisation="direct"))) == [[{"final": "mode"}], [], []]
    assert list(choice._tried(chain_of(data)))[2] == [{"eta": 0.5}]


class Alike(Chain):
    """A chain that samples the same distribution however it is asked to."""

    number = 0

    def sample(self, n: int, *, seed: int, **options: Any) -> Tensor:
        return torch.randn(n, 2, generator=torch.Generator().manual_seed(1000 * self.number + seed % 1000))


def changes(data: DataSet, times: int) -> int:
    """How many of so many chains are not sampled by default."""
    chain, found = chain_of(data, Alike), 0
    for number in range(times):
        Alike.number = number
        found += choose_sampling(chain, data) != DEFAULT
    return found


def test_chance_seldom_changes_anything(data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three settings at a hundredth each; the twin takes every second value that once looked better."""
    times, rate = 20, 3 * choice._BY_CHANCE
    assert changes(data, times) <= times * rate + 4 * math.sqrt(times * rate)
    monkeypatch.setattr(choice, "_BY_CHANCE", 0.5)
    assert changes(data, times) > times / 2


def test_what_would_take_long_is_not_chosen(data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_MOST", 0)
    monkeypatch.setattr(choice, "multiply_adds", lambda _: 1)
    assert choose_sampling(chain_of(data, Pretended), data) == DEFAULT
    monkeypatch.setattr(choice, "multiply_adds", lambda _: 0)
    assert choose_sampling(chain_of(data, Pretended), data) == BEST
    monkeypatch.setattr(choice, "_MOST_CALLS", 2)
    assert choose_sampling(chain_of(data, Pretended), data) == DEFAULT


def test_a_chain_is_sampled_as_it_was_kept(data: DataSet, tmp_path: Path) -> None:
    chain = chain_of(data)
    plain = chain.sample(4, seed=0)
    chain.sampling = BEST
    chain.save(tmp_path / "run")
    loaded = Chain.load(tmp_path / "run")
    assert loaded.sampling == BEST
    assert torch.equal(loaded.sample(4, seed=0), chain.sample(4, seed=0, sampling=BEST))
    assert torch.equal(loaded.sample(4, seed=0, sampling=DEFAULT), plain)
    assert not torch.equal(loaded.sample(4, seed=0), plain)


def test_words_of_what_is_not_the_default() -> None:
    assert words_of(DEFAULT) == ""
    assert words_of(Sampling("mode", temperature=0.85)) == "final mode, temperature 0.85"

"""How a chain is sampled best is found where it is clear, and left at the default where it is not."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from saltus import Chain
from saltus.data import DataSet
from saltus.evaluation import choice, choose_sampling, words_of
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


def test_what_the_kernels_do_not_know_is_not_tried(data: DataSet) -> None:
    assert list(choice._tried(chain_of(data, latent=0, parametrisation="direct"))) == [[{"final": "mode"}], [], []]
    assert list(choice._tried(chain_of(data)))[2] == [{"eta": 0.5}]


def test_chance_changes_nothing(data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samplers of one distribution differ by chance; the twin, for which any smaller figure would do, takes one of them."""

    class Alike(Pretended):
        def sample(self, n: int, *, seed: int, sampling: Sampling | None = None, **options: Any) -> Tensor:
            place = hash(sampling or DEFAULT) % 1000
            return torch.randn(n, 2, generator=torch.Generator().manual_seed(seed % 1000 + 1000 * place))

    chain = chain_of(data, Alike)
    assert choose_sampling(chain, data) == DEFAULT
    monkeypatch.setattr(statistics, "stdev", lambda _: 0.0)
    monkeypatch.setattr(choice, "TEMPERATURES", (1.0, *(1 + number / 100 for number in range(1, 20))))
    assert choose_sampling(chain, data) != DEFAULT


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

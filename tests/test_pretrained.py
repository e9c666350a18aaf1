"""The trained chains that come with the package: small, honest about how they were made, and found by their names."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from saltus.chain import Chain
from saltus.data import digits
from saltus.estimators import Model
from saltus.evaluation import likelihood
from saltus.pretrained import PRETRAINED, run_folder
from saltus.training import Config, check_data, load_config, load_encoding

MOST_BYTES = 5_000_000


def test_digits_and_clothes_are_there() -> None:
    assert PRETRAINED == ("digits", "fashion-mnist", "mnist")


@pytest.mark.parametrize("name", PRETRAINED)
def test_a_chain_is_small_and_samples_are_of_its_data(name: str) -> None:
    folder = run_folder(name)
    assert sum(file.stat().st_size for file in folder.iterdir()) < MOST_BYTES
    chain, encoding = Chain.load(folder), load_encoding(folder)
    assert chain.has_bound
    x = encoding.decode(chain.sample(4, seed=0))
    assert x.shape == (4, *encoding.shape)
    assert len({item.tobytes() for item in x}) == 4


@pytest.mark.parametrize("name", PRETRAINED)
def test_a_model_of_a_name_is_its_chain_in_the_units_of_its_data(name: str) -> None:
    model, folder = Model.load(name), run_folder(name)
    chain, encoding = Chain.load(folder), load_encoding(folder)
    raw = model.sample(3, seed=5)
    assert (raw.shape, raw.dtype) == ((3, *encoding.shape), np.uint8)
    assert np.array_equal(raw, encoding.decode(chain.sample(3, seed=5)))
    y = encoding.encode(raw)
    assert np.allclose(model.log_prob_bound(raw, seed=1), -chain.class_bound(y, seed=1).total.double().numpy())
    told = -chain.bound(y, condition=[0, 1, 2], seed=1).total.double().numpy()
    assert np.allclose(model.log_prob_bound(raw, condition=[0, 1, 2], seed=1), told)
    assert not np.allclose(model.log_prob_bound(raw, seed=2), model.log_prob_bound(raw, seed=1))


@pytest.mark.parametrize("name", PRETRAINED)
def test_a_chain_is_the_same_when_it_is_saved_again(name: str, tmp_path: Path) -> None:
    chain = Chain.load(run_folder(name))
    chain.save(tmp_path)
    again = Chain.load(tmp_path)
    assert torch.equal(again.sample(2, seed=3), chain.sample(2, seed=3))
    assert (again.scaling, again.levels, again.noise_version) == (chain.scaling, chain.levels, chain.noise_version)
    assert again.encoding.key == chain.encoding.key


@pytest.mark.parametrize("name", PRETRAINED)
def test_a_card_says_how_a_chain_was_made(name: str) -> None:
    card = (run_folder(name) / "CARD.md").read_text()
    assert f"python benchmarks/ship.py {name}" in card
    assert "bits/dim" in card
    (options,) = re.findall(r"differ from `saltus train`'s: (.*)\.$", card, re.MULTILINE)
    told = {"bf16": False, "channels_last": False} | json.loads(options)  # beside the defaults of today, or of the time of an older card
    assert load_config(run_folder(name)) in (Config(**told), Config.from_saved(told))
    assert hashlib.blake2b((run_folder(name) / "chain.safetensors").read_bytes(), digest_size=8).hexdigest() in card


def test_the_card_of_the_digits_says_their_bound() -> None:
    folder, data = run_folder("digits"), digits("labels")
    assert data.conditions is not None
    found = likelihood(Chain.load(folder), data.test, data.encoding, condition=data.conditions.test)
    assert found is not None
    (said,) = set(re.findall(r"^bound: ([0-9.]+) ± ([0-9.]+) bits/dim", (folder / "CARD.md").read_text(), re.MULTILINE))
    assert [float(number) for number in said] == pytest.approx([found.bits_per_dim, found.standard_error], abs=1e-4)


def nearest(x: Tensor, items: Tensor) -> float:
    """The mean distance to the nearest item."""
    return float(torch.cdist(x.flatten(1), items.flatten(1)).min(1).values.mean())


def test_digits_are_nearer_to_real_ones_than_noise_of_the_same_moments() -> None:
    folder, data = run_folder("digits"), digits()
    check_data(folder, data)
    chain, n = Chain.load(folder), len(data.test)
    noise = data.train.mean(0) + data.train.std(0) * torch.randn(data.test.shape, generator=torch.Generator().manual_seed(0))
    real, samples, noise = (nearest(x, data.test) for x in (data.train[:n], chain.sample(n, seed=0), noise))
    assert samples - real < 0.5 * (noise - real)  # nearer to real digits than to noise


def test_a_folder_of_the_users_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_folder("digits").is_absolute()
    (tmp_path / "digits").mkdir()
    assert run_folder("digits") == Path("digits")
    assert run_folder("elsewhere") == Path("elsewhere")

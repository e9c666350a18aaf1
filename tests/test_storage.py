"""A folder holds a whole chain: what is read again is what was written, and what is damaged is a error in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from saltus.chain import Chain, StandardNormal
from saltus.errors import SaltusError
from saltus.kernels import GaussianKernel, Variance
from saltus.levels import Levels
from saltus.likelihoods import GaussianHead
from saltus.networks import MLP, Scaled
from tests.helpers.chains import chain_of, data_for, kernels


@pytest.mark.parametrize("name", kernels())
def test_a_folder_holds_the_whole_chain(name: str, tmp_path: Path) -> None:
    chain = chain_of(name)
    chain.save(tmp_path / "run")
    before = torch.random.get_rng_state()
    loaded = Chain.load(tmp_path / "run")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert loaded.levels == chain.levels
    assert not loaded.training
    assert torch.equal(loaded.sample(9, seed=1), chain.sample(9, seed=1))
    if chain.has_bound:
        y = data_for(name)
        assert torch.equal(loaded.bound(y).total, chain.bound(y).total)
    assert {file.suffix for file in (tmp_path / "run").iterdir()} == {".json", ".safetensors"}
    loaded.save(tmp_path / "again")
    for file in (tmp_path / "run").iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def forget(folder: Path, name: str) -> None:
    (folder / name).unlink()


def truncate(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:100])


def another_format(folder: Path, _: str) -> None:
    document = json.loads((folder / "chain.json").read_text())
    (folder / "chain.json").write_text(json.dumps(document | {"format": 99}))


def another_class(folder: Path, _: str) -> None:
    (folder / "chain.json").write_text((folder / "chain.json").read_text().replace("saltus.levels.levels:Levels", "elsewhere:Levels"))


def another_argument(folder: Path, _: str) -> None:
    (folder / "chain.json").write_text((folder / "chain.json").read_text().replace('"levels":', '"grid":'))


def fewer_numbers(folder: Path, _: str) -> None:
    tensors = load_file(folder / "chain.safetensors")
    tensors.popitem()
    save_file(tensors, folder / "chain.safetensors")


def not_a_chain(folder: Path, _: str) -> None:
    document = json.loads((folder / "chain.json").read_text())
    (folder / "chain.json").write_text(json.dumps(document | {"chain": document["chain"]["arguments"]["levels"]}))


@pytest.mark.parametrize("damage", [forget, truncate])
@pytest.mark.parametrize("name", ["chain.json", "chain.safetensors"])
def test_damaged_files_are_a_mistake(damage: Callable[[Path, str], None], name: str, tmp_path: Path) -> None:
    refuses(damage, name, tmp_path)


@pytest.mark.parametrize("damage", [another_format, another_class, another_argument, fewer_numbers, not_a_chain])
def test_files_that_do_not_fit_are_a_mistake(damage: Callable[[Path, str], None], tmp_path: Path) -> None:
    refuses(damage, "", tmp_path)


def refuses(damage: Callable[[Path, str], None], name: str, folder: Path) -> None:
    chain_of("gaussian").save(folder)
    damage(folder, name)
    with pytest.raises(SaltusError) as caught:
        Chain.load(folder)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert "; " in sentence  # what was found; what to do


def test_a_missing_folder_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(SaltusError, match="nowhere"):
        Chain.load(tmp_path / "nowhere")


def test_what_was_changed_after_construction_is_kept(tmp_path: Path) -> None:
    network = Scaled(MLP((2,), width=8, depth=1))
    chain = Chain(StandardNormal(), Levels([0, 1]), GaussianKernel(network, GaussianHead(0.1), variance="transition"))
    chain.levels = Levels([0, 0.5, 1, 2])
    chain.kernel(1).variance = Variance.POSTERIOR
    chain.save(tmp_path)
    again = Chain.load(tmp_path)
    assert again.levels == chain.levels
    assert torch.equal(again.sample(3, seed=0), chain.sample(3, seed=0))


def test_float64_stays_float64(tmp_path: Path) -> None:
    network = Scaled(MLP((2,), width=8, depth=1))
    chain = Chain(StandardNormal(), Levels([0, 1]), GaussianKernel(network, GaussianHead(0.1), variance="transition")).double()
    chain.save(tmp_path)
    again = Chain.load(tmp_path)
    assert again.sample(3, seed=0).dtype == torch.float64
    assert torch.equal(again.sample(3, seed=0), chain.sample(3, seed=0))
    assert all(parameter.requires_grad for parameter in again.parameters())


def test_a_kernel_that_serves_several_levels_of_a_list_is_one_and_is_calibrated_for_all(tmp_path: Path) -> None:
    shared = GaussianKernel(Scaled(MLP((2,), width=8, depth=1)), GaussianHead(0.1))
    alone = Chain(StandardNormal(), Levels([0, 0.5, 1, 2]), shared)
    listed = Chain(StandardNormal(), Levels([0, 0.5, 1, 2]), [shared, shared, shared])
    y = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    alone.calibrate(y)
    expected = shared.error(listed.levels.times[1:])
    listed.calibrate(y)
    assert torch.equal(shared.error(listed.levels.times[1:]), expected)
    listed.save(tmp_path)
    again = Chain.load(tmp_path)
    assert again.kernel(1) is again.kernel(3)
    assert torch.equal(again.sample(3, seed=0), listed.sample(3, seed=0))
    assert not any("kernels.2" in key for key in load_file(tmp_path / "chain.safetensors"))  # written once

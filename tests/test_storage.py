"""A folder holds a whole chain: what is read again is what was written."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from saltus import storage
from saltus.chain import Chain, StandardNormal
from saltus.data import Standardised
from saltus.kernels import DeterministicKernel, GaussianKernel, Preconditioned, Variance
from saltus.levels import Levels
from saltus.likelihoods import GaussianHead
from saltus.networks import MLP, UNet
from saltus.registry import Configurable
from saltus.storage import read, write
from tests.helpers.chains import chain_of, data_for, gaussian, kernels
from tests.helpers.checks import refused

JSON, STATE, ARGUMENTS = "chain.json", "chain.safetensors", "chain.arguments.safetensors"


# ------------------------------------------------------------------------------------------- what is kept


@pytest.mark.parametrize("name", kernels())
def test_a_folder_holds_the_whole_chain(name: str, tmp_path: Path) -> None:
    chain = chain_of(name)
    chain.save(tmp_path / "run")
    before = torch.random.get_rng_state()
    loaded = Chain.load(tmp_path / "run")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert loaded.levels == chain.levels
    assert not loaded.training
    assert {key: value.dtype for key, value in loaded.state_dict().items()} == {k: v.dtype for k, v in chain.state_dict().items()}
    assert all(torch.equal(value, chain.state_dict()[key]) for key, value in loaded.state_dict().items())
    assert torch.equal(loaded.sample(9, seed=1), chain.sample(9, seed=1))
    if chain.has_bound:
        y = data_for(name)
        assert torch.equal(loaded.bound(y).total, chain.bound(y).total)
    assert {JSON, STATE} <= {file.name for file in (tmp_path / "run").iterdir()} <= {JSON, STATE, ARGUMENTS}
    loaded.save(tmp_path / "again")
    for file in (tmp_path / "run").iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_what_was_changed_after_construction_is_kept(tmp_path: Path) -> None:
    chain = Chain(StandardNormal(), Levels([0, 1]), gaussian())
    chain.levels = Levels([0, 0.5, 1, 2])
    chain.kernel(1).variance = Variance.POSTERIOR
    chain.save(tmp_path)
    again = Chain.load(tmp_path)
    assert again.levels == chain.levels
    assert torch.equal(again.sample(3, seed=0), chain.sample(3, seed=0))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_another_precision_stays(dtype: torch.dtype, tmp_path: Path) -> None:
    chain = Chain(StandardNormal(), Levels([0, 1]), gaussian()).to(dtype)
    chain.save(tmp_path)
    again = Chain.load(tmp_path)
    assert again.sample(3, seed=0).dtype == dtype
    assert torch.equal(again.sample(3, seed=0), chain.sample(3, seed=0))
    assert all(parameter.requires_grad for parameter in again.parameters())


def test_a_kernel_that_serves_several_levels_of_a_list_is_one_and_is_calibrated_for_all(tmp_path: Path) -> None:
    shared = GaussianKernel(Preconditioned(MLP((2,), width=8, depth=1)), GaussianHead(0.1))
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
    assert not any("kernels.2" in key for key in load_file(tmp_path / STATE))  # written once


class Tied(Configurable, nn.Module):
    """Two layers of one weight."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(size, size), nn.Linear(size, size)
        self.second.weight = self.first.weight


def test_weights_that_are_tied_stay_tied(tmp_path: Path) -> None:
    tied = Tied(3)
    write(tied, tmp_path, "tied")
    again = read(tmp_path, "tied")
    assert isinstance(again, Tied)
    assert again.second.weight is again.first.weight
    assert torch.equal(again.first.weight, tied.first.weight)


def test_weights_that_lie_in_a_larger_array_are_written(tmp_path: Path) -> None:
    chain = Chain(StandardNormal(), Levels([0, 1]), gaussian())
    bias = next(parameter for name, parameter in chain.named_parameters() if name.endswith("first.bias"))
    bias.data = torch.arange(30.0)[5 : 5 + len(bias)]
    chain.save(tmp_path)
    assert torch.equal(Chain.load(tmp_path).sample(3, seed=0), chain.sample(3, seed=0))
    assert (tmp_path / STATE).stat().st_size < 2 * sum(4 * p.numel() for p in chain.parameters()) + 5000


def test_a_thing_without_a_state_has_no_file_for_it_and_an_older_one_goes(tmp_path: Path) -> None:
    with_tensors = Standardised("vector", (2,), torch.zeros(2), torch.ones(2))
    write(with_tensors, tmp_path, "data")
    assert {file.name for file in tmp_path.iterdir()} == {"data.json", "data.arguments.safetensors"}
    assert read(tmp_path, "data").summary() == with_tensors.summary()  # type: ignore[attr-defined]
    write(Levels([0, 1]), tmp_path, "data")
    assert {file.name for file in tmp_path.iterdir()} == {"data.json"}
    assert read(tmp_path, "data") == Levels([0, 1])


@pytest.mark.parametrize(
    "network",
    [
        lambda: UNet((1, 8, 8), channels=(8, 16), attention=True),
        lambda: MLP((2,), width=8, depth=1, sinusoids=True),
    ],
    ids=["diffusers", "rtdl"],
)
def test_networks_of_other_libraries_survive_the_meta_device(network: Callable[[], nn.Module], tmp_path: Path) -> None:
    chain = Chain(StandardNormal(), Levels([0, 1]), DeterministicKernel(Preconditioned(network())))
    chain.save(tmp_path)
    assert torch.equal(Chain.load(tmp_path).sample(2, seed=0), chain.sample(2, seed=0))


def test_reading_leaves_no_tensor_without_memory_anywhere(tmp_path: Path) -> None:
    """In a fresh process, where a constructor may be what imports another library, whose tensors must not come without memory."""
    Chain(StandardNormal(), Levels([0, 1]), DeterministicKernel(Preconditioned(UNet((1, 8, 8), channels=(8, 16))))).save(tmp_path)
    code = (
        "import gc, sys, torch; from saltus.chain import Chain; chain = Chain.load(sys.argv[1]);"
        "found = [o for o in gc.get_objects() if issubclass(type(o), torch.Tensor)]; assert len(found) > 10;"
        "print(sum(o.is_meta for o in found))"
    )
    assert (
        subprocess.run([sys.executable, "-W", "ignore", "-c", code, tmp_path], capture_output=True, text=True, check=True).stdout == "0\n"
    )


# ------------------------------------------------------------------------------------------- how files are written


def test_files_have_the_mode_of_the_users_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        chain_of("gaussian").save(tmp_path)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o640}


def test_the_json_is_written_last_and_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = (Chain(StandardNormal(), Levels([0, 1]), gaussian()) for _ in range(2))
    old.save(tmp_path)

    def full(*given: object) -> None:
        for path in given:
            if isinstance(path, Path):
                path.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "save_file", full)
        with pytest.raises(OSError, match="space"):
            new.save(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {JSON, STATE}
    assert torch.equal(Chain.load(tmp_path).sample(3, seed=0), old.sample(3, seed=0))
    with monkeypatch.context() as patch:
        patch.setattr(storage, "_digest_of", full)
        with pytest.raises(OSError, match="space"):
            new.save(tmp_path)
    refused(tmp_path, STATE, "another training")

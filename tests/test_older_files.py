"""Files that older versions wrote are read, and what they say is what it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from saltus.chain import Chain
from saltus.data import Binned, Standardised
from saltus.errors import SaltusError
from saltus.kernels import DeterministicKernel, GaussianKernel
from saltus.storage import read, write
from saltus.storage_format1 import description_of
from saltus.training import load_encoding
from tests.helpers.checks import assert_one_sentence

FORMAT1 = Path(__file__).parent / "files" / "format1"
NAMES = ("digits", "fashion-mnist")


@pytest.mark.parametrize("name", NAMES)
def test_an_older_chain_has_its_weights_and_is_written_anew_bit_for_bit(name: str, tmp_path: Path) -> None:
    chain = Chain.load(FORMAT1 / name)
    assert not chain.training
    stored = load_file(FORMAT1 / name / "chain.safetensors")
    old = {key.removeprefix("state.").replace(".rungs.", ".groups."): value for key, value in stored.items()}
    found = chain.state_dict()
    assert old.keys() <= found.keys()
    assert all(torch.equal(found[key], value) and found[key].dtype == value.dtype for key, value in old.items())
    chain.save(tmp_path)
    again = Chain.load(tmp_path)
    assert json.loads((tmp_path / "chain.json").read_text())["format"] == 2
    assert again.state_dict().keys() == found.keys()
    assert all(torch.equal(value, found[key]) for key, value in again.state_dict().items())
    assert torch.equal(again.sample(2, seed=5), chain.sample(2, seed=5))
    assert places(again) == places(chain)


def places(chain: Chain) -> list[int]:
    """For each level the first one that has its kernel."""
    kernels = [chain.kernel(level) for level in range(1, chain.levels.L + 1)]
    return [kernels.index(kernel) for kernel in kernels]


@pytest.mark.parametrize("name", NAMES)
def test_older_data_are_decoded(name: str) -> None:
    encoding = load_encoding(FORMAT1 / name)
    assert isinstance(encoding, Binned)
    assert encoding.decode(torch.ones(1, *encoding.event_shape)).max() == encoding.high


def old_form(description: object) -> object:
    """What format 1 had for a description, written the other way round."""
    match description:
        case {"class": str(name), "arguments": dict(arguments)}:
            renamed = {"encoder_input": "encodes", "any_step": "any_time", "importance_samples": "latents"}
            old = {renamed.get(key, key): old_form(value) for key, value in arguments.items()}
            return {"class": f"saltus.somewhere:{'Scaled' if name == 'Preconditioned' else name}", "arguments": old}
        case {"mapping": dict(items)}:
            return {key: old_form(value) for key, value in items.items()}
        case list():
            return [old_form(item) for item in description]
        case _:
            return description


@pytest.mark.parametrize("name", ["VAEKernel", "LadderKernel"])
def test_encodes_is_encoder_input(name: str) -> None:
    old = {"class": f"saltus.kernels.vae:{name}", "arguments": {"encodes": "z_s", "head": None}}
    assert description_of(old) == {"class": name, "arguments": {"encoder_input": "z_s", "head": None}}


@pytest.mark.parametrize("kernel", [GaussianKernel, DeterministicKernel])
def test_any_time_is_any_step(kernel: type) -> None:
    old = {"class": f"saltus.kernels.x:{kernel.__name__}", "arguments": {"any_time": False, "any": [{"same": 3}, {"a": {"tensor": "b"}}]}}
    expected = {"any_step": False, "any": [{"same": 3}, {"mapping": {"a": {"tensor": "b"}}}]}
    assert description_of(old) == {"class": kernel.__name__, "arguments": expected}


def test_latents_of_a_chain_are_importance_samples_and_those_of_others_stay() -> None:
    def latents(name: str) -> dict[str, object]:
        return description_of({"class": name, "arguments": {"latents": 3}})["arguments"]  # type: ignore[no-any-return]

    assert latents("saltus.chain.chain:Chain") == {"importance_samples": 3, "noise_version": 1}
    assert latents("my.module:Outer.Mine") == {"latents": 3}


def test_older_arguments_that_are_tensors_are_read(tmp_path: Path) -> None:
    """The same numbers as format 1 had them: in one file, which had the state too."""
    encoding = Standardised("vector", (2,), torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    write(encoding, tmp_path, "data")
    document = json.loads((tmp_path / "data.json").read_text())
    old = {"format": 1, "data": old_form(document["data"]), "shared": {}}
    (tmp_path / "data.json").write_text(json.dumps(old))
    (tmp_path / "data.arguments.safetensors").rename(tmp_path / "data.safetensors")
    again = read(tmp_path, "data")
    assert isinstance(again, Standardised)
    y = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    assert (again.decode(y) == encoding.decode(y)).all()


@pytest.mark.parametrize("damage", ["missing", "truncated", "shared", "class", "tensor", "width"])
def test_a_damaged_older_file_is_an_error(damage: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(FORMAT1 / "digits", folder)
    document = json.loads((folder / "chain.json").read_text())
    tensors = folder / "chain.safetensors"
    match damage:
        case "missing":
            tensors.unlink()
        case "truncated":
            tensors.write_bytes(tensors.read_bytes()[:-1])
        case "shared":
            document["shared"] = {"kernels.0.nothing": "kernels.0.nowhere"}
        case "class":
            document["chain"]["class"] = "os:system"
        case "tensor":
            document["shared"] = {"kernels.0.more": min(key for key in load_file(tensors)).removeprefix("state.")}
        case "width":
            document["chain"]["arguments"]["kernels"]["arguments"]["decoder"]["arguments"]["backbone"]["arguments"]["width"] = 100_000
    (folder / "chain.json").write_text(json.dumps(document))
    with pytest.raises(SaltusError) as caught:
        Chain.load(folder)
    assert_one_sentence(caught.value, "chain")

"""Folders of chains that are damaged, forged or of somebody else: each is one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from saltus import storage
from saltus.chain import Chain, OraclePrior, StandardNormal
from saltus.errors import SaltusError
from saltus.levels import Levels
from saltus.registry import Configurable
from saltus.storage import read, write
from tests.helpers.chains import MIXTURE, chain_of, gaussian
from tests.helpers.checks import assert_one_sentence, refused
from tests.helpers.forge import forge, set_argument
from tests.helpers.memory import Peak

JSON, STATE, ARGUMENTS = "chain.json", "chain.safetensors", "chain.arguments.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A chain with all three files."""
    Chain(OraclePrior(MIXTURE), Levels([0, 1]), gaussian()).save(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {JSON, ARGUMENTS, STATE}
    return tmp_path


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "nowhere", JSON)


@pytest.mark.parametrize("name", [JSON, STATE, ARGUMENTS])
def test_a_missing_or_truncated_file_is_an_error(name: str, folder: Path) -> None:
    whole = (folder / name).read_bytes()
    for length in (0, 1, 7, len(whole) // 2, len(whole) - 1):
        (folder / name).write_bytes(whole[:length])
        refused(folder, name)
    (folder / name).unlink()
    refused(folder, name, "training wrote")
    (folder / name).mkdir()
    refused(folder, JSON)


@pytest.mark.parametrize("name", [JSON, STATE, ARGUMENTS])
def test_a_flipped_bit_anywhere_is_an_error(name: str, folder: Path) -> None:
    whole = (folder / name).read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 1000)):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        (folder / name).write_bytes(changed)
        with pytest.raises(SaltusError) as caught:
            Chain.load(folder)
        assert_one_sentence(caught.value)
    (folder / name).write_bytes(whole)
    Chain.load(folder)


def test_weights_of_another_run_are_an_error(tmp_path: Path) -> None:
    for name in ("one", "two"):
        Chain(StandardNormal(), Levels([0, 1]), gaussian()).save(tmp_path / name)
    os.replace(tmp_path / "two" / STATE, tmp_path / "one" / STATE)
    refused(tmp_path / "one", STATE, "another training")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b'{"format": 2, "chain": "\xff"}',
        b'{"format": 2, "digest": "\\ud800"}',
        b"not JSON",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"format": ' + b"9" * 5000 + b"}",
        b'{"format": NaN}',
        b"[2]",
        b"null",
        b"{}",
        b'{"format": "2"}',
        b'{"format": true}',
        b'{"format": 2.5}',
        b'{"format": 0}',
        b'{"format": 1}',
        b'{"format": 2}',
        b'{"format": 2, "digest": 3}',
        b'{"format": 1, "shared": {"a": "b"}, "chain": 3}',
    ],
    ids=lambda content: content[:30].decode(errors="replace"),
)
def test_what_is_no_document_is_an_error(content: bytes, folder: Path) -> None:
    (folder / JSON).write_bytes(content)
    refused(folder, JSON)


# ------------------------------------------------------------------------------------------- files with an author


NUMBER_TOO_LARGE = 10**4000
NETWORK = "kernels.network.backbone"


def no_change(document: Any) -> None:
    """What follows refuses changes for what they are, not for how they are made."""


@pytest.mark.parametrize("name", ["gaussian", "mixture", "one thrice"])
def test_a_forged_file_without_a_change_is_read(name: str, tmp_path: Path) -> None:
    chain_of(name).save(tmp_path)
    forge(tmp_path / JSON, no_change)
    assert torch.equal(Chain.load(tmp_path).sample(3, seed=0), chain_of(name).sample(3, seed=0))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda document: document.update(format=99), "newer saltus"),
        (lambda document: document["chain"].update({"class": "Unheard"}), "Unheard"),
        (lambda document: document["chain"].update({"class": "os:system"}), "os:system"),
        (lambda document: document["chain"].update({"class": "Kernel"}), "Kernel"),
        (lambda document: document["chain"].update({"class": "a" * 10_000}), "not known"),
        (lambda document: document["chain"].update({"class": 3}), "nothing that is there"),
        (lambda document: document.update(chain=document["chain"]["arguments"]["levels"]), "Levels"),
        (lambda document: document.update(chain=[]), "anything"),
        (lambda document: document.pop("chain"), "anything"),
        (lambda document: document.update(files=[]), "other files"),
        (lambda document: document.update(files={"../" + STATE: ""}), "other files"),
        (lambda document: document.update(files={}), "go together"),
        (lambda document: document.update(files={**document["files"], ARGUMENTS: ""}), ARGUMENTS),
        (lambda document: document.update(dtypes=3), "float32"),
        (lambda document: document.update(dtypes=[{}, "int64"]), "float32"),
        (lambda document: document["chain"]["arguments"].pop("levels"), "levels"),
        (set_argument("grid", 3), "grid"),
        (set_argument("self", 3), "self"),
        (set_argument("levels", {"same": 999}), "999"),
        (set_argument("levels", {"same": -1}), "-1"),
        (set_argument("levels", {"same": 0}), "same"),
        (set_argument("levels", {"same": "0"}), "same"),
        (set_argument("levels", {"tensor": "argument.7"}), "argument.7"),
        (set_argument("levels", {"number": "seven"}), "seven"),
        (set_argument("levels", {"mapping": {}}), "levels"),
        (set_argument("levels", {"class": "Levels"}), "Levels"),
        (set_argument("levels", [0, 1]), "Levels"),
        (set_argument("prior", "a string"), "prior"),
        (set_argument("prior", None), "prior"),
        (set_argument("prior", {"class": "Levels", "arguments": {"times": [0, 1]}}), "prior"),
        (set_argument("scaling", "1.5"), "scaling"),
        (set_argument("kernels", []), "kernels"),
        (set_argument("kernels", ["a"]), "kernels"),
        (set_argument("kernels.head", 3), "head"),
        (set_argument("levels.times", "01"), "times"),
        (set_argument("levels.times", [0, "1"]), "times"),
        (set_argument("levels.times", [0, {"number": "inf"}]), "Levels"),
        (set_argument("levels.times", [0, {"number": "nan"}]), "Levels"),
        (set_argument("kernels.variance", "unheard"), "unheard"),
        (set_argument(f"{NETWORK}.width", "8"), "width"),
        (set_argument(f"{NETWORK}.width", 1.5), "MLP"),
        (set_argument(f"{NETWORK}.width", -1), "MLP"),
        (set_argument(f"{NETWORK}.width", NUMBER_TOO_LARGE), "MLP"),
        (set_argument(f"{NETWORK}.width", 7), "shape"),
        (set_argument(f"{NETWORK}.depth", 7), "missing or too many"),
        (set_argument(f"{NETWORK}.depth", 0), "depth is 0"),
        (set_argument(f"{NETWORK}.event_shape", [[2]]), "event_shape"),
        (set_argument("kernels.network.variance", 0), "variance"),
    ],
)
def test_a_document_that_says_what_cannot_be_is_an_error(change: Callable[[Any], object], word: str, tmp_path: Path) -> None:
    chain_of("gaussian").save(tmp_path)
    forge(tmp_path / JSON, change)
    refused(tmp_path, word)


def another(tensors: dict[str, Tensor], change: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    key = min(key for key in tensors if key.endswith("weight"))
    return {**tensors, key: change(tensors[key])}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda tensors: dict(list(tensors.items())[1:]), "missing"),
        (lambda _: {}, "missing"),
        (lambda tensors: {**tensors, "more": torch.zeros(1)}, "more"),
        (lambda tensors: another(tensors, lambda x: x[:-1].clone()), "shape"),
        (lambda tensors: another(tensors, lambda x: x[None]), "shape"),
        (lambda tensors: another(tensors, lambda x: x.double()), "float64"),
        (lambda tensors: another(tensors, lambda x: x.half()), "float16"),
        (lambda tensors: another(tensors, lambda x: x.long()), "int64"),
        (lambda tensors: another(tensors, lambda x: x.to(torch.complex64)), "unknown"),
        (lambda tensors: tensors | {"kernels.0.calibrated_error": torch.zeros(2, 2, dtype=torch.float64)}, "calibrated_error"),
        (lambda tensors: tensors | {"kernels.0.calibrated_error": torch.zeros(2, dtype=torch.int64)}, "calibrated_error"),
    ],
)
def test_a_state_that_does_not_fit_is_an_error(change: Callable[[dict[str, Tensor]], dict[str, Tensor]], word: str, tmp_path: Path) -> None:
    chain_of("gaussian").save(tmp_path)
    save_file(change(load_file(tmp_path / STATE)), tmp_path / STATE)
    forge(tmp_path / JSON, no_change)
    refused(tmp_path, word)


def test_arguments_that_do_not_fit_are_an_error(folder: Path) -> None:
    tensors = load_file(folder / ARGUMENTS)
    for changed, word in [
        (tensors | {"argument.9": torch.zeros(1)}, "argument.9"),
        (dict(list(tensors.items())[1:]), "argument.0"),
        ({key: value[..., :1].clone() for key, value in tensors.items()}, "GaussianMixture"),
    ]:
        save_file(changed, folder / ARGUMENTS)
        forge(folder / JSON, no_change)
        refused(folder, word)


def test_bytes_that_are_no_tensors_are_an_error(folder: Path) -> None:
    for name in (STATE, ARGUMENTS):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(b"\xff" * 100)
        forge(folder / JSON, no_change)
        refused(folder, JSON)
        (folder / name).write_bytes(whole)


def test_shapes_are_compared_before_memory_is_taken(tmp_path: Path) -> None:
    Chain(StandardNormal(), Levels([0, 1]), gaussian()).save(tmp_path)
    forge(tmp_path / JSON, set_argument(f"{NETWORK}.width", 100_000))  # 40 GB for a layer
    peak = Peak()
    refused(tmp_path, "shape")
    assert peak.mebibytes < 100


def test_no_number_is_read_of_a_state_that_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain_of("gaussian").save(tmp_path)
    made: list[Any] = []
    keep = storage._built
    monkeypatch.setattr(storage, "_built", lambda *given: made.append(keep(*given)) or made[-1])
    forge(tmp_path / JSON, set_argument(f"{NETWORK}.width", 7))
    refused(tmp_path, "shape")
    assert all(parameter.is_meta for parameter in made[0].parameters())
    forge(tmp_path / JSON, set_argument(f"{NETWORK}.width", 128))
    Chain.load(tmp_path)
    assert not any(parameter.is_meta for parameter in made[1].parameters())  # or the check above could not fail


class Forgetful(Configurable, nn.Module):
    """Has tensors that its state does not hold."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        if kind == "buffer":
            self.register_buffer("left", torch.ones(2), persistent=False)
        else:
            self.left = torch.ones(2)


class Curious(Configurable, nn.Module):
    """Reads a tensor's value in its constructor."""

    def __init__(self) -> None:
        super().__init__()
        self.number = torch.ones(2).sum().item()


@pytest.mark.parametrize(("thing", "word"), [(Forgetful("buffer"), "left"), (Forgetful("tensor"), "left"), (Curious(), "Curious")])
def test_a_module_that_its_state_does_not_make_whole_is_an_error(thing: Configurable, word: str, tmp_path: Path) -> None:
    write(thing, tmp_path, "thing")
    with pytest.raises(SaltusError) as caught:
        read(tmp_path, "thing")
    assert_one_sentence(caught.value, word)


def test_a_file_imports_nothing(tmp_path: Path) -> None:
    names = ("saltus.__main__", "saltus.__main__:main", "os:system", "saltus.cli.main", "this")
    for name in names:
        chain_of("gaussian").save(tmp_path / name)
        forge(tmp_path / name / JSON, lambda document, name=name: document["chain"].update({"class": name}))
    code = (
        "import sys; from saltus.chain import Chain\n"
        "for folder in sys.argv[1:]:\n"
        "    try: Chain.load(folder)\n"
        "    except ValueError as error: print(type(error).__name__)\n"
        "print({'saltus.__main__', 'saltus.cli', 'this'} & set(sys.modules))"
    )
    folders = [str(tmp_path / name) for name in names]
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code, *folders], capture_output=True, text=True, check=True)
    assert done.stdout == "SaltusError\n" * len(names) + "set()\n"

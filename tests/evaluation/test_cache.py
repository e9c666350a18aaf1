"""A cache returns what was put there; whatever happens to it costs a warning and never a wrong figure."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import saltus.evaluation.cache as module
from saltus.evaluation.cache import cached
from saltus.registry import Configurable


class Weights(Configurable, nn.Module):
    """Some numbers."""

    values: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("values", torch.arange(float(size)))


class Other(Configurable):
    """Something else."""

    def __init__(self) -> None: ...


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SALTUS_CACHE", str(tmp_path))
    return tmp_path / "weights" / "key"


class Maker:
    """Counts how often it is asked."""

    def __init__(self, size: int = 5) -> None:
        self.size, self.calls = size, 0

    def __call__(self) -> Weights:
        self.calls += 1
        return Weights(self.size)


def fetch(make: Maker) -> Weights:
    return cached(Weights, "weights", "key", make)


def test_a_thing_is_made_once_for_each_key() -> None:
    make = Maker()
    first, again = fetch(make), fetch(make)
    assert make.calls == 1
    assert torch.equal(first.values, again.values)
    cached(Weights, "weights", "another", make)
    cached(Weights, "others", "key", make)
    assert make.calls == 3


def flip_a_number(folder: Path) -> None:
    file = folder / "weights.safetensors"
    whole = bytearray(file.read_bytes())
    whole[-3] ^= 64
    file.write_bytes(bytes(whole))


def cut(folder: Path) -> None:
    (folder / "weights.safetensors").write_bytes((folder / "weights.safetensors").read_bytes()[:20])


def change_the_description(folder: Path) -> None:
    file = folder / "weights.json"
    file.write_text(file.read_text().replace('"size": 5', '"size": 4'))


def make_a_folder_of_a_file(folder: Path) -> None:
    (folder / "weights.json").unlink()
    (folder / "weights.json").mkdir()


DAMAGES: list[Callable[[Path], None]] = [
    flip_a_number,
    cut,
    change_the_description,
    lambda folder: (folder / "weights.safetensors").unlink(),
    lambda folder: (folder / "weights.json").write_bytes(b"\xff\xfe"),
    lambda folder: (folder / "weights.json").write_text("{}"),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_made_again_with_one_warning(damage: Callable[[Path], None], folder: Path) -> None:
    make = Maker()
    fetch(make)
    damage(folder)
    with pytest.warns(UserWarning, match="cannot be used") as caught:
        found = fetch(make)
    assert len(caught) == 1
    assert make.calls == 2
    assert torch.equal(found.values, torch.arange(5.0))
    assert torch.equal(fetch(make).values, torch.arange(5.0))  # mended, without a warning
    assert make.calls == 2


def test_what_was_written_half_is_made_again_without_a_warning(folder: Path) -> None:
    make = Maker()
    fetch(make)
    (folder / "weights.json").unlink()
    fetch(make)
    assert make.calls == 2


def test_a_thing_of_another_kind_is_not_returned() -> None:
    cached(Other, "weights", "key", Other)
    with pytest.warns(UserWarning, match="it is a Other; remove it"):
        assert isinstance(fetch(Maker()), Weights)


def test_a_cache_that_cannot_be_written_is_gone_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SALTUS_CACHE", str(tmp_path / "file"))
    make = Maker()
    for calls in (1, 2):
        with pytest.warns(UserWarning, match="nothing can be kept in .* set SALTUS_CACHE to a folder") as caught:
            assert torch.equal(fetch(make).values, torch.arange(5.0))
        assert len(caught) == 1
        assert make.calls == calls


def test_a_cache_that_can_be_neither_read_nor_written_warns_once(folder: Path) -> None:
    make = Maker()
    fetch(make)
    make_a_folder_of_a_file(folder)
    with pytest.warns(UserWarning, match="weights") as caught:
        assert torch.equal(fetch(make).values, torch.arange(5.0))
    assert len(caught) == 1


def test_a_cache_that_cannot_be_read_is_gone_without(monkeypatch: pytest.MonkeyPatch) -> None:
    make = Maker()
    fetch(make)

    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module, "read", forbidden)
    with pytest.warns(UserWarning, match="Permission denied"):
        assert torch.equal(fetch(make).values, torch.arange(5.0))


def test_without_a_setting_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SALTUS_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path / "home")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fetch(Maker())
    assert (tmp_path / "home" / "weights" / "key" / "weights.json").is_file()

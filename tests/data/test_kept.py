"""What is too large for memory is unpacked once, into a folder that appears whole or not at all."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from saltus.data import Preparation, arrays, kept, load, stacking, zipped
from saltus.data.arrays import read_arrays
from saltus.data.folders import read_folder
from saltus.data.parts import Parts
from saltus.errors import SaltusError
from tests.helpers.checks import assert_one_sentence
from tests.helpers.raw import integers, save_images


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a process that holds hardly anything in memory."""
    monkeypatch.setenv("SALTUS_CACHE", str(tmp_path / "cache"))
    for module in (arrays, stacking, zipped):
        monkeypatch.setattr(module, "MOST_UNPACKED", 1000)
    return tmp_path / "cache" / "items"


def same(one: Parts, other: Parts) -> bool:
    return all(np.array_equal(a, b) if a is not None and b is not None else a is b for a, b in zip(one.each, other.each, strict=True))


def test_a_folder_is_unpacked_once_and_mapped(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = integers(120, (9, 8))
    for k, place in enumerate(("train/apes", "train/bees", "test/bees")):
        save_images(tmp_path / "pets" / place, raw[40 * k : 40 * k + 40])
    (tmp_path / "pets" / "train" / "apes" / "0000.png").write_bytes(b"text")
    first = read_folder(tmp_path / "pets")
    assert isinstance(first.train, np.memmap)
    np.testing.assert_array_equal(first.train, raw[1:80])
    np.testing.assert_array_equal(first.test, raw[80:])
    assert first.validation is None
    assert first.labels is not None
    assert first.labels.test is not None
    assert (np.bincount(first.labels.train).tolist(), set(first.labels.test)) == ([39, 40], {1})
    assert first.classes == ("apes", "bees")
    (folder,) = cache.iterdir()
    assert first.notes[0].startswith("1 of 120 images cannot be read")
    assert first.notes[1] == f"the items are kept, unpacked, in {folder}"
    (tmp_path / "pets" / "notes.txt").touch()
    with monkeypatch.context() as patched:
        patched.setattr(stacking, "_stacked", None)  # is not done again
        again = read_folder(tmp_path / "pets")
    assert same(again, first)
    assert again.notes == (*first.notes, "passed over in pets: 1 .txt")
    save_images(tmp_path / "pets" / "test" / "bees", raw[:1])  # which changes a file
    assert not same(read_folder(tmp_path / "pets"), first)
    read_folder(tmp_path / "pets", Preparation(size=8))
    assert len(list(cache.iterdir())) == 3
    assert load(tmp_path / "pets", condition="labels").event_shape == (1, 9, 8)


def test_arrays_of_files_are_mapped_or_unpacked(tmp_path: Path, cache: Path) -> None:
    raw = integers(60)
    np.save(tmp_path / "a.npy", raw)
    assert isinstance(read_arrays(tmp_path / "a.npy").train, np.memmap)
    assert not cache.exists()
    turned = np.asfortranarray(integers(50, seed=1))
    np.savez_compressed(tmp_path / "a.npz", train=raw, test=turned, train_labels=np.arange(60) % 2, test_labels=np.arange(50) % 2)
    parts = read_arrays(tmp_path / "a.npz")
    np.testing.assert_array_equal(parts.train, raw)
    np.testing.assert_array_equal(parts.test, turned)
    assert isinstance(parts.train, np.memmap)
    assert parts.labels is not None
    assert len(parts.notes) == len(list(cache.iterdir())) == 2
    assert same(read_arrays(tmp_path / "a.npz"), parts)


@pytest.mark.parametrize("wrong", ["objects", "cut short", "a flipped byte"])
def test_an_array_that_cannot_be_unpacked_leaves_nothing(tmp_path: Path, cache: Path, wrong: str) -> None:
    raw = np.array([{"a": 1}] * 900) if wrong == "objects" else integers(60)
    np.savez(tmp_path / "a.npz", raw, allow_pickle=True)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    if wrong == "cut short":
        content = content[:2000]
    if wrong == "a flipped byte":
        content[2000] ^= 0xFF
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(SaltusError) as caught:
        load(tmp_path / "a.npz")
    assert_one_sentence(caught.value, "a.npz")
    assert not cache.exists() or not list(cache.iterdir())


def test_without_room_it_is_told_before_anything_is_unpacked(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_images(tmp_path / "pets", integers(60, (9, 8)))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, kept._LEFT + 4319))
    with pytest.raises(SaltusError) as caught:
        load(tmp_path / "pets")
    assert_one_sentence(caught.value, "set SALTUS_CACHE to a folder on a larger disk")
    assert not cache.exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, kept._LEFT + 4320))
    load(tmp_path / "pets")


def test_a_cache_that_cannot_be_written_or_read_is_told(tmp_path: Path, cache: Path) -> None:
    save_images(tmp_path / "pets", integers(60, (9, 8)))
    cache.parent.write_text("no folder")
    with pytest.raises(SaltusError) as caught:
        load(tmp_path / "pets")
    assert_one_sentence(caught.value, "set SALTUS_CACHE to a folder with room")
    cache.parent.unlink()
    load(tmp_path / "pets")
    (folder,) = cache.iterdir()
    (folder / "parts.json").write_text('{"items": {"train": 60}}')
    with pytest.raises(SaltusError) as caught:
        load(tmp_path / "pets")
    assert_one_sentence(caught.value, f"{folder} is damaged; remove it")

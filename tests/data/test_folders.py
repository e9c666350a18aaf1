"""Folders of images: classes and parts at any depth, what is passed over, and how they are made alike again."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from saltus.data import Preparation, load, read_items
from saltus.data.folders import read_folder
from tests.helpers.raw import integers, save_images


def test_classes_are_folders_of_any_depth(tmp_path: Path) -> None:
    raw = integers(90, (9, 8))
    for k, place in enumerate(("apes/old/red", "apes/new", "bees")):
        save_images(tmp_path / place, raw[30 * k : 30 * k + 30])
    (tmp_path / "apes" / "old" / "notes.txt").touch()
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    parts = read_folder(tmp_path)
    assert parts.classes == ("apes", "bees")
    assert parts.labels is not None
    assert np.bincount(parts.labels.train).tolist() == [60, 30]
    np.testing.assert_array_equal(parts.train[60:], raw[60:])
    assert parts.notes == (f"passed over in {tmp_path.name}: 1 .txt, 1 a folder inside",)


def test_folders_that_are_named_like_parts_are_parts(tmp_path: Path) -> None:
    raw = integers(120, (9, 8))
    for k, place in enumerate(("train/apes", "train/bees", "val/bees", "test/apes")):
        save_images(tmp_path / place, raw[30 * k : 30 * k + 30])
    data = load(tmp_path, condition="labels")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [60, 30, 30]
    assert data.labels is not None
    assert data.labels.names == ("apes", "bees")
    assert set(data.labels.validation.tolist()) == {1}
    np.testing.assert_array_equal(data.encoding.decode(data.test), raw[90:])
    save_images(tmp_path / "bare" / "Training", raw[:60])
    save_images(tmp_path / "bare" / "testing", raw[60:90])
    bare = read_folder(tmp_path / "bare")
    assert bare.labels is None
    assert bare.validation is None
    np.testing.assert_array_equal(bare.test, raw[60:90])


def test_all_images_of_all_folders_where_asked(tmp_path: Path) -> None:
    raw = integers(90, (9, 8))
    save_images(tmp_path, raw[:60])
    save_images(tmp_path / "more" / "and more", raw[60:])
    os.symlink(tmp_path, tmp_path / "more" / "back", target_is_directory=True)
    assert len(read_folder(tmp_path).train) == 60
    whole = read_folder(tmp_path, Preparation(recursive=True))
    np.testing.assert_array_equal(whole.train, raw)
    assert whole.labels is None
    assert whole.notes == (f"passed over in {tmp_path.name}: 1 a folder inside",)  # the link


def test_what_cannot_be_read_loses_no_label(tmp_path: Path) -> None:
    raw = integers(90, (9, 8))
    save_images(tmp_path / "apes", raw[:45])
    save_images(tmp_path / "bees", raw[45:])
    (tmp_path / "apes" / "0007.png").write_bytes(b"text")
    (tmp_path / "bees" / "0000.png").write_bytes(b"text")
    parts = read_folder(tmp_path)
    assert parts.labels is not None
    assert np.bincount(parts.labels.train).tolist() == [44, 44]
    np.testing.assert_array_equal(parts.train, np.delete(raw, [7, 45], axis=0))
    words = "apes/0007.png (of no known format), bees/0000.png (of no known format)"
    assert parts.notes == (f"2 of 90 images cannot be read and are left out: {words}",)


@pytest.mark.skipif(os.name != "posix", reason="other systems refuse such names")
def test_names_of_any_kind(tmp_path: Path) -> None:
    raw = integers(60, (9, 8))
    for name, items in ((b"gr\xf6\xdfe".decode("utf-8", "surrogateescape"), raw[:30]), ("\x1b[31m \u4e2d", raw[30:])):
        save_images(tmp_path / name, items)
    parts = read_folder(tmp_path)
    assert parts.classes == ("\\x1b[31m \u4e2d", "gr\\udcf6\\udcdfe")
    load(tmp_path, condition="labels")


def test_the_same_preparation_reads_the_same_items(tmp_path: Path) -> None:
    for k in range(60):
        Image.fromarray(integers(1, (16 + k % 3, 16 + k % 5, 3), seed=k)[0]).save(tmp_path / f"{k:02}.png")
    asked = Preparation(size=(8, 10), crop=True, channels=1)
    data = load(tmp_path, preparation=asked)
    assert data.event_shape == (1, 8, 10)
    assert data.origin["preparation"] == {"size": [8, 10], "crop": True, "channels": 1}
    assert load(tmp_path, preparation=Preparation.of(data.origin["preparation"])).fingerprint == data.fingerprint
    assert read_items(tmp_path, preparation=asked).shape == (60, 8, 10)

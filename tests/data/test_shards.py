"""Shards of tar files: images by their keys, with classes, in the order of the members, and nothing on the disk."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from saltus.data import Preparation, load, stacking
from saltus.data.readers import read_place
from saltus.data.shards import shards_at
from saltus.errors import SaltusError
from tests.helpers.checks import assert_one_sentence
from tests.helpers.raw import integers

RAW = integers(90, (9, 8))


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def write(path: Path, members: dict[str, bytes], mode: str = "w") -> None:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def shard(path: Path, first: int, last: int, label: str | None = "{}", mode: str = "w") -> None:
    members = {}
    for k in range(first, last):
        members[f"./a.b/{k:04}.png"] = png(RAW[k])
        if label is not None:
            members[f"./a.b/{k:04}.cls"] = label.format(k % 3).encode()
    write(path, members, mode)


def test_a_folder_a_range_and_one_file(tmp_path: Path) -> None:
    for number in range(3):
        shard(tmp_path / f"s-{number:03}.tar", 30 * number, 30 * number + 30)
    (tmp_path / ".hidden.tar").write_bytes(b"no tar")
    for place, n in (
        (tmp_path, 90),
        (tmp_path / "s-{000..002}.tar", 90),
        (tmp_path / "s-{001..002}.tar", 60),
        (tmp_path / "s-000.tar", 30),
    ):
        parts = read_place(place)
        first = 30 if "001.." in place.name else 0
        np.testing.assert_array_equal(parts.train, RAW[first : first + n])
        assert parts.labels is not None
        np.testing.assert_array_equal(parts.labels.train, np.arange(first, first + n) % 3)
        assert (parts.notes, parts.classes) == ((), ())
    data = load(str(tmp_path / "s-{000..002}.tar"), condition="labels")
    assert data.source == str(tmp_path / "s-{000..002}.tar")
    assert data.condition is not None


@pytest.mark.parametrize("ending", [".tar.gz", ".tgz"])
def test_gzipped_shards_of_named_classes(tmp_path: Path, ending: str) -> None:
    shard(tmp_path / f"s{ending}", 0, 60, "kind {}", "w:gz")
    parts = read_place(tmp_path / f"s{ending}")
    assert parts.classes == ("kind 0", "kind 1", "kind 2")
    assert parts.labels is not None
    np.testing.assert_array_equal(parts.labels.train, np.arange(60) % 3)


def test_what_is_passed_over_is_counted(tmp_path: Path) -> None:
    members = {f"{k}.png": png(RAW[k]) for k in range(60)}
    members |= {"0.cls": b"3", "1.json": b"{}", "2.json": b"{}", "3.jpg": png(RAW[3]), "readme": b"", "7.seg.png": png(RAW[7])}
    members["5.png"] = b"text"
    write(tmp_path / "s.tar", members)
    with tarfile.open(tmp_path / "s.tar", "a") as archive:
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        again = tarfile.TarInfo("4.png")
        again.size = len(png(RAW[0]))
        archive.addfile(again, io.BytesIO(png(RAW[0])))
    parts = read_place(tmp_path / "s.tar")
    np.testing.assert_array_equal(parts.train, np.delete(RAW[:60], 5, axis=0))
    assert parts.labels is None
    assert parts.notes == (
        "1 of 60 images cannot be read and are left out: s.tar/5.png (of no known format)",
        "58 images have no label, so that labels are not used",
        "passed over in the shards: 2 .json, 1 .seg.png, 2 image beside another, 1 no regular file, 1 without an ending",
    )
    assert load(tmp_path / "s.tar", preparation=Preparation(size=16)).event_shape == (1, 16, 16)


def test_many_are_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALTUS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(stacking, "MOST_UNPACKED", 1000)
    shard(tmp_path / "s.tar", 0, 60)
    for _ in range(2):
        parts = read_place(tmp_path / "s.tar")
        assert isinstance(parts.train, np.memmap)
        np.testing.assert_array_equal(parts.train, RAW[:60])
    assert len(list((tmp_path / "cache" / "items").iterdir())) == 1


def test_folders_of_images_may_hold_tar_files(tmp_path: Path) -> None:
    (tmp_path / "s.tar").write_bytes(b"no tar")
    assert shards_at(tmp_path) == [tmp_path / "s.tar"]
    (tmp_path / "apes").mkdir()
    assert shards_at(tmp_path) == []
    assert shards_at(tmp_path / "x.png") == shards_at(tmp_path / "a{0..3}.png") == []


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("s-{000..009}.tar", "s-001.tar is not there; expected 10 shards"),
        ("s-{3..1}.tar", "the range {3..1} names no shards"),
        ("s-{0..999999999}.tar", "names no shards"),
        ("bad.tar", "bad.tar cannot be read as a tar file"),
        ("half.tar", "half.tar cannot be read as a tar file"),
        ("half.tar.gz", "half.tar.gz cannot be read as a tar file"),
        ("none.tar", "there is no image in 1 shards"),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence(tmp_path: Path, place: str, words: str) -> None:
    shard(tmp_path / "s-000.tar", 0, 30)
    (tmp_path / "bad.tar").write_bytes(b"no tar" * 100)
    (tmp_path / "half.tar").write_bytes((tmp_path / "s-000.tar").read_bytes()[:10_300])
    shard(tmp_path / "whole.tar.gz", 0, 30, mode="w:gz")
    (tmp_path / "half.tar.gz").write_bytes((tmp_path / "whole.tar.gz").read_bytes()[:1500])
    write(tmp_path / "none.tar", {"a.txt": b""})
    with pytest.raises(SaltusError) as caught:
        read_place(tmp_path / place)
    assert_one_sentence(caught.value, words)

"""Archives that are hostile are refused as a whole, in one sentence, and nothing of them stays; those of images are unpacked."""

from __future__ import annotations

import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from saltus.errors import SaltusError
from saltus.studio import archives
from saltus.studio.archives import unpacked
from saltus.studio.limits import Limits
from tests.helpers.archives import packed, png
from tests.helpers.checks import assert_one_sentence
from tests.helpers.studio import huge_png

LIMITS = Limits()


def test_images_are_unpacked_and_all_else_is_counted(tmp_path: Path) -> None:
    contents = {"a/1.png": png(), "a/2.PNG": png(), "b/3.png": png(), "a/x.html": b"<script>", "run.py": b"", "__MACOSX/a/._1.png": b""}
    notes = unpacked(packed(tmp_path / "a.zip", contents), tmp_path / "out", LIMITS)
    found = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert found == ["a/1.png", "a/2.PNG", "b/3.png"]
    assert notes == ["passed over in the zip: 1 .html, 1 .py, 1 hidden"]
    assert (tmp_path / "out" / "a" / "1.png").read_bytes() == png()


def test_one_table_is_unpacked_where_there_is_no_image(tmp_path: Path) -> None:
    assert unpacked(packed(tmp_path / "a.zip", {"in/rows.CSV": b"1\n", "read.me": b""}), tmp_path / "out", LIMITS) == [
        "passed over in the zip: 1 .me"
    ]
    assert (tmp_path / "out" / "in" / "rows.CSV").read_bytes() == b"1\n"
    both = packed(tmp_path / "b.zip", {"rows.csv": b"1\n", "1.png": png()})
    assert unpacked(both, tmp_path / "images", LIMITS) == ["passed over in the zip: 1 .csv"]
    assert [place.name for place in (tmp_path / "images").iterdir()] == ["1.png"]


@pytest.mark.parametrize(
    "name", ["../out.png", "a/../../out.png", "/out.png", "C:/out.png", "..\\out.png", "a\\..\\..\\out.png", "\\out.png"]
)
def test_a_name_that_leads_out_is_refused(name: str, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(SaltusError) as caught:
        unpacked(packed(inside / "a.zip", {"1.png": png(), name: png()}), inside / "out", LIMITS)
    assert_one_sentence(caught.value, "leads out of its folder")
    assert [path.name for path in tmp_path.rglob("*")] == ["inside", "a.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_link_or_a_device_is_refused(kind: int, tmp_path: Path) -> None:
    with pytest.raises(SaltusError) as caught:
        unpacked(packed(tmp_path / "a.zip", {"1.png": b"/etc/passwd"}, kind), tmp_path / "out", LIMITS)
    assert_one_sentence(caught.value, "a link or a device")
    assert not (tmp_path / "out").exists()


def test_bombs_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    """One by its ratio and one by its bytes in all; the twin with room for it is unpacked."""
    bomb = packed(tmp_path / "a.zip", {"1.png": b"\0" * 2**24})
    assert bomb.stat().st_size < 2**16
    with pytest.raises(SaltusError) as caught:
        unpacked(bomb, tmp_path / "out", LIMITS)
    assert_one_sentence(caught.value, "times its size")
    many = packed(tmp_path / "b.zip", {f"{k}.png": png(64) + bytes(2**15) for k in range(20)})
    with pytest.raises(SaltusError) as caught:
        unpacked(many, tmp_path / "out", replace(LIMITS, unpacked_bytes=2**18))
    assert_one_sentence(caught.value, "unpacks to more than 262,144 bytes")
    assert not (tmp_path / "out").exists()
    assert unpacked(many, tmp_path / "out", LIMITS) == []


def test_sizes_that_the_archive_declares_are_not_trusted(tmp_path: Path) -> None:
    file = packed(tmp_path / "a.zip", {"1.png": b"\0" * 2**24})
    raw = file.read_bytes()
    file.write_bytes(raw.replace((2**24).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    assert zipfile.ZipFile(file).infolist()[0].file_size == 100
    with pytest.raises(SaltusError) as caught:
        unpacked(file, tmp_path / "out", LIMITS)
    assert_one_sentence(caught.value)
    assert not (tmp_path / "out").exists()


def test_an_image_that_says_it_is_huge_is_refused(tmp_path: Path) -> None:
    for side in (10**5, 5000):
        with pytest.raises(SaltusError) as caught:
            unpacked(packed(tmp_path / "a.zip", {"1.png": huge_png(side, side)}), tmp_path / "out", LIMITS)
        assert_one_sentence(caught.value, "unpacks to more than 16,777,216 pixels")
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ({}, "holds no image, nothing"),
        ({"a.txt": b"1", "b.exe": b"2"}, "only 1 .exe, 1 .txt"),
        ({"a.csv": b"1", "b/c.parquet": b"2"}, "2 tables and no image"),
        ({f"{'a/' * 9}1.png": b""}, "too many folders"),
        ({f"{'a' * 300}.png": b""}, "too long"),
        ({"1.png": b"1", "1.png/2.png": b"2"}, "a file inside of another file, 1.png/2.png"),
        ({"1.png/2.png": b"2", "1.png": b"1"}, "a file inside of another file, 1.png/2.png"),
    ],
)
def test_other_archives_are_refused(contents: Mapping[str, bytes], words: str, tmp_path: Path) -> None:
    with pytest.raises(SaltusError) as caught:
        unpacked(packed(tmp_path / "a.zip", contents), tmp_path / "out", LIMITS)
    assert_one_sentence(caught.value, words)
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_and_too_many_files_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("1.png", png())
        archive.writestr("1.png", png(4))
    with pytest.raises(SaltusError) as caught:
        unpacked(tmp_path / "a.zip", tmp_path / "out", LIMITS)
    assert_one_sentence(caught.value, "two files named 1.png")
    with pytest.raises(SaltusError) as caught:
        unpacked(packed(tmp_path / "b.zip", {f"{k}.png": b"" for k in range(4)}), tmp_path / "out", replace(LIMITS, files=3))
    assert_one_sentence(caught.value, "more than 3 files")


@pytest.mark.parametrize("declared", [0, 1, 2**16 - 1])
def test_a_directory_of_very_many_files_is_not_parsed(declared: int, tmp_path: Path) -> None:
    """Whatever it says of their number: in little memory, and the parser alone would take them all."""
    n, file = 200_000, tmp_path / "a.zip"
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0) + b"1.png"
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, declared, declared, n * len(entry), 0, 0)
    file.write_bytes(n * entry + end)
    tracemalloc.start()
    with pytest.raises(SaltusError) as caught:
        unpacked(file, tmp_path / "out", LIMITS)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert_one_sentence(caught.value, "more than 20,000 files")
    assert most < 2**20 < file.stat().st_size
    file.write_bytes(30 * entry + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, declared, declared, 30 * len(entry), 0, 0))
    assert len(zipfile.ZipFile(file).infolist()) == 30


def test_what_the_system_says_names_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "secret"))

    monkeypatch.setattr(archives, "_unpack", full)
    with pytest.raises(SaltusError) as caught:
        unpacked(packed(tmp_path / "a.zip", {"1.png": png()}), tmp_path / "out", LIMITS)
    assert_one_sentence(caught.value, "No space left on device")
    assert "secret" not in str(caught.value)


def test_a_damaged_or_protected_archive_is_refused(tmp_path: Path) -> None:
    file = packed(tmp_path / "a.zip", {"1.png": bytes(range(256)) * 40})
    raw = bytearray(file.read_bytes())
    raw[60] ^= 0xFF
    file.write_bytes(raw)
    with pytest.raises(SaltusError) as caught:
        unpacked(file, tmp_path / "out", LIMITS)
    assert_one_sentence(caught.value, "cannot be read")
    raw = bytearray(packed(file, {"1.png": png()}).read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1  # the flag of encryption in the directory
    file.write_bytes(raw)
    with pytest.raises(SaltusError) as caught:
        unpacked(file, tmp_path / "out", LIMITS)
    assert_one_sentence(caught.value, "password")
    assert not (tmp_path / "out").exists()

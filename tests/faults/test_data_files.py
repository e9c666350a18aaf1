"""Data of a hostile author: nothing of them runs, nothing is unpacked without bound, and each is one sentence with its name."""

from __future__ import annotations

import io
import os
import pickle
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saltus.data import load
from saltus.errors import SaltusError
from tests.helpers.checks import assert_one_sentence
from tests.helpers.memory import Peak

MEBIBYTES, SECONDS = 500, 20.0


class Evil:
    """Unpickling it makes a file."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.place / "pwned"),)


def header(shape: tuple[int, ...], descr: str = "<f4") -> bytes:
    """Of a .npy file of that shape."""
    written = io.BytesIO()
    np.lib.format.write_array_header_1_0(written, {"descr": descr, "fortran_order": False, "shape": shape})
    return written.getvalue()


def png(side: int) -> bytes:
    """A picture that claims that size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def one(name: str, content: Callable[[Path], bytes]) -> Callable[[Path], Path]:
    """A file."""

    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content(folder))
        return folder / name

    return write


def images(content: bytes) -> Callable[[Path], Path]:
    """A folder of files that say they are pictures."""

    def write(folder: Path) -> Path:
        for number in range(12):
            (folder / f"{number}.png").write_bytes(content)
        return folder

    return write


def links(folder: Path) -> Path:
    (folder / "a.png").symlink_to(folder / "a.png")
    os.mkfifo(folder / "b.png")
    return folder


def bomb(folder: Path) -> Path:
    """100 MB that say they are 5 TB."""
    with zipfile.ZipFile(folder / "b.npz", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("images.npy", "w", force_zip64=True) as file:
        file.write(header((5 * 10**6, 10**6), "|u1"))
        for _ in range(100):
            file.write(bytes(2**20))
    return folder / "b.npz"


def traversal(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "t.npz", "w") as archive:
        archive.writestr("../../pwned.npy", header((3,)) + bytes(12))
    return folder / "t.npz"


def objects(folder: Path) -> Path:
    np.savez(folder / "o.npz", images=np.array([Evil(folder), 1], object))
    return folder / "o.npz"


CODE = b"__import__('os').mkdir('pwned')\n"
CASES: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "nothing": (one("a.npy", lambda _: b""), ("a.npy", "cannot be read as arrays of numbers", "write it again")),
    "a million times a million": (one("a.npy", lambda _: header((10**6, 10**7))), ("a.npy", "cannot be read")),
    "a negative shape": (one("a.npy", lambda _: header((-5, 3))), ("a.npy", "cannot be read")),
    "a header of 2 GB": (one("a.npy", lambda _: b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + b"{"), ("a.npy", "cannot be read")),
    "a header of code": (one("a.npy", lambda _: b"\x93NUMPY\x01\x00" + struct.pack("<H", len(CODE)) + CODE), ("a.npy", "cannot be read")),
    "a pickle": (one("a.npy", lambda folder: pickle.dumps(Evil(folder))), ("a.npy", "it holds Python objects")),
    "a pickle of torch": (one("a.pt", lambda folder: pickle.dumps(Evil(folder))), ("files of the type .pt are not read",)),
    "a .pkl": (one("a.pkl", lambda folder: pickle.dumps(Evil(folder))), ("files of the type .pkl are not read",)),
    "objects in .npz": (objects, ("o.npz", "it holds Python objects")),
    "a zip bomb": (bomb, ("b.npz", "cannot be read")),
    "a path out of the archive": (traversal, ("t.npz", "shape (3,)")),
    "half an archive": (one("a.npz", lambda _: b"PK\x03\x04" + bytes(40)), ("a.npz", "cannot be read")),
    "a picture of 10^10 pixels": (images(png(100_000)), ("0.png", "exceeds limit", "repair or remove")),
    "a program for a printer": (
        images(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        ("0.png", "known format", "repair or remove"),
    ),
    "a text": (images(b"hello"), ("0.png", "known format")),
    "links in circles and pipes": (links, ("there is no image in this folder",)),
}


@pytest.mark.parametrize("name", CASES)
def test_hostile_data_are_one_sentence(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make, words = CASES[name]
    place = make(tmp_path)
    began, peak = time.monotonic(), Peak()
    with pytest.raises(SaltusError) as caught:
        load(place)
    assert_one_sentence(caught.value, *words)
    assert not list(tmp_path.rglob("pwned*"))
    assert not list(tmp_path.parent.glob("pwned*"))
    assert time.monotonic() - began < SECONDS
    assert peak.mebibytes < MEBIBYTES


def test_the_evil_thing_works(tmp_path: Path) -> None:
    """The twin: what is unpickled does run."""
    pickle.loads(pickle.dumps(Evil(tmp_path)))
    assert (tmp_path / "pwned").exists()

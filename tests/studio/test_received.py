"""Files that readers send: every hostile one is a sentence, before anything parses it."""

from __future__ import annotations

import gzip
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from saltus.errors import SaltusError
from saltus.studio.limits import Limits
from saltus.studio.received import Received, check_table, receive
from saltus.studio.workspace import Session, Workspace
from tests.helpers.archives import packed, png
from tests.helpers.checks import assert_one_sentence

LIMITS = Limits()


def sent(file: Path, limits: Limits = LIMITS) -> tuple[Received, Session]:
    workspace = Workspace(file.parent / "workspace", limits)
    session = workspace.session("a reader")
    return receive(file, session, workspace, limits), session


def refused(file: Path, *words: str, limits: Limits = LIMITS) -> None:
    with pytest.raises(SaltusError) as caught:
        sent(file, limits)
    assert_one_sentence(caught.value, *words)
    assert str(file.parent) not in str(caught.value)
    assert Workspace(file.parent / "workspace").session("a reader").data == []


def test_a_table_and_a_zip_are_kept(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    received, session = sent(tmp_path / "rows.csv")
    assert received == Received("rows.csv", [])
    assert (session.folder / "rows.csv").read_text() == "a,b\n1,2\n"
    received, _ = sent(packed(tmp_path / "shapes.zip", {"1.png": png()}))
    assert session.data == ["rows.csv", "shapes"]
    assert received.name == "shapes"


@pytest.mark.parametrize(("name", "inside"), [("my.csv.zip", "my.csv"), ("archive.zip", "in/my.csv")])
def test_a_zip_of_one_table_is_that_table(name: str, inside: str, tmp_path: Path) -> None:
    received, session = sent(packed(tmp_path / name, {inside: b"a,b\n1,2\n"}))
    assert received.name == "my.csv"
    assert session.data == ["my.csv"]
    assert (session.folder / "my.csv").read_text() == "a,b\n1,2\n"


def test_a_zip_of_a_table_is_looked_at_as_one(tmp_path: Path) -> None:
    """Its columns are counted; images in a zip that is named as a table are images."""
    refused(packed(tmp_path / "my.csv.zip", {"my.csv": b"".join(b"%d," % k for k in range(10_001))}), "more than 10,000 columns")
    received, session = sent(packed(tmp_path / "my.csv.zip", {"1.png": png()}))
    assert received.name == session.check_data("my") == "my"


def test_two_files_of_one_name_are_both_kept(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    for text, name in (("a\n1\n", "rows.csv"), ("a\n2\n", "rows-2.csv")):
        file.write_text(text)
        received, session = sent(file)
        assert received.name == name
        assert (session.folder / name).read_text() == text
    assert received.notes == ["it is kept as rows-2.csv"]


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>.csv", "-rf.csv", "..csv", "=1+1.csv", "$(id).csv"])
def test_hostile_names_are_replaced_and_that_is_said(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("a\n1\n")
    received, session = sent(tmp_path / name)
    assert (session.folder / received.name).read_text() == "a\n1\n"
    assert received.notes == [f"it is kept as {received.name}"]
    assert not set(received.name) & set("<>=$() ")


@pytest.mark.parametrize(("name", "content"), [("rows.xlsx", b"PK"), ("page.html", b"<p>"), ("noise", b"1"), ("model.pkl", b"1")])
def test_other_types_are_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, "expected a file that ends in")


def test_empty_and_large_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").touch()
    refused(tmp_path / "rows.csv", "is empty")
    (tmp_path / "rows.csv").write_bytes(bytes(1001))
    refused(tmp_path / "rows.csv", "1,001 bytes", "at most 1,000", limits=replace(LIMITS, upload_bytes=1000))


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shapes.zip").write_bytes(b"a,b\n1,2\n")
    refused(tmp_path / "shapes.zip", "no zip")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_table_of_ten_million_columns_is_refused_as_it_is_read(separator: str, tmp_path: Path) -> None:
    """In no more memory than a piece of it takes; the twin of as many columns as are looked at passes."""
    file = tmp_path / "rows.csv"
    file.write_bytes(f"1{separator}".encode() * 10**7)
    tracemalloc.start()
    refused(file, "more than 10,000 columns")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**23 < file.stat().st_size
    file.write_bytes(b"\n" + f"1{separator}".encode() * 9_999 + b"1\n" + f"1{separator}".encode() * 20_000)
    check_table(file, LIMITS)


def test_a_gzipped_bomb_and_what_is_not_gzipped_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv.gz"
    file.write_bytes(gzip.compress(b"a\n" + b"1\n" * 2**19))
    refused(file, "unpacks to more than 1,000,000 bytes", limits=replace(LIMITS, unpacked_bytes=10**6))
    whole = file.read_bytes()
    for content in (whole[: len(whole) // 2], b"a,b\n"):
        file.write_bytes(content)
        refused(file, "cannot be unpacked")
    file.write_bytes(gzip.compress(b"1," * 10**6))
    refused(file, "more than 10,000 columns")


def test_a_full_workspace_takes_nothing(tmp_path: Path) -> None:
    limits = replace(LIMITS, workspace_bytes=3)
    (tmp_path / "rows.csv").write_text("a\n1\n")
    sent(tmp_path / "rows.csv", limits)
    with pytest.raises(SaltusError) as caught:
        sent(tmp_path / "rows.csv", limits)
    assert_one_sentence(caught.value, "are kept")

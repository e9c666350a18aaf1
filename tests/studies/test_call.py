"""A folder is for one call and one process: another call is told what differs, and what did not begin leaves nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from saltus.errors import SaltusError
from saltus.studies.call import CALL, only_call
from tests.helpers.checks import assert_one_sentence

ONE: dict[str, Any] = {"runs": ["a"], "calls": (1, 2), "n": None}


def begin(folder: Path, call: dict[str, Any] = ONE) -> None:
    with only_call(folder, call):
        (folder / "figure").touch()


def refused(folder: Path, *words: str, call: dict[str, Any] = ONE) -> None:
    before = sorted(folder.rglob("*")) if folder.is_dir() else []
    with pytest.raises(SaltusError) as caught:
        begin(folder, call)
    assert_one_sentence(caught.value, *words)
    assert (sorted(folder.rglob("*")) if folder.is_dir() else []) == before


def test_the_same_call_goes_on_and_another_is_told_what_differs(tmp_path: Path) -> None:
    for _ in range(2):
        begin(tmp_path / "a" / "b")
    assert json.loads((tmp_path / "a" / "b" / CALL).read_text()) == {"runs": ["a"], "calls": [1, 2], "n": None}
    refused(tmp_path / "a" / "b", "another call: n 3 instead of null is asked for now", "another folder", call={**ONE, "n": 3})
    refused(tmp_path / "a" / "b", 'runs ["b"] instead of ["a"], seed 0 instead of null', call={**ONE, "runs": ["b"], "seed": 0})


@pytest.mark.parametrize("content", ["", "[]", "null", "{", "[" * 100_000, '{"n": ' + "9" * 5000 + "}"])
def test_a_call_that_is_damaged_is_an_error(content: str, tmp_path: Path) -> None:
    begin(tmp_path)
    (tmp_path / CALL).write_text(content)
    refused(tmp_path, "call.json is damaged", "give another folder")


def test_a_folder_that_is_something_else_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(tmp_path / "file", "not a folder")
    refused(tmp_path, "not an empty folder")


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    begin(tmp_path)
    with FileLock(tmp_path / ".lock"):
        refused(tmp_path, "another process works in", "wait for it")


def fail(home: Path, *, begun: bool) -> None:
    with only_call(home, ONE):
        if begun:
            (home / "figure").touch()
        else:
            (home / "figures").mkdir()
        raise SaltusError("no")


def test_what_did_not_begin_leaves_nothing_and_what_did_stays(tmp_path: Path) -> None:
    for home, existed in ((tmp_path / "new", False), (tmp_path / "there", True)):
        if existed:
            home.mkdir()
        with pytest.raises(SaltusError):
            fail(home, begun=False)
        assert home.exists() == existed
        assert not list(home.rglob("*"))
        with pytest.raises(SaltusError):
            fail(home, begun=True)
        refused(home, "another call", call={})


def test_what_a_kill_left_half_written_goes(tmp_path: Path) -> None:
    begin(tmp_path)
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / ".a.json.0.partial").touch()
    begin(tmp_path)
    assert not list(tmp_path.rglob("*.partial"))

"""One process at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from filelock import Timeout

from saltus.errors import SaltusError
from saltus.exclusive import LOCK, exclusively

HOLD = """
import pathlib, sys
from saltus.exclusive import exclusively
with exclusively(pathlib.Path(sys.argv[1]), ""):
    print("has", flush=True)
    input()
"""


def test_another_process_is_told(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "has\n"
        with pytest.raises(SaltusError, match="wait for it"), exclusively(tmp_path, "wait for it"):
            raise AssertionError
        other.communicate("\n")
    with exclusively(tmp_path, "wait for it"):  # once it is gone
        assert (tmp_path / LOCK).exists()


def test_what_a_kill_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    left, kept = tmp_path / "inside" / ".chain.json.ab12.partial", tmp_path / "inside" / "chain.json"
    for file in (left, kept):
        file.touch()
    with exclusively(tmp_path, ""):
        assert not left.exists()
        assert kept.exists()


def test_a_failure_inside_is_told_as_it_is(tmp_path: Path) -> None:
    for failure in (Timeout("another lock"), ValueError("wrong")):
        with pytest.raises(type(failure)), exclusively(tmp_path, "wait for it"):
            raise failure

"""Commands that the page runs: their answers, their mistakes, and that each has an end to its time and memory."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from saltus.errors import SaltusError
from saltus.studio import commands
from saltus.studio.commands import in_fields, names_a_field, result_of, started, stop
from saltus.studio.limits import Limits
from tests.helpers.checks import assert_one_sentence

LIMITS = Limits()
Program = Callable[[str], None]


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Program:
    """Puts some Python in the place of the command line."""

    def put(code: str) -> None:
        monkeypatch.setattr(commands, "PROGRAM", (sys.executable, "-I", "-c", code))

    return put


def test_what_is_said_is_returned(program: Program, tmp_path: Path) -> None:
    program("import sys, json, os; print(json.dumps({'args': sys.argv[1:], 'folder': os.getcwd()})); print('a note', file=sys.stderr)")
    found = result_of(["data", "rows.csv"], tmp_path, LIMITS)
    assert found == {"args": ["data", "rows.csv", "--json"], "folder": str(tmp_path), "said": ["a note"]}


def test_notes_name_fields_of_the_page(program: Program, tmp_path: Path) -> None:
    program("import json; print(json.dumps({'notes': ['images are stretched (--crop keeps proportions)'], 'refused': 'give --size 8'}))")
    found = result_of([], tmp_path, LIMITS)
    assert found["notes"] == ['images are stretched ("Cut images to squares" keeps proportions)']
    assert found["refused"] == 'give "Size of images" 8'


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ('import sys; print(\'{"error": "rows.csv is empty; send another"}\'); sys.exit(1)', "rows.csv is empty"),
        ('import sys; print(\'{"error": "two sizes; give --size 8"}\'); sys.exit(1)', 'give "Size of images" 8'),
        ('import sys; print(\'{"error": "two kinds; give --channels 3"}\'); sys.exit(1)', 'give "Colours" red green blue'),
        ("raise RuntimeError('odd')", "a fault of saltus"),
        ("print('no json')", "a fault of saltus"),
        ("print('[1]')", "a fault of saltus"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "signal 9"),
        ("x = bytearray(2**40)", "not enough memory"),
    ],
)
def test_what_goes_wrong_is_a_sentence(code: str, words: str, program: Program, tmp_path: Path) -> None:
    program(code)
    with pytest.raises(SaltusError) as caught:
        result_of([], tmp_path, LIMITS)
    assert_one_sentence(caught.value, words)


def test_sentences_that_name_a_field_are_known() -> None:
    assert names_a_field(in_fields("two sizes; give --size 8"))
    assert not names_a_field(in_fields("rows.csv is empty; give another, or say more with --columns"))


def test_time_has_an_end(program: Program, tmp_path: Path) -> None:
    program("import time; time.sleep(60)")
    begun = time.monotonic()
    with pytest.raises(SaltusError) as caught:
        result_of([], tmp_path, replace(LIMITS, seconds=1))
    assert_one_sentence(caught.value, "longer than 1 s")
    assert time.monotonic() - begun < 30


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not bound the memory of a process from outside")
def test_memory_has_an_end(program: Program, tmp_path: Path) -> None:
    """Four times as much as is allowed fails, and a quarter of it does not."""
    code = "import time; time.sleep(0.5); x = bytearray({}); print('{{}}')"
    limits = replace(LIMITS, command_bytes=2**28)
    program(code.format(2**30))
    with pytest.raises(SaltusError) as caught:
        result_of([], tmp_path, limits)
    assert_one_sentence(caught.value, "not enough memory")
    program(code.format(2**26))
    assert result_of([], tmp_path, limits) == {"said": []}


def test_one_that_does_not_listen_is_ended(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_PATIENCE", 0.5)
    program("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)")
    process = started([], tmp_path, LIMITS, subprocess.PIPE, subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stdout.readline() == "deaf\n"
    stop(process)
    assert process.returncode == -9
    process.stdout.close()


def test_nothing_is_imported_from_the_folder_it_works_in(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise SystemExit('hostile')")
    (tmp_path / "saltus").mkdir()
    (tmp_path / "saltus" / "__init__.py").write_text("raise SystemExit('hostile')")
    process = started(["--version"], tmp_path, LIMITS, subprocess.PIPE, subprocess.PIPE)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "version" in out

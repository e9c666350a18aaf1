"""Commands of saltus that the page runs: processes of their own, so that whatever data do to one, the page goes on.

Each has an end to its time, and where the system can tell it to its memory.  It works in the folder of a reader, on names that lead nowhere
else, so the command that is shown is the command that was run.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from saltus.errors import SaltusError
from saltus.studio.limits import Limits
from saltus.terminal import in_one_line
from saltus.training.duration import in_words

__all__ = ["PROGRAM", "end_in", "in_fields", "names_a_field", "result_of", "started", "stop"]

PROGRAM = (sys.executable, "-P", "-m", "saltus")
"""The command line; nothing is imported from the folder that it works in."""
_PATIENCE = 30.0  # seconds that a process has to end once it was asked to
_SHOWN = 600  # letters of what went wrong
_lock, _running = threading.Lock(), dict[subprocess.Popen[str], Path]()
"""Processes that were started, by the folder that each works in."""
_FIELDS = {
    "--size": '"Size of images"',
    "--crop": '"Cut images to squares"',
    "--channels 1": '"Colours" grey',
    "--channels 3": '"Colours" red green blue',
    "--channels": '"Colours"',
    "--condition labels": '"Learn classes"',
    "--recursive": "--recursive on a command line",
    "--columns": "--columns on a command line",
    "--target": "--target on a command line",
}
"""How the page calls what an option of a command says."""


def started(arguments: Sequence[str], folder: Path, limits: Limits, out: int | IO[Any], err: int | IO[Any]) -> subprocess.Popen[str]:
    """A command of saltus that works in a folder.

    Args:
        arguments: of the command line, without its name.
        folder: to work in.
        limits: of memory.
        out, err: where it writes, see `subprocess.Popen`.
    """
    with _lock:  # no process starts while those of its folder are ended
        process = subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=folder,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,  # Ctrl-C is for the page, which ends it in its own way
        )
        for ended in [one for one in _running if one.poll() is not None]:
            del _running[ended]
        _running[process] = folder.resolve()
    _bound(process.pid, limits.command_bytes)
    return process


def _bound(pid: int, nbytes: int) -> None:
    """Let a process have so much memory of its own; on other systems than Linux it may have all."""
    if sys.platform != "linux":
        return
    import resource

    try:
        resource.prlimit(pid, resource.RLIMIT_DATA, (nbytes, nbytes))
    except (OSError, ValueError):  # it has ended, or may have less already
        return


def result_of(arguments: Sequence[str], folder: Path, limits: Limits) -> dict[str, Any]:
    """What a command says with --json, once it has ended.

    Raises:
        SaltusError: with its own sentence if it fails, or if it takes too long or is ended.
    """
    with started([*arguments, "--json"], folder, limits, subprocess.PIPE, subprocess.PIPE) as process:
        try:
            out, err = process.communicate(timeout=limits.seconds)
        except subprocess.TimeoutExpired:
            stop(process)
            raise SaltusError(f"this took longer than {in_words(limits.seconds)} and was ended; ask for less") from None
        except BaseException:
            stop(process)
            raise
    try:
        found = json.loads(out)
    except json.JSONDecodeError:
        found = None
    if process.returncode == 0 and isinstance(found, dict):
        if isinstance(found.get("notes"), list):
            found["notes"] = [in_fields(str(note)) for note in found["notes"]]
        if found.get("refused"):
            found["refused"] = in_fields(str(found["refused"]))
        return {**found, "said": [line for line in err.splitlines() if line.strip()]}
    raise SaltusError(_why(process.returncode, found, err))


def _why(code: int, found: Any, err: str) -> str:
    if isinstance(found, dict) and isinstance(found.get("error"), str):
        return in_fields(str(found["error"]))[:_SHOWN]
    if code < 0:
        return f"the system ended this (signal {-code}), as it does where memory is short; ask for less, or for smaller sizes"
    last = next((line for line in reversed(err.splitlines()) if line.strip()), "")
    if "MemoryError" in last or "bad_alloc" in err:
        return "there is not enough memory for this; ask for less at once, or for smaller sizes"
    return f"this failed ({in_one_line(last)[:_SHOWN] or f'code {code}'}), which is a fault of saltus; report it"


def in_fields(text: str) -> str:
    """A sentence of a command, with the names that fields of the page have in place of options.

    >>> in_fields("give --size 8 (and --crop to keep proportions), and not --sizes")
    'give "Size of images" 8 (and "Cut images to squares" to keep proportions), and not --sizes'
    """
    options = sorted(_FIELDS, key=len, reverse=True)
    return re.sub("|".join(rf"(?<![\w-]){re.escape(option)}(?![\w-])" for option in options), lambda found: _FIELDS[found[0]], text)


def names_a_field(text: str) -> bool:
    """Whether a sentence tells what to choose on the page."""
    return any(field in text for field in _FIELDS.values() if field.startswith('"'))


def end_in(folder: Path) -> None:
    """End all processes that work in a folder or in one inside it, as `stop` does, and wait for them."""
    with _lock:
        there = [process for process, place in _running.items() if process.poll() is None and place.is_relative_to(folder.resolve())]
        for process in there:
            process.terminate()
        for process in there:
            _ended(process)


def stop(process: subprocess.Popen[str]) -> None:
    """Ask a process to end and keep what it has; end it if it does not."""
    process.terminate()
    _ended(process)


def _ended(process: subprocess.Popen[str]) -> None:
    """Wait for a process that was asked to end, once: a training that is asked twice keeps nothing more."""
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

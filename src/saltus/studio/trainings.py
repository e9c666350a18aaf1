"""Trainings that readers of the page start: one at a time over all readers, each a process with a budget of time.

Beside the folder of a run is NAME.json, with the command that trains it and how it ended, and NAME.log, with what it said.  SIGTERM stops a
training between two updates and keeps it; the same command goes on with it, after the studio was ended too.  One that a killed studio
has left is known by the lock of its run.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from saltus.errors import SaltusError
from saltus.exclusive import LOCK
from saltus.files import read_json, write_atomically
from saltus.studio.commands import in_fields, started, stop
from saltus.studio.limits import Limits
from saltus.studio.workspace import Session, remove
from saltus.terminal import in_one_line
from saltus.training.duration import in_words

__all__ = ["FAILED", "FINISHED", "RUNNING", "STOPPED", "State", "Trainings", "command_of"]

RUNNING, STOPPED, FINISHED, FAILED = "running", "stopped", "finished", "failed"
_GRACE = 600.0  # seconds beside the budget: to read the data before it, and to measure the model after it
_INTERRUPTED = 130  # the exit code of a training that was stopped
_TAIL, _SHOWN = 2**14, 600  # bytes of a log that are looked at, and letters that are shown
_FEW = "rows are few"
"""In the sentence of a training about why it ended before its budget."""


@dataclass(frozen=True)
class State:
    """How far a training is.

    Attributes:
        kind: one of RUNNING, STOPPED, FINISHED, FAILED.
        words: in a sentence.
        said: what the training said of it: last, while it runs.
    """

    kind: str
    words: str
    said: str = ""


class Trainings:
    """All that this studio trains.

    Args:
        limits: of a training.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits, self._lock = limits, threading.Lock()
        self._run: Path | None = None
        self._process: subprocess.Popen[str] | None = None
        self._until = 0.0

    def start(self, session: Session, run: Path, arguments: Sequence[str], minutes: float) -> None:
        """Start a training in the folder of a reader.

        Args:
            session: the reader's.
            run: the folder of the run.
            arguments: of the command that trains it.
            minutes: of its budget.

        Raises:
            SaltusError: if another one runs, or it is given more than the limit.
        """
        if not 0 < minutes <= self._limits.minutes:
            raise SaltusError(
                f"{minutes:g} minutes were given; expected more than 0 and at most {self._limits.minutes}: choose another budget"
            )
        with self._lock:
            self._check_free(session)
            with _log(run).open("a") as log:
                _write(run, {"arguments": [*arguments], "minutes": minutes, "code": None, "before": _log(run).stat().st_size})
                process = started(arguments, session.folder, self._limits, log, log)
            seconds = 60 * minutes + _GRACE
            self._run, self._process, self._until = run, process, time.monotonic() + seconds
        threading.Thread(target=self._mind, args=(run, process, seconds), daemon=True).start()

    def resume(self, session: Session, run: Path) -> None:
        """Go on with a training that was stopped, by the same command.

        Raises:
            SaltusError: if another one runs, or what is kept of this one is damaged.
        """
        kept = _read(run)
        self.start(session, run, kept["arguments"], kept["minutes"])

    def stop(self, run: Path) -> None:
        """Stop a training, and keep it.

        Raises:
            SaltusError: if it does not run.
        """
        if not self._is_running(run) or self._process is None:
            raise SaltusError(f"the training of {run.name} does not run; choose one that does")
        self._process.terminate()

    def remove(self, session: Session, runs: Sequence[Path]) -> None:
        """Remove runs of a reader, and what is kept beside them.

        Raises:
            SaltusError: if one of them is trained; none is removed then.
        """
        with self._lock:
            for run in runs:
                if self._is_running(run) or _held(run):
                    raise SaltusError(f"{run.name} is being trained, and was not removed; stop the training first")
            for run in runs:
                remove(run.with_name(f"{run.name}.json"), _log(run), run)
                session.removed.add(run)

    def state(self, run: Path) -> State:
        """How far a training is.

        Raises:
            SaltusError: if what is kept of it is damaged.
        """
        if self._is_running(run):
            return State(RUNNING, f"{run.name} is being trained", _last(run))
        if self._run != run and _held(run):
            return State(RUNNING, f"{run.name} is being trained by a studio that was ended; wait until its budget is over", _last(run))
        code = self._process.poll() if self._run == run and self._process is not None else _read(run)["code"]
        if code == 0:
            return State(FINISHED, f"{run.name} has finished", _few(run))
        use = ", or use it as it is" if (run / "chain.json").is_file() else ""
        if code is not None and code < 0 and -code != signal.SIGTERM:
            words = f"the system ended the training of {run.name} (signal {-code}), as it does where memory is short"
            return State(STOPPED, f"{words}; go on where it was{use}")
        if code in (None, _INTERRUPTED) or code < 0:
            return State(STOPPED, f"{run.name} was stopped; go on where it was{use}")
        return State(FAILED, f"the training of {run.name} failed: {_last(run) or 'it said nothing'}")

    def close(self) -> None:
        """Stop what runs, and wait until it is kept."""
        if self._process is not None and self._process.poll() is None:
            stop(self._process)

    def _is_running(self, run: Path) -> bool:
        return self._run == run and self._process is not None and self._process.poll() is None

    def _check_free(self, session: Session) -> None:
        locks = session.folder.parent.glob(f"*/runs/*/{LOCK}")
        if any(lock.parent != self._run and _held(lock.parent) for lock in locks):
            raise SaltusError("a training of a studio that was ended still runs, and one at a time may; wait until its budget is over")
        if self._process is None or self._process.poll() is not None:
            return
        left = in_words(max(60.0, self._until - time.monotonic() - _GRACE))
        raise SaltusError(f"another training runs, and one at a time may; stop it, or wait up to {left} and some minutes more")

    def _mind(self, run: Path, process: subprocess.Popen[str], seconds: float) -> None:
        """Wait for a training, end it where it takes too long, and write down how it ended."""
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            stop(process)
        with self._lock, contextlib.suppress(OSError, SaltusError):  # the folder may be gone
            _write(run, {**_read(run), "code": process.returncode})


def command_of(run: Path) -> list[str]:
    """The arguments of the command that trains a run.

    Raises:
        SaltusError: if they are damaged.
    """
    found: list[str] = _read(run)["arguments"]
    return found


def _held(run: Path) -> bool:
    """Whether a process trains a run: it holds the lock in its folder."""
    if not (run / LOCK).is_file():
        return False
    lock = FileLock(run / LOCK)
    try:
        lock.acquire(blocking=False)
        lock.release()
        return False
    except Timeout:
        return True
    except OSError:  # it is no more
        return False


def _lines(run: Path, begin: bool = False) -> list[str]:
    """The last lines that a training has said since it was started or gone on with; or the first ones of all."""
    try:
        before = int(_read(run).get("before", 0))
        with _log(run).open("rb") as log:
            log.seek(0 if begin else max(before, _log(run).stat().st_size - _TAIL))
            lines = log.read(_TAIL).decode(errors="replace").splitlines()
    except (OSError, SaltusError, ValueError, TypeError):
        return []
    return [in_one_line(line).strip() for line in lines if line.strip()]


def _last(run: Path) -> str:
    """The last line that a training said."""
    said = _lines(run)
    return in_fields(said[-1].removeprefix("saltus: "))[:_SHOWN] if said else ""


def _few(run: Path) -> str:
    """What a training said of rows that are so few that it ended before its budget."""
    return next((line[:_SHOWN] for line in _lines(run, begin=True) if _FEW in line), "")


def _write(run: Path, kept: dict[str, Any]) -> None:
    write_atomically(run.with_name(f"{run.name}.json"), json.dumps(kept) + "\n")


def _read(run: Path) -> dict[str, Any]:
    file = run.with_name(f"{run.name}.json")
    try:
        found = read_json(file)
        whole = (
            isinstance(found["arguments"], list) and {*map(type, found["arguments"])} <= {str} and type(found["code"]) in (int, type(None))
        )
        if not whole or type(found["minutes"]) not in (int, float):
            raise ValueError("another kind of file")
        return dict(found)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise SaltusError(f"what was kept of the training of {run.name} is damaged; start another one") from error


def _log(run: Path) -> Path:
    return run.with_name(f"{run.name}.log")

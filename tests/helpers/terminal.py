"""The command `saltus` as a terminal runs it, in this process: what it prints, and its exit code."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from saltus.cli.main import main

__all__ = ["Done", "saltus"]


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object of `--json`."""
        assert len(self.stdout.splitlines()) == 1, self.stderr
        found: dict[str, Any] = json.loads(self.stdout)
        return found


@contextmanager
def _terminal(columns: int, arguments: tuple[str, ...]) -> Iterator[None]:
    settings = {"COLUMNS": str(columns), "OMP_WAIT_POLICY": "PASSIVE"}
    with mock.patch.dict(os.environ, settings), mock.patch.object(sys, "argv", ["saltus", *arguments]):
        yield


def saltus(*arguments: str, cwd: Path, columns: int = 200) -> Done:
    """Run `saltus ARGUMENTS` in a folder, in a terminal of that width."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with chdir(cwd), _terminal(columns, arguments), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return Done(code, out.getvalue(), err.getvalue())

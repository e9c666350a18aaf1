"""Several processes on this machine that know of each other, as torchrun starts them, without the seconds that torchrun itself takes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["launch", "waited"]

_ROOT = Path(__file__).parents[2]
_LONGEST = 240.0  # seconds, after which processes wait for each other in vain


def launch(n: int, *arguments: str, cwd: Path) -> list[subprocess.Popen[str]]:
    """n processes of `python ARGUMENTS`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    told = {"WORLD_SIZE": str(n), "LOCAL_WORLD_SIZE": str(n), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    path = os.pathsep.join([str(_ROOT), str(_ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    started = []
    for rank in map(str, range(n)):
        here = {**os.environ, **told, "RANK": rank, "LOCAL_RANK": rank, "PYTHONPATH": path}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen([sys.executable, *arguments], cwd=cwd, env=here, **pipes))  # type: ignore[call-overload]
    return started


def waited(started: Sequence[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """The exit code, the output and the errors of each process; one that does not end is killed."""
    try:
        ended = [(process.communicate(timeout=_LONGEST), process.returncode) for process in started]
    finally:
        for process in started:
            process.kill()
    return [(code, out, err) for (out, err), code in ended]

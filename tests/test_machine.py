"""What a process may have of the machine."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
@pytest.mark.parametrize("kind", ["RLIMIT_DATA", "RLIMIT_AS"])
def test_a_limit_of_the_process_bounds_its_memory(kind: str) -> None:
    """The twin without the limit has what the machine has."""
    bound = f"resource.setrlimit(resource.{kind}, (2**30, resource.getrlimit(resource.{kind})[1]))"
    told = []
    for line in ("pass", bound):
        code = f"import resource\n{line}\nfrom saltus.machine import memory\nprint(memory())"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        told.append(float(done.stdout))
    assert told[1] == min(told[0], 2.0**30)
    assert told[1] > 0

"""What a process may have of the machine."""

from __future__ import annotations

import platform
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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that has arenas")
def test_threads_share_few_arenas() -> None:
    """The twin, which asks for nothing, has more."""
    told = []
    for line in ("", "use_few_arenas(2)"):
        code = f"""
import ctypes, os, tempfile, threading
from saltus.machine import use_few_arenas
{line}
libc, wait = ctypes.CDLL(None), threading.Barrier(8)
libc.fdopen.restype = ctypes.c_void_p
def work():
    wait.wait()
    libc.malloc(1000)
    wait.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
with tempfile.TemporaryFile() as file:
    stream = ctypes.c_void_p(libc.fdopen(os.dup(file.fileno()), b"w"))
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    file.seek(0)
    print(file.read().count(b"<heap nr="))
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        told.append(int(done.stdout))
    assert told[1] <= 2 < told[0]

"""The most memory that something takes, however much this process, or the one that started it, had before.

`ru_maxrss` cannot say it: it never falls, and a process begins with that of the one that started it.  Linux forgets the most when asked,
and glibc gives back what was freed, which would else be taken again unseen.
"""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

import pytest

__all__ = ["Peak"]


class Peak:
    """Begins at once; `Peak().mebibytes` are what was taken since then."""

    def __init__(self) -> None:
        try:
            ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5")  # see proc(5)
        except (AttributeError, OSError):
            pytest.skip("the most memory can be forgotten on Linux with glibc alone")
        self._before = _kibibytes("VmRSS")

    @property
    def mebibytes(self) -> float:
        return (_kibibytes("VmHWM") - self._before) / 1024


def _kibibytes(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1])

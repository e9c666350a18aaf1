"""The machine: what a figure was measured on, in words, how it is asked to keep memory, and where what can be made again is kept."""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

__all__ = ["cache_folder", "describe_machine", "keep_freed_memory"]


def cache_folder() -> Path:
    """The folder that the environment variable SALTUS_CACHE names, or the user's own."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("SALTUS_CACHE") or user_cache_path("saltus", appauthor=False))


def describe_machine() -> str:
    """Processor, threads and version of torch."""
    import torch

    return f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def keep_freed_memory() -> None:
    """Have glibc, where it is used, keep freed memory: training frees and asks for the same large arrays at every step."""
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        for parameter in (-1, -3):  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
            libc.mallopt(parameter, 2**30)

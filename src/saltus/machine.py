"""The machine: what a figure was measured on, in words, how it is asked to keep memory, and where what can be made again is kept."""

from __future__ import annotations

import ctypes
import math
import os
import platform
from pathlib import Path

__all__ = ["cache_folder", "describe_machine", "keep_freed_memory", "memory", "memory_ran_out", "use_few_arenas"]

_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc")
"""What torch says on each kind of device where memory runs out."""
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux says what a container may take."""


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


def use_few_arenas(most: int) -> None:
    """Have glibc, where it is used, let threads share this many arenas.

    Each arena keeps what is freed in it, so that a server of many threads grows.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(-8, most)  # M_ARENA_MAX


def memory() -> float:
    """Bytes of memory that this process may have, which a container or `ulimit` may limit; infinite where the system does not say."""
    try:
        found = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):  # another system
        found = math.inf
    for file in map(Path, _LIMITS):
        try:
            found = min(found, float(file.read_text()))
        except (OSError, ValueError):  # none, or "max"
            continue
    try:
        import resource
    except ImportError:  # another system
        return found
    limits = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA))
    return min([found, *(float(limit) for limit in limits if limit != resource.RLIM_INFINITY)])


def memory_ran_out(error: BaseException) -> bool:
    """Whether this is what an error tells."""
    known = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"  # of torch, which need not be loaded
    return known or any(sign in str(error) for sign in _NO_MEMORY)

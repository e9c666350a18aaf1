"""The machine: what a figure was measured on, in words, and how it is asked to keep memory."""

from __future__ import annotations

import ctypes
import platform

__all__ = ["describe_machine", "keep_freed_memory"]


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

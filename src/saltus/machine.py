"""What a figure was measured on, in words."""

from __future__ import annotations

import platform

__all__ = ["describe_machine"]


def describe_machine() -> str:
    """Processor, threads and version of torch."""
    import torch

    return f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"

"""What else a machine did while something was timed, as far as a number says it."""

from __future__ import annotations

import os

from saltus.machine import describe_machine

__all__ = ["machine_and_load"]


def machine_and_load() -> str:
    """Processor, threads and version of torch; the load average of the last minute, and the cores that it is shared by."""
    return f"{describe_machine()}; load average {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores"

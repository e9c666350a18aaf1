"""What random numbers that belong to their items cost against torch.randn, for both versions of `Noise`.

Machines are noisy, so what is compared takes turns in one process, by CPU time; every number of threads has a process of its own.

    python benchmarks/noise_speed.py            the table in docs/results/noise_speed.md (a minute)
    python benchmarks/noise_speed.py --smoke    a few turns, printed alone
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from saltus.machine import describe_machine, keep_freed_memory
from saltus.process import Noise

BATCH = 128
SHAPES = {"10": (10,), "64": (64,), "128": (128,), "1 x 28 x 28": (1, 28, 28), "3 x 32 x 32": (3, 32, 32), "3 x 64 x 64": (3, 64, 64)}
THREADS = sorted({1, os.cpu_count() or 1})
TURNS = 25
TURN = 20_000.0
"""Microseconds of a turn, at least: small requests are asked for many times in it."""
REPORT = Path("docs/results/noise_speed.md")


def spent(work: Callable[[], object], calls: int) -> float:
    """CPU microseconds of a call, the mean over some."""
    start = time.process_time()
    for _ in range(calls):
        work()
    return 1e6 * (time.process_time() - start) / calls


def ratio(one: Callable[[], object], other: Callable[[], object], smoke: bool) -> tuple[float, float, float]:
    """CPU microseconds of each, medians, and the median of the ratio one / other of the same turn."""
    calls = max(1, int(TURN / (spent(one, 3) + spent(other, 3))))  # warms up too
    pairs = [(spent(one, calls), spent(other, calls)) for _ in range(3 if smoke else TURNS)]
    first, second = zip(*pairs, strict=True)
    return statistics.median(first), statistics.median(second), statistics.median(a / b for a, b in pairs)


def row(name: str, shape: Sequence[int], smoke: bool) -> str:
    like = torch.empty(0)

    def against(version: int) -> tuple[float, float, float]:
        noise = Noise(0, 1000, BATCH, version=version)
        return ratio(lambda: noise.normal("role", shape, like=like), lambda: torch.randn(BATCH, *shape), smoke)

    (new, randn, new_ratio), (old, _, old_ratio) = against(2), against(1)
    return f"| {BATCH} x {name} | {torch.get_num_threads()} | {randn:.0f} | {new:.0f} | {new_ratio:.2f} | {old:.0f} | {old_ratio:.2f} |"


def rows(threads: int, smoke: bool) -> list[str]:
    """The rows of so many threads, from a process of their own."""
    command = [sys.executable, __file__, "--threads", str(threads), *["--smoke"][: int(smoke)]]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a few turns, and no file")
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
        keep_freed_memory()
        print("\n".join(row(name, shape, asked.smoke) for name, shape in SHAPES.items()))
        return
    lines = [
        "# What noise costs against torch.randn",
        "",
        "Made by `python benchmarks/noise_speed.py`: CPU microseconds (the sum over threads) for float32 normals on the CPU, medians",
        f"of {3 if asked.smoke else TURNS} turns, and the median of the ratios to torch.randn within a turn.",
        f"Machine: {describe_machine()}; the column says how many are used.",
        "",
        "| shape | threads | torch.randn | version 2 | ratio | version 1 | ratio |",
        "|---|---|---|---|---|---|---|",
        *(line for threads in THREADS for line in rows(threads, asked.smoke)),
    ]
    print("\n".join(lines))
    if not asked.smoke:
        REPORT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

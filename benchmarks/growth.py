"""How time and memory grow with each size of a work, as exponents fitted to measurements in one run.

python benchmarks/growth.py            docs/results/growth.md (ten minutes)
python benchmarks/growth.py --smoke    two small sizes of each, nothing written

Each row is one size, doubled again and again while the others stay; the exponent is the slope of the logarithm of the cost over that of the
size, by least squares, with the slopes of its ends.  Times are medians of turns.
Memory is the most that a process of its own had, with the libraries, which are most of it.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from saltus.chain import Chain
from saltus.data import DataSet
from saltus.machine import describe_machine, keep_freed_memory
from saltus.training import Config, Trainer, build_chain

REPORT = Path("docs/results/growth.md")
TURNS = 5
CONFIG: dict[str, Any] = {"prior": "normal", "bf16": False, "channels_last": False, "updates": 10**8, "architecture": "unet"}
SMALL = {"channels": (8, 16), "latent": 4}
SAMPLE = r"""
import pathlib, re, sys
from saltus.chain import Chain
import numpy as np
chain, n = Chain.load(sys.argv[1]), int(sys.argv[2])
kept = np.lib.format.open_memmap(sys.argv[3], mode="w+", dtype=np.float32, shape=(n, *chain.event_shape))
for start in range(0, n, 256):
    kept[start : start + 256] = chain.sample(min(256, n - start), seed=0, first_item=start).numpy()
    kept.flush()
print(int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path("/proc/self/status").read_text())[1]) / 1024)
"""


def images(n: int, side: int = 28) -> DataSet:
    return DataSet.from_arrays(np.random.default_rng(0).integers(0, 256, (n, side, side), dtype=np.uint8))


def rows(n: int) -> DataSet:
    return DataSet.from_arrays(np.random.default_rng(0).normal(size=(n, 10)))


def update_of(data: DataSet, **options: Any) -> Callable[[], object]:
    config = Config(**{**CONFIG, **options})
    return Trainer(build_chain(config, data), data, config).warm


def sampling_of(data: DataSet, n: int, **options: Any) -> Callable[[], object]:
    chain = build_chain(Config(**{**CONFIG, **SMALL, **options}), data)
    return lambda: chain.sample(n, seed=0)


def seconds(works: Sequence[Callable[[], object]], turns: int) -> list[float]:
    """Of each work, the median of turns, each after one that brings its things back into caches."""
    found: list[list[float]] = [[] for _ in works]
    for _ in range(turns):
        for times, work in zip(found, works, strict=True):
            work()
            begun = time.perf_counter()
            work()
            times.append(time.perf_counter() - begun)
    return [statistics.median(times) for times in found]


def memory(chain: Chain, n: int, place: Path) -> float:
    """Mebibytes of a process that samples n items in pieces, to a file."""
    chain.save(place / "chain")
    command = [sys.executable, "-c", SAMPLE, str(place / "chain"), str(n), str(place / "samples.npy")]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> str:
    x, y = np.log2(sizes), np.log2(costs)
    ends = [(y[1] - y[0]) / (x[1] - x[0]), (y[-1] - y[-2]) / (x[-1] - x[-2])]
    return f"{np.polyfit(x, y, 1)[0]:.2f} ({ends[0]:.2f} at first, {ends[1]:.2f} at last)"


def line(what: str, sizes: Sequence[int], costs: Sequence[float], unit: str) -> str:
    listed = ", ".join(f"{size:,}: {cost:.3g}" for size, cost in zip(sizes, costs, strict=True))
    row = f"| {what} | {listed} {unit} | {exponent(sizes, costs)} |"
    print(row, flush=True)
    return row


def measured(few: bool, place: Path) -> list[str]:
    """The lines of the table."""
    turns, last = (1, 2) if few else (TURNS, None)
    data, found = images(200 if few else 2000), []

    def take(sizes: Sequence[int]) -> Sequence[int]:
        return sizes[:last]

    def timed(what: str, sizes: Sequence[int], work: Callable[[int], Callable[[], object]]) -> None:
        taken = take(sizes)
        found.append(line(what, taken, [1000 * cost for cost in seconds([work(size) for size in taken], turns)], "ms"))

    batches, sides, levels = (16, 32, 64, 128, 256), (14, 28, 56, 112), (1, 2, 4, 8, 16)
    timed("an update, items of a batch", batches, lambda n: update_of(data, levels=1, batch=n))
    pixels = take(sides)
    times = seconds([update_of(images(200, side), levels=1, batch=16, architecture="unet") for side in pixels], turns)
    found.append(line("an update, pixels of an image", [side**2 for side in pixels], [1000 * cost for cost in times], "ms"))
    timed("an update, levels L", levels, lambda L: update_of(data, levels=L, batch=64, **SMALL))
    timed("an update, rows of the data", (10**3, 10**4, 10**5, 10**6), lambda n: update_of(rows(n), levels=2, architecture="mlp", batch=64))
    timed("reading data, rows", (10**4, 10**5, 10**6), lambda n: lambda: rows(n))
    timed("a sample of n items", (64, 128, 256, 512), lambda n: sampling_of(data, n, levels=2))
    timed("a sample of 64 items, levels L", levels, lambda L: sampling_of(data, 64, levels=L))
    for what, sizes, make in (
        ("memory of a sample, its items n", (512, 1024, 2048, 4096), lambda n: (2, n)),
        ("memory of a sample of 512, levels L", levels, lambda L: (L, 512)),
    ):
        taken, costs = take(sizes), []
        for size in taken:
            L, n = make(size)
            costs.append(memory(build_chain(Config(**{**CONFIG, **SMALL}, levels=L), data), n, place))
        found.append(line(what, taken, costs, "MiB"))
    return found


def main() -> None:
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="two small sizes of each, nothing written")
    few = parser.parse_args().smoke
    keep_freed_memory()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        found = measured(few, Path(folder))
    lines = ["# Growth", "", *(__doc__ or "").split("\n\n")[2].splitlines(), "", "| cost and size | measured | exponent |", "|---|---|---|"]
    how = f"`python benchmarks/growth.py`: {TURNS} turns, one thread; random images of 28x28 bytes, rows of 10 columns;"
    processes = "Growth in processes is measured in [scale.md](scale.md)."
    report = "\n".join([*lines, *found, "", how, f"{describe_machine()}.  {processes}", ""])
    if not few:
        REPORT.write_text(report)


if __name__ == "__main__":
    main()

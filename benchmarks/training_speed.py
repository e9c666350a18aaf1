"""How much faster do the options of training make it?  CPU milliseconds of an update on one thread, as ratios.

Machines are noisy, so what is compared takes turns, update by update, in one process.  The allocator alone cannot be
changed back: processes with and without it (what every `saltus` command sets) take turns instead.

    python benchmarks/training_speed.py            the table in docs/results/training_speed.md (minutes: compiling is slow)
    python benchmarks/training_speed.py --smoke    the MLP alone, not compiled, a few updates, printed alone
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from saltus.data import Binned, DataSet
from saltus.machine import describe_machine, keep_freed_memory
from saltus.training import Config, Trainer, build_chain

DEFAULT = "plain"
OPTIONS = (DEFAULT, "channels_last", "bf16", "compile", "channels_last compile", "channels_last compile bf16")
NETWORKS = {"tiny U-Net, 28 x 28": (28, "unet", "tiny"), "small MLP, 14 x 14": (14, "mlp", "small")}
ALLOCATOR = "allocator"
BATCH = 64
REPORT = Path("docs/results/training_speed.md")


class Effort(NamedTuple):
    """What is measured, and how often."""

    networks: Sequence[str] = tuple(NETWORKS)
    options: Sequence[str] = OPTIONS
    updates: int = 12
    turns: int = 3


SMOKE = Effort(tuple(NETWORKS)[1:], OPTIONS[:2], updates=1, turns=1)


def endless(network: str, options: str) -> Iterator[Any]:
    """Updates on noise, after two to warm up."""
    side, architecture, preset = NETWORKS[network]
    items = torch.rand(256, 1, side, side) * 2 - 1
    data = DataSet("noise", Binned("gray", (side, side), 0, 255, "uint8"), items, items, items)
    chosen: dict[str, Any] = dict.fromkeys(options.split() if options != DEFAULT else (), True)
    config = Config(kernel="deterministic", updates=10**8, batch=BATCH, architecture=architecture, preset=preset, **chosen)
    updates = iter(Trainer(build_chain(config, data), data, config))
    next(updates)
    next(updates)
    return updates


def milliseconds(network: str, variants: Sequence[str], allocator: bool, updates: int) -> dict[str, float]:
    """The median update of each variant; they take turns."""
    torch.set_num_threads(1)
    if allocator:
        keep_freed_memory()
    loops = {variant: endless(network, variant) for variant in variants}
    spent: dict[str, list[float]] = {variant: [] for variant in variants}
    for _ in range(updates):
        for variant, loop in loops.items():
            start = time.process_time()
            next(loop)
            spent[variant].append(1000 * (time.process_time() - start))
    return {variant: statistics.median(times) for variant, times in spent.items()}


def measured(network: str, variants: Sequence[str], effort: Effort, *, allocator: bool) -> dict[str, float]:
    """The same, in a process of its own."""
    command = [sys.executable, __file__, "--one", json.dumps([network, variants, allocator, effort.updates])]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"{network}, allocator {'on' if allocator else 'off'}: {found}", flush=True)
    return found


def column(network: str, effort: Effort) -> dict[str, str]:
    """One network: for each variant the time, and how many times faster it is than what it took turns with."""
    turns = [[measured(network, (DEFAULT,), effort, allocator=on)[DEFAULT] for on in (False, True)] for _ in range(effort.turns)]
    without, with_it = (statistics.median(times) for times in zip(*turns, strict=True))
    found = measured(network, effort.options, effort, allocator=True)
    cells = {DEFAULT: f"{without:.0f} ms", ALLOCATOR: f"{with_it:.0f} ms ({without / with_it:.2f} x {DEFAULT})"}
    again = f"{ALLOCATOR}, again"
    cells[again] = f"{found[DEFAULT]:.0f} ms"
    return cells | {name: f"{found[name]:.0f} ms ({found[DEFAULT] / found[name]:.2f} x {again})" for name in effort.options[1:]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--smoke", action="store_true", help="the MLP alone, not compiled, a few updates, printed alone")
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(milliseconds(*json.loads(asked.one))))
        return
    effort = SMOKE if asked.smoke else Effort()
    columns = {network: column(network, effort) for network in effort.networks}
    bf16 = "amx_bf16" in Path("/proc/cpuinfo").read_text() if platform.system() == "Linux" else False
    lines = [
        "# Options of training, and what they are worth",
        "",
        f"Made by `python benchmarks/training_speed.py`. CPU milliseconds of one update of {BATCH} images, the median of {effort.updates},",
        "and how many times faster it is. What is compared takes turns in one process; only the allocator needs processes of its own.",
        f"Machine: {describe_machine()}, of which one thread is used; bfloat16 in hardware: {'yes' if bf16 else 'no'}.",
        "",
        "| variant | " + " | ".join(columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for variant in next(iter(columns.values())):
        lines.append(f"| {variant} | " + " | ".join(cells[variant] for cells in columns.values()) + " |")
    print("\n".join(lines))
    if not asked.smoke:
        REPORT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

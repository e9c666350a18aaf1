"""What a step costs beside its network: the reverse loop, a VAE's update against a Gaussian's, and memory over levels.

Machines are noisy, so what is compared takes turns in one process.  Memory is the largest of a process of its own.

    python benchmarks/step_speed.py            the table in docs/results/step_speed.md (minutes)
    python benchmarks/step_speed.py --smoke    small networks and few turns, printed alone
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from saltus.chain import Chain
from saltus.data import Binned, DataSet
from saltus.machine import describe_machine, keep_freed_memory
from saltus.training import Config, Trainer, build_chain

UNET: dict[str, Any] = {"architecture": "unet", "preset": "small"}
MLP: dict[str, Any] = {"architecture": "mlp", "preset": "small"}
CASES = {"small U-Net, 28 x 28": (28, UNET), "small MLP, 14 x 14": (14, MLP)}
BATCH, LEVELS = 64, 4
TURNS, FEW_TURNS = 5, 1
MEMORY_LEVELS = (1, 4, 16, 64)
REPORT = Path("docs/results/step_speed.md")


def noise(side: int) -> DataSet:
    items = torch.rand(256, 1, side, side) * 2 - 1
    return DataSet("noise", Binned("gray", (side, side), 0, 255, "uint8"), items, items, items)


def made(kernel: str, side: int, network: dict[str, Any], levels: int = LEVELS) -> tuple[Chain, DataSet, Config]:
    data = noise(side)
    config = Config(kernel=kernel, levels=levels, updates=10**8, batch=BATCH, any_step=False, **network)
    return build_chain(config, data), data, config


def ratios(one: Callable[[], object], other: Callable[[], object], turns: int) -> tuple[float, float, float]:
    """CPU milliseconds of each, medians, and the median of the ratio one / other of the same turn."""
    spent: list[tuple[float, float]] = []
    for _ in range(turns + 1):
        times = []
        for work in (one, other):
            start = time.process_time()
            work()
            times.append(1000 * (time.process_time() - start))
        spent.append((times[0], times[1]))
    first, second = zip(*spent[1:], strict=True)  # the first turn warms up
    return statistics.median(first), statistics.median(second), statistics.median(a / b for a, b in spent[1:])


def loop(side: int, network: dict[str, Any], turns: int, n: int) -> str:
    """Sampling n items against the network's calls alone, on the same inputs."""
    chain = made("vae", side, network)[0].eval()
    (called,) = chain.kernel(1).sampling_network.children()  # without its preconditioning
    seen: list[tuple[Any, ...]] = []
    hook = called.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    chain.sample(n, seed=0)
    hook.remove()

    @torch.no_grad()
    def bare() -> None:
        for inputs in seen:
            called(*inputs)

    whole, calls, ratio = ratios(lambda: chain.sample(n, seed=0), bare, turns)
    return f"{whole:.3g} ms | {calls:.3g} ms | {100 * (ratio - 1):+.1f} %"


def update(side: int, network: dict[str, Any], turns: int) -> str:
    """An update of a VAE kernel against one of a Gaussian kernel whose network has the size of its decoder."""
    loops: list[Iterator[Any]] = []
    for kernel in ("vae", "gaussian"):
        chain, data, config = made(kernel, side, network)
        loops.append(iter(Trainer(chain, data, config)))
    whole, calls, ratio = ratios(partial(next, loops[0]), partial(next, loops[1]), turns)
    return f"{whole:.0f} ms | {calls:.0f} ms | {ratio:.2f}"


def peak(levels: int) -> float:
    """Largest resident memory of a process that samples a chain of so many levels, MiB."""
    command = [sys.executable, __file__, "--memory", str(levels)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def resident() -> float:
    """The largest resident memory of this process so far, MiB; getrusage would count its parent's too."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--smoke", action="store_true", help="small networks and few turns, printed alone")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.memory:
        made("vae", 28, UNET | {"preset": "tiny"}, options.memory)[0].eval().sample(BATCH, seed=0)
        print(resident())
        return
    keep_freed_memory()
    cases = {name: (side, network | {"preset": "tiny"}) for name, (side, network) in [*CASES.items()][1:]} if options.smoke else CASES
    turns, memory_levels = (FEW_TURNS, MEMORY_LEVELS[:1]) if options.smoke else (TURNS, MEMORY_LEVELS)
    lines = [
        "# What a step costs beside its network",
        "",
        f"Made by `python benchmarks/step_speed.py`. CPU milliseconds: medians of {turns} turns, and of the ratio within a turn.",
        f"Machine: {describe_machine()}, of which one is used. Updates are of {BATCH} items.",
        "",
        f"Sampling, {LEVELS} levels:",
        "",
        "| network | items at once | reverse loop | its network calls alone | more |",
        "|---|---|---|---|---|",
        *(f"| {name} | {n} | {loop(*case, turns, n)} |" for name, case in cases.items() for n in (BATCH, 1)),
        "",
        "An update of training, decoder and network of the same size but for what the latent and the second output add:",
        "",
        "| network | VAE | Gaussian | ratio |",
        "|---|---|---|---|",
        *(f"| {name} | {update(*case, turns)} |" for name, case in cases.items()),
        "",
        "Peak memory of a process that samples (tiny U-Net, 28 x 28), over levels:",
        "",
        "| levels | " + " | ".join(map(str, memory_levels)) + " |",
        "|---|" + "---|" * len(memory_levels),
        "| MiB | " + " | ".join(f"{peak(levels):.0f}" for levels in memory_levels) + " |",
    ]
    print("\n".join(lines))
    if not options.smoke:
        REPORT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

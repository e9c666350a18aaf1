"""An update of training against the loops of other libraries, on the same network; and what the first command costs.

python benchmarks/speed.py             docs/results/speed.md (half an hour; `make peers` installs the other libraries first)
python benchmarks/speed.py --commands  the commands from a cold shell alone, in the page that is there
python benchmarks/speed.py --smoke     one small network, two turns, nothing written

Each contender is a process of its own with the threads and the allocator of its library, and they take turns: a few updates each, round
after round.  Tables tell the median of a contender's time, and of its ratio within a round, with the range.  The network is diffusers'
`UNet2DModel`, or a perceptron for rows; each loop is the library's own, with its optimiser, its averages and its reading of data.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from saltus.machine import describe_machine, keep_freed_memory
from speed_loops import BATCH, CONTENDERS

REPORT = Path("docs/results/speed.md")
ITEMS = 1024
CASES: dict[str, tuple[int, ...]] = {
    "UNet2DModel, 28 x 28": (1, 28, 28),
    "UNet2DModel, 32 x 32": (3, 32, 32),
    "perceptron, 10 columns": (10,),
}
HEADING = "## From a cold shell"
ROUNDS, EACH = 9, {3: 3, 1: 200}  # updates of a turn, of images and of rows
START_UP = {
    "import torch": [sys.executable, "-c", "import torch"],
    "import saltus": [sys.executable, "-c", "import saltus"],
    "saltus --help": [sys.executable, "-m", "saltus", "--help"],
    "64 images of a chain that ships, to a file": [sys.executable, "-m", "saltus", "sample", "mnist", "--n", "64", "--out"],
}


FIRST = next(iter(CONTENDERS))


def contend(name: str, shape: tuple[int, ...]) -> None:
    """A contender's process: for each line on stdin so many updates, and their seconds on stdout."""
    if name.startswith("saltus"):
        keep_freed_memory()
    items = torch.rand((ITEMS, *shape), generator=torch.Generator().manual_seed(0)) * 2 - 1
    loop = CONTENDERS[name](items)
    for line in sys.stdin:
        begun = time.perf_counter()
        for _ in range(int(line)):
            next(loop)
        print(json.dumps((time.perf_counter() - begun) / int(line)), flush=True)


def takes_part(name: str, shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 or name != "denoising-diffusion-pytorch"


def measured(shape: tuple[int, ...], rounds: int, each: int, python: str) -> dict[str, list[float]]:
    """Seconds of an update of each contender, round by round."""
    found: dict[str, list[float]] = {name: [] for name in CONTENDERS if takes_part(name, shape)}
    processes = {}
    for name in found:
        command = [python, __file__, "--contender", name, "--shape", json.dumps(shape)]
        processes[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ask(processes[name], 2)  # to warm up, one after the other: trials want a machine of their own
        print(f"{name} is ready", flush=True)
    for _ in range(rounds):
        for name, process in processes.items():
            found[name].append(ask(process, each))
    for process in processes.values():
        process.communicate("")
    return found


def ask(process: subprocess.Popen[str], updates: int) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{updates}\n")
    process.stdin.flush()
    return float(json.loads(process.stdout.readline()))


def table(case: str, found: dict[str, list[float]]) -> list[str]:
    lines = [f"## {case}, batch {BATCH}", "", "| loop | ms an update | times as fast as diffusers' loop | range |", "|---|---|---|---|"]
    for name, seconds in found.items():
        ratios = [one / other for one, other in zip(found[FIRST], seconds, strict=True)]
        middle, ends = statistics.median(ratios), f"{min(ratios):.2f} to {max(ratios):.2f}"
        lines.append(f"| {name} | {1000 * statistics.median(seconds):.3g} | {middle:.2f} | {ends} |")
    return [*lines, ""]


def start_up(turns: int, folder: Path) -> list[str]:
    seconds: dict[str, list[float]] = {name: [] for name in START_UP}
    for turn in range(turns):
        for name, command in START_UP.items():
            more = [str(folder / str(turn))] if command[-1] == "--out" else []
            begun = time.perf_counter()
            subprocess.run([*command, *more], check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - begun)
    rows = [f"| {name} | {statistics.median(found):.2f} | {min(found):.2f} to {max(found):.2f} |" for name, found in seconds.items()]
    return [HEADING, "", "| command | seconds | range |", "|---|---|---|", *rows, ""]


def main() -> None:
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="one small network, two turns, nothing written")
    parser.add_argument("--commands", action="store_true", help="the commands from a cold shell alone, in the page that is there")
    parser.add_argument("--python", default=sys.executable, help="of the environment that holds the other libraries")
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    parser.add_argument("--shape", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.contender:
        contend(asked.contender, tuple(json.loads(asked.shape)))
        return
    if asked.commands:
        kept, _, _ = REPORT.read_text().partition(HEADING)
        with tempfile.TemporaryDirectory() as place:
            REPORT.write_text(kept + "\n".join(start_up(5, Path(place))))
        return
    cases = dict([*CASES.items()][-1:]) if asked.smoke else CASES
    rounds = 2 if asked.smoke else ROUNDS
    lines = ["# Speed, beside other libraries", "", *describe_how(), ""]
    for case, shape in cases.items():
        lines += table(case, measured(shape, rounds, 2 if asked.smoke else EACH[len(shape)], asked.python))
        print("\n".join(lines), flush=True)
    with tempfile.TemporaryDirectory() as place:
        lines += start_up(1 if asked.smoke else 5, Path(place))
    print("\n".join(lines))
    if not asked.smoke:
        REPORT.write_text("\n".join(lines))


def describe_how() -> list[str]:
    return [
        f"`make peers`, then `python benchmarks/speed.py`: {ROUNDS} rounds in turn, medians of the time and of the ratio within a round;",
        f"{describe_machine()}. Networks are the same; loops, optimisers, averages and noise are each library's own.",
    ]


if __name__ == "__main__":
    main()

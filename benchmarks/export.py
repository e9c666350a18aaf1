"""What the chains that ship cost as ONNX files and as torch programs: how large they are, how near, and CPU seconds a batch.

Machines are noisy, so what is compared takes turns in one process, by CPU time; random numbers are included.

    python benchmarks/export.py            the table in docs/results/export.md, and each turn in export.json beside it (minutes)
    python benchmarks/export.py --smoke    one chain and few turns, printed alone
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saltus.chain import Chain
from saltus.files import write_atomically
from saltus.integrations import Request, Sampler, Written, write_onnx, write_program
from saltus.machine import describe_machine, keep_freed_memory
from saltus.pretrained import run_folder

CHAINS = ("digits", "fashion-mnist", "mnist")
BATCHES = (1, 64)
TURNS, FEW_TURNS = 15, 2
ENGINES = ("saltus", "torch", "onnxruntime")
COMPARED = 512  # items
SAME = 1e-4
REPORT = Path("docs/results/export.md")


def spent(work: Callable[[], object]) -> float:
    """CPU seconds."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(name: str, turns: int, compared: int) -> dict[str, Any]:
    """The figures of a chain: of each format its size, the seconds to write it, and what differs; of each engine seconds a batch."""
    folder = run_folder(name)
    chain = Chain.load(folder)
    request = Request(folder, chain, chain.sampling)
    found: dict[str, Any] = {"name": name, "calls": chain.levels.L, "shape": list(chain.event_shape), "formats": {}, "seconds": {}}
    engines: dict[str, Callable[[int], object]] = {"saltus": lambda n: chain.sample(n, seed=0)}
    with tempfile.TemporaryDirectory() as place:
        for kind, write in (("onnx", write_onnx), ("pt2", write_program)):
            file, start = Path(place) / f"{name}.{kind}", time.process_time()
            written = write(request, file)
            seconds = time.process_time() - start
            draw = engines[written.engine] = partial(by_file, request.sampler, written)
            apart = (draw(compared) - request.sampler.sample(compared, seed=0)).abs()
            differ, largest = int((apart > SAME).sum()), float(apart.max())
            sizes = {"bytes": file.stat().st_size, "seconds": seconds}
            found["formats"][kind] = {**sizes, "largest": largest, "differ": differ, "numbers": apart.numel()}
        for n in BATCHES:
            each = [{engine: spent(partial(call, n)) for engine, call in engines.items()} for _ in range(turns + 1)]
            found["seconds"][str(n)] = each[1:]  # the first turn warms up
    return found


def by_file(sampler: Sampler, written: Written, n: int) -> Tensor:
    """Items as what was written draws them."""
    assert written.program is not None
    return written.program(sampler.inputs(n, seed=0))


def row(found: dict[str, Any]) -> str:
    """A line of the table."""
    onnx, torch_ = found["formats"]["onnx"], found["formats"]["pt2"]

    def median(n: int) -> str:
        turns = found["seconds"][str(n)]
        return " | ".join(
            f"{1000 * statistics.median(turn[engine] for turn in turns):.3g}" for engine in ("saltus", "torch", "onnxruntime")
        )

    sizes = " | ".join(f"{part['bytes'] / 1e6:.2f}, {part['seconds']:.0f} s" for part in (onnx, torch_))
    differ = f"{onnx['differ']} of {onnx['numbers']:,}, by {onnx['largest']:.2g}"
    return f"| {found['name']} | {found['calls']} | {sizes} | {differ} | {median(1)} | {median(64)} |"


def page(runs: Sequence[dict[str, Any]], turns: int, compared: int) -> str:
    """The report."""
    lines = [
        "# Exported samplers",
        "",
        f"`python benchmarks/export.py`: the chains that ship, sampled as they are unless told otherwise, seed 0; {describe_machine()}.",
        f"CPU milliseconds a batch, random numbers included, median of {turns} turns in which saltus, torch and onnxruntime take turns.",
        f"What differs are the numbers of {compared} items by onnxruntime that are not within {SAME:g} of saltus's own, of brightness",
        "from 0 to 1: a pixel next to the border of two grey values may fall on the other side, or be drawn from another component of",
        "its mixture, and its neighbours follow it.  Sizes are in MB, with the CPU seconds of writing.",
        "",
        "| chain | calls | .onnx | .pt2 | differ | saltus, 1 | torch, 1 | onnxruntime, 1 | saltus, 64 | torch, 64 | onnxruntime, 64 |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        *map(row, runs),
    ]
    return "\n".join([*lines, ""])


def main() -> None:
    """The page, or with --smoke its text alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="one chain and few turns, printed alone")
    smoke = parser.parse_args().smoke
    keep_freed_memory()
    torch.set_num_threads(1)
    turns, compared = (FEW_TURNS, 8) if smoke else (TURNS, COMPARED)
    runs = [measure(name, turns, compared) for name in (CHAINS[:1] if smoke else CHAINS)]
    text = page(runs, turns, compared)
    print(text)
    if not smoke:
        write_atomically(REPORT, text)
        write_atomically(REPORT.with_suffix(".json"), json.dumps(runs, indent=1))


if __name__ == "__main__":
    main()

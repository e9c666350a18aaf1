"""Seconds of training to a distance, at no more than four calls: ours against a diffusers U-Net with UniPC.

python benchmarks/time_to_quality.py FOLDER    FOLDER holds fashion_mnist.npz; docs/results/time_to_quality.md (40 minutes)
python benchmarks/time_to_quality.py --smoke   a miniature on the digits, in a temporary folder

Each row is a training of its own, whose learning rate falls to 0 at its end; one thread.  The rival is that of benchmarks/seconds.py: the
`UNet2DModel` of diffusers in bfloat16 with a loop of its own, sampled by UniPC with 1, 2 or 4 calls, the best of which counts.  Ours are
`saltus train --time SECONDS --levels 1 --ladder every --batch 32 --kl-warm-up 0.1`, with one call; their seconds are all that it
takes, with the fit of the mixture and the choice of how the chain is sampled.  A chain keeps of each step what costs fewer nats, the
closed form or the network, so that a longer training may have a larger distance for a while.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from saltus.data import DataSet, load
from saltus.evaluation import ChainSampler, Evaluator, Sampler, keep_sampling
from saltus.machine import describe_machine, keep_freed_memory
from saltus.training import Config, train
from seconds import UniPC, train_unet, unet

KEPT, PAGE = Path("runs/time_to_quality"), Path("docs/results/time_to_quality.md")
OURS, RIVALS = (30.0, 60.0, 120.0, 300.0), (60.0, 180.0, 600.0)
CALLS, SAMPLES, SEEDS = (1, 2, 4), 1000, (0, 1, 2)
CONFIG: dict[str, Any] = {"levels": 1, "ladder": "every", "batch": 32, "kl_warm_up": 0.1}


def measured(sampler: Sampler, evaluator: Evaluator) -> list[float]:
    """Frechet distances of three sets."""
    return [evaluator.measure(sampler.sample(evaluator.n, seed=seed).float())["frechet"] for seed in SEEDS]


def row_of(kept: Path, name: str, make: Any) -> dict[str, Any]:
    """A row that is there, or is made now."""
    file = kept / f"{name}.json"
    if not file.exists():
        file.write_text(json.dumps(make()))
    found: dict[str, Any] = json.loads(file.read_text())
    print(found, flush=True)
    return found


def ours(data: DataSet, seconds: float, evaluator: Evaluator) -> dict[str, Any]:
    begun = time.perf_counter()
    chain = train(data, Config(**CONFIG, time=seconds), quiet=True)
    keep_sampling(chain, data)
    took = time.perf_counter() - begun
    return {"name": "saltus", "seconds": took, "calls": 1, "frechet": measured(ChainSampler(chain, chain.sampling), evaluator)}


def rival(data: DataSet, seconds: float, evaluator: Evaluator, kept: Path) -> dict[str, Any]:
    home, begun = kept / f"unet-{seconds:g}", time.perf_counter()
    train_unet(data, seconds, home)
    took = time.perf_counter() - begun
    network = unet(data)
    network.load_state_dict(torch.load(home / "unet.pt"))
    network.eval()
    by_calls = {calls: measured(UniPC(network, tuple(data.event_shape), calls), evaluator) for calls in CALLS}
    best = min(by_calls, key=lambda calls: statistics.fmean(by_calls[calls]))
    return {"name": "U-Net of diffusers, UniPC", "seconds": took, "calls": best, "frechet": by_calls[best]}


def report(data: DataSet, rows: list[dict[str, Any]], floor: float) -> str:
    def distance(row: dict[str, Any]) -> float:
        return statistics.fmean(row["frechet"])

    best = min((row for row in rows if row["name"] != "saltus"), key=distance)
    sooner = [row["seconds"] for row in rows if row["name"] == "saltus" and distance(row) <= distance(best)]
    ratio = (
        f"ours is below it after {min(sooner):.0f} s: **{best['seconds'] / min(sooner):.1f} times sooner**." if sooner else "ours is not."
    )
    finding = f"The rival's best at no more than {CALLS[-1]} calls, {distance(best):.3g}, takes it {best['seconds']:.0f} s; {ratio}"
    lines = ["# Time to a distance", "", *(__doc__ or "").split("\n\n")[2].splitlines(), "", finding, ""]
    lines += ["| | seconds of training | calls | Fréchet distance |", "|---|---|---|---|"]
    for row in rows:
        spread = f"{distance(row):.3g} ± {statistics.stdev(row['frechet']):.1g}"
        lines.append(f"| {row['name']} | {row['seconds']:.0f} | {row['calls']} | {spread} |")
    made = "`python benchmarks/time_to_quality.py FOLDER`"
    return "\n".join([*lines, "", f"{data.describe()}; real items have {floor:.3g}. {made}; {describe_machine()}.", ""])


def work(data: DataSet, kept: Path, samples: int, times: tuple[tuple[float, ...], tuple[float, ...]]) -> str:
    kept.mkdir(parents=True, exist_ok=True)
    evaluator = Evaluator(data, samples, metrics=("frechet",))
    rows = [row_of(kept, f"ours-{seconds:g}", lambda seconds=seconds: ours(data, seconds, evaluator)) for seconds in times[0]]
    rows += [row_of(kept, f"rival-{seconds:g}", lambda seconds=seconds: rival(data, seconds, evaluator, kept)) for seconds in times[1]]
    return report(data, rows, evaluator.floor["frechet"].mean)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--smoke", action="store_true", help="a miniature on the digits, in a temporary folder")
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    if options.smoke:
        with tempfile.TemporaryDirectory() as folder:
            print(work(load("digits"), Path(folder), 160, ((1.0,), (1.0,))))
    else:
        PAGE.write_text(work(load(options.folder / "fashion_mnist.npz"), KEPT, SAMPLES, (OURS, RIVALS)))


if __name__ == "__main__":
    main()

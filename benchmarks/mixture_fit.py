"""What a fit of a mixture costs and gives: seconds, memory, nats of training and of held-out items, and what float16 changes.

python benchmarks/mixture_fit.py FOLDER      FOLDER holds mnist.npz, fashion_mnist.npz, cifar10_small.npz; docs/results/mixture_fit.md
python benchmarks/mixture_fit.py --smoke     on the digits, nothing written

The last row is of 50,000 colour images, CIFAR-10's part four times over, each time mirrored, shifted or noised: time and memory do not
depend on what images show.  Each row is a process of its own, and its memory the largest that it had, less what it held before the fit.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saltus.data import DataSet, load
from saltus.machine import describe_machine
from saltus.oracles import GaussianMixture, LowRankMixture, choose_mixture
from saltus.process import Noise, OrnsteinUhlenbeck

REPORT = Path("docs/results/mixture_fit.md")
TIMES = (0.3, 0.8, 1.5)
LISTED = ", ".join(map(str, TIMES))
FILES = ("mnist", "fashion_mnist", "cifar10_small")
MANY, ITEMS = "cifar10_small, 50,000 items", 2000
_process = OrnsteinUhlenbeck()


def many(y: Tensor, n: int = 50_000) -> Tensor:
    """n images from fewer: as they are, mirrored, shifted by a pixel, and with a little noise."""
    g = torch.Generator().manual_seed(0)
    return torch.cat([y, y.flip(-1), y.roll(1, -1), y + 0.01 * torch.randn(y.shape, generator=g)] * 2)[:n]


def nats(distribution: LowRankMixture | GaussianMixture, y: Tensor, t: float) -> float:
    """KL(q(z_t | y) || p(z_t)) of items, by one draw each."""
    y = y[:ITEMS]
    z = _process.noised(y, t, Noise(0, 0, len(y)).normal("z", y.shape[1:], like=y))
    return float((_process.marginal(y, t).log_prob(z).double() - distribution.log_prob(z, t)).mean())


def memory() -> float:
    """The most that this process has had, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measured(data: DataSet, *, multiplied: bool = False) -> dict[str, Any]:
    """One row."""
    train = many(data.fitting_items) if multiplied else data.fitting_items
    before, begun, cpu = memory(), time.perf_counter(), time.process_time()
    fit = choose_mixture(train, data.validation, TIMES[0])
    row: dict[str, Any] = {
        "items": len(train),
        "d": train[0].numel(),
        "K": fit.mixture.K,
        "rank": fit.mixture.rank,
        "seconds": time.perf_counter() - begun,
        "cpu_seconds": time.process_time() - cpu,
        "memory": memory() - before,
        "gap": fit.gap,
        "nats": [nats(fit.mixture, data.validation, t) for t in TIMES],
    }
    half = fit.mixture.compact()
    one, other = (distribution.sample(500, TIMES[0], seed=0) for distribution in (fit.mixture, half))
    row["float16_samples"] = float((one - other).square().mean().sqrt() / one.std())
    row["float16_nats"] = nats(half, data.validation, TIMES[0]) - row["nats"][0]
    return row


def page(rows: dict[str, dict[str, Any]]) -> str:
    """The table."""
    lines = [
        "# Fitting a mixture",
        "",
        "`python benchmarks/mixture_fit.py FOLDER`: the number of components and the rank chosen on validation items, then three passes of",
        f"EM, for t = {TIMES[0]}. Nats are KL(q(z_t | y) || p(z_t)) of {ITEMS} validation items at t = {LISTED};",
        "the gap is what a held-out item costs more than a training item. The change of samples by float16 is the root mean square over",
        f"all numbers of 500 draws, as a share of their standard deviation. Machine: {describe_machine()}.",
        "",
        "| data | items | d | components | rank | seconds | CPU seconds | GiB | nats | gap | float16: samples | nats |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        figures = " / ".join(f"{value:.2f}" for value in row["nats"])
        lines.append(
            f"| {name} | {row['items']:,} | {row['d']} | {row['K']} | {row['rank']} | {row['seconds']:.0f} | {row['cpu_seconds']:.0f} | "
            f"{row['memory']:.2f} | {figures} | {row['gap']:.2f} | {row['float16_samples']:.1e} | {row['float16_nats']:+.3f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--one", help="print one row as JSON")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    if options.smoke:
        print(page({"digits": measured(load("digits"))}))
    elif options.one and options.folder:
        source = options.one.partition(",")[0]
        print(json.dumps(measured(load(options.folder / f"{source}.npz"), multiplied=options.one == MANY)))
    elif options.folder:
        rows = {}
        for name in (*FILES, MANY):
            command = [sys.executable, __file__, str(options.folder), "--one", name]
            rows[name] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(name, rows[name], flush=True)
        REPORT.write_text(page(rows))
    else:
        parser.error("give FOLDER, or --smoke")


if __name__ == "__main__":
    main()

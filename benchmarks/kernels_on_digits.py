"""Does the VAE kernel beat the Gaussian one at L = 4?  Five seeds on the digits, one table.

Three arms with the same data, levels, optimiser, batch, training time and last step:

    gaussian     GaussianKernel, optimal variance calibrated on validation items
    no latent    VAEKernel without a latent: a Gaussian whose variance is learned, dimension by dimension
    vae          VAEKernel, its encoder that of (z_s, z_t)

Size: the rivals' network has at least as many parameters as the VAE's decoder and encoder together (within 5%).
Time: the speeds of the arms are measured side by side first, and each arm gets the updates that fit the same time;
validations come on top.
Finished runs are kept, so that the command continues where it was interrupted.

    python benchmarks/kernels_on_digits.py            all seeds, then the table in docs/results/kernels_on_digits.md
    python benchmarks/kernels_on_digits.py --smoke    a miniature of it, in a temporary folder
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from saltus.chain import Chain, StandardNormal
from saltus.data import DataSet, digits
from saltus.evaluation import diversity, sliced_wasserstein
from saltus.kernels import Final, GaussianKernel, Preconditioned, Sampling, VAEKernel
from saltus.networks import MLP, MLPEncoder
from saltus.training import Config, Trainer

ARMS = ("gaussian", "no latent", "vae")
SEEDS = range(5)
SECONDS = 60.0  # of training, as measured at the start
LATENT, WIDTH, DEPTH = 16, 128, 3
CONFIG = Config(updates=1, any_step=False)
FINALS: tuple[Final, ...] = ("mean", "sample")
TIMING_UPDATES = 60
KEPT = Path("runs/kernels_on_digits")
REPORT = Path("docs/results/kernels_on_digits.md")


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def decoder(data: DataSet, width: int, outputs: int, latent: int) -> Preconditioned:
    return Preconditioned(MLP(data.event_shape, outputs=outputs, latent=latent, width=width, depth=DEPTH), data.variance)


def matched_width(data: DataSet, outputs: int) -> int:
    """The least width whose network has as many parameters as the VAE's decoder and encoder."""
    goal = parameters(decoder(data, WIDTH, 2, LATENT)) + parameters(MLPEncoder(data.event_shape, latent=LATENT, width=WIDTH))
    return next(width for width in range(WIDTH, 4 * WIDTH) if parameters(decoder(data, width, outputs, 0)) >= goal)


def build(arm: str, data: DataSet, seed: int) -> Chain:
    torch.manual_seed(seed)
    head = data.encoding.head()
    kernels: dict[str, Callable[[], GaussianKernel | VAEKernel]] = {
        "gaussian": lambda: GaussianKernel(decoder(data, matched_width(data, 1), 1, 0), head, any_step=False),
        "no latent": lambda: VAEKernel(decoder(data, matched_width(data, 2), 2, 0), None, head),
        "vae": lambda: VAEKernel(decoder(data, WIDTH, 2, LATENT), MLPEncoder(data.event_shape, latent=LATENT, width=WIDTH), head),
    }
    return Chain(StandardNormal(), CONFIG.grid, kernels[arm]())


def updates_per_arm(data: DataSet, folder: Path, seconds: float, timed: int) -> dict[str, int]:
    """Updates that fit into the same time, from speeds measured turn by turn."""
    file = folder / "updates.json"
    if not file.exists():
        config = CONFIG.model_copy(update={"updates": 10**9})
        loops = {arm: iter(Trainer(build(arm, data, 0), data, config)) for arm in ARMS}
        spent = dict.fromkeys(ARMS, 0.0)
        for loop in loops.values():
            next(loop)
        for _ in range(timed):
            for arm, loop in loops.items():
                start = time.perf_counter()
                next(loop)
                spent[arm] += time.perf_counter() - start
        file.write_text(json.dumps({arm: max(1, round(seconds * timed / taken)) for arm, taken in spent.items()}))
    kept: dict[str, int] = json.loads(file.read_text())
    return kept


def run(arm: str, seed: int, updates: int, data: DataSet, folder: Path) -> dict[str, Any]:
    """Train and measure one arm on one seed, or read what an earlier call measured."""
    file = folder / f"{arm.replace(' ', '-')}-{seed}.json"
    if file.exists():
        kept: dict[str, Any] = json.loads(file.read_text())
        return kept
    start = time.perf_counter()
    trainer = Trainer(build(arm, data, seed), data, CONFIG.model_copy(update={"updates": updates, "seed": seed}))
    for progress in trainer:
        skipped = progress.skipped
    chain, seconds = trainer.averaged(), time.perf_counter() - start
    bound, n = chain.bound(data.test, seed=seed), len(data.train)
    samples = {final: chain.sample(n, seed=seed, sampling=Sampling(final)) for final in FINALS}
    result: dict[str, Any] = {
        "arm": arm,
        "seed": seed,
        "updates": updates,
        "skipped": skipped,
        "seconds": seconds,
        "parameters": parameters(chain),
        "bits_per_dim": float(bound.bits_per_dim.mean()),
        "per_level": bound.per_level.mean(1).tolist(),
        "kl": bound.kl.mean(1).tolist(),
        "active_units": bound.active_units,
        "floor": sliced_wasserstein(data.fitting_items, data.test, seed=seed),
        **{f"sliced_wasserstein_{final}": sliced_wasserstein(y, data.test, seed=seed) for final, y in samples.items()},
        **{f"diversity_{final}": diversity(y, data.test) for final, y in samples.items()},
    }
    file.write_text(json.dumps(result, indent=1))
    return result


METRICS = {
    "bound, bits/dim": "bits_per_dim",
    "sliced Wasserstein, last step its mean": "sliced_wasserstein_mean",
    "sliced Wasserstein, last step a sample": "sliced_wasserstein_sample",
    "diversity, last step its mean": "diversity_mean",
    "diversity, last step a sample": "diversity_sample",
}


def table(results: dict[str, list[dict[str, Any]]], data: DataSet) -> str:
    """The report, in Markdown."""
    floor = statistics.fmean(row["floor"] for row in results["vae"])
    lines = [
        "# The VAE kernel against the Gaussian kernel at L = 4, on digits",
        "",
        "`make bench` makes this page.",
        f"Data: {data.describe()}. Levels: {[round(t, 3) for t in CONFIG.grid]}, 4 network calls a sample.",
        f"Seeds: {len(results['vae'])}. {len(data.train)} samples against {len(data.test)} test digits; "
        f"the sliced Wasserstein distance of real training digits to them, the floor, is {floor:.3f}.",
        f"Machine: {platform.machine()}, {torch.get_num_threads()} thread(s), torch {torch.__version__}.",
        "",
        "| arm | parameters | updates | training seconds | skipped updates |",
        "|---|---|---|---|---|",
    ]
    for arm, rows in results.items():
        seconds = ", ".join(f"{r['seconds']:.0f}" for r in rows)
        lines.append(f"| {arm} | {rows[0]['parameters']} | {rows[0]['updates']} | {seconds} | {sum(r['skipped'] for r in rows)} |")
    lines += ["", "Mean over seeds, and the paired difference to the VAE with its standard error:", ""]
    lines += ["| metric | " + " | ".join(results) + " | vae - gaussian | vae - no latent |", "|---|" + "---|" * (len(results) + 2)]
    for title, key in METRICS.items():
        means = [f"{statistics.fmean(r[key] for r in rows):.3f}" for rows in results.values()]
        differences = [_paired(results["vae"], results[rival], key) for rival in ("gaussian", "no latent")]
        lines.append("| " + " | ".join([title, *means, *differences]) + " |")
    lines += ["", "Nats per item of each step, cleanest first, and the latent's KL and active units (mean over seeds):", ""]
    lines += ["| arm | bound | KL | active units |", "|---|---|---|---|"]
    for arm, rows in results.items():
        units = "none" if rows[0]["active_units"][0] is None else _means(rows, "active_units")
        lines.append(f"| {arm} | {_means(rows, 'per_level')} | {_means(rows, 'kl')} | {units} |")
    return "\n".join(lines) + "\n"


def _paired(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], key: str) -> str:
    differences = [a[key] - b[key] for a, b in zip(ours, theirs, strict=True)]
    error = statistics.stdev(differences) / len(differences) ** 0.5
    mean = statistics.fmean(differences)
    return f"{mean:+.3f} ± {error:.3f} ({abs(mean) / error:.1f} s.e.)"


def _means(rows: list[dict[str, Any]], key: str) -> str:
    return ", ".join(f"{statistics.fmean(values):.2f}" for values in zip(*(r[key] for r in rows), strict=True))


def work(folder: Path, seeds: Iterable[int], seconds: float = SECONDS, timed: int = TIMING_UPDATES) -> dict[str, list[dict[str, Any]]]:
    """What every arm reached with these seeds."""
    data = digits()
    folder.mkdir(parents=True, exist_ok=True)
    updates = updates_per_arm(data, folder, seconds, timed)
    results: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
    for seed in seeds:
        for arm in ARMS:
            result = run(arm, seed, updates[arm], data, folder)
            results[arm].append(result)
            print(f"{arm} seed {seed}: {result['bits_per_dim']:.3f} bits/dim, {result['sliced_wasserstein_mean']:.3f}", flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)), help="which to run in this process; the table needs all")
    parser.add_argument("--smoke", action="store_true", help="a miniature, in a temporary folder")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.smoke:
        with tempfile.TemporaryDirectory() as folder:
            print(table(work(Path(folder), range(2), seconds=0.1, timed=2), digits()))
        return
    work(KEPT, map(int, options.seeds.split(",")))
    if all((KEPT / f"{arm.replace(' ', '-')}-{seed}.json").exists() for arm in ARMS for seed in SEEDS):
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(table(work(KEPT, SEEDS), digits()))
        print(f"the table is in {REPORT}")


if __name__ == "__main__":
    main()

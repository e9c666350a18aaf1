"""Two mixtures in the plane, whose law is known: a grid of 5 x 5 modes and a ring of 8, at 2 and at 4 network calls.

grid   means (i, j), i, j = -2 ... 2, standard deviation 0.05
ring   means on a circle of radius 2, standard deviation 0.02

N samples against N fresh items of the law: 2-Wasserstein distance over the floor, which is that of two sets of fresh items, each
the mean over several sets, since how many items a mode gets varies from set to set; modes that got at least half of their share
of samples within four standard deviations, in every set; the share of samples that lie there.
The rivals' grids, etas and whether the last step is a draw are chosen by the distance on other items; the VAE is sampled as
`saltus sample` does, since among its many settings that choice picks noise.  Finished runs and figures are kept.

    python benchmarks/mixtures.py            docs/results/mixtures.md (two hours, continues)
"""

from __future__ import annotations

import json
import math
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import ot
import torch
from torch import Tensor

from saltus.chain import Chain
from saltus.data import DataSet, Standardised
from saltus.kernels import DEFAULT
from saltus.machine import describe_machine
from saltus.oracles import GaussianMixture
from saltus.process import OrnsteinUhlenbeck
from saltus.studies.compare.samplers import Choice, Contender, of_chain, of_oracle
from saltus.training import Config, train

KEPT, REPORT = Path("runs/mixtures"), Path("docs/results/mixtures.md")
SEEDS, CALLS, N, CHOICE_N = (0, 1, 2), (2, 4), 4000, 1000
SETS = 3
FRESH = 1000  # seeds from here on are of fresh items and of choices
CLEAN = float(OrnsteinUhlenbeck().time_at_log_snr(3.5))
"""Neighbouring modes are still apart at this time, and the step from it to the data is small."""
LAST = 3.0
GRIDS = {2: (0.0, CLEAN, LAST), 4: (0.0, CLEAN, 1.5, 2.25, LAST)}
"""Of the VAE: one level where modes are apart, the others mostly noise, as on images."""
ITEMS = {"train": 40_000, "validation": 4000, "test": 4000}
SPENT = ".seconds"
NEAR = 4.0  # standard deviations
NETWORK: dict[str, Any] = {"preset": "tiny", "architecture": "mlp", "width": 128, "batch": 512, "learning_rate": 0.004}
UPDATES = {"vae": 4000, "gaussian": 5600}
"""The page says how long trainings took."""
LATENTS = 4
"""That the VAE's bound is tightened with: with one, modes of the ring get unequal shares, and samples lie between them."""
WAYS = ("exact kernel", "Gaussian step", "DDIM", "UniPC")
"""Of the Gaussian kernel's network and of the perfect denoiser; every distance takes five seconds."""
SPREADS = {"grid": 0.05, "ring": 0.02}


def means(name: str) -> Tensor:
    if name == "grid":
        return torch.cartesian_prod(*[torch.arange(-2, 3, dtype=torch.float64)] * 2)
    angle = torch.arange(8, dtype=torch.float64) * math.pi / 4
    return 2 * torch.stack([angle.cos(), angle.sin()], dim=1)


def modes(name: str) -> tuple[Tensor, float]:
    """Means and standard deviation, scaled to unit mean variance."""
    at, spread = means(name), SPREADS[name]
    scale = math.sqrt(float(at.square().sum(1).mean()) / 2 + spread**2)
    return at / scale, spread / scale


def law(name: str) -> GaussianMixture:
    at, spread = modes(name)
    covariance = torch.eye(2, dtype=torch.float64) * spread**2
    return GaussianMixture(torch.ones(len(at)), at, covariance.expand(len(at), 2, 2))


def data_set(name: str) -> DataSet:
    q = law(name)
    parts = q.sample(sum(ITEMS.values()), seed=0).float().split(list(ITEMS.values()))
    plain = Standardised("vector", (2,), torch.zeros(2), torch.ones(2))
    return DataSet(name, plain, **dict(zip(ITEMS, parts, strict=True)), law=q)


def wasserstein(x: Tensor, y: Tensor) -> float:
    """The 2-Wasserstein distance of two sets of points of one size."""
    cost, uniform = ot.dist(x.double().numpy(), y.double().numpy()), ot.unif(len(x))
    return math.sqrt(ot.emd2(uniform, uniform, cost, numItermax=10**7))


def kept(file: Path, make: Callable[[], Any]) -> Any:
    """A finished figure, or one made now."""
    if not file.exists():
        found = make()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found))
        print(f"{file}: {found}", flush=True)
    return json.loads(file.read_text())


def trained(name: str, kernel: str, calls: int, seed: int) -> Chain:
    run = KEPT / name / f"{kernel}-{calls}-{seed}"

    def make() -> float:
        shutil.rmtree(run, ignore_errors=True)
        begun = time.process_time()
        latent = {"latent": 2, "latents": LATENTS} if kernel == "vae" else {}
        options = NETWORK | latent | {"times": GRIDS[calls], "steps": UPDATES[kernel], "seed": seed}
        train(data_set(name), Config(kernel=kernel, **options), run, quiet=True)
        return round(time.process_time() - begun, 1)

    kept(run.with_suffix(SPENT), make)
    return Chain.load(run)


def plainly(chain: Chain, held_out: Tensor) -> Contender:
    """The VAE's steps as `saltus sample` draws them."""
    return replace(of_chain(chain, held_out)[0], hows=[DEFAULT])


def judged(contender: Contender, name: str, calls: int) -> tuple[float, Choice]:
    """The best choice for a way to sample, with its distance to validation items."""
    real = data_set(name).validation[:CHOICE_N]
    options = contender.choices(calls).values()
    distances = [wasserstein(contender.sampler(option).sample(CHOICE_N, seed=FRESH), real) for option in options]
    return min(zip(distances, options, strict=True), key=lambda pair: pair[0])


def fresh(name: str, which: int, *, other: bool = False) -> Tensor:
    """A set of items of the law that no choice has seen, or another to measure the floor."""
    return law(name).sample(N, seed=FRESH + 1 + 2 * which + other)


def floor_of(name: str) -> float:
    """The distance of two sets of fresh items, a mean over `SETS`."""

    def make() -> float:
        return statistics.fmean(wasserstein(fresh(name, which, other=True), fresh(name, which)) for which in range(SETS))

    found: float = kept(KEPT / name / "floor.json", make)
    return found


def figures(contender: Contender, name: str, calls: int, seed: int) -> dict[str, float]:
    """Means over `SETS` sets of samples, but the fewest modes."""
    choice, (at, spread) = judged(contender, name, calls)[1], modes(name)
    distances, full, near = [], [], []
    for which in range(SETS):
        x = contender.sampler(choice).sample(N, seed=SETS * seed + which).double()
        distance, mode = torch.cdist(x, at).min(1)
        counts = mode[distance < NEAR * spread].bincount(minlength=len(at))
        distances.append(wasserstein(x, fresh(name, which)))
        full.append(int((counts >= N / len(at) / 2).sum()))
        near.append(float(counts.sum()) / N)
    found = {"ratio": statistics.fmean(distances) / floor_of(name), "modes": min(full), "near": statistics.fmean(near)}
    return found | (asdict(choice.how) if choice.how else {})


def rows(name: str, calls: int) -> dict[str, list[dict[str, float]]]:
    """Figures of each seed, for every way to sample."""
    held_out, home = data_set(name).validation, KEPT / name

    perfect = of_oracle(law(name), held_out, data_set(name).encoding.head(), LAST, exact_bound=True)
    found: dict[str, list[dict[str, float]]] = {}
    for seed in SEEDS:
        gaussian = of_chain(trained(name, "gaussian", 4, seed), held_out)
        contenders = {"VAE": plainly(trained(name, "vae", calls, seed), held_out)}
        contenders |= {one.way: one for one in gaussian if one.way in WAYS}
        contenders |= {f"perfect denoiser: {one.way}": one for one in perfect if one.way in WAYS}
        for way, contender in contenders.items():
            file = home / f"{calls} calls" / way / f"{seed}.json"
            found.setdefault(way, []).append(kept(file, partial(figures, contender, name, calls, seed)))
    return found


def line(way: str, found: list[dict[str, float]]) -> str:
    def cell(figure: str, digits: int) -> str:
        values = [figures[figure] for figures in found]
        return f"{statistics.fmean(values):.{digits}f} ± {statistics.stdev(values):.{digits}f}"

    ours = [figures for figures in found if "last" in figures]  # a scheduler has its own way
    hows = ", ".join(f"{figures['last']}/{figures['eta']:g}/{figures['temperature']:g}" for figures in ours)
    return f"| {way} | {cell('ratio', 2)} | {min(figures['modes'] for figures in found):.0f} | {cell('near', 3)} | {hows} |"


def main() -> None:
    torch.set_num_threads(1)
    lines = [
        "# Mixtures in the plane",
        "",
        f"Made by `python benchmarks/mixtures.py`. {SETS} sets of {N} samples of each network; {NETWORK['width']} neurons a layer,",
        f"{NETWORK['batch']} items an update, {UPDATES['vae']} updates of the VAE, its bound tightened with {LATENTS} latents, and",
        f"{UPDATES['gaussian']} of the Gaussian kernel;",
        f"mean ± standard deviation over seeds {', '.join(map(str, SEEDS))}; the last step gives its median, or a draw.",
        f"Machine: {describe_machine()}. What the columns say is in the benchmark's docstring.",
    ]
    for name in SPREADS:
        for calls in CALLS:
            lines += ["", f"## {name}, {calls} calls", "", f"{len(means(name))} modes.", ""]
            lines += ["| way | 2-Wasserstein / floor | modes, fewest | near a mode | last/eta/temperature |", "|---|---|---|---|---|"]
            lines += [line(way, found) for way, found in rows(name, calls).items()]
    spent = {kernel: [float(file.read_text()) for file in KEPT.glob(f"*/{kernel}-*{SPENT}")] for kernel in UPDATES}
    lines += ["", *(f"CPU seconds of training, {kernel}: {min(found):.0f} to {max(found):.0f}." for kernel, found in spent.items())]
    REPORT.write_text("\n".join(lines) + "\n")
    print(f"the tables are in {REPORT}")


if __name__ == "__main__":
    main()

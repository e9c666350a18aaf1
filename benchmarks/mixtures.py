"""Two mixtures in the plane, whose distribution is known: a grid of 5 x 5 modes and a ring of 8, at 2 and at 4 network calls.

grid   means (i, j), i, j = -2 ... 2, standard deviation 0.05
ring   means on a circle of radius 2, standard deviation 0.02

N samples against N fresh items of the distribution: 2-Wasserstein distance over the floor, which is that of two sets of fresh items, each
the mean over several sets, since how many items a mode gets varies from set to set; modes that got at least half of their share
of samples within four standard deviations, in every set; the share of samples that lie there.
The rivals' grids, etas and whether the last step gives a sample are chosen by the distance on other items; the VAE is sampled as
`saltus sample` does, since among its many settings that choice picks noise.  Finished runs and figures are kept.

    python benchmarks/mixtures.py            docs/results/mixtures.md (two hours, continues)
    python benchmarks/mixtures.py --smoke    a miniature of it, in a temporary folder
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from saltus.chain import Chain
from saltus.data import DataSet, Standardised
from saltus.kernels import DEFAULT
from saltus.machine import describe_machine
from saltus.oracles import GaussianMixture
from saltus.process import OrnsteinUhlenbeck
from saltus.studies.compare.samplers import Choice, NamedSampler, of_chain, of_oracle
from saltus.training import Config, train

KEPT, REPORT = Path("runs/mixtures"), Path("docs/results/mixtures.md")
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
IMPORTANCE_SAMPLES = 4
"""That the VAE's bound is tightened with: with one, modes of the ring get unequal shares, and samples lie between them."""
SAMPLERS = ("exact kernel", "Gaussian step", "DDIM", "UniPC")
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


def distribution(name: str) -> GaussianMixture:
    at, spread = modes(name)
    covariance = torch.eye(2, dtype=torch.float64) * spread**2
    return GaussianMixture(torch.ones(len(at)), at, covariance.expand(len(at), 2, 2))


def data_set(name: str) -> DataSet:
    q = distribution(name)
    parts = q.sample(sum(ITEMS.values()), seed=0).float().split(list(ITEMS.values()))
    plain = Standardised("vector", (2,), torch.zeros(2), torch.ones(2))
    return DataSet(name, plain, **dict(zip(ITEMS, parts, strict=True)), distribution=q)


def wasserstein(x: Tensor, y: Tensor) -> float:
    """The 2-Wasserstein distance of two sets of points of one size."""
    cost = torch.cdist(x.double(), y.double()).square().numpy()
    return math.sqrt(cost[linear_sum_assignment(cost)].mean())  # sets of one size, so the best plan is a matching


def kept(file: Path, make: Callable[[], Any]) -> Any:
    """A finished figure, or one made now."""
    if not file.exists():
        found = make()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found))
        print(f"{file}: {found}", flush=True)
    return json.loads(file.read_text())


def plainly(chain: Chain, held_out: Tensor) -> NamedSampler:
    """The VAE's steps as `saltus sample` draws them."""
    return replace(of_chain(chain, held_out)[0], samplings=[DEFAULT])


@dataclass(frozen=True)
class Study:
    """How much is measured, and where finished parts are kept.

    Attributes:
        kept: the folder.
        seeds: of trainings.
        calls: numbers of network calls.
        n: samples of a set.
        choice_n: of each choice.
        sets: of samples, for each network.
        updates: of each kernel's training; the page says how long they took.
    """

    kept: Path
    seeds: Sequence[int] = (0, 1, 2)
    calls: Sequence[int] = (2, 4)
    n: int = 4000
    choice_n: int = 1000
    sets: int = 3
    updates: Mapping[str, int] = field(default_factory=lambda: {"vae": 4000, "gaussian": 5600})

    def trained(self, name: str, kernel: str, calls: int, seed: int) -> Chain:
        run = self.kept / name / f"{kernel}-{calls}-{seed}"

        def make() -> float:
            shutil.rmtree(run, ignore_errors=True)
            begun = time.process_time()
            latent = {"latent": 2, "importance_samples": IMPORTANCE_SAMPLES} if kernel == "vae" else {}
            options = NETWORK | latent | {"times": GRIDS[calls], "updates": self.updates[kernel], "seed": seed}
            train(data_set(name), Config(kernel=kernel, **options), run, quiet=True)
            return round(time.process_time() - begun, 1)

        kept(run.with_suffix(SPENT), make)
        return Chain.load(run)

    def judged(self, sampler: NamedSampler, name: str, calls: int) -> tuple[float, Choice]:
        """The best choice for a sampler, with its distance to validation items."""
        real = data_set(name).validation[: self.choice_n]
        options = sampler.choices(calls).values()
        distances = [wasserstein(sampler.sampler(option).sample(self.choice_n, seed=FRESH), real) for option in options]
        return min(zip(distances, options, strict=True), key=lambda pair: pair[0])

    def fresh(self, name: str, which: int, *, other: bool = False) -> Tensor:
        """A set of items of the distribution that no choice has seen, or another to measure the floor."""
        return distribution(name).sample(self.n, seed=FRESH + 1 + 2 * which + other)

    def floor_of(self, name: str) -> float:
        """The distance of two sets of fresh items, a mean over all sets."""

        def make() -> float:
            pairs = ((self.fresh(name, which, other=True), self.fresh(name, which)) for which in range(self.sets))
            return statistics.fmean(wasserstein(x, y) for x, y in pairs)

        found: float = kept(self.kept / name / "floor.json", make)
        return found

    def figures(self, sampler: NamedSampler, name: str, calls: int, seed: int) -> dict[str, Any]:
        """Means over all sets of samples, but the fewest modes."""
        choice, (at, spread) = self.judged(sampler, name, calls)[1], modes(name)
        distances, full, near = [], [], []
        for which in range(self.sets):
            x = sampler.sampler(choice).sample(self.n, seed=self.sets * seed + which).double()
            distance, mode = torch.cdist(x, at).min(1)
            counts = mode[distance < NEAR * spread].bincount(minlength=len(at))
            distances.append(wasserstein(x, self.fresh(name, which)))
            full.append(int((counts >= self.n / len(at) / 2).sum()))
            near.append(float(counts.sum()) / self.n)
        found = {"ratio": statistics.fmean(distances) / self.floor_of(name), "modes": min(full), "near": statistics.fmean(near)}
        return found | (asdict(choice.sampling) if choice.sampling else {})

    def rows(self, name: str, calls: int) -> dict[str, list[dict[str, Any]]]:
        """Figures of each seed, for every sampler."""
        held_out, home = data_set(name).validation, self.kept / name
        perfect = of_oracle(distribution(name), held_out, data_set(name).encoding.head(), LAST, exact_bound=True)
        found: dict[str, list[dict[str, Any]]] = {}
        for seed in self.seeds:
            gaussian = of_chain(self.trained(name, "gaussian", 4, seed), held_out)
            samplers = {"VAE": plainly(self.trained(name, "vae", calls, seed), held_out)}
            samplers |= {one.name: one for one in gaussian if one.name in SAMPLERS}
            samplers |= {f"perfect denoiser: {one.name}": one for one in perfect if one.name in SAMPLERS}
            for title, sampler in samplers.items():
                file = home / f"{calls} calls" / title / f"{seed}.json"
                found.setdefault(title, []).append(kept(file, partial(self.figures, sampler, name, calls, seed)))
        return found

    def page(self) -> str:
        lines = [
            "# Mixtures in the plane",
            "",
            f"Made by `python benchmarks/mixtures.py`. {self.sets} sets of {self.n} samples of each network;",
            f"{NETWORK['width']} neurons a layer,",
            f"{NETWORK['batch']} items an update, {self.updates['vae']} updates of the VAE, its bound importance-weighted with",
            f"{IMPORTANCE_SAMPLES} samples, and {self.updates['gaussian']} of the Gaussian kernel;",
            f"mean ± standard deviation over seeds {', '.join(map(str, self.seeds))}; the last step gives its mode, or a sample.",
            f"Machine: {describe_machine()}. What the columns say is in the benchmark's docstring.",
        ]
        for name in SPREADS:
            for calls in self.calls:
                lines += ["", f"## {name}, {calls} calls", "", f"{len(means(name))} modes.", ""]
                lines += [
                    "| sampler | 2-Wasserstein / floor | modes, fewest | near a mode | final/eta/temperature |",
                    "|---|---|---|---|---|",
                ]
                lines += [line(title, found) for title, found in self.rows(name, calls).items()]
        spent = {kernel: [float(file.read_text()) for file in self.kept.glob(f"*/{kernel}-*{SPENT}")] for kernel in self.updates}
        lines += ["", *(f"CPU seconds of training, {kernel}: {min(found):.0f} to {max(found):.0f}." for kernel, found in spent.items())]
        return "\n".join(lines) + "\n"


def line(title: str, found: list[dict[str, Any]]) -> str:
    def cell(figure: str, digits: int) -> str:
        values = [figures[figure] for figures in found]
        spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
        return f"{statistics.fmean(values):.{digits}f}{spread}"

    ours = [figures for figures in found if "final" in figures]  # a scheduler has its own way
    samplings = ", ".join(f"{figures['final']}/{figures['eta']:g}/{figures['temperature']:g}" for figures in ours)
    return f"| {title} | {cell('ratio', 2)} | {min(figures['modes'] for figures in found):.0f} | {cell('near', 3)} | {samplings} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a miniature, in a temporary folder")
    torch.set_num_threads(1)
    if parser.parse_args().smoke:
        with tempfile.TemporaryDirectory() as folder:
            print(Study(Path(folder), (0,), (2,), n=200, choice_n=50, sets=1, updates={"vae": 6, "gaussian": 6}).page())
        return
    REPORT.write_text(Study(KEPT).page())
    print(f"the tables are in {REPORT}")


if __name__ == "__main__":
    main()

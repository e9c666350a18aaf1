"""Rows of two tables by one call: a conditional spline flow after a mixture, and its rivals, in equal CPU seconds.

    mixture              Gaussians fitted in closed form, no network
    flow after a mixture `saltus train --kernel flow --levels 1 --prior mixture`, from t = 0.08 and 0.3
    flow from noise      the same from N(0, I) at t = 3: a flow that is told almost nothing
    zuko's spline flow   of the same size, alone, trained by a loop of its own
    Gaussian, 250 steps  today's diffusion model

Figures are nats a row, and the accuracy of a classifier that tells samples from rows (0.5 is best); one table is of validation items, by
which the start was chosen, and one of test items.

python benchmarks/rows.py train FOLDER [--only california]   FOLDER holds tabular_california.npz and tabular_ccpp.npz; what is done is kept
python benchmarks/rows.py report                             docs/results/rows.md, from what is there
python benchmarks/rows.py --smoke                            a miniature, in a temporary folder
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saltus.chain import Chain, OraclePrior
from saltus.data import DataSet, Standardised, load, read_items
from saltus.evaluation import ChainSampler, Evaluator, Sampler, evaluate, likelihood
from saltus.kernels import DEFAULT, OracleKernel
from saltus.levels import Levels
from saltus.machine import describe_machine, keep_freed_memory
from saltus.oracles import choose_mixture
from saltus.studies.compare.comparison import spread_of
from saltus.studies.compare.page import plus_minus
from saltus.training import Config, Trainer, build_chain
from saltus.training.start import choose_start

KEPT, PAGE = Path("runs/rows"), Path("docs/results/rows.md")
TABLES, SEEDS, SECONDS = ("california", "ccpp"), (0, 1, 2), 60.0
TRAINED: dict[str, Any] = {"batch": 512, "learning_rate": 0.004}
FLOW = TRAINED | {"kernel": "flow", "levels": 1, "width": 128}
GAUSSIAN = TRAINED | {"kernel": "gaussian", "levels": 4, "prior": "normal", "preset": "small", "width": 256, "learning_rate": 0.001}
STARTS, MANY = (0.08, 0.3), 250
METRICS = ("two_sample", "sliced_wasserstein", "nearest_ratio")
TIMED, ITEMS, ALONE, ZUKO, NOISE = 20, 2000, "mixture", "zuko's spline flow", "flow from noise"
_CLEAN = 0.05  # the time that the mixture alone is fitted for


def standardised(file: Path) -> DataSet:
    """A table whose columns are all taken as continuous: rivals have densities, and masses of counted values would not compare."""
    return load(file, encoding=Standardised.fit("vector", read_items(file)))


@dataclass(frozen=True)
class Made:
    """A model of rows.

    Attributes:
        sampler: of samples.
        nats: of items (N, d), each; in the units of the file.
        seconds: of training on one core.
    """

    sampler: Sampler
    nats: Callable[[Tensor], float]
    seconds: float


def of_chain(chain: Chain, data: DataSet, seconds: float) -> Made:
    """A chain, by its bound."""

    def nats(y: Tensor) -> float:
        found = likelihood(chain, y, data.encoding)
        assert found is not None
        return found.total

    return Made(ChainSampler(chain, DEFAULT), nats, seconds)


def mixture(data: DataSet, seed: int, _: float) -> Made:
    """The closed form alone: exact kernels on a grid of one step have the exact likelihood."""
    begun = time.process_time()
    distribution = choose_mixture(data.fitting_items, data.validation, _CLEAN, seed=seed).mixture
    chain = Chain(OraclePrior(distribution), Levels((0.0, _CLEAN)), OracleKernel(distribution), encoding=data.encoding)
    return of_chain(chain, data, time.process_time() - begun)


def trained(options: Mapping[str, Any], steps: int = 0) -> Callable[[DataSet, int, float], Made]:
    """By `saltus train`'s own loop, with as many updates as fit; on a grid of so many steps of its own, if it serves any."""

    def make(data: DataSet, seed: int, seconds: float) -> Made:
        begun = time.process_time()
        config, fit, _ = choose_start(Config(**options, seed=seed), data)
        endless = config.model_copy(update={"updates": 10**9})
        fitted = time.process_time() - begun  # which counts
        loop, start = iter(Trainer(build_chain(endless, data, fit), data, endless)), time.process_time()
        for _ in range(TIMED):
            next(loop)
        pace = (time.process_time() - start) / TIMED
        config = config.model_copy(update={"updates": max(TIMED, round((seconds - fitted) / pace))})
        trainer, start = Trainer(build_chain(config, data, fit), data, config), time.process_time()
        for _ in trainer:
            pass
        seconds, chain = fitted + time.process_time() - start, trainer.averaged()
        if steps:
            chain = chain.on(Levels.cosine(steps, config.grid.last))
            chain.calibrate(data.validation, seed=seed)
        return of_chain(chain, data, seconds)

    return make


class Alone:
    """zuko's flow: samples of it."""

    def __init__(self, flow: Any) -> None:
        self.flow = flow

    @torch.no_grad()
    def sample(self, n: int, *, seed: int) -> Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            found: Tensor = self.flow().sample((n,))
        return found


def zuko_flow(data: DataSet, seed: int, seconds: float) -> Made:
    """zuko's own flow with zuko's own loop, the best of its validations kept."""
    import zuko

    begun = time.process_time()
    torch.manual_seed(seed)
    flow = zuko.flows.NSF(data.event_shape[0], 0, transforms=5, bins=8, hidden_features=(128, 128))
    optimiser, generator = torch.optim.Adam(flow.parameters(), lr=TRAINED["learning_rate"]), torch.Generator().manual_seed(seed)
    best, kept = math.inf, flow.state_dict()
    while (spent := time.process_time() - begun) < seconds:
        for group in optimiser.param_groups:
            group["lr"] = TRAINED["learning_rate"] * 0.5 * (1 + math.cos(math.pi * spent / seconds))
        for _ in range(TIMED):
            rows = torch.randint(len(data.train), (TRAINED["batch"],), generator=generator)
            loss = -flow().log_prob(data.train[rows]).mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(flow.parameters(), 1.0)
            optimiser.step()
        with torch.no_grad():
            found = float(-flow().log_prob(data.validation).mean())
        if found < best:
            best, kept = found, {name: value.clone() for name, value in flow.state_dict().items()}
    flow.load_state_dict(kept)

    @torch.no_grad()
    def nats(y: Tensor) -> float:
        return float((data.encoding.log_jacobian(y) - flow().log_prob(y)).mean())

    return Made(Alone(flow), nats, time.process_time() - begun)


MODELS: dict[str, Callable[[DataSet, int, float], Made]] = {
    ALONE: mixture,
    **{f"flow after a mixture at {t:g}": trained(FLOW | {"prior": "mixture", "times": (0.0, t)}) for t in STARTS},
    NOISE: trained(FLOW | {"prior": "normal"}),
    ZUKO: zuko_flow,
    "Gaussian, 250 steps": trained(GAUSSIAN, MANY),
}


def measure(made: Made, data: DataSet, seed: int) -> dict[str, Any]:
    """Figures of validation and of test items."""
    found: dict[str, Any] = {"cpu_seconds": round(made.seconds, 1), "machine": describe_machine()}
    for part in ("validation", "test"):
        items = getattr(data, part)[:ITEMS]
        evaluator = Evaluator(data, min(ITEMS, len(items)), part=part, metrics=METRICS)
        report = evaluate(made.sampler, evaluator, [seed])
        distances = {name: figure.generated.values[0] for name, figure in report.metrics.items()}
        found[part] = {"nats": made.nats(items), "items": len(items), **distances}
    return found


def train(name: str, data: DataSet, kept: Path, seed: int, seconds: float, models: Sequence[str] = tuple(MODELS)) -> None:
    """Every figure of a table that is not there yet."""
    kept.mkdir(parents=True, exist_ok=True)
    for model in models:
        file = kept / f"{name} {model} {seed}.json"
        if not file.exists():
            found = measure(MODELS[model](data, seed, seconds), data, seed)
            file.write_text(json.dumps(found))
            figures = ", ".join(f"{part} {found[part]['nats']:.3f} {found[part]['two_sample']:.3f}" for part in ("validation", "test"))
            print(f"{name}, {model}, seed {seed}: {figures}, {found['cpu_seconds']:.0f} s", flush=True)


def report(kept: Path, page: Path, names: tuple[str, ...] = TABLES) -> None:
    """Both tables, from what is there."""
    lines = ["# Rows by one call", "", *(__doc__ or "").split("\n\n")[0].splitlines(), "", "```"]
    lines += [*(__doc__ or "").split("\n\n")[1].splitlines(), "```", "", *(__doc__ or "").split("\n\n")[2].splitlines(), ""]
    machines: set[str] = set()
    for name in names:
        for part in ("validation", "test"):
            columns = ["", "nats a row", "two-sample accuracy", "sliced Wasserstein", "nearest training item", "seeds", "CPU s"]
            lines += [f"## {name}, {part} items", "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
            for model in MODELS:
                runs = [json.loads(file.read_text()) for file in sorted(kept.glob(f"{name} {model} *.json"))]
                machines |= {run["machine"] for run in runs}
                if runs:
                    cells = [plus_minus(spread_of([run[part][figure] for run in runs])) for figure in ("nats", *METRICS)]
                    seconds = statistics.fmean(run["cpu_seconds"] for run in runs)
                    lines.append(f"| {model} | {' | '.join(cells)} | {len(runs)} | {seconds:.0f} |")
            lines.append("")
    lines += [f"Machine: {', '.join(sorted(machines))}. Means over seeds of training and of samples ± the standard deviation.", ""]
    page.write_text("\n".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a miniature, in a temporary folder")
    commands = parser.add_subparsers(dest="command")
    command = commands.add_parser("train")
    command.add_argument("folder", type=Path)
    command.add_argument("--only", default="", help="the beginning of a table's name")
    commands.add_parser("report")
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    if options.smoke:
        with tempfile.TemporaryDirectory() as folder:
            rows = torch.randn(900, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).exp()
            train("chance", load(rows.numpy()), Path(folder), 0, 0.5, (ALONE, NOISE, ZUKO))
            report(Path(folder), Path(folder) / "page.md", ("chance",))
            print((Path(folder) / "page.md").read_text())
    elif options.command == "train":
        for seed in SEEDS:
            for name in (table for table in TABLES if table.startswith(options.only)):
                train(name, standardised(options.folder / f"tabular_{name}.npz"), KEPT, seed, SECONDS)
    elif options.command == "report":
        report(KEPT, PAGE)
    else:
        parser.error("give a command, or --smoke")


if __name__ == "__main__":
    main()

"""What helps a noisy step to learn: one experiment for each claim, on MNIST at 14 x 14 and validation items.

Every chain starts from the same mixture at t = 0.8 and takes two steps, 0.8 -> 0.3 -> 0.  Each experiment changes one thing of the first,
noisy one; the closed form takes its place in the last row.  Inner nats are those of the noisy step, distances are of samples from real
z at 0.8 and from the mixture, and "real z at 0.3" is what the step to data leaves: the difference is the noisy step's.

python benchmarks/noisy_steps.py train FOLDER [--seed 0] [--only NAME]   FOLDER holds mnist.npz; finished experiments are kept
python benchmarks/noisy_steps.py report                    docs/results/noisy_steps.md, from what is there
python benchmarks/noisy_steps.py --smoke                   one experiment with three updates, in a temporary folder
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cases import Case, Work
from saltus.chain import Chain, ChainLoss
from saltus.chain.loss import Batch
from saltus.data import DataSet, load
from saltus.evaluation import by_level
from saltus.kernels import LadderKernel, OracleKernel, Pair, Sampling, Terms, Transition
from saltus.machine import describe_machine, keep_freed_memory
from saltus.oracles import MixtureFit, choose_mixture
from saltus.process import OrnsteinUhlenbeck
from saltus.studies.compare.comparison import spread_of
from saltus.studies.compare.page import plus_minus
from saltus.training import Config, Trainer, build_chain

KEPT, PAGE = Path("runs/noisy_steps"), Path("docs/results/noisy_steps.md")
S, T = 0.3, 0.8
RECIPE: dict[str, Any] = {
    "times": (0.0, S, T),
    "prior": "mixture",
    "closed_forms": False,
    "noisy_steps": "vae",
    "level_weighting": "equal",
    "head": "logistic",
    "ladder": "every",
    "channels": (32, 48),
    "channels_last": True,
    "bf16": True,
    "batch": 64,
    "learning_rate": 0.002,
    "kl_warm_up": 0.1,
    "updates": 1000,
}
ITEMS, BOUND_ITEMS, ETA, SHARE = 1000, 2000, 0.5, 4
CLOSED = "the closed form"
_process = OrnsteinUhlenbeck()


@dataclass(frozen=True)
class Experiment:
    """One change of the noisy step.

    Attributes:
        claim: what is expected of it.
        options: of the training.
        change: of the untrained chain.
        loss: in place of the chain's.
        sampling: of the samples.
    """

    claim: str
    options: Mapping[str, Any] = field(default_factory=dict)
    change: Callable[[Chain], None] = lambda _: None
    loss: Callable[[Chain], ChainLoss] = ChainLoss
    sampling: Sampling = field(default_factory=Sampling)


class Affine(nn.Module):
    """A group of a ladder that reads its latent as mu(h) + e^{a(h)} epsilon; at first as epsilon."""

    def __init__(self, group: Any, channels: int, k: int) -> None:
        super().__init__()
        self.group, self.read = group, nn.Conv2d(channels, 2 * k, 1)
        nn.init.zeros_(self.read.weight)
        nn.init.zeros_(self.read.bias)  # type: ignore[arg-type]
        self.posterior_of = group.posterior_of

    def forward(self, h: Tensor, latent: Tensor, context: Tensor, told: Tensor) -> Tensor:
        mean, log_scale = self.read(h).chunk(2, dim=1)
        out: Tensor = self.group(h, mean + log_scale.exp() * latent, context, told)
        return out


def read_affine(chain: Chain) -> None:
    """Every group of the noisy step's ladder."""
    kernel = chain.kernel(2)
    assert isinstance(kernel, LadderKernel)
    network: Any = kernel.decoder.backbone
    for number, (place, group) in enumerate(zip(network.places, network.groups, strict=True)):
        network.groups[number] = Affine(group, RECIPE["channels"][place], network.k)


class Rollouts(ChainLoss):
    """A quarter of the items of the step to data start from the chain's own z at 0.3, drawn from real z at 0.8."""

    def _terms(self, level: Tensor, batch: Batch, s: Tensor, t: Tensor) -> Terms:
        terms, n = super()._terms(level, batch, s, t), int((level == 1).sum()) // SHARE
        if n == 0:
            return terms
        y, noise = batch.y[:n], replace(batch.noise, n=n)
        with torch.no_grad():
            z = _process.noised(y, T, noise.normal("rollout", y.shape[1:], like=y))
            z = self.chain.kernel(2).sample(Transition(z, S, T), noise)
        own = self.chain.kernel(1).loss(Pair(z, torch.zeros(n), torch.full((n,), S), y=y, z_s=y), noise, batch.weights)
        return {name: torch.cat([own[name], value[n:]]) if name in own else value for name, value in terms.items()}


EXPERIMENTS = {
    "a ladder": Experiment("the plain recipe"),
    "all nats alike": Experiment("what the plain recipe would be: few items go to the noisy step", {"level_weighting": "nats"}),
    "few coarse latents": Experiment(
        "16 numbers that the whole image sees, and no ladder", {"ladder": "last", "latent": 16, "architecture": "unet"}
    ),
    "an encoder of y": Experiment("it sees what is to be told", {"encoder_input": "y"}),
    f"trained for eta {ETA:g}": Experiment(
        f"the objective of the eta that is sampled, {ETA:g}: the weight of the KL is derived", {"eta": ETA}, sampling=Sampling(eta=ETA)
    ),
    f"trained for eta 1, sampled with {ETA:g}": Experiment("the rival of the row above", sampling=Sampling(eta=ETA)),
    "latents as mu(h) + e^a(h) epsilon": Experiment("a conditional prior", change=read_affine),
    "own rollouts": Experiment("the next step sees its kind of error", loss=Rollouts),
    "residual to the mixture": Experiment("the network learns what the mixture misses", {"residual": True}),
    "a flow around the mixture": Experiment("no latent, and it starts at the floor", {"noisy_steps": "flow"}),
}


def measured(chain: Chain, data: DataSet, sampling: Sampling, floor: float) -> dict[str, Any]:
    """The nats of each step, and distances by level."""
    bound = chain.bound(data.validation[:BOUND_ITEMS], eta=sampling.eta if chain.has_bound_at(sampling.eta) else 1.0)
    rows = by_level(chain, data, ITEMS, sampling=sampling)
    return {
        "per_level": bound.per_level.double().mean(1).tolist(),
        "kl": bound.kl.mean(1).tolist(),
        "bits_per_dim": float(bound.bits_per_dim.double().mean()),
        "floor": floor,
        "by_level": [{"start": row.start, **row.metrics} for row in rows],
    }


def run(name: str, data: DataSet, fit: MixtureFit, seed: int, kept: Path, updates: int) -> None:
    """One experiment, and after the plain recipe its noisy step replaced by the closed form."""
    file = kept / f"{name}-{seed}.json"
    if file.exists():
        return
    experiment = EXPERIMENTS[name]
    config = Config(**{**RECIPE, **experiment.options}, seed=seed).model_copy(update={"updates": updates})
    chain = build_chain(config, data, fit)
    experiment.change(chain)
    trainer, begun = Trainer(chain, data, config, loss=experiment.loss(chain)), time.process_time()
    for _ in trainer:
        pass
    seconds, made = time.process_time() - begun, trainer.averaged()
    exact = OracleKernel(fit.mixture)
    closed = Chain(chain.prior, chain.levels, [made.kernel(1), exact], encoding=chain.encoding)
    floor = float(closed.bound(data.validation[:BOUND_ITEMS]).per_level[1].double().mean())
    found = {"cpu_seconds": round(seconds, 1), "machine": describe_machine(), **measured(made, data, experiment.sampling, floor)}
    if name == next(iter(EXPERIMENTS)):
        (kept / f"{CLOSED}-{seed}.json").write_text(json.dumps(found | measured(closed, data, Sampling(), floor)))
    file.write_text(json.dumps(found))
    print(f"{name}, seed {seed}: inner nats {found['per_level'][1]:.2f}, closed form {floor:.2f}, {seconds:.0f} s", flush=True)


def train(source: Path | str, seed: int, kept: Path, updates: int, names: list[str]) -> None:
    """Every experiment that is not there yet."""
    data = load(source)
    kept.mkdir(parents=True, exist_ok=True)
    fit = choose_mixture(data.fitting_items, data.validation, T, seed=seed)
    for name in names:
        run(name, data, fit, seed, kept, updates)


def report(kept: Path, page: Path) -> None:
    """The table, from what is there."""
    found = {name: [json.loads(file.read_text()) for file in sorted(kept.glob(f"{name}-*.json"))] for name in [*EXPERIMENTS, CLOSED]}
    found = {name: runs for name, runs in found.items() if runs}
    lines = [
        "# What helps a noisy step to learn",
        "",
        *(__doc__ or "").split("\n\n")[1].splitlines(),
        "",
        f"MNIST at 14 x 14, {RECIPE['updates']} updates of {RECIPE['batch']} items; nats of {BOUND_ITEMS} validation items, distances of",
        f"{ITEMS} samples. Means over seeds ± the standard deviation. A row has learned something only where its inner nats are fewer than",
        "those of the last row, the closed form.",
        "",
        "| the noisy step | inner nats | of which KL | bits/dim | Fréchet: real z at 0.3 | real z at 0.8 | the mixture's z "
        "| sliced Wasserstein: real z at 0.3 | real z at 0.8 | the mixture's z | seeds | CPU s |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, runs in found.items():
        distances = [
            [run["by_level"][level][metric] for run in runs] for metric in ("frechet", "sliced_wasserstein") for level in (1, 2, 3)
        ]
        cells = [
            plus_minus(spread_of([run["per_level"][1] for run in runs])),
            plus_minus(spread_of([run["kl"][1] for run in runs])),
            plus_minus(spread_of([run["bits_per_dim"] for run in runs])),
        ]
        cells += [plus_minus(spread_of(values)) for values in distances]
        seconds = statistics.fmean(run["cpu_seconds"] for run in runs)
        lines.append(f"| {name} | {' | '.join(cells)} | {len(runs)} | {seconds:.0f} |")
    lines += ["", "Claims:", "", *(f"* {name}: {EXPERIMENTS[name].claim}." for name in found if name in EXPERIMENTS), ""]
    lines += [f"Machine: {next(iter(found.values()))[0]['machine']}.", "", "Made by `python benchmarks/noisy_steps.py`."]
    page.write_text("\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="one experiment with three updates, in a temporary folder")
    commands = parser.add_subparsers(dest="command")
    command = commands.add_parser("train")
    command.add_argument("folder", type=Path)
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--only", default="", help="the beginning of an experiment's name")
    commands.add_parser("report")
    options = parser.parse_args()
    keep_freed_memory()
    if options.smoke:
        torch.set_num_threads(1)
        with tempfile.TemporaryDirectory() as folder:
            kept = Path(folder)
            train(_few(kept), 0, kept, 3, ["own rollouts"])
            report(kept, kept / "page.md")
            print((kept / "page.md").read_text())
    elif options.command == "train":
        KEPT.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(1)
        place = Work(Case("mnist_14", "", {}, 0.0, (), ()), options.folder, KEPT, "").place()
        train(place, options.seed, KEPT, RECIPE["updates"], [name for name in EXPERIMENTS if name.startswith(options.only)])
    elif options.command == "report":
        report(KEPT, PAGE)
    else:
        parser.error("give a command, or --smoke")


def _few(folder: Path) -> str:
    """Images of chance, as many as the smoke test needs."""
    import numpy as np

    generator, shape = np.random.default_rng(0), (14, 14)
    images = generator.integers(0, 256, (12 * ITEMS, *shape), dtype=np.uint8)
    np.savez(folder / "chance.npz", train_images=images, train_labels=np.arange(12 * ITEMS) % 10)
    return str(folder / "chance.npz")


if __name__ == "__main__":
    main()

"""Three choices of design, each measured on the digits with the seeds below; the table goes to docs/results/choices_on_digits.md.

    latent path    the latent as an input too (as built), or through the conditioning alone
    network        an MLP or a U-Net for 8 x 8 images, given the same time on one core
    outliers       the discretised head with and without its share of outliers

Figures are of the validation items, which is where choices are made.

    python benchmarks/choices_on_digits.py
"""

from __future__ import annotations

import copy
import platform
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from saltus.chain import Bound, Chain, StandardNormal
from saltus.data import DataSet, digits
from saltus.kernels import DiscretisedHead, Head, VAEKernel
from saltus.networks import MLP, Architecture, Scaled, decoder, encoder
from saltus.training import Config, Trainer

SEEDS = (0, 1)
UPDATES = 1500
SECONDS = 60.0
LATENT = 16
REPORT = Path("docs/results/choices_on_digits.md")


class ConditionedOnly(MLP):
    """An MLP that is told its latent through the conditioning alone."""

    def __init__(self, event_shape: tuple[int, ...], *, outputs: int, latent: int, width: int) -> None:
        super().__init__(event_shape, outputs=outputs, latent=latent, width=width)
        kept = torch.ones_like(self.first.weight)
        kept[:, -latent:] = 0
        with torch.no_grad():
            self.first.weight *= kept
        self.first.weight.register_hook(lambda gradient: gradient * kept)


@dataclass
class Row:
    """One measured chain."""

    study: str
    choice: str
    seed: int
    updates: int
    bound: Bound

    def __str__(self) -> str:
        bits, kl = float(self.bound.bits_per_dim.mean()), ", ".join(f"{v:.2f}" for v in self.bound.kl.mean(1))
        worst = float(self.bound.per_level[0].max())
        return (
            f"| {self.study} | {self.choice} | {self.seed} | {self.updates} | {bits:.3f} | {kl} | {self.bound.active_units} | {worst:.0f} |"
        )


def measure(
    study: str, choice: str, seed: int, data: DataSet, network: Scaled, coder: nn.Module, head: Head, seconds: float | None = None
) -> Row:
    """Train on the default grid for a number of updates or for a time."""
    config = Config(seed=seed, steps=UPDATES)
    if seconds is not None:
        config = config.model_copy(update={"steps": _fitting(data, network, coder, head, seconds)})
    trainer = Trainer(Chain(StandardNormal(), config.grid, VAEKernel(network, coder, head)), data, config)
    for _ in trainer:
        pass
    row = Row(study, choice, seed, config.steps, trainer.averaged().bound(data.validation, seed=seed))
    print(row, flush=True)
    return row


def _fitting(data: DataSet, network: Scaled, coder: nn.Module, head: Head, seconds: float) -> int:
    """Updates that fit the time, by the speed of a few on copies that are thrown away."""
    config = Config(steps=10**6)
    kernel = VAEKernel(copy.deepcopy(network), copy.deepcopy(coder), head)
    updates = iter(Trainer(Chain(StandardNormal(), config.grid, kernel), data, config))
    next(updates)
    start, timed = time.perf_counter(), 10
    for _ in range(timed):
        next(updates)
    return max(1, round(seconds * timed / (time.perf_counter() - start)))


def main() -> None:
    torch.set_num_threads(1)
    data, rows = digits(), []
    shape, head = data.event_shape, data.encoding.head()
    for seed in SEEDS:
        for choice, kind in (("an input too", MLP), ("conditioning alone", ConditionedOnly)):
            torch.manual_seed(seed)
            network = Scaled(kind(shape, outputs=2, latent=LATENT, width=128), data.variance)
            rows.append(measure("latent path", choice, seed, data, network, encoder(shape, latent=LATENT), head))
        for architecture in Architecture:
            torch.manual_seed(seed)
            network = decoder(shape, architecture=architecture, outputs=2, latent=LATENT, variance=data.variance)
            coder = encoder(shape, architecture=architecture, latent=LATENT)
            rows.append(measure("network", architecture, seed, data, network, coder, head, SECONDS))
        torch.manual_seed(seed)
        network = decoder(shape, outputs=2, latent=LATENT, variance=data.variance)
        rows.append(measure("outliers", "none", seed, data, network, encoder(shape, latent=LATENT), DiscretisedHead(head.bins)))
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(
        "# Choices of design on digits\n\n"
        f"`python benchmarks/choices_on_digits.py` makes this page. Data: {data.describe()}; figures are of the validation items.\n"
        f"VAE kernel, latent of {LATENT}, default grid of 4 levels; {UPDATES} updates, or {SECONDS:.0f} s where two networks are compared. "
        f"The outliers' share of 1e-4 is that of the row `latent path, an input too`.\n"
        f"Machine: {platform.machine()}, 1 thread, torch {torch.__version__}.\n\n"
        "| study | choice | seed | updates | bits/dim | KL of each step, cleanest first | active units | worst item's last step, nats |\n"
        "|---|---|---|---|---|---|---|---|\n" + "\n".join(map(str, rows)) + "\n"
    )
    print(f"the table is in {REPORT}")


if __name__ == "__main__":
    main()

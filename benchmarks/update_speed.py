"""What the training loop costs beside the network: an update of `Trainer` against the bare work of the same kernel.

The bare work is the loss of a VAE kernel on inputs drawn beforehand, its backward pass, a step of fused AdamW, and nothing else.
Both take turns in one process, by CPU time on one thread; the aim is a ratio of at most 1.15.  The parts of an update are timed
alone as well.

    python benchmarks/update_speed.py            the table in docs/results/update_speed.md (a minute)
    python benchmarks/update_speed.py --smoke    a few turns, printed alone
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saltus.chain import Chain, ChainLoss
from saltus.data import DataSet, digits
from saltus.kernels import Kernel, Pair
from saltus.machine import describe_machine, keep_freed_memory
from saltus.process import Noise, OrnsteinUhlenbeck
from saltus.training import Config, Trainer, build_chain
from saltus.training.trainer import BETAS

CONFIG = Config(kernel="vae", levels=4, architecture="mlp", width=128, batch=128, updates=10**8)
TURNS, FEW_TURNS, IN_A_ROW, WARM_UP = 60, 2, 10, 100
AIM = 1.15
REPORT = Path("docs/results/update_speed.md")


@dataclass(frozen=True)
class Drawn(Noise):
    """Noise that draws the normals of a role once."""

    known: dict[str, Tensor] = field(default_factory=dict, compare=False)

    def normal(self, role: str, shape: Sequence[int], *, like: Tensor | None = None) -> Tensor:
        if role not in self.known:
            self.known[role] = super().normal(role, shape, like=like)
        return self.known[role]


def drawn_pair(chain: Chain, y: Tensor, noise: Noise, probabilities: Sequence[float]) -> Pair:
    """As many items at each level as an update has: the step to data costs more than others, by its likelihood."""
    process, strata = OrnsteinUhlenbeck(), (torch.arange(len(y)) + 0.5) / len(y)
    index = torch.searchsorted(torch.tensor(probabilities).cumsum(0)[:-1], strata.to(torch.get_default_dtype()), right=True)
    s, t = chain.levels.times[index], chain.levels.times[index + 1]
    z_s = process.noised(y, s, noise.normal("z_s", y.shape[1:], like=y))
    return Pair(process.noised(z_s, t - s, noise.normal("z_t", y.shape[1:], like=y)), s, t, y=y, z_s=z_s)


class Bare:
    """Forward, backward and a step of the optimiser."""

    def __init__(self, data: DataSet, probabilities: Sequence[float]) -> None:
        chain = build_chain(CONFIG, data)
        self.kernel: Kernel = chain.kernel(1)
        self.parameters = list(self.kernel.parameters())
        self.noise = Drawn(0, 0, CONFIG.batch)
        self.pair = drawn_pair(chain, data.train[: CONFIG.batch], self.noise, probabilities)
        self.optimiser = torch.optim.AdamW(self.parameters, betas=BETAS, weight_decay=CONFIG.weight_decay, fused=True)

    def loss(self) -> Tensor:
        terms = self.kernel.loss(self.pair, self.noise, {})
        return torch.stack(list(terms.values())).sum(0).mean() / self.pair.y[0].numel()

    def update(self) -> None:
        self.optimiser.zero_grad()
        self.loss().backward()
        self.optimiser.step()


def spent(work: Callable[[], object], calls: int = IN_A_ROW) -> float:
    """CPU milliseconds of a call, the mean over some in a row."""
    start = time.process_time()
    for _ in range(calls):
        work()
    return 1000 * (time.process_time() - start) / calls


def parts(bare: Bare, trainer: Trainer, turns: int) -> dict[str, float]:
    """CPU milliseconds of each part of an update, medians; each is timed alone."""
    chain, shape = trainer.chain, trainer.chain.event_shape
    batch = trainer._batch(0)
    loss_of = ChainLoss(chain)
    loss = loss_of(batch)
    assert trainer.level_sampling is not None
    level_sampling = trainer.level_sampling

    def noise() -> None:
        fresh, like = batch.noise, batch.y
        fresh.uniform("level")
        for role, size in (("z_s", shape), ("z_t", shape), ("encoder", (bare.kernel.latent,))):
            fresh.normal(role, size, like=like)

    def figures() -> None:
        level_sampling.update(loss)
        torch.stack([value.detach().mean() for value in loss.terms.values()]).tolist()

    def backward() -> None:
        bare.optimiser.zero_grad()
        bare.loss().backward()

    def whole_loss() -> None:
        bare.optimiser.zero_grad()
        loss_of(batch).total.mean().backward()

    def transition() -> Any:
        pair = bare.pair
        again = Pair(pair.z_t, pair.s, pair.t, y=pair.y, z_s=pair.z_s)
        return again.log_snr, again.bridge

    named: dict[str, Callable[[], object]] = {
        "loss of drawn inputs, forward and backward": backward,
        "step of the optimiser": bare.optimiser.step,
        "loss of a batch, forward and backward, all drawn": whole_loss,
        "items of the batch": lambda: trainer._batch(0),
        "noise": noise,
        "coefficients of the transitions": transition,
        "norm of the gradient, clipping": trainer._clipped,
        "averaging of the weights": trainer._average_weights,
        "figures and level sampling": figures,
    }
    return {name: statistics.median(spent(work) for _ in range(turns)) for name, work in named.items()}


def page(turns: int) -> str:
    data = digits()
    trainer = Trainer(build_chain(CONFIG, data), data, CONFIG)
    loop = iter(trainer)
    spent(lambda: next(loop), WARM_UP)
    assert trainer.level_sampling is not None
    bare = Bare(data, trainer.level_sampling.probabilities)
    spent(bare.update)  # warms up
    pairs = [(spent(lambda: next(loop)), spent(bare.update)) for _ in range(turns)]
    whole, alone = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    lines = [
        "# What the training loop costs beside the network",
        "",
        f"Made by `python benchmarks/update_speed.py`: CPU milliseconds, medians of {turns} turns of {IN_A_ROW} updates, and the median of",
        f"the ratio within a turn. A VAE kernel of {sum(p.numel() for p in bare.parameters):,} parameters (MLP, {CONFIG.levels} levels) on",
        f"digits, batch {CONFIG.batch}. Machine: {describe_machine()}, of which one is used.",
        "",
        f"| update of `Trainer` | bare | ratio | at most {AIM} |",
        "|---|---|---|---|",
        f"| {whole:.2f} | {alone:.2f} | {ratio:.3f} | {'yes' if ratio <= AIM else 'no'} |",
        "",
        "Each part alone; the first two are the bare work.",
        "",
        "| part | ms | share of the bare work |",
        "|---|---|---|",
        *(f"| {name} | {ms:.3f} | {ms / alone:.1%} |" for name, ms in parts(bare, trainer, turns).items()),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a few turns, printed alone")
    smoke = parser.parse_args().smoke
    torch.set_num_threads(1)
    keep_freed_memory()
    text = page(FEW_TURNS if smoke else TURNS)
    print(text)
    if not smoke:
        REPORT.write_text(text)


if __name__ == "__main__":
    main()

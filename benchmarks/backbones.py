"""Backbones and optimisers at equal seconds: the U-Net, and patches with dense matrix products; AdamW, and Muon for their matrices.

python benchmarks/backbones.py FOLDER    FOLDER holds fashion_mnist.npz; docs/results/backbones.md (half an hour)
python benchmarks/backbones.py --smoke   a miniature on the digits, in a temporary folder

Each row is a training of the same kernel for the same seconds, whose learning rate falls to 0 at their end; one thread, and the
precision that a trial chooses.  Muon is torch's; it takes matrices of blocks, and AdamW the rest (https://kellerjordan.github.io/posts/muon).
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from saltus.chain import bits_per_dim
from saltus.data import DataSet, load, subsample
from saltus.evaluation import ChainSampler, Evaluator
from saltus.kernels import DEFAULT
from saltus.machine import describe_machine, keep_freed_memory
from saltus.training import Config, Trainer, build_chain
from saltus.training.trial import choose_speed

KEPT, PAGE = Path("runs/backbones"), Path("docs/results/backbones.md")
SECONDS, SAMPLES, SEEDS = 300.0, 1000, (0, 1, 2)
ARMS: dict[str, tuple[str, str]] = {
    "U-Net, AdamW": ("unet", "adamw"),
    "patches, AdamW": ("patches", "adamw"),
    "patches, Muon": ("patches", "muon"),
}


class Both:
    """Two optimisers, of different parameters, that step together."""

    def __init__(self, *optimisers: torch.optim.Optimizer) -> None:
        self._optimisers = optimisers
        self.param_groups = [group for optimiser in optimisers for group in optimiser.param_groups]

    def step(self) -> None:
        for optimiser in self._optimisers:
            optimiser.step()


def muon(chain: nn.Module, config: Config) -> Both:
    """Muon for the matrices of blocks, with steps as long as those of AdamW, which takes the rest."""
    matrices = [parameter for name, parameter in chain.named_parameters() if parameter.ndim == 2 and ".blocks." in name]
    taken = {id(parameter) for parameter in matrices}
    rest = [parameter for parameter in chain.parameters() if id(parameter) not in taken]
    return Both(
        torch.optim.Muon(matrices, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, betas=(0.9, 0.99), weight_decay=config.weight_decay, fused=True),
    )


def trained(data: DataSet, seconds: float, samples: int, architecture: str, optimiser: str) -> dict[str, Any]:
    config = Config(levels=4, architecture=architecture, time=seconds, batch=64, prior="normal", closed_forms=False)
    chain = build_chain(config, data)
    chosen, words = choose_speed(chain, data, config, torch.device("cpu"))
    trainer: Any = Trainer(chain, data, config.model_copy(update=chosen))
    if optimiser == "muon":
        trainer._optimiser = muon(chain, config)
    for _ in trainer:
        pass
    best = trainer.best()
    evaluator = Evaluator(data, samples, metrics=("frechet",))
    distances = [evaluator.measure(ChainSampler(best, DEFAULT).sample(samples, seed=seed).float())["frechet"] for seed in SEEDS]
    bits = bits_per_dim(best.bound(subsample(data.test, samples), seed=0).total.mean(), chain.event_shape)
    parameters = sum(parameter.numel() for parameter in chain.parameters())
    return {"updates": trainer.done, "parameters": parameters, "bits": float(bits), "frechet": distances, "trial": words or "plain"}


def row(name: str, found: dict[str, Any]) -> str:
    distance = f"{statistics.fmean(found['frechet']):.3g} ± {statistics.stdev(found['frechet']):.1g}"
    return f"| {name} | {found['parameters']:,} | {found['updates']:,} | {found['bits']:.3f} | {distance} | {found['trial']} |"


def work(data: DataSet, kept: Path, seconds: float, samples: int) -> str:
    kept.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, (architecture, optimiser) in ARMS.items():
        file = kept / f"{architecture}-{optimiser}.json"
        if not file.exists():
            file.write_text(json.dumps(trained(data, seconds, samples, architecture, optimiser)))
        rows.append(row(name, json.loads(file.read_text())))
        print(rows[-1], flush=True)
    lines = ["# Backbones and optimisers at equal seconds", "", *(__doc__ or "").split("\n\n")[2].splitlines(), ""]
    lines += ["| | parameters | updates | bits/dim, at most | Fréchet distance, 4 calls | trial |", "|---|---|---|---|---|---|", *rows]
    made = f"`python benchmarks/backbones.py FOLDER`, {seconds:g} s each; {samples} test items and samples"
    return "\n".join([*lines, "", f"{data.describe()}. {made}; {describe_machine()}.", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--smoke", action="store_true", help="a miniature on the digits, in a temporary folder")
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    if options.smoke:
        with tempfile.TemporaryDirectory() as folder:
            print(work(load("digits"), Path(folder), 2.0, 160))
    else:
        PAGE.write_text(work(load(options.folder / "fashion_mnist.npz"), KEPT, SECONDS, SAMPLES))


if __name__ == "__main__":
    main()

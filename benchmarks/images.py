"""Three kernels on MNIST and Fashion-MNIST: trained for the same time, then compared with every rival at equal calls.

    14 x 14 (2x2 means), three seeds      deterministic, Gaussian, VAE with 4 levels, VAE with 2 levels
    28 x 28, one seed                     the same

Size: decoders are residual MLPs; those of the rivals have at least as many parameters as the VAE's, within 1%.  The VAE's
encoder comes on top, and its training time counts.  Time: the speeds of the kernels are measured side by side first, one thread each, and each gets the updates that fit.
Finished runs are kept in `runs/images`, so that the command continues where it was interrupted.

    python benchmarks/images.py train FOLDER       train everything; FOLDER holds mnist.npz and fashion_mnist.npz
    python benchmarks/images.py compare            compare, and write docs/results/images.md
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from saltus.data import DataSet, load
from saltus.kernels import VAEKernel
from saltus.training import Config, KernelName, Trainer, build_chain, train

KEPT = Path("runs/images")
SECONDS = {"14": 240.0, "28": 360.0}  # of training, at the speeds measured at the start
SEEDS = {"14": (0, 1, 2), "28": (0,)}
SOURCES = ("mnist", "fashion_mnist")
NETWORK: dict[str, Any] = {"preset": "small", "architecture": "mlp", "width": 256}
KERNELS: dict[str, dict[str, Any]] = {
    "gaussian": {"kernel": "gaussian"},
    "vae-4": {"kernel": "vae", "levels": 4},
    "vae-2": {"kernel": "vae", "levels": 2},
    "deterministic": {"kernel": "deterministic"},
}
TIMING_UPDATES = 30


def data_file(folder: Path, source: str, side: str) -> Path:
    """The data set at one size: 28 is the file itself, 14 its 2x2 means, rounded."""
    if side == "28":
        return folder / f"{source}.npz"
    file = KEPT / f"{source}_14.npz"
    if not file.exists():
        arrays = dict(np.load(folder / f"{source}.npz"))
        for name in ("train_images", "test_images"):
            n = len(arrays[name])
            arrays[name] = np.rint(arrays[name].reshape(n, 14, 2, 14, 2).mean((2, 4))).astype(np.uint8)
        np.savez_compressed(file, **arrays)
    return file


def updates(data: DataSet, side: str) -> dict[str, int]:
    """Updates of each kernel that fit into the same time, from speeds measured turn by turn."""
    file = KEPT / f"updates_{side}.json"
    if not file.exists():
        loops = {}
        for name in KERNELS:
            endless = config(name, data, 10**9)
            loops[name] = iter(Trainer(build_chain(endless, data), data, endless))
            next(loops[name])
        spent = dict.fromkeys(KERNELS, 0.0)
        for _ in range(TIMING_UPDATES):
            for name, loop in loops.items():
                start = time.process_time()
                next(loop)
                spent[name] += time.process_time() - start
        file.write_text(json.dumps({name: round(SECONDS[side] * TIMING_UPDATES / seconds) for name, seconds in spent.items()}))
    kept: dict[str, int] = json.loads(file.read_text())
    return kept


def config(kernel: str, data: DataSet, steps: int, seed: int = 0) -> Config:
    """The run of a kernel, its rivals' network widened to the size of the VAE's decoder."""
    config = Config(**NETWORK | KERNELS[kernel], steps=steps, seed=seed)
    if config.kernel is KernelName.VAE:
        return config
    goal = parameters(config.model_copy(update={"kernel": KernelName.VAE}), data)
    widened = (config.model_copy(update={"width": width}) for width in itertools.count(NETWORK["width"]))
    return next(wide for wide in widened if parameters(wide, data) >= goal)


def parameters(config: Config, data: DataSet) -> int:
    """Of the network that a sample calls."""
    kernel = build_chain(config, data).kernel(1)
    return sum(p.numel() for p in (kernel.decoder if isinstance(kernel, VAEKernel) else kernel).parameters())


def train_all(folder: Path, only: str) -> None:
    torch.set_num_threads(1)
    KEPT.mkdir(parents=True, exist_ok=True)
    for side, seeds in SEEDS.items():
        for seed in seeds:
            for source in SOURCES:
                if f"{source}_{side}".startswith(only):
                    train_one(load(data_file(folder, source, side)), f"{source}_{side}", side, seed)


def train_one(data: DataSet, name: str, side: str, seed: int) -> None:
    for kernel, steps in updates(data, side).items():
        run, unfinished = KEPT / name / f"{kernel}-{seed}", KEPT / name / f"{kernel}-{seed}.unfinished"
        if run.exists():
            continue
        shutil.rmtree(unfinished, ignore_errors=True)
        start = time.process_time()
        train(data, config(kernel, data, steps, seed), unfinished, quiet=True)
        seconds = time.process_time() - start
        (unfinished / "time.json").write_text(json.dumps({"updates": steps, "cpu_seconds": round(seconds, 1)}))
        unfinished.rename(run)
        print(f"{run}: {steps} updates, {seconds:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train")
    training.add_argument("folder", type=Path)
    training.add_argument("--only", default="", help="the beginning of a name, such as fashion_mnist_14")
    options = parser.parse_args()
    if options.command == "train":
        train_all(options.folder, options.only)


if __name__ == "__main__":
    main()

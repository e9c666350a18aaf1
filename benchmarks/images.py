"""Three kernels trained for the same time, then compared with every rival at equal network calls.

Size: decoders are residual MLPs; those of the rivals have at least as many parameters as the VAE's, within 1%.  The VAE's
encoder comes on top, and its training time counts.  Time: the speeds of the kernels are measured side by side first, one
thread each, and each gets the updates that fit.  Finished runs and figures are kept in `runs/images`, so that each
command continues where it was interrupted.

    python benchmarks/images.py train FOLDER [--only mnist_14]     FOLDER holds mnist.npz and fashion_mnist.npz
    python benchmarks/images.py compare FOLDER [--only mnist_14]   every figure, by `saltus compare`
    python benchmarks/images.py report                             docs/results/images.md, from what is there
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from images_report import write_report
from saltus.data import DataSet, load
from saltus.kernels import VAEKernel
from saltus.training import Config, KernelName, Trainer, build_chain, train

KEPT = Path("runs/images")
REPORT = Path("docs/results/images.md")
SMALL: dict[str, Any] = {"preset": "small", "architecture": "mlp", "width": 256}
LARGE = SMALL | {"width": 512}  # narrower than the 784 pixels it must tell apart from noise, but as wide as minutes allow
TINY: dict[str, Any] = {"preset": "tiny", "architecture": "mlp", "width": 128}
KERNELS: dict[str, dict[str, Any]] = {
    "gaussian": {"kernel": "gaussian"},
    "vae-4": {"kernel": "vae", "levels": 4},
    "vae-2": {"kernel": "vae", "levels": 2},
    "deterministic": {"kernel": "deterministic"},
}
TIMING_UPDATES = 30


@dataclass(frozen=True)
class Case:
    """A data set, how long to train on it, and how to compare.

    Attributes:
        speeds: cases with the same one share the measured speeds.
        seconds: of training of each kernel, at these speeds.
        perfect: numbers of calls at which the perfect denoiser takes part.
    """

    speeds: str
    network: dict[str, Any]
    seconds: float
    seeds: Sequence[int]
    calls: Sequence[int]
    perfect: Sequence[int]
    samples: int = 2000
    kernels: Sequence[str] = tuple(KERNELS)


_THREE = ("deterministic", "gaussian", "vae-4")
_FEW = (1, 2, 4)
_MOST = (*_FEW, 8, 50, 250)
CASES = {
    "digits": Case("8", TINY, 60, (0, 1, 2), (*_MOST, 1000), _MOST, samples=480),  # three floors of 480 need 1440
    "digits-mixture": Case("8", TINY, 60, (0, 1, 2), _MOST, _MOST),
    "mnist_14": Case("14", SMALL, 240, (0, 1, 2), _MOST, _FEW),
    "fashion_mnist_14": Case("14", SMALL, 240, (0, 1, 2), _MOST, _FEW),
    "mnist_28": Case("28", LARGE, 360, (0,), _MOST, (), kernels=_THREE),
    "fashion_mnist_28": Case("28", LARGE, 360, (0,), _MOST, (), kernels=_THREE),
}


def place(folder: Path, name: str) -> str:
    """Where a data set is: its name if it is built in; 28 x 28 is the file itself, 14 x 14 its 2x2 means, rounded."""
    source, _, side = name.rpartition("_")
    if not source:
        return name
    if side == "28":
        return str(folder / f"{source}.npz")
    file = KEPT / f"{name}.npz"
    if not file.exists():
        arrays = dict(np.load(folder / f"{source}.npz"))
        for part in ("train_images", "test_images"):
            n = len(arrays[part])
            arrays[part] = np.rint(arrays[part].reshape(n, 14, 2, 14, 2).mean((2, 4))).astype(np.uint8)
        np.savez_compressed(file, **arrays)
    return str(file)


def config(kernel: str, case: Case, data: DataSet, steps: int, seed: int = 0) -> Config:
    """The run of a kernel, its rivals' network widened to the size of the VAE's decoder."""
    config = Config(**case.network | KERNELS[kernel], steps=steps, seed=seed)
    if config.kernel is KernelName.VAE:
        return config
    goal = parameters(config.model_copy(update={"kernel": KernelName.VAE}), data)
    widened = (config.model_copy(update={"width": width}) for width in itertools.count(case.network["width"]))
    return next(wide for wide in widened if parameters(wide, data) >= goal)


def parameters(config: Config, data: DataSet) -> int:
    """Of the network that a sample calls."""
    kernel = build_chain(config, data).kernel(1)
    return sum(p.numel() for p in (kernel.decoder if isinstance(kernel, VAEKernel) else kernel).parameters())


def updates(case: Case, data: DataSet) -> dict[str, int]:
    """Updates of each kernel that fit into the same time, from speeds measured turn by turn."""
    file = KEPT / f"updates_{case.speeds}.json"
    if not file.exists():
        loops = {}
        for name in case.kernels:
            endless = config(name, case, data, 10**9)
            loops[name] = iter(Trainer(build_chain(endless, data), data, endless))
            next(loops[name])
        spent = dict.fromkeys(case.kernels, 0.0)
        for _ in range(TIMING_UPDATES):
            for name, loop in loops.items():
                start = time.process_time()
                next(loop)
                spent[name] += time.process_time() - start
        file.write_text(json.dumps({name: round(case.seconds * TIMING_UPDATES / seconds) for name, seconds in spent.items()}))
    kept: dict[str, int] = json.loads(file.read_text())
    return kept


def train_case(folder: Path, name: str) -> None:
    case, data = CASES[name], load(place(folder, name))
    for (kernel, steps), seed in itertools.product(updates(case, data).items(), case.seeds):
        run, unfinished = KEPT / name / f"{kernel}-{seed}", KEPT / name / f"{kernel}-{seed}.unfinished"
        if run.exists():
            continue
        shutil.rmtree(unfinished, ignore_errors=True)
        start = time.process_time()
        train(data, config(kernel, case, data, steps, seed), unfinished, quiet=True)
        seconds = time.process_time() - start
        (unfinished / "time.json").write_text(json.dumps({"updates": steps, "cpu_seconds": round(seconds, 1)}))
        unfinished.rename(run)
        print(f"{run}: {steps} updates, {seconds:.0f} s", flush=True)


def compare_case(folder: Path, name: str) -> None:
    case = CASES[name]
    runs = [KEPT / name / f"{kernel}-{seed}" for kernel in case.kernels for seed in case.seeds]
    options = {
        "--data": place(folder, name),
        "--n": str(case.samples),
        "--calls": written(case.calls),
        "--out": str(KEPT / name / "compare"),
    }
    if case.perfect:
        options["--oracle"] = written(case.perfect)
    command = [
        sys.executable,
        "-m",
        "saltus",
        "compare",
        *(str(run) for run in runs if run.exists()),
        *itertools.chain.from_iterable(options.items()),
    ]
    subprocess.run(command, check=True)


def written(calls: Sequence[int]) -> str:
    return ",".join(map(str, calls))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("train", "compare"):
        command = commands.add_parser(name)
        command.add_argument("folder", type=Path)
        command.add_argument("--only", default="", help="the beginning of a name, such as fashion_mnist_14")
    commands.add_parser("report")
    options = parser.parse_args()
    torch.set_num_threads(1)
    KEPT.mkdir(parents=True, exist_ok=True)
    if options.command == "report":
        write_report(KEPT, {name: case.calls for name, case in CASES.items()}, REPORT)
        return
    work = {"train": train_case, "compare": compare_case}[options.command]
    for name in CASES:
        if name.startswith(options.only):
            work(options.folder, name)


if __name__ == "__main__":
    main()

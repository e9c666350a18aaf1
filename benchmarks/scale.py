"""Several processes against the cost model of `scale_model`: predicted from its parts, and measured as a whole.

W processes, each alone with a share while the others work on theirs too, and messages of a gradient's and of a few numbers' length, are
timed one after the other, and then whole updates of `Trainer`.  Other programs use the machine as well: all of it takes turns, and a
ratio is that within a turn.  One process at several batch sizes shows that a share takes a part for each item, and a part beside them.

    python benchmarks/scale.py            the tables in docs/results/scale.md (minutes)
    python benchmarks/scale.py --smoke    a turn each of 1 and 2 processes, printed alone
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from saltus.data import DataSet, digits
from saltus.launched import together
from saltus.processes import Processes
from saltus.training import Config, Trainer, build_chain
from scale_model import Work
from scale_report import NUMBERS, page

REPORT = Path("docs/results/scale.md")
PROCESSES, FEW_PROCESSES = (1, 2, 3), (1, 2)
TURNS, WARM_UP = 40, 2
LINE = (12, 6, 3, 2, 1)
NETWORKS: dict[str, dict[str, Any]] = {
    "mlp": {"architecture": "mlp", "width": 256, "levels": 4, "batch": 384},
    "unet": {"architecture": "unet", "preset": "tiny", "levels": 4, "batch": 24},
}
"""Of digits, and of images of 16 x 16 pixels; batches that 1, 2 and 3 processes divide."""
SIZE, LARGE, COLOURS = 16, 64, 3
IMAGES = 64
ENDLESS = 10**8  # updates, none of the first of which is validated
BESIDE = ("buffer", "level_sampling")


def images(size: int, channels: int) -> DataSet:
    """Noise: what an update costs does not depend on the values."""
    shape = (IMAGES, size, size, channels)[: 3 + (channels > 1)]
    return DataSet.from_arrays(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def data_of(network: str) -> DataSet:
    """What a network is trained on."""
    return digits() if network == "mlp" else images(SIZE, 1)


def trainer_of(network: str, data: DataSet, batch: int, processes: Processes | None) -> Trainer:
    """Without a validation in the first updates."""
    config = Config(**(NETWORKS[network] | {"batch": batch, "updates": ENDLESS, "prior": "normal"}))
    return Trainer(build_chain(config, data), data, config, processes=processes)


def updating(trainer: Trainer) -> Callable[[], object]:
    """One update at every call."""
    updates = iter(trainer)
    return lambda: next(updates)


def measured(works: dict[str, Callable[[], object]], processes: Processes, turns: int) -> dict[str, list[float]]:
    """The seconds of one call of each in every turn, of the slowest process; all begin at one time."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        for _ in range(WARM_UP):
            work()
    for _ in range(turns):
        for name, work in works.items():
            processes.meet()
            begun = time.perf_counter()
            work()
            found[name].append(time.perf_counter() - begun)
    return {name: list(map(max, zip(*processes.everyones(seconds), strict=True))) for name, seconds in found.items()}


def worker(turns: int) -> None:
    """What one of W processes does; the first prints the figures of all."""
    processes, figures = together(torch.device("cpu")), dict[str, Any]()
    W = processes.world
    for network, options in NETWORKS.items():
        data, batch = data_of(network), options["batch"]
        whole = sorted({batch, batch // 3 * W})
        shares = {one // W for one in whole} | ({batch // divisor for divisor in LINE} if W == 1 else set())
        works = {f"alone {items}": updating(trainer_of(network, data, items, None)) for items in sorted(shares)}
        works |= {f"together {one}": updating(trainer_of(network, data, one, processes)) for one in whole}
        P = sum(parameter.numel() for parameter in trainer_of(network, data, batch, None).chain.parameters())
        works["message"] = partial(processes.summed, torch.zeros(NUMBERS, dtype=torch.float64))
        works["gradient"] = partial(processes.summed, torch.zeros(P))
        figures[network] = {"parameters": P, **measured(works, processes, turns)}
    if processes.is_main:
        print(json.dumps(figures))


def launched(W: int, turns: int) -> dict[str, Any]:
    """The figures of W processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        told = {"WORLD_SIZE": str(W), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--worker", str(turns)]
    started = [
        subprocess.Popen(command, env={**os.environ, **told, "RANK": str(rank), "LOCAL_RANK": str(rank)}, stdout=subprocess.PIPE, text=True)
        for rank in range(W)
    ]
    outputs = [process.communicate()[0] for process in started]
    found: dict[str, Any] = json.loads(outputs[0])
    return found


def kept_bytes(trainer: Trainer) -> int:
    """What the forward pass of an update keeps for its backward pass, parameters left out."""
    own = {parameter.untyped_storage().data_ptr() for parameter in trainer.chain.parameters()}
    found, alive = dict[int, int](), list[torch.Tensor]()

    def kept(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)  # or its place would be used again
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(kept, lambda tensor: tensor):
        next(iter(trainer))
    return sum(found.values())


def memory() -> list[str]:
    """Copies of the parameters and bytes of an item, counted in trainings."""
    table = ["| network | copies of the parameters | KB kept for an item of a batch of 8 | of 16 |", "|---|---|---|---|"]
    for network in NETWORKS:
        data = data_of(network)
        trainer = trainer_of(network, data, 8, None)
        each = [kept_bytes(one) / batch / 1e3 for batch, one in ((8, trainer), (16, trainer_of(network, data, 16, None)))]
        trainer._keep_if_best(trainer.validate())
        P = sum(parameter.numel() for parameter in trainer.chain.parameters())
        gradients = sum(parameter.grad.numel() for parameter in trainer.chain.parameters() if parameter.grad is not None)
        held = sum(tensor.numel() for name, tensor in trainer.checkpoint().tensors.items() if name.partition(".")[0] not in BESIDE)
        table.append(f"| {network} | {(held + gradients) / P:.3f} | {each[0]:.1f} | {each[1]:.1f} |")
    return table


def large_work() -> Work:
    """The U-Net of the small preset on colour images of 64 x 64, counted."""
    data = images(LARGE, COLOURS)
    config = Config(architecture="unet", preset="small", levels=4, batch=2, prior="normal", updates=ENDLESS)
    chain = build_chain(config, data)
    with FlopCounterMode(display=False) as update:
        activations = kept_bytes(Trainer(chain, data, config)) / config.batch
    chain.calibrate(data.validation, seed=0)
    with FlopCounterMode(display=False) as sample:
        chain.sample(1, seed=0)
    P, L = sum(parameter.numel() for parameter in chain.parameters()), chain.levels.L
    return Work(P, update.get_total_flops() / 2 / config.batch, sample.get_total_flops() / 2 / L, activations, LARGE**2 * COLOURS, L)


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a turn each of 1 and 2 processes, printed alone")
    parser.add_argument("--worker", type=int, metavar="TURNS", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        worker(given.worker)
        return
    figures = {W: launched(W, 1 if given.smoke else TURNS) for W in (FEW_PROCESSES if given.smoke else PROCESSES)}
    text = page(figures, memory(), large_work(), LARGE, TURNS)
    if not given.smoke:
        REPORT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()

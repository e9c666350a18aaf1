"""The VAE at 28 x 28 against rivals at equal network calls; `cases.py` says how.

The Gaussian kernel is a U-Net.  The VAE has a ladder of its own on the step to data and another for all noisier steps; levels count
equally, on grids that spread over those where an image takes shape.

python benchmarks/full_size.py train FOLDER [--only fashion]     FOLDER holds mnist.npz and fashion_mnist.npz
python benchmarks/full_size.py compare FOLDER [--only fashion]   every figure, by `saltus compare`
python benchmarks/full_size.py report                            docs/results/full_size.md, from what is there
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cases import FEW_SAMPLERS, GAUSSIAN, RECIPES, Case, Recipe
from commands import command_line

KEPT = Path("runs/full_size")
REPORT = Path("docs/results/full_size.md")
UNET: dict[str, Any] = {"preset": "tiny", "channels": (16, 32, 64), "batch": 32, "learning_rate": 0.002, "bf16": True}
LADDERS: dict[str, Any] = {
    "kernel": "vae",
    "ladder": "every",
    "architecture": None,
    "channels": (32, 48),
    "level_weighting": "equal",
    "kl_warm_up": 0.1,
}
SPREAD = {4: (0.0, 0.3, 0.8, 1.5, 3.0), 2: (0.0, 0.8, 3.0)}
RECIPES.update({f"ladders-{levels}": Recipe(LADDERS | {"times": times}) for levels, times in SPREAD.items()})
_KERNELS, _CALLS, _SEEDS, _SAMPLES = (GAUSSIAN, "ladders-4", "ladders-2"), (2, 4), (0,), 1000
_SECONDS = {"fashion_mnist_28": 600, "mnist_28": 1200}  # the page says how long each was trained
CASES = {
    data: Case(data, "28", UNET, seconds, _SEEDS, _CALLS, samplers=FEW_SAMPLERS, samples=_SAMPLES, kernels=_KERNELS)
    for data, seconds in _SECONDS.items()
}
BY_NATS = "ladders by nats-4"
RECIPES[BY_NATS] = Recipe(LADDERS | {"times": SPREAD[4], "level_weighting": "nats"})
CASES["mnist_28_5min"] = Case("mnist_28", "28", UNET, 300, _SEEDS, (4,), samples=_SAMPLES, kernels=("ladders-4", BY_NATS))
"""What it does that levels count equally."""

if __name__ == "__main__":
    command_line(__doc__, CASES, KEPT, REPORT)

"""Bits/dim of the part of CIFAR-10 at few levels, for kernels trained for the same time; `cases.py` says how.

python benchmarks/cifar.py train FOLDER [--only cifar10_tiny]     FOLDER holds cifar10_small.npz
python benchmarks/cifar.py compare FOLDER [--only cifar10_tiny]   every figure, by `saltus compare`
python benchmarks/cifar.py report                                 docs/results/cifar.md, from what is there

`cifar10_tiny` and `cifar10_started` take CPU minutes; the second starts from a mixture, takes one call, and its head has channels in
sequence. `cifar10_small` (9 million parameters) is for a GPU, an hour for each kernel:

    python benchmarks/cifar.py train FOLDER --only cifar10_small --device cuda
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from cases import GAUSSIAN, LADDER, NOISY, RECIPES, Case, Recipe
from commands import command_line, in_miniature
from started import CASES as STARTED
from started import LADDER as AFTER_A_MIXTURE

KEPT = Path("runs/cifar")
REPORT = Path("docs/results/cifar.md")
_LEARNED = "no latent-4"
_LADDER = LADDER | {"kernel": "vae", "channels": None, "width": 64}
_TINY: dict[str, Any] = {"preset": "tiny", "channels": (32, 64, 96), "batch": 16, "learning_rate": 0.002, "bf16": True}
_SMALL = _TINY | {"preset": "small", "channels": (64, 128, 128), "batch": 64}
_ALONE = {"levels": 1, "architecture": None, "width": None}  # there is no MLP
RECIPES.update({"ladder-4": Recipe(_LADDER | {"times": NOISY[4]}), "ladder-1": Recipe(_LADDER | _ALONE)})
_ON_THEIR_OWN = "logistic after a mixture-1"
RECIPES[_ON_THEIR_OWN] = Recipe(AFTER_A_MIXTURE | {"head": "logistic"})
_KERNELS, _CALLS = (GAUSSIAN, "ladder-4", "ladder-1"), (1, 4, 10)
_STEPS = ("Gaussian step", "VAE step")  # the other samplers have no bound
CASES = {
    "cifar10_tiny": Case("cifar10_small", "cifar_tiny", _TINY, 1500, (0,), _CALLS, samplers=_STEPS, samples=500, kernels=_KERNELS),
    "cifar10_started": replace(
        STARTED["mnist_28"],
        data="cifar10_small",
        paces="cifar-started",
        seconds=1500,
        calls=(1, 4),
        kernels=(GAUSSIAN, _ON_THEIR_OWN),
        samplers=("VAE step", "Gaussian step", "UniPC", "mixture"),
        samples=500,
    ),
    "cifar10_small": Case("cifar10_small", "cifar_small", _SMALL, 3600, (0,), _CALLS, samples=1000, kernels=(*_KERNELS, _LEARNED)),
}

_MINIATURE = in_miniature(CASES["cifar10_tiny"])
SMALL_CASE = replace(_MINIATURE, network={**_MINIATURE.network, "channels": (16, 32, 64)})  # the ladder is small on the digits

if __name__ == "__main__":
    command_line(__doc__, CASES, KEPT, REPORT, small=SMALL_CASE)

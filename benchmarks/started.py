"""One call after a mixture of Gaussians, at 28 x 28, against solvers from N(0, I) and from the same mixture; `cases.py` says how.

The VAE is a ladder for the one step from t = 0.3 to the data, its start a mixture that is fitted in closed form; the rivals' network is a
U-Net of as many parameters and as much training time.  Closed forms alone stand in every table.

python benchmarks/started.py train FOLDER [--only fashion]     FOLDER holds mnist.npz and fashion_mnist.npz
python benchmarks/started.py compare FOLDER [--only fashion]   every figure, by `saltus compare`
python benchmarks/started.py report                            docs/results/started.md, from what is there
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cases import GAUSSIAN, RECIPES, Case, Recipe
from commands import command_line
from full_size import UNET
from saltus.studies.compare.samplers import STARTED

KEPT = Path("runs/started")
REPORT = Path("docs/results/started.md")
STARTED_VAE = "after a mixture-1"
LADDER: dict[str, Any] = {
    "kernel": "vae",
    "levels": 1,
    "prior": "mixture",
    "closed_forms": True,
    "head": "autoregressive",
    "ladder": "every",
    "architecture": None,
    "channels": (32, 48),
    "channels_last": True,
    "kl_warm_up": 0.1,
}
RECIPES[STARTED_VAE] = Recipe(LADDER)
_SAMPLERS = ("VAE step", "UniPC", f"UniPC{STARTED}", "DDIM", f"DDIM{STARTED}", "one Gaussian", "mixture")
_SECONDS = 1200
NETWORK = UNET | {"channels": (16, 24, 48)}  # which can be widened to as many parameters as the ladder has
CASES = {
    data: Case(
        data, "28-started", NETWORK, _SECONDS, (0,), (1, 2, 4, 10, 20), samplers=_SAMPLERS, samples=1000, kernels=(GAUSSIAN, STARTED_VAE)
    )
    for data in ("fashion_mnist_28", "mnist_28")
}

if __name__ == "__main__":
    command_line(__doc__, CASES, KEPT, REPORT)

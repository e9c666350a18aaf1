"""One call after a mixture, with EDM's linear skip connection or around the mixture's posterior mean, in equal time; `cases.py` says how.

python benchmarks/residual.py train FOLDER      FOLDER holds mnist.npz and fashion_mnist.npz
python benchmarks/residual.py compare FOLDER    every figure, by `saltus compare`
python benchmarks/residual.py report            docs/results/residual.md, from what is there
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cases import RECIPES, Recipe
from commands import command_line
from started import CASES as STARTED
from started import LADDER, STARTED_VAE

KEPT = Path("runs/residual")
REPORT = Path("docs/results/residual.md")
RESIDUAL_VAE = "residual to a mixture-1"
RECIPES[RESIDUAL_VAE] = Recipe(LADDER | {"residual": True})
CASES = {
    name: replace(case, paces="28-residual", seconds=300, calls=(1,), kernels=(STARTED_VAE, RESIDUAL_VAE), samplers=("VAE step", "mixture"))
    for name, case in STARTED.items()
}

if __name__ == "__main__":
    command_line(__doc__, CASES, KEPT, REPORT)

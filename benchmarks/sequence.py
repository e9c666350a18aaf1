"""The part of CIFAR-10 by one call after a mixture, whose head has pixels on their own or in sequence, in equal time; `cases.py` says how.

python benchmarks/sequence.py train FOLDER      FOLDER holds cifar10_small.npz; a finished training is kept
python benchmarks/sequence.py compare FOLDER    every figure, by `saltus compare`
python benchmarks/sequence.py report            docs/results/sequence.md, from what is there
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cases import RECIPES, Recipe
from commands import command_line
from started import CASES as STARTED
from started import LADDER

KEPT = Path("runs/sequence")
REPORT = Path("docs/results/sequence.md")
IN_SEQUENCE, ON_THEIR_OWN = "pixels in sequence-1", "pixels on their own-1"
RECIPES |= {IN_SEQUENCE: Recipe(LADDER), ON_THEIR_OWN: Recipe(LADDER | {"head": "logistic"})}
CASES = {
    "cifar10_small": replace(
        STARTED["mnist_28"],
        data="cifar10_small",
        paces="sequence",
        seconds=1500,
        calls=(1,),
        kernels=(IN_SEQUENCE, ON_THEIR_OWN),
        samplers=("VAE step", "one Gaussian", "mixture"),
        samples=500,
    )
}

if __name__ == "__main__":
    command_line(__doc__, CASES, KEPT, REPORT)

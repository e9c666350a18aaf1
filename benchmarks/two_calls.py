"""Two calls after a mixture, at 28 x 28, in the time of `started.py`'s one: a flow around the mixture from t = 0.8 to 0.3, then the ladder.

python benchmarks/two_calls.py train FOLDER [--only fashion]     FOLDER holds mnist.npz and fashion_mnist.npz
python benchmarks/two_calls.py compare FOLDER [--only fashion]   every figure, by `saltus compare`
python benchmarks/two_calls.py report                            docs/results/two_calls.md, from what is there
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cases import RECIPES, Recipe
from commands import command_line
from started import CASES as STARTED
from started import LADDER

KEPT = Path("runs/two_calls")
REPORT = Path("docs/results/two_calls.md")
TWO = "after a mixture-2"
RECIPES[TWO] = Recipe(LADDER | {"levels": 2, "times": (0.0, 0.3, 0.8), "batch": 64})
CASES = {
    name: replace(case, paces="28-two", calls=(2,), kernels=(TWO,), samplers=("VAE step", "one Gaussian", "mixture"))
    for name, case in STARTED.items()
}

if __name__ == "__main__":
    command_line(__doc__, CASES, KEPT, REPORT)

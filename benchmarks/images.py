"""Three kernels trained for the same time, then compared with every rival at equal network calls; `cases.py` says how.

python benchmarks/images.py train FOLDER [--only mnist_14]     FOLDER holds mnist.npz and fashion_mnist.npz
python benchmarks/images.py compare FOLDER [--only mnist_14]   every figure, by `saltus compare`
python benchmarks/images.py report                             docs/results/images.md, from what is there
"""

from __future__ import annotations

from pathlib import Path

from cases import LARGE, SMALL, TINY, Case
from commands import command_line

KEPT = Path("runs/images")
REPORT = Path("docs/results/images.md")
_THREE = ("deterministic", "gaussian", "vae-4")
_FEW = (1, 2, 4)
_MOST = (*_FEW, 8, 50, 250)
CASES = {
    "digits": Case("digits", "8", TINY, 60, (0, 1, 2), (*_MOST, 1000), _MOST, samples=480),  # three floors of 480 need 1440
    "digits-mixture": Case("digits-mixture", "8", TINY, 60, (0, 1, 2), _MOST, _MOST),
    "mnist_14": Case("mnist_14", "14", SMALL, 240, (0, 1, 2), _MOST, _FEW),
    "fashion_mnist_14": Case("fashion_mnist_14", "14", SMALL, 240, (0, 1, 2), _MOST, _FEW),
    "mnist_28": Case("mnist_28", "28", LARGE, 360, (0,), _MOST, kernels=_THREE),
    "fashion_mnist_28": Case("fashion_mnist_28", "28", LARGE, 360, (0,), _MOST, kernels=_THREE),
}

if __name__ == "__main__":
    command_line(__doc__, CASES, KEPT, REPORT)

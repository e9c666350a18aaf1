"""The recipe confirmed at 28 x 28, with U-Nets, against rivals at equal network calls; `cases.py` says how.

python benchmarks/full_size.py train FOLDER [--only fashion]     FOLDER holds mnist.npz and fashion_mnist.npz
python benchmarks/full_size.py compare FOLDER [--only fashion]   every figure, by `saltus compare`
python benchmarks/full_size.py report                            docs/results/full_size.md, from what is there
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from cases import FEW_WAYS, GAUSSIAN, Case, command_line
from cases_report import write_report

KEPT = Path("runs/full_size")
REPORT = Path("docs/results/full_size.md")
UNET: dict[str, Any] = {"preset": "tiny", "channels": (16, 32, 64), "batch": 64, "bf16": True}
_KERNELS, _CALLS, _SEEDS = (GAUSSIAN, "late-4"), (2, 4, 10), (0,)
CASES = {
    "fashion_mnist_28": Case("fashion_mnist_28", "28", UNET, 480, _SEEDS, _CALLS, ways=FEW_WAYS, kernels=_KERNELS),
    "mnist_28": Case("mnist_28", "28", UNET, 480, _SEEDS, _CALLS, ways=FEW_WAYS, kernels=_KERNELS),
}

if __name__ == "__main__":
    command_line(__doc__, CASES, KEPT, partial(write_report, KEPT, CASES, REPORT))

"""Kernels trained for the same time on two tables, then compared with every rival at equal network calls; `cases.py` says how.

python benchmarks/tables.py train FOLDER       FOLDER holds tabular_california.npz and tabular_ccpp.npz
python benchmarks/tables.py compare FOLDER     every figure, by `saltus compare`
python benchmarks/tables.py report             docs/results/tables.md, from what is there
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from cases import TINY, Case, command_line
from cases_report import write_report

KEPT = Path("runs/tables")
REPORT = Path("docs/results/tables.md")
_CALLS = (2, 4, 8, 50, 250)
_KERNELS = ("gaussian", "vae-4", "vae-2")
CASES = {
    "california": Case("tabular_california", "california", TINY, 120, (0, 1, 2), _CALLS, samples=2000, kernels=_KERNELS),
    "ccpp": Case("tabular_ccpp", "ccpp", TINY, 120, (0, 1, 2), _CALLS, samples=900, kernels=_KERNELS),
}

if __name__ == "__main__":
    command_line(__doc__, CASES, KEPT, partial(write_report, KEPT, CASES, REPORT, ("energy", "sliced_wasserstein")))

"""The VAE kernel at full strength against every rival, trained for as long, for several lengths of training; `cases.py` says how.

python benchmarks/strong.py train FOLDER [--only mnist]     FOLDER holds mnist.npz and fashion_mnist.npz
python benchmarks/strong.py compare FOLDER [--only mnist]   every figure, by `saltus compare`
python benchmarks/strong.py report                          docs/results/strong.md, from what is there
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cases import GAUSSIAN, SMALL, Case
from cases_report import write_report
from commands import command_line
from strong_report import write_targets

KEPT = Path("runs/strong")
REPORT = Path("docs/results/strong.md")
TRAINED: dict[str, Any] = SMALL | {"learning_rate": 0.002}
"""The rate of both kernels; `ablation.py` compares it with 0.001 on validation items."""
SEEDS, SHORT, LONG = (0, 1, 2), (1,), 4
"""Minutes of training: the short one with one seed, for the curves."""
_KERNELS, _ONCE = (GAUSSIAN, "noisy-4", "noisy-2"), ("no latent-4", "vae-1")


def _case(data: str, minutes: int) -> Case:
    if minutes == LONG:
        return Case(f"{data}_14", "14", TRAINED, 60 * LONG, SEEDS, (1, 2, 4, 10, 250), perfect=(4,), kernels=_KERNELS, once=_ONCE)
    return Case(f"{data}_14", "14", TRAINED, 60 * minutes, SEEDS[:1], (4,), kernels=_KERNELS[:2])


CASES = {f"{data}_{minutes}min": _case(data, minutes) for minutes in (LONG, *SHORT) for data in ("mnist", "fashion_mnist")}


def report(kept: Path, cases: Mapping[str, Case], page: Path) -> None:
    write_report(kept, cases, page)
    write_targets(kept, cases, page)


if __name__ == "__main__":
    command_line(__doc__, CASES, KEPT, REPORT, report)

"""The VAE kernel at full strength against every rival, trained for as long, for several lengths of training; `cases.py` says how.

python benchmarks/strong.py train FOLDER [--only mnist]     FOLDER holds mnist.npz and fashion_mnist.npz
python benchmarks/strong.py compare FOLDER [--only mnist]   every figure, by `saltus compare`
python benchmarks/strong.py report                          docs/results/strong.md, from what is there
"""

from __future__ import annotations

from pathlib import Path

from cases import SMALL, Case, command_line
from cases_report import write_report
from strong_report import write_targets

KEPT = Path("runs/strong")
REPORT = Path("docs/results/strong.md")
SEEDS = (0, 1, 2)
MINUTES = (1, 4, 16)
_LONGEST = MINUTES[-1]
_KERNELS = ("gaussian", "vae-4", "vae-2")
CASES = {
    f"{data}_{minutes}min": Case(
        f"{data}_14",
        "14",
        SMALL,
        60 * minutes,
        SEEDS,
        calls=(1, 2, 4, 10, 250) if minutes == _LONGEST else (2, 4),
        perfect=(2, 4) if minutes == _LONGEST else (),
        kernels=(*_KERNELS, "vae-1", "vae-10", "no latent-4") if minutes == _LONGEST else _KERNELS,
    )
    for data in ("mnist", "fashion_mnist")
    for minutes in MINUTES
}


def report() -> None:
    write_report(KEPT, CASES, REPORT)
    write_targets(KEPT, CASES, REPORT)


if __name__ == "__main__":
    command_line(__doc__, CASES, KEPT, report)

"""Kernels trained for the same time on two tables, then compared with every rival at equal network calls; `cases.py` says how.

python benchmarks/tables.py train FOLDER       FOLDER holds tabular_california.npz and tabular_ccpp.npz
python benchmarks/tables.py compare FOLDER     every figure, by `saltus compare`
python benchmarks/tables.py report             docs/results/tables.md, from what is there
"""

from __future__ import annotations

import math
from pathlib import Path

from cases import FEW_WAYS, TINY, Case, command_line
from cases_report import write_report
from saltus.studies.compare_page import plus_minus
from strong_report import ANCESTRAL_CALLS, GAUSSIAN_STEP, Summary

KEPT = Path("runs/tables")
REPORT = Path("docs/results/tables.md")
_CALLS = (4, 10, 250)
_KERNELS = ("gaussian", "vae-4")
CASES = {
    "california": Case("tabular_california", "california", TINY, 45, (0, 1, 2), _CALLS, ways=FEW_WAYS, kernels=_KERNELS),
    "ccpp": Case("tabular_ccpp", "ccpp", TINY, 45, (0, 1, 2), _CALLS, ways=FEW_WAYS, samples=900, kernels=_KERNELS),
}
CALLS, STANDARD_ERRORS = 4, 2.0


def targets() -> list[str]:
    """At 4 calls the energy distance is within two standard errors of that of the Gaussian kernel at 250, or better."""
    lines = [
        "# Target",
        "",
        f"Energy distance of the VAE at {CALLS} calls against {GAUSSIAN_STEP} at {ANCESTRAL_CALLS}, both above the floor;",
    ]
    lines += [
        "errors are those of the means over seeds.",
        "",
        "| table | VAE | Gaussian | difference | standard error | met |",
        "|---|---|---|---|---|---|",
    ]
    for name in CASES:
        file = KEPT / name / "compare" / "compare.json"
        summary = Summary(file) if file.exists() else None
        vae, many = (summary.vae(CALLS, "energy"), summary.of(GAUSSIAN_STEP, ANCESTRAL_CALLS)) if summary else (None, None)
        if vae is not None and many is not None:
            ours, theirs = (row["metrics"]["energy"] for row in (vae, many))
            difference = ours["mean"] - theirs["mean"]
            error = math.hypot(*(figure["spread"] / math.sqrt(len(figure["values"])) for figure in (ours, theirs)))
            above = [plus_minus(figure | {"mean": figure["above_floor"]}, 3) for figure in (ours, theirs)]
            met = "yes" if difference <= STANDARD_ERRORS * error else "no"
            lines.append(f"| {name} | {' | '.join(above)} | {difference:+.2g} | {error:.2g} | {met} |")
    return lines


def report() -> None:
    write_report(KEPT, CASES, REPORT, ("energy", "sliced_wasserstein"))
    REPORT.write_text(REPORT.read_text() + "\n".join(["", *targets(), ""]))


if __name__ == "__main__":
    command_line(__doc__, CASES, KEPT, report)

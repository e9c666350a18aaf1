"""Kernels trained for the same time on two tables, then compared with rivals at equal network calls; `cases.py` says how.

python benchmarks/tables.py train FOLDER       FOLDER holds tabular_california.npz and tabular_ccpp.npz
python benchmarks/tables.py compare FOLDER     every figure, by `saltus compare`
python benchmarks/tables.py report             docs/results/tables.md, from what is there
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cases import FEW_SAMPLERS, TINY, Case
from cases_report import write_report
from commands import command_line
from strong_report import ANCESTRAL_CALLS, GAUSSIAN_STEP, Row, Summary, distance, met, shown

KEPT = Path("runs/tables")
REPORT = Path("docs/results/tables.md")
TRAINED: dict[str, Any] = TINY | {"learning_rate": 0.004, "batch": 512}
_CALLS = (4, 10, 250)
_KERNELS = ("gaussian", "vae-4")
CASES = {
    "california": Case("tabular_california", "california", TRAINED, 150, (0, 1, 2), _CALLS, samplers=FEW_SAMPLERS, kernels=_KERNELS),
    "ccpp": Case("tabular_ccpp", "ccpp", TRAINED, 100, (0, 1, 2), _CALLS, samplers=FEW_SAMPLERS, samples=900, kernels=_KERNELS),
}
CALLS, STANDARD_ERRORS = 4, 2.0


def targets(summaries: Mapping[str, Summary]) -> list[str]:
    """At 4 calls the energy distance is within two standard errors of that of the Gaussian kernel at 250, or better."""
    lines = [
        "# Target",
        "",
        f"Energy distance of the VAE at {CALLS} calls against the {GAUSSIAN_STEP} at {ANCESTRAL_CALLS}, above the floor, ± the standard",
        f"deviation over seeds. Met: greater by at most {STANDARD_ERRORS:g} standard errors of the difference of the two means.",
        "",
        "| table | VAE | Gaussian | difference | standard error | met |",
        "|---|---|---|---|---|---|",
    ]
    for name, summary in summaries.items():
        vae, many = summary.vae(CALLS, "energy"), summary.of(GAUSSIAN_STEP, ANCESTRAL_CALLS)
        if vae is not None and many is not None:
            difference = distance(vae, "energy") - distance(many, "energy")
            error = math.hypot(*(standard_error(row) for row in (vae, many)))
            figures = f"{shown(vae, 'energy')} | {shown(many, 'energy')} | {difference:+.2g} | {error:.2g}"
            lines.append(f"| {name} | {figures} | {met(difference <= STANDARD_ERRORS * error)} |")
    return lines


def standard_error(row: Row) -> float:
    """Of the mean energy distance; none of a sampler that diverged."""
    figure = row["metrics"]["energy"]
    return float(figure["spread"] or 0) / math.sqrt(len(figure["values"]))


def report(kept: Path, cases: Mapping[str, Case], page: Path) -> None:
    write_report(kept, cases, page, ("energy", "sliced_wasserstein"))
    files = {name: kept / name / "compare" / "compare.json" for name in cases}
    summaries = {name: Summary(file) for name, file in files.items() if file.exists()}
    page.write_text(page.read_text() + "\n".join(["", *targets(summaries), ""]))


if __name__ == "__main__":
    command_line(__doc__, CASES, KEPT, REPORT, report)

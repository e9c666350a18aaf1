"""Which ingredient of the VAE kernel's training does what: one is changed at a time, at equal training time; `cases.py` says how.

python benchmarks/ablation.py train FOLDER       FOLDER holds mnist.npz
python benchmarks/ablation.py compare FOLDER     every figure, by `saltus compare`
python benchmarks/ablation.py report             docs/results/ablation.md, from what is there
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cases import RECIPES, SMALL, Case, Recipe, command_line
from saltus.chain import Chain
from saltus.data import load
from saltus.evaluation import METRICS
from saltus.machine import describe_machine
from saltus.studies.compare_page import plus_minus

KEPT = Path("runs/ablation")
REPORT = Path("docs/results/ablation.md")
CALLS, SECONDS = 4, 240
COLUMNS = ("frechet", "sliced_wasserstein", "recall", "diversity")
ITEMS = 2000  # of validation, for the use of latents

_VAE: dict[str, Any] = {"kernel": "vae", "levels": CALLS}
_DATA_SPACE = {"data": 1.0, "decoder": 0.0, "entropy": 0.0}
ABLATED = {
    "the bound": Recipe(_VAE),
    "no latent": Recipe(_VAE | {"latent": 0}),
    "no KL warm-up": Recipe(_VAE | {"kl_warm_up": 0.0}),
    "long KL warm-up": Recipe(_VAE | {"kl_warm_up": 0.8}),
    "encoder of y": Recipe(_VAE | {"encodes": "y"}),
    "direct": Recipe(_VAE | {"parametrisation": "direct"}),
    "KL times 0.3": Recipe(_VAE | {"weights": {"kl": 0.3}}),
    "data space": Recipe(_VAE | {"weights": _DATA_SPACE}),
    "half data space": Recipe(_VAE | {"weights": {"data": 0.5, "decoder": 0.5, "entropy": 0.5}}),
    "energy 0.1": Recipe(_VAE | {"weights": {"energy": 0.1}}),
    "energy 1": Recipe(_VAE | {"weights": {"energy": 1.0}}),
    "warm start": Recipe(_VAE, start=0.5),
}
RECIPES |= ABLATED
CASES = {"mnist": Case("mnist_14", "14", SMALL, SECONDS, (0,), (CALLS,), kernels=tuple(ABLATED))}


def report() -> None:
    summary = json.loads((KEPT / "mnist" / "compare" / "compare.json").read_text())
    rows = {Path(row["figures"][0]["run"]).name.rpartition("-")[0]: row for row in summary["rows"]}
    y = load(str(KEPT / "mnist_14.npz")).validation[:ITEMS]
    lines = [
        "# What each ingredient of the VAE kernel's training does",
        "",
        "Made by `python benchmarks/ablation.py train FOLDER`, `... compare FOLDER` and `... report`. One thing is changed at a time.",
        f"{summary['data']}, {CALLS} levels, {SECONDS} CPU seconds of training each, one seed.",
        f"Three sets of {summary['n_generated']} samples against {summary['n_real']} test items. Eta is chosen on validation items;",
        f"{ITEMS} of them show the use of latents, cleanest step first. Machine: {describe_machine()}.",
        "",
        f"| changed | {' | '.join(METRICS[name].title for name in COLUMNS)} | eta | bits/dim | KL, nats | active units | mismatch |",
        "|---" * (len(COLUMNS) + 6) + "|",
    ]
    for name in (name for name in ABLATED if name in rows):
        row = rows[name]
        bound = Chain.load(KEPT / "mnist" / f"{name}-0").bound(y)
        used = [
            " / ".join(f"{kl:.1f}" for kl in bound.kl.mean(1).tolist()),
            " / ".join(str(units) for units in bound.active_units),
            " / ".join("" if value is None else f"{value:.2f}" for value in bound.mismatch),
        ]
        figures = [plus_minus(row["metrics"][column], 3) for column in COLUMNS]
        bits = plus_minus(row["bound"]["value"]) if row["bound"] else ""
        eta = row["grid"].rpartition("eta ")[2] if "eta" in row["grid"] else "1"
        lines.append(f"| {name} | {' | '.join([*figures, eta, bits, *used])} |")
    REPORT.write_text("\n".join(lines) + "\n")
    print(f"the table is in {REPORT}")


if __name__ == "__main__":
    command_line(__doc__, CASES, KEPT, report)

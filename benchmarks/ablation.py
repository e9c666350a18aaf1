"""Which ingredient of the VAE kernel's training does what: one is changed at a time, at equal training time; `cases.py` says how.

python benchmarks/ablation.py train FOLDER       FOLDER holds mnist.npz
python benchmarks/ablation.py compare FOLDER     every figure, by `saltus compare`
python benchmarks/ablation.py report             docs/results/ablation.md, from what is there
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cases import RECIPES, SMALL, Case, Recipe, best_sampling, command_line
from saltus.chain import Chain
from saltus.data import load
from saltus.evaluation import METRICS, ChainSampler, Suite, evaluate
from saltus.kernels import PLAIN
from saltus.machine import describe_machine
from saltus.storage import to_json
from saltus.studies.compare import CHOSEN_BY
from saltus.studies.compare_page import plus_minus

KEPT = Path("runs/ablation")
REPORT = Path("docs/results/ablation.md")
CALLS, SECONDS = 4, 240
COLUMNS, SAMPLES = ("frechet", "sliced_wasserstein", "recall", "diversity"), 2000
WAYS = ("plain", "best")

_VAE: dict[str, Any] = {"kernel": "vae", "levels": CALLS}
_FASTER = {"learning_rate": 0.002}
_DATA_SPACE = {"data": 1.0, "decoder": 0.0, "entropy": 0.0}
ABLATED = {
    "the bound": Recipe(_VAE),
    "no latent": Recipe(_VAE | {"latent": 0}),
    "no KL warm-up": Recipe(_VAE | {"kl_warm_up": 0.0}),
    "long KL warm-up": Recipe(_VAE | {"kl_warm_up": 0.8}),
    "encoder of y": Recipe(_VAE | {"encodes": "y"}),
    "KL times 0.3": Recipe(_VAE | {"weights": {"kl": 0.3}}),
    "data space": Recipe(_VAE | {"weights": _DATA_SPACE}),
    "half data space": Recipe(_VAE | {"weights": {"data": 0.5, "decoder": 0.5, "entropy": 0.5}}),
    "energy 0.1": Recipe(_VAE | {"weights": {"energy": 0.1}}),
    "energy 1": Recipe(_VAE | {"weights": {"energy": 1.0}}),
    "warm start": Recipe(_VAE, start=0.5),
    "learning rate 0.002": Recipe(_VAE | _FASTER),
    "the same, long KL warm-up": Recipe(_VAE | _FASTER | {"kl_warm_up": 0.8}),
    "the same, KL times 0.7": Recipe(_VAE | _FASTER | {"weights": {"kl": 0.7}}),
    "ladder": Recipe(_VAE | {"ladder": True, "preset": "tiny", "channels": (32, 64)}),
}
CASE = Case("mnist_14", "14", SMALL, SECONDS, (0,), (CALLS,), kernels=tuple(ABLATED))


def measured(run: Path, suite: Suite) -> dict[str, Any]:
    """Figures of one run, made once: sampled plainly, and with the eta and temperature that suit it best."""
    file = run / "ablation.json"
    if not file.exists():
        chain, y = Chain.load(run), suite.real
        bound, best = chain.bound(y), best_sampling(chain, suite)
        samples = {way: evaluate(ChainSampler(chain, how), suite).metrics for way, how in zip(WAYS, (PLAIN, best), strict=True)}
        figures = {way: {name: asdict(result.generated) for name, result in found.items()} for way, found in samples.items()}
        used = {"kl": bound.kl.mean(1).tolist(), "units": bound.active_units, "mismatch": bound.mismatch}
        file.write_text(to_json({"figures": figures, "best": asdict(best), "bits": float(bound.bits_per_dim.mean()), **used}))
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def report() -> None:
    data = load(str(KEPT / "mnist_14.npz"))
    suite = Suite(data, SAMPLES, part="validation", metrics=COLUMNS)
    titles = [f"{METRICS[name].title}, {way}" for name in COLUMNS for way in WAYS]
    lines = [
        "# What each ingredient of the VAE kernel's training does",
        "",
        "Made by `python benchmarks/ablation.py train FOLDER` and `... report`. One thing is changed at a time, on validation items, since",
        f"choices are made by this table. {data.describe()}, {CALLS} levels, {SECONDS} CPU seconds of training each, one seed, 3 sets of",
        f"{SAMPLES} samples. Sampled plainly, and with the eta and temperature of the least {METRICS[CHOSEN_BY].title} of another set.",
        f"KL, active units and mismatch: cleanest step first. Machine: {describe_machine()}.",
        "",
        f"Real items in place of samples: {', '.join(f'{METRICS[name].title} {suite.floor[name].mean:.3g}' for name in COLUMNS)}.",
        "",
        f"| changed | {' | '.join(titles)} | best eta, temperature | bits/dim | KL, nats | active units | mismatch |",
        "|---" * (len(titles) + 6) + "|",
    ]
    for name in ABLATED:
        run = KEPT / "mnist" / f"{name}-0"
        if run.exists():
            found = measured(run, suite)
            figures = [plus_minus(found["figures"][way][column], 3) for column in COLUMNS for way in WAYS]
            figures.append(f"{found['best']['eta']:g}, {found['best']['temperature']:g}")
            used = ["/".join("-" if value is None else f"{value:.3g}" for value in found[part]) for part in ("kl", "units", "mismatch")]
            lines.append(f"| {name} | {' | '.join([*figures, format(found['bits'], '.3f'), *used])} |")
    REPORT.write_text("\n".join(lines) + "\n")
    print(f"the table is in {REPORT}")


if __name__ == "__main__":
    RECIPES.update(ABLATED)
    command_line(__doc__, {"mnist": CASE}, KEPT, report)

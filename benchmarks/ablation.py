"""Which ingredient of the VAE kernel's training does what: one is changed at a time, at about equal training time; `cases.py` says how.

python benchmarks/ablation.py train FOLDER       FOLDER holds mnist.npz
python benchmarks/ablation.py compare FOLDER     every figure, by `saltus compare`
python benchmarks/ablation.py report             docs/results/ablation.md, from what is there
python benchmarks/ablation.py --smoke            a miniature of all of it, in a temporary folder
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from cases import GAUSSIAN, NOISY, RECIPES, SMALL, Case, Recipe, Work, best_sampler, decoder_parameters
from commands import command_line, in_miniature
from saltus.chain import Chain
from saltus.data import DataSet, load
from saltus.evaluation import METRICS, ChainSampler, Evaluator, chosen_by, evaluate
from saltus.files import to_json
from saltus.kernels import DEFAULT, KERNELS, Pair, Terms, Trainable, VAEKernel, Weights
from saltus.machine import describe_machine
from saltus.process import Noise
from saltus.studies.compare.page import plus_minus
from saltus.training import LevelSampling

KEPT = Path("runs/ablation")
REPORT = Path("docs/results/ablation.md")
CALLS, SECONDS = 4, 30
COLUMNS, SAMPLES = ("frechet", "sliced_wasserstein", "recall", "diversity"), 2000
SAMPLED = ("plain", "best")

FREE = 1.0  # nats of an item's KL at a step that cost nothing


class EqualParts(LevelSampling):
    """Levels that get equal parts of each batch, whatever their losses are."""

    def take(self, sums: np.ndarray) -> None:
        """Nothing is learned from a loss."""


class FreeNatsKernel(VAEKernel):
    """Free bits item by item: the first nat of the KL of a step has no gradient."""

    def loss(self, pair: Pair, noise: Noise, weights: Weights) -> Terms:
        terms = super().loss(pair, noise, weights)
        return terms | {"kl": terms["kl"].clamp_min(FREE * weights.get("kl", 1.0))}


def register_kernels() -> None:
    """Both by names of their own; of equal parts a configuration would not tell otherwise."""
    KERNELS.register("free nats", Trainable(FreeNatsKernel.build))
    KERNELS.register("equal parts", Trainable(VAEKernel.build))


_VAE: dict[str, Any] = {"kernel": "vae", "times": NOISY[CALLS]}
_COSINE: dict[str, Any] = {"kernel": "vae", "levels": CALLS}
_DATA_SPACE = {"data": 1.0, "decoder": 0.0, "entropy": 0.0}
ABLATED = {
    "Gaussian kernel": Recipe({"kernel": GAUSSIAN}),
    "Gaussian kernel, learning rate 0.001": Recipe({"kernel": GAUSSIAN, "learning_rate": 0.001}),
    "the bound, noisy grid": Recipe(_VAE),
    "equal parts of a batch": Recipe(_VAE | {"kernel": "equal parts"}, level_sampling=EqualParts),
    "cosine grid": Recipe(_COSINE),
    "cosine grid, equal parts of a batch": Recipe(_COSINE | {"kernel": "equal parts"}, level_sampling=EqualParts),
    "levels count equally": Recipe(_VAE | {"level_weighting": "equal"}),
    "cosine grid, levels count equally": Recipe(_COSINE | {"level_weighting": "equal"}),
    "no latent, cosine grid": Recipe(_COSINE | {"latent": 0}),
    "no latent": Recipe(_VAE | {"latent": 0}),
    "no KL warm-up": Recipe(_VAE | {"kl_warm_up": 0.0}),
    "KL times 0.7": Recipe(_VAE | {"weights": {"kl": 0.7}}),
    "a free nat a step": Recipe(_VAE | {"kernel": "free nats"}),
    "encoder of y": Recipe(_VAE | {"encoder_input": "y"}),
    "data space": Recipe(_VAE | {"weights": _DATA_SPACE}),
    "energy 0.1": Recipe(_VAE | {"weights": {"energy": 0.1}}),
    "learning rate 0.001": Recipe(_VAE | {"learning_rate": 0.001}),
    "warm start": Recipe(_VAE, start=0.5),
    "ladder": Recipe(_VAE | {"ladder": "last", "preset": "tiny"}),
}
CASE = Case("mnist_14", "ablation", SMALL | {"learning_rate": 0.002}, SECONDS, (0,), (CALLS,), samples=SAMPLES, kernels=tuple(ABLATED))
_SEEN = ("Gaussian kernel", "equal parts of a batch", "a free nat a step", "warm start")
SMALL_CASE = replace(in_miniature(CASE), kernels=_SEEN)


def measured(run: Path, choice: Evaluator, evaluator: Evaluator) -> dict[str, Any]:
    """Figures of one run, made once: sampled plainly, and by the sampler, with the eta and the temperature that suit it best."""
    file = run / "ablation.json"
    if not file.exists():
        chain, y = Chain.load(run), evaluator.real
        bound, (words, _, best) = chain.bound(y), best_sampler(chain, choice)
        samplers = dict(zip(SAMPLED, (ChainSampler(chain, DEFAULT), best), strict=True))
        found = {sampled: evaluate(sampler, evaluator).metrics for sampled, sampler in samplers.items()}
        figures = {sampled: {name: asdict(result.generated) for name, result in metrics.items()} for sampled, metrics in found.items()}
        used = {"kl": bound.kl.mean(1).tolist(), "units": bound.active_units, "aggregate_kl": bound.aggregate_kl}
        sizes = {"decoder": decoder_parameters(chain), "all": sum(p.numel() for p in chain.parameters())}
        file.write_text(to_json({"figures": figures, "best": words, "bits": float(bound.bits_per_dim.mean()), **used, **sizes}))
    spent: dict[str, Any] = json.loads((run / "time.json").read_text())
    kept: dict[str, Any] = json.loads(file.read_text())
    return spent | kept


def halves(data: DataSet) -> tuple[DataSet, DataSet]:
    """The data set with either half of its validation items: to choose by, and to report."""
    middle = len(data.validation) // 2

    def half(rows: slice) -> DataSet:
        labels = data.labels and replace(data.labels, validation=data.labels.validation[rows])
        return replace(data, validation=data.validation[rows], labels=labels)

    return half(slice(middle)), half(slice(middle, None))


def report(kept: Path, cases: Mapping[str, Case], page: Path) -> None:
    ((name, case),) = cases.items()
    data = load(Work(case, kept, kept, name).place())
    to_choose, to_report = halves(data)
    choice = Evaluator(to_choose, case.samples // 2, part="validation", metrics=(chosen_by(to_choose),))
    columns = [column for column in COLUMNS if METRICS[column].fewest <= len(to_report.validation)]
    evaluator = Evaluator(to_report, case.samples, part="validation", metrics=columns)
    titles = [f"{METRICS[column].title}, {sampled}" for column in columns for sampled in SAMPLED]
    more = ["best sampler", "bits/dim", "KL, nats", "active units", "aggregate KL", "updates", "CPU seconds", "decoder's parameters", "all"]
    lines = [
        "# What each ingredient of the VAE kernel's training does",
        "",
        "Made by `python benchmarks/ablation.py train FOLDER` and `... report`. One thing is changed at a time (the ladder is of another",
        "size as well), on validation items, since recipes are chosen by this table.",
        f"{data.describe()}, {CALLS} levels, and as many updates as fit into {case.seconds:g} CPU seconds at paces measured beforehand.",
        f"One training seed: ± is of 3 sets of {case.samples} samples alone. Sampled plainly, and by the sampler that gives the least",
        f"{METRICS[chosen_by(data)].title} on one half of the validation items; all figures are of the other half.",
        f"KL, active units and aggregate KL: cleanest step first. Machine: {describe_machine()}.",
        "",
        f"Real items in place of samples: {', '.join(f'{METRICS[name].title} {evaluator.floor[name].mean:.3g}' for name in columns)}.",
        "",
        f"| changed | {' | '.join([*titles, *more])} |",
        "|---" * (1 + len(titles) + len(more)) + "|",
    ]
    for changed in case.kernels:
        run = kept / name / f"{changed}-{case.seeds[0]}"
        if run.exists():
            found = measured(run, choice, evaluator)
            figures = [plus_minus(found["figures"][sampled][column], 3) for column in columns for sampled in SAMPLED]
            used = ["/".join("-" if value is None else f"{value:.3g}" for value in found[part]) for part in ("kl", "units", "aggregate_kl")]
            sizes = [str(found[part]) for part in ("updates", "cpu_seconds", "decoder", "all")]
            lines.append(f"| {' | '.join([changed, *figures, found['best'], format(found['bits'], '.3f'), *used, *sizes])} |")
    page.write_text("\n".join(lines) + "\n")
    print(f"the table is in {page}")


if __name__ == "__main__":
    register_kernels()
    RECIPES.update(ABLATED)
    command_line(__doc__, {"mnist": CASE}, KEPT, REPORT, report, small=SMALL_CASE)

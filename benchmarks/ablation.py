"""Which ingredient of the VAE kernel's training does what: one is changed at a time, at about equal training time; `cases.py` says how.

python benchmarks/ablation.py train FOLDER       FOLDER holds mnist.npz
python benchmarks/ablation.py compare FOLDER     every figure, by `saltus compare`
python benchmarks/ablation.py report             docs/results/ablation.md, from what is there
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from unittest import mock

from cases import GAUSSIAN, LATE, RECIPES, SMALL, Case, Recipe, best_way, command_line, decoder_parameters
from saltus.chain import Chain
from saltus.data import DataSet, load
from saltus.evaluation import METRICS, ChainSampler, Evaluator, evaluate
from saltus.kernels import DEFAULT, Terms, VAEKernel, Weights
from saltus.machine import describe_machine
from saltus.storage import to_json
from saltus.studies.compare.comparison import CHOSEN_BY
from saltus.studies.compare.page import plus_minus
from saltus.training.level_sampling import LevelSampling

KEPT = Path("runs/ablation")
REPORT = Path("docs/results/ablation.md")
CALLS, SECONDS = 4, 30
CHOICE_SAMPLES = 1000
COLUMNS, SAMPLES = ("frechet", "sliced_wasserstein", "recall", "diversity"), 2000
WAYS = ("plain", "best")

FREE = 1.0  # nats of an item's KL at a step that cost nothing


def equal_shares() -> AbstractContextManager[Any]:
    """Levels that get equal parts of each batch, in place of shares that follow the loss."""
    return mock.patch.object(LevelSampling, "update", return_value=None)


def free_nats() -> AbstractContextManager[Any]:
    """Free bits item by item: the first nat of the KL of a step has no gradient."""
    plain = VAEKernel.loss

    def loss(kernel: VAEKernel, *given: Any, weights: Weights, **named: Any) -> Terms:
        terms = plain(kernel, *given, weights=weights, **named)
        return terms | {"kl": terms["kl"].clamp_min(FREE * weights.get("kl", 1.0))}

    return mock.patch.object(VAEKernel, "loss", loss)


_VAE: dict[str, Any] = {"kernel": "vae", "times": LATE[CALLS]}
_DATA_SPACE = {"data": 1.0, "decoder": 0.0, "entropy": 0.0}
ABLATED = {
    "Gaussian kernel": Recipe({"kernel": GAUSSIAN}),
    "Gaussian kernel, learning rate 0.001": Recipe({"kernel": GAUSSIAN, "learning_rate": 0.001}),
    "the bound, late levels": Recipe(_VAE),
    "equal shares of items": Recipe(_VAE, patch=equal_shares),
    "cosine levels": Recipe({"kernel": "vae", "levels": CALLS}),
    "cosine levels, equal shares": Recipe({"kernel": "vae", "levels": CALLS}, patch=equal_shares),
    "levels alike": Recipe(_VAE | {"alike": True}),
    "cosine levels, levels alike": Recipe({"kernel": "vae", "levels": CALLS, "alike": True}),
    "no latent, cosine levels": Recipe({"kernel": "vae", "levels": CALLS, "latent": 0}),
    "no latent": Recipe(_VAE | {"latent": 0}),
    "no KL warm-up": Recipe(_VAE | {"kl_warm_up": 0.0}),
    "KL times 0.7": Recipe(_VAE | {"weights": {"kl": 0.7}}),
    "a free nat a step": Recipe(_VAE, patch=free_nats),
    "encoder of y": Recipe(_VAE | {"encoder_input": "y"}),
    "data space": Recipe(_VAE | {"weights": _DATA_SPACE}),
    "energy 0.1": Recipe(_VAE | {"weights": {"energy": 0.1}}),
    "learning rate 0.001": Recipe(_VAE | {"learning_rate": 0.001}),
    "warm start": Recipe(_VAE, start=0.5),
    "ladder": Recipe(_VAE | {"ladder": "last", "preset": "tiny"}),
}
CASE = Case("mnist_14", "ablation", SMALL | {"learning_rate": 0.002}, SECONDS, (0,), (CALLS,), kernels=tuple(ABLATED))


def measured(run: Path, choice: Evaluator, evaluator: Evaluator) -> dict[str, Any]:
    """Figures of one run, made once: sampled plainly, and in the way, with the eta and the temperature that suit it best."""
    file = run / "ablation.json"
    if not file.exists():
        chain, y = Chain.load(run), evaluator.real
        bound, (words, _, best) = chain.bound(y), best_way(chain, choice)
        found = {way: evaluate(sampler, evaluator).metrics for way, sampler in zip(WAYS, (ChainSampler(chain, DEFAULT), best), strict=True)}
        figures = {way: {name: asdict(result.generated) for name, result in metrics.items()} for way, metrics in found.items()}
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


def report() -> None:
    data = load(str(KEPT / "mnist_14.npz"))
    to_choose, to_report = halves(data)
    choice = Evaluator(to_choose, CHOICE_SAMPLES, part="validation", metrics=(CHOSEN_BY,))
    evaluator = Evaluator(to_report, SAMPLES, part="validation", metrics=COLUMNS)
    titles = [f"{METRICS[name].title}, {way}" for name in COLUMNS for way in WAYS]
    more = ["best way", "bits/dim", "KL, nats", "active units", "aggregate_kl", "updates", "CPU seconds", "decoder's parameters", "all"]
    lines = [
        "# What each ingredient of the VAE kernel's training does",
        "",
        "Made by `python benchmarks/ablation.py train FOLDER` and `... report`. One thing is changed at a time (the ladder is of another",
        "size as well), on validation items, since recipes are chosen by this table.",
        f"{data.describe()}, {CALLS} levels, and as many updates as fit into {SECONDS} CPU seconds at paces measured beforehand.",
        f"One training seed: ± is of 3 sets of {SAMPLES} samples alone. Sampled plainly, and in the way that gives the least",
        f"{METRICS[CHOSEN_BY].title} on one half of the validation items; all figures are of the other half.",
        f"KL, active units and aggregate_kl: cleanest step first. Machine: {describe_machine()}.",
        "",
        f"Real items in place of samples: {', '.join(f'{METRICS[name].title} {evaluator.floor[name].mean:.3g}' for name in COLUMNS)}.",
        "",
        f"| changed | {' | '.join([*titles, *more])} |",
        "|---" * (1 + len(titles) + len(more)) + "|",
    ]
    for name in ABLATED:
        run = KEPT / "mnist" / f"{name}-0"
        if run.exists():
            found = measured(run, choice, evaluator)
            figures = [plus_minus(found["figures"][way][column], 3) for column in COLUMNS for way in WAYS]
            used = ["/".join("-" if value is None else f"{value:.3g}" for value in found[part]) for part in ("kl", "units", "aggregate_kl")]
            sizes = [str(found[part]) for part in ("updates", "cpu_seconds", "decoder", "all")]
            lines.append(f"| {' | '.join([name, *figures, found['best'], format(found['bits'], '.3f'), *used, *sizes])} |")
    REPORT.write_text("\n".join(lines) + "\n")
    print(f"the table is in {REPORT}")


if __name__ == "__main__":
    RECIPES.update(ABLATED)
    command_line(__doc__, {"mnist": CASE}, KEPT, report)

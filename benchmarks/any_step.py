"""One any-step VAE, and one any-step Gaussian kernel, against VAEs that are each trained for their own grid of 1, 2, 4 or 8 steps.

Every model is trained for the same CPU time, `--seconds`; one more any-step VAE gets the time of the four fixed grids together.
Kernels for any step are sampled on the cosine grid and on the planned one, which has the least bound on validation items of all
grids of 16 times.  Eta, temperature and the last step are chosen for every row alike, on validation items; `cases.py` says the rest.

python benchmarks/any_step.py train FOLDER [--seeds 0]     FOLDER holds mnist.npz and tabular_california.npz
python benchmarks/any_step.py compare FOLDER               every figure
python benchmarks/any_step.py report                       docs/results/any_step.md, from what is there
python benchmarks/any_step.py --smoke                      all of it in miniature, in a temporary folder

Each command continues where it was interrupted.  Two with different seeds may train side by side, and two with different cases
(`--only`) may compare.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from any_step_report import write_page
from cases import GAUSSIAN, RECIPES, SMALL, TINY, Case, Recipe, Work
from commands import in_miniature
from saltus.chain import Chain, pair_costs
from saltus.data import DataSet, load, subsample
from saltus.evaluation import Evaluator
from saltus.files import to_json
from saltus.levels import Levels
from saltus.machine import keep_freed_memory
from saltus.studies.compare.comparison import Comparison
from saltus.studies.compare.models import Model, Network, load_models
from saltus.studies.compare.samplers import Choice, NamedSampler

KEPT = Path("runs/any_step")
PAGE = Path("docs/results/any_step.md")
SECONDS, SEEDS, CALLS = 90.0, (0, 1, 2), (1, 2, 4, 8)
TIMES, PLAN_ITEMS = 16, 256
METRICS = ("frechet", "sliced_wasserstein", "energy")
FIXED = tuple(f"vae-{levels}" for levels in CALLS)
ANY, LONGER = "any-step vae", "any-step vae, longer"
RECIPES.update(
    {
        "vae-8": Recipe({"kernel": "vae", "levels": 8}),
        ANY: Recipe({"kernel": "vae", "any_step": True}),
        LONGER: Recipe({"kernel": "vae", "any_step": True}, longer=len(FIXED)),
    }
)
TITLES = {
    **{name: f"VAE for {levels} step{'s' * (levels > 1)}" for name, levels in zip(FIXED, CALLS, strict=True)},
    ANY: "any-step VAE",
    LONGER: f"any-step VAE, {len(FIXED)} times as long",
    GAUSSIAN: "any-step Gaussian",
}


def cases(seconds: float) -> dict[str, Case]:
    """By name, which tells the length of training too."""
    made = {
        "mnist_14": Case("mnist_14", "", SMALL | {"learning_rate": 0.002}, seconds, SEEDS, CALLS, kernels=tuple(TITLES)),
        "california": Case(
            "tabular_california", "", TINY | {"learning_rate": 0.004, "batch": 512}, seconds, SEEDS, CALLS, kernels=tuple(TITLES)
        ),
    }
    return {f"{name}_{seconds:g}s": replace(case, paces=name) for name, case in made.items()}


@dataclass(frozen=True, eq=False)
class OnGrids(NamedSampler):
    """A sampler that has one grid for each number of calls."""

    grids: Mapping[int, Levels] | None = None

    def choices(self, calls: int, *, bound: bool = False) -> dict[str, Choice]:
        grid = (self.grids or {}).get(calls)
        return {} if grid is None else NamedSampler.choices(replace(self, own=grid), calls, bound=bound)


def on_grids(sampler: NamedSampler, run: Path, data: DataSet) -> list[NamedSampler]:
    """The step of a kernel for any step on the cosine grids, and on the planned ones."""
    grids = {"cosine": {calls: Levels.cosine(calls, sampler.last) for calls in CALLS}, "planned": planned(sampler, run, data)}
    same = {field.name: getattr(sampler, field.name) for field in fields(NamedSampler)}
    return [OnGrids(**same | {"name": f"{sampler.name}, {name} grid"}, grids=of_calls) for name, of_calls in grids.items()]


def planned(sampler: NamedSampler, run: Path, data: DataSet) -> dict[int, Levels]:
    """The grids with the least bound on validation items, and how long it took to find them, which the run's folder keeps."""
    file = run / "grids.json"
    if not file.exists():
        start = time.process_time()
        chain = sampler.on(Levels.cosine(TIMES, sampler.last))
        assert isinstance(chain, Chain)
        costs = pair_costs(chain, subsample(data.validation, PLAN_ITEMS), TIMES)
        grids = {str(calls): list(costs.plan(calls).times) for calls in CALLS}
        file.write_text(to_json({"grids": grids, "cpu_seconds": round(time.process_time() - start, 1)}))
    return {int(calls): Levels(times) for calls, times in json.loads(file.read_text())["grids"].items()}


def models(work: Work, data: DataSet) -> list[Model]:
    """Each kernel that has been trained, its seeds together."""
    found = []
    for kernel, title in TITLES.items():
        runs = [run for seed in work.case.seeds if (run := work.home / f"{kernel}-{seed}").exists()]
        if runs:
            networks = [network for model in load_models(runs, data) for network in model.networks]
            found.append(Model(title, [replace(network, samplers=own(network, data)) for network in networks]))
    return found


def own(network: Network, data: DataSet) -> list[NamedSampler]:
    """The library's own step, on its own grid or on both kinds; no rivals."""
    sampler = network.samplers[0]
    return [sampler] if sampler.own else on_grids(sampler, Path(network.run), data)


def compare(work: Work) -> None:
    """Every figure of a case, kept one by one, and the summary of all."""
    data, folder, rows, start = load(work.place()), work.home / "compare", [], time.monotonic()
    evaluator = Evaluator(data, work.case.samples, metrics=METRICS)
    found = models(work, data)
    comparison = Comparison(found, data, n=work.case.samples, folder=folder / "figures", evaluator=evaluator)
    for calls in work.case.calls:
        for row in comparison.rows(calls):
            rows.append(row)
            print(f"{work.name}: {row['model']}, {row['sampler']}, {calls} calls", flush=True)
        (folder / "compare.json").write_text(to_json(comparison.summary(rows, time.monotonic() - start), indent=1))


def smoke() -> None:
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder)
        small = replace(in_miniature(cases(SECONDS)[f"mnist_14_{SECONDS:g}s"]), calls=CALLS[:2])
        work = Work(small, kept, kept, "digits")
        work.train()
        compare(work)
        write_page(kept, {"digits": small}, kept / PAGE.name)
        print((kept / PAGE.name).read_text())


def main(arguments: Sequence[str] | None = None) -> None:
    options = parsed(arguments)
    torch.set_num_threads(1)
    keep_freed_memory()
    if options.smoke:
        smoke()
        return
    named = cases(options.seconds)
    KEPT.mkdir(parents=True, exist_ok=True)
    for name, case in named.items():
        if options.command == "train" and name.startswith(options.only):
            Work(replace(case, seeds=options.seeds), options.folder, KEPT, name).train()
        elif options.command == "compare" and name.startswith(options.only):
            compare(Work(case, options.folder, KEPT, name))
    if options.command == "report":
        write_page(KEPT, named, PAGE)
        print(f"the tables are in {PAGE}")


def parsed(arguments: Sequence[str] | None) -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?", choices=("train", "compare", "report"))
    parser.add_argument("folder", nargs="?", type=Path, help="of the data")
    parser.add_argument("--only", default="", help="the beginning of a case's name")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="CPU seconds of one training")
    parser.add_argument("--seeds", type=lambda text: tuple(map(int, text.split(","))), default=SEEDS, help="to train, such as 0,1")
    parser.add_argument("--smoke", action="store_true", help="a miniature of everything, in a temporary folder")
    options = parser.parse_args(arguments)
    if not options.smoke and (options.command is None or (options.command != "report" and options.folder is None)):
        parser.error("give a command and the folder of the data, or --smoke")
    return options


if __name__ == "__main__":
    main()

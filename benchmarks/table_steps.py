"""Steps of tables in equal time: the spline flow, one column after another, and that without a Gaussian below its network.

python benchmarks/table_steps.py FOLDER    FOLDER holds the tables; what is kept in runs/table_steps is not run again
    --tables credit diamonds               some of them
python benchmarks/table_steps.py report    docs/results/table_steps.md, from what is there
python benchmarks/table_steps.py --smoke   a second of each step on a small table

A run is a fit of a minute in one thread.  Nats are those of the validation rows.  Boosting tells as many samples from the test rows.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from sklearn import datasets

from kept_runs import command_line
from saltus.data import DataSet, load
from saltus.estimators import Model
from saltus.evaluation.quality import told_apart
from saltus.kernels import AutoregressiveKernel
from saltus.kernels.factors import FactorAnalysis
from saltus.machine import describe_machine
from saltus.training import Config

KEPT, PAGE = Path("runs/table_steps"), Path("docs/results/table_steps.md")
OF_SKLEARN = "diabetes", "breast_cancer"
TABLES = dict.fromkeys(OF_SKLEARN, "") | {
    "credit": "mixed_credit.csv",
    "penguins": "mixed_penguins.csv",
    "california": "tabular_california.npz",
    "diamonds": "mixed_diamonds.csv",
}
STEPS: dict[str, dict[str, Any]] = {
    "spline flow": {"kernel": "flow", "levels": 1, "prior": "normal"},
    "one column after another": {},
    "the same, without the Gaussian": {},
}
ALONE = "the same, without the Gaussian"
SEEDS, TIME, BATCH = (0, 1), "60s", 4096


def table_of(name: str, folder: Path) -> DataSet:
    """A file of the folder, or a table that comes with scikit-learn."""
    if name not in OF_SKLEARN:
        return load(folder / TABLES[name])
    found = getattr(datasets, f"load_{name}")()
    return load(np.column_stack([found.data, found.target]))


def measured(data: DataSet, step: str, seed: int, time: str = TIME) -> dict[str, Any]:
    """Nats and two-sample accuracy of one fit."""
    with mock.patch.object(FactorAnalysis, "fit", mock.Mock() if step == ALONE else FactorAnalysis.fit):
        model = Model.train(data, Config(time=time, seed=seed, **STEPS[step]), quiet=True)
    validation, test = (data.encoding.decode(part) for part in (data.validation, data.test))
    samples = model.sample(len(test), seed=seed, batch=BATCH)
    categorical = np.array([bool(own) for own in getattr(data.encoding, "categories", ())] or [False] * test.shape[1])
    told = told_apart(samples.astype(np.float64), test.astype(np.float64), categorical, seed=seed)
    assert step == "spline flow" or isinstance(model.chain.kernel(1), AutoregressiveKernel)
    return {
        "nats": -float(model.log_prob_bound(validation).mean()),
        "accuracy": told.accuracy,
        "machine": describe_machine(),
        "rows": len(data.train),
    }


def file_of(table: str, step: str, seed: int) -> Path:
    """Where a run is kept."""
    return KEPT / f"{table}-{list(STEPS).index(step)}-{seed}.json"


def report() -> None:
    """The page, from what is there."""
    lines = [
        "# Steps of tables in equal time",
        "",
        f"`python benchmarks/table_steps.py FOLDER`: fits of {TIME} in one thread, seeds {', '.join(map(str, SEEDS))}. Nats a row on",
        "validation rows, and how often boosting tells as many samples from test rows (0.5 is best); means and, in brackets, half of the",
        "distance between the seeds.",
        "",
        "| table | step | nats | told apart |",
        "|---|---|---|---|",
    ]
    machines = set()
    for table in TABLES:
        for step in STEPS:
            runs = [json.loads(file.read_text()) for seed in SEEDS if (file := file_of(table, step, seed)).exists()]
            machines |= {run["machine"] for run in runs}
            if runs:
                nats, accuracy = (_spread([run[name] for run in runs]) for name in ("nats", "accuracy"))
                lines.append(f"| {table} ({runs[0]['rows']:,} rows) | {step} | {nats} | {accuracy} |")
    PAGE.write_text("\n".join([*lines, "", *(f"Machine: {name}." for name in sorted(machines)), ""]))


def _spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.3f} ({(max(values) - min(values)) / 2:.3f})"


def smoke() -> None:
    """Each step on a table that is made here."""
    rng = np.random.default_rng(0)
    data = load(np.stack([rng.integers(0, 3, 300), rng.normal(size=300)], 1))
    for step in STEPS:
        print(step, measured(data, step, 0, "1s"))


def runs(options: argparse.Namespace) -> Mapping[Path, Callable[[], dict[str, Any]]]:
    """One for each table, seed and step."""

    def measure(table: str, step: str, seed: int) -> dict[str, Any]:
        return measured(table_of(table, Path(options.folder)), step, seed)

    every = itertools.product(options.tables, SEEDS, STEPS)
    return {file_of(table, step, seed): partial(measure, table, step, seed) for table, seed, step in every}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    command_line(parser, runs, report, smoke)


if __name__ == "__main__":
    main()

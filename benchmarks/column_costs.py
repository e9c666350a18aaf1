"""What each kind of column costs in nats, beside what it costs alone: given the columns before it, by a fit of a minute.

python benchmarks/column_costs.py FOLDER   FOLDER holds the tables; what is kept in docs/results/column_costs is not run again
    --tables credit diamonds               some of them
python benchmarks/column_costs.py report   docs/results/column_costs.md, from what is there
python benchmarks/column_costs.py --smoke  a second on a small table

The cost of column j is -ln p(y_j | y_1 ... y_{j-1}) of 1,000 test rows, in the units of the file where it is continuous; alone it is what
a model of the column by itself would take: the entropy of its training values where these are few, else that of their histogram.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kept_runs import command_line
from saltus.data import Columns, DataSet, load
from saltus.estimators import Model
from saltus.kernels import AutoregressiveKernel, Transition
from saltus.machine import describe_machine
from saltus.process import Noise, OrnsteinUhlenbeck
from saltus.training import Config

KEPT, PAGE = Path("docs/results/column_costs"), Path("docs/results/column_costs.md")
TABLES = {
    "penguins": "mixed_penguins.csv",
    "credit": "mixed_credit.csv",
    "diamonds": "mixed_diamonds.csv",
    "california": "tabular_california.npz",
}
ROWS, SEED, TIME = 1000, 0, "60s"


@torch.no_grad()
def costs(model: Model, kernel: AutoregressiveKernel, y: torch.Tensor) -> torch.Tensor:
    """-ln p(y_j | y_1 ... y_{j-1}) of each number of rows (n, E), nats on the axis of y."""
    t, E = model.chain.levels.last, y.shape[1]
    z = OrnsteinUhlenbeck().noised(y, t, Noise(SEED, 0, len(y)).normal("z_t", (E,), like=y))
    transition, places = Transition(z, 0.0, t), torch.arange(E)
    below = [kernel.log_prob(transition, y, (places < j).expand(len(y), E)) for j in range(E + 1)]
    return torch.stack([one - other for one, other in itertools.pairwise(below)], 1)


def alone(y: torch.Tensor, test: torch.Tensor, width: torch.Tensor) -> float:
    """-ln of the share of training values that are each test value where it comes often, else of the density of the others there.

    A density counts times the width of what a counted value owns, 1 for a continuous one.
    """
    values, counts = np.unique(y.numpy(), return_counts=True)
    often = counts > len(y) ** 0.5
    rest = np.sort(y.numpy()[~np.isin(y.numpy(), values[often])]).astype(np.float64)
    x, cost = test.numpy(), np.zeros(len(test))
    for value, count in zip(values[often], counts[often], strict=True):
        cost[x == value] = -np.log(count / len(y))
    left = ~np.isin(x, values[often])
    if left.any():
        edges = np.unique(np.quantile(rest, np.linspace(0, 1, round(len(rest) ** (1 / 3)) + 1))) if len(rest) else rest
        edges = edges if len(edges) > 1 else np.array([-3.0, 3.0])
        found = np.histogram(rest, edges)[0] + 1
        place = np.searchsorted(edges[1:-1], x[left].astype(np.float64))
        density = found[place] / found.sum() / np.diff(edges)[place] * max(1, len(rest)) / len(y)
        cost[left] = -np.log(density * width.double().numpy()[left])
    return float(cost.mean())


def measured(data: DataSet, time: str) -> dict[str, Any]:
    """The columns of a table, each with its kind and its costs."""
    encoding = data.encoding
    assert isinstance(encoding, Columns)
    model = Model.train(data, Config(time=time, seed=SEED), quiet=True)
    kernel, train, test = model.chain.kernel(1), data.train[:], data.test[:ROWS]
    assert isinstance(kernel, AutoregressiveKernel)
    each, columns = costs(model, kernel, test), []
    there, owned = [~kernel.distributions.row(y).absent for y in (train, test)], kernel.distributions.row(test)
    for j, places in enumerate(encoding.places):
        if not places:
            continue
        lone = 0.0
        for k in places:
            one, other = there[0][:, k], there[1][:, k]
            width = torch.where(owned.counted, owned.width, 1.0)[other, k]
            lone += alone(train[one, k], test[other, k], width) * float(other.double().mean())
        columns.append({"kind": encoding.columns[j].kind, "nats": float(each[:, list(places)].sum(1).mean()), "alone": lone})
    return {"columns": columns, "rows": len(data.train), "machine": describe_machine()}


def report() -> None:
    """The page, from what is there."""
    lines = [
        "# What columns cost",
        "",
        f"`python benchmarks/column_costs.py FOLDER`, one thread, fits of {TIME}, seed {SEED}, {ROWS:,} test rows. Nats a row on",
        "the axis of y: what all columns of a kind cost given the columns before them, and alone. The difference is what columns tell of",
        "each other.",
        "",
        "| table | kind of column | columns | given those before | alone |",
        "|---|---|---|---|---|",
    ]
    machines = set()
    for file in sorted(KEPT.glob("*.json")):
        found = json.loads(file.read_text())
        machines.add(found["machine"])
        for kind in sorted({column["kind"] for column in found["columns"]}):
            own = [column for column in found["columns"] if column["kind"] == kind]
            nats, lone = (sum(column[name] for column in own) for name in ("nats", "alone"))
            lines.append(f"| {file.stem} ({found['rows']:,} rows) | {kind} | {len(own)} | {nats:.2f} | {lone:.2f} |")
    PAGE.write_text("\n".join([*lines, "", *(f"Machine: {name}." for name in sorted(machines)), ""]))


def smoke() -> None:
    """A table that is made here."""
    rng = np.random.default_rng(0)
    print(measured(load(np.stack([rng.integers(0, 3, 300), rng.normal(size=300)], 1)), "1s"))


def runs(options: argparse.Namespace) -> Mapping[Path, Callable[[], dict[str, Any]]]:
    """One for each table."""

    def measure(table: str) -> dict[str, Any]:
        return measured(load(Path(options.folder) / TABLES[table]), TIME)

    return {KEPT / f"{table}.json": partial(measure, table) for table in options.tables}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    command_line(parser, runs, report, smoke)


if __name__ == "__main__":
    main()

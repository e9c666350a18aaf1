"""The page of `mixed_tables.py`: what was found, every table of figures, and how they were measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mixed_tables_figures import (
    BRIER,
    COPIES,
    CRPS,
    FIT,
    GAUSSIAN,
    MANY,
    MIXED,
    NATS,
    NEAREST,
    NUMERIC,
    PLANTED,
    RANKED,
    REAL,
    REAL_ANOMALIES,
    SALTUS,
    SAMPLING,
    TWO_SAMPLE,
    UTILITY,
    Figure,
    Runs,
    mean,
    shown,
)
from mixed_tables_run import MODELS, OWN, installed
from saltus.files import read_json

_NOISE = 0.02  # above 1/2: what one column alone may give away
_NAMED = 4  # columns that are named of those that do

HOW = """## How it is measured

* **Rows.** 80 % of the rows of a table, by the seed, are given to every model, which takes validation rows from them itself; all
  figures are of the other 20 %. The tables are those of `benchmarks/mixed_tables_data.py`: `tabular_california` and `tabular_ccpp`
  (standardised, float32), `mixed_diamonds`, `mixed_credit` and `mixed_penguins` of the folder, and wine, breast cancer and diabetes of
  scikit-learn, whose classes are texts. Test rows with a category that no training row has are left out.
* **Time.** saltus, TVAE, CTGAN, ForestDiffusion, the mixture and the spline flow are given the same seconds; the others take what they
  need, which a table above says. TVAE and CTGAN run as many epochs, ForestDiffusion as many noisy copies of each row as there is time
  for; a fit that takes three times its seconds is given up. The clock starts after libraries are imported. It counts seconds of the
  processor for rivals, from whom other work on the machine takes nothing, and of the wall for saltus. Every run is a process of its
  own.
* **Rivals** have their libraries' defaults. TVAE, CTGAN, the copula and ForestDiffusion take no missing cells: a median stands there,
  with one more column that says so, or one more category. Their numbers, and those of the mixture and the flow, are put in the range
  and on the values of rounded columns of the training rows.
* **Two-sample accuracy.** Boosted trees (HistGradientBoostingClassifier, categories and missing cells as they are, 5 folds) tell
  samples from as many test rows, at most 10,000. 0.5 is best; below it is chance, and counts as 0.5 in means. `training rows` are real
  rows: the floor. On tables of a few hundred rows the test has little power.
* **Utility.** The same trees learn from as many samples as there are training rows, and are measured on test rows: R2 where the target
  is a number, and the area under the curve, a class against the others, elsewhere.
* **Nats.** Mean ln p of a test row, in the units of the table, higher is better. A value of a rounded column (half of its rows share
  their values with others) has a mass in saltus and none in the others. It owns a cell: of one step on an even grid, and elsewhere from
  the middle between it and the value before to the middle between it and the next, so that its width is the mean spacing around it.
  Rivals learn and are measured on values with uniform noise in their cells; saltus has -ln(width) added for every value that it gives a
  mass. Columns that saltus takes as continuous have the noise too. saltus gives a lower bound. A class has a cell of width 1.
* **Imputation.** A fifth of the cells of at most 2,000 test rows goes missing: at random, or by a rule, where half of the columns stay
  and the chance of the others grows from 0 to 40 % with the rank of a column that stays. 20 draws (one of `mean`); CRPS in standard
  deviations of the training column, Brier score over all categories, both without the excess of few draws; means over columns.
  Coverage: how often the truth is in the range of 19 draws, which is to be 90 %.
* **Anomalies.** Planted: a test row of which one cell is from another row, against test rows. Real: malignant tumours against benign
  ones, of a model of benign ones; bad credits against good ones, of a model of good ones. Detectors see categories as zeros and ones,
  and medians.
* **Privacy.** Copies: the share of samples that are a training row, less that of test rows. Nearest: the median distance to the nearest
  training row (standardised, categories as zeros and ones), over that of test rows; below 1 is nearer than real rows are.
"""


def report(kept: Path, page: Path) -> None:
    """From what is there."""
    records = [read_json(file) for file in sorted(kept.glob("*/*.json"))]
    budgets = sorted({record["budget"] for record in records} - {OWN}, key=lambda budget: (budget[-1] == "m", float(budget[:-1])))
    lines = ["# Tables: saltus beside other libraries", ""]
    for budget in budgets:
        lines += finding(Runs(kept, budget), budget)
    for budget in budgets:
        lines += figures(Runs(kept, budget), budget)
    lines += [*failures(kept), *HOW.splitlines(), "", "## The runs", ""]
    seeds = sorted({record["seed"] for record in records})
    lines += ["Means over seeds ± the standard deviation. `make rivals`, then", "", "```"]
    lines += [f".venv-rivals/bin/python benchmarks/mixed_tables.py FOLDER --seeds {len(seeds)} --budget {budget}" for budget in budgets]
    lines += [".venv-rivals/bin/python benchmarks/mixed_tables.py report", "```", ""]
    lines += [f"Machine: {machine}." for machine in sorted({record["machine"] for record in records})]
    missing = [name for name in MODELS if not any(record["model"] == name for record in records)]
    lines += ["", f"Not run: {', '.join(name + ('' if installed(name) else ' (not installed)') for name in missing)}."] if missing else []
    page.write_text("\n".join([*lines, ""]))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """As Markdown has it."""
    return [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows), ""]


def finding(runs: Runs, budget: str) -> list[str]:
    """Means over tables, a line a model; and where saltus is best and where it is not."""
    lines = [f"## In {budget} of fitting", "", *sentence(runs), "", "Means over tables; (k of n) where a model has only k of them.", ""]

    def plain(figure: Figure, tables: Sequence[str]) -> Callable[[str], str]:
        least = 0.5 if figure is TWO_SAMPLE else -math.inf
        return lambda name: runs.over_tables(name, figure, tables, lambda place: at_least(least, runs.mean(figure, name, place)))

    def beyond(figure: Figure, other: str) -> Callable[[str], str]:
        tables = runs.tables(figure)
        return lambda name: runs.over_tables(name, figure, tables, lambda place: runs.gap(figure, name, other, place))

    among = {part: [table for table in runs.tables(TWO_SAMPLE) if table in part] for part in (NUMERIC, MIXED)}
    columns: dict[str, Callable[[str], str]] = {
        "two-sample, numeric": plain(TWO_SAMPLE, among[NUMERIC]),
        "two-sample, mixed": plain(TWO_SAMPLE, among[MIXED]),
        "utility, less that of real rows": beyond(UTILITY, REAL),
        "nats, less those of one Gaussian": beyond(NATS, GAUSSIAN),
        **{f"CRPS {kind}": plain(figure, runs.tables(figure)) for kind, figure in CRPS.items()},
        **{f"Brier {kind}": plain(figure, runs.tables(figure)) for kind, figure in BRIER.items()},
        "planted anomalies": plain(PLANTED, runs.tables(PLANTED)),
        "real anomalies": plain(REAL_ANOMALIES, runs.tables(REAL_ANOMALIES)),
        "copies": plain(COPIES, runs.tables(COPIES)),
    }
    lines += table(["", *columns], ([name, *(column(name) for column in columns.values())] for name in runs.models))
    return [*lines, "Where saltus stands, by the means over seeds:", "", *standing(runs)]


def at_least(least: float, value: float | None) -> float | None:
    """The value, or the least that it may be."""
    return None if value is None else max(least, value)


def ranked(runs: Runs, figure: Figure, name: str) -> list[tuple[float, str, float]]:
    """How bad, whose and which the figures of a table are, the best first; real rows take no part."""
    found = ((model, runs.mean(figure, model, name)) for model in runs.having(figure) if model != REAL)
    return sorted((figure.loss(value), model, value) for model, value in found if value is not None)


def sentence(runs: Runs) -> list[str]:
    """The finding in words."""
    parts = []
    for figure in RANKED:
        orders = [ranked(runs, figure, name) for name in figure.tables]
        those = [order for order in orders if len(order) > 1 and any(model == SALTUS for _, model, _ in order)]
        if those:
            best = sum(rank(order) == 1 for order in those)
            parts.append(f"{figure.title} on {best} of {len(those)} tables")
    return [f"saltus is best, or as good as the best, in {'; '.join(parts)}." if parts else "saltus has no figures yet."]


def rank(order: Sequence[tuple[float, str, float]]) -> int:
    """That of saltus; ties share the better one."""
    (own,) = (loss for loss, model, _ in order if model == SALTUS)
    return 1 + sum(loss < own for loss, _, _ in order)


def standing(runs: Runs) -> list[str]:
    """The rank of saltus, figure by figure, and who is ahead of it where."""
    rows = []
    for figure in RANKED:
        ahead, ranks = [], []
        for name in figure.tables:
            order = ranked(runs, figure, name)
            if len(order) > 1 and any(model == SALTUS for _, model, _ in order):
                ranks.append(f"{name} {rank(order)}/{len(order)}")
                if rank(order) > 1:
                    own = next(value for _, model, value in order if model == SALTUS)
                    ahead.append(f"{name}: {order[0][1]} {order[0][2]:.{figure.digits}f} (saltus {own:.{figure.digits}f})")
        if ranks:
            rows.append([figure.title, ", ".join(ranks), "; ".join(ahead)])
    return table(["figure", "rank of saltus, table by table", "the best, where it is another"], rows)


def figures(runs: Runs, budget: str) -> list[str]:
    """Every figure, a line a model and a column a table."""
    lines = [f"# {budget}: the figures", ""]
    for figure in (*RANKED, NEAREST, FIT, SAMPLING, MANY):
        tables = runs.tables(figure)
        if tables:
            rows = ([name, *(shown(runs.values(figure, name, one), figure.digits) for one in tables)] for name in runs.having(figure))
            lines += [f"## {budget}: {figure.title}", "", *table(["", *tables], rows)]
    return lines + given_away(runs, budget) + refused(runs)


def given_away(runs: Runs, budget: str) -> list[str]:
    """The columns that alone tell samples from test rows by more than chance would."""
    rows = []
    for name in (model for model in runs.having(TWO_SAMPLE) if model != REAL):
        for place in runs.tables(TWO_SAMPLE):
            found = [record["measures"]["two_sample"] for record in runs.of(name, place) if TWO_SAMPLE.of(record) is not None]
            if found:
                chance = 0.5 + max(_NOISE, 2 * (0.25 / (2 * found[0]["rows"] * len(found))) ** 0.5)
                means = {column: mean(one["columns"][column] for one in found) or 0.0 for column in found[0]["columns"]}
                worst = sorted(((value, column) for column, value in means.items() if value > chance), reverse=True)
                named = ", ".join(f"{column} {value:.2f}" for value, column in worst[:_NAMED])
                more = f", and {len(worst) - _NAMED} more" if len(worst) > _NAMED else ""
                rows.append([name, place, f"{named}{more}"])
    told = "Accuracies of one column alone above 0.52, and above two standard errors; the largest first."
    return [
        f"## {budget}: the columns that give samples away",
        "",
        told,
        "",
        *table(["", "table", "columns"], (row for row in rows if row[2])),
    ]


def refused(runs: Runs) -> list[str]:
    """Test rows that have no density, which means leave out."""
    counts = [(record, record.get("measures", {}).get("density", {}).get("refused")) for record in runs.all]
    lines = [f"{r['model']} gives no density to {n} test rows of {r['table']}, seed {r['seed']}." for r, n in counts if n]
    return [*lines, ""] if lines else []


def failures(kept: Path) -> list[str]:
    """What did not finish, or failed."""
    rows = []
    for record in (read_json(file) for file in sorted(kept.glob("*/*.json"))):
        parts = {"fit": record} | {name: found for name, found in record.get("measures", {}).items() if "failed" in found}
        why = {part: found["failed"] for part, found in parts.items() if "failed" in found}
        rows += [[record["model"], record["table"], str(record["seed"]), record["budget"], part, said] for part, said in why.items()]
    head = ["model", "table", "seed", "budget", "what", "why"]
    return ["## What failed or did not finish", "", *table(head, rows)] if rows else []

"""`saltus compare`: every kernel and every rival at equal numbers of network calls."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.common import Interrupted, json_option, parse_calls, say
from saltus.cli.places import PLACE, SOURCE
from saltus.errors import SaltusError
from saltus.pretrained import run_folder
from saltus.terminal import shown, tell

if TYPE_CHECKING:
    from saltus.studies.compare.comparison import Comparison

__all__ = ["compare"]

_ALL = "all"
_WIDTH = 160  # columns of the terminal, at most: a table of eight numbers of calls
_LAST = 3.0  # of the grids that closed forms are shown on: at every grid they are the same distribution
_SAMPLES = 2000
_TABLE = ("frechet", "sliced_wasserstein")


def _oracle(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Numbers of calls: none of them stands for those of --calls."""
    if value is None:
        return None
    return () if value == _ALL else parse_calls(context, parameter, value)


@click.command()
@click.argument("runs", nargs=-1, required=True, type=PLACE)
@click.option("--data", type=SOURCE, help="The runs' data set, if it is no longer where they were trained from.")
@click.option(
    "--calls",
    callback=parse_calls,
    default="1,2,4,8,16,50,250",
    show_default=True,
    help="Numbers of network calls, with commas between them.",
)
@click.option(
    "--n", type=click.IntRange(min=1), help="Samples that each figure is taken from.  [default: 2000, or a third of the training items]"
)
@click.option(
    "--oracle",
    metavar="[NUMBERS]",
    callback=_oracle,
    is_flag=False,
    flag_value=_ALL,
    help="Compare a perfect denoiser too: what it has of a distance is the step's own fault; at all calls, or at these.",
)
@click.option(
    "--sampler",
    "samplers",
    multiple=True,
    metavar="NAME",
    help="Compare this sampler only, such as 'VAE step' or UniPC; may be given again.",
)
@click.option("--out", required=True, type=PLACE, help="Folder for compare.json, compare.html and finished figures.")
@json_option
def compare(
    runs: tuple[Path, ...],
    data: str | None,
    calls: tuple[int, ...],
    n: int | None,
    oracle: tuple[int, ...] | None,
    samplers: tuple[str, ...],
    out: Path,
    as_json: bool,
) -> None:
    """Compare runs and samplers at equal network calls.

    Every sampler is tried around the network of each of the training RUNS.  Runs that differ only in their seed make one row.
    Where this command was stopped, the same command continues.
    """
    from rich.console import Console
    from rich.text import Text

    from saltus.evaluation import Evaluator
    from saltus.integrations import LATEST
    from saltus.studies.call import only_call
    from saltus.studies.compare.comparison import COMPARED, Comparison
    from saltus.studies.compare.models import CLOSED, closed_forms, load_models, perfect_model
    from saltus.training import load_config, load_data

    if oracle and not set(oracle) <= set(calls):
        raise click.UsageError(f"--oracle {','.join(map(str, oracle))} is not among --calls {','.join(map(str, calls))}; add it there")
    start, console, runs = time.monotonic(), Console(stderr=True, markup=False, emoji=False), tuple(map(run_folder, runs))
    items = load_data(next((run for run in runs if load_config(run).condition), runs[0]), data)
    models, n = load_models(runs, items), n or min(_SAMPLES, max(1, len(items.train) // 3))
    for model in models:
        if model.networks[0].samplers[0].own is None and model.networks[0].samplers[0].last > LATEST:
            tell(f"{model.name}: its grid ends later than t = {LATEST:g}, so no scheduler of diffusers takes part")
    if oracle is not None:
        last = max(sampler.last for model in models for sampler in model.networks[0].samplers)
        models.append(perfect_model(items, last, calls=oracle or calls))
    if items.condition is None:
        models.append(closed_forms(items, _LAST))
    rows: list[dict[str, Any]] = []
    summary: dict[str, Any] = {}
    call = {"command": "compare", "runs": list(map(str, runs)), "calls": calls, "n": n, "oracle": oracle, "samplers": samplers}
    with only_call(out, {**call, "data": items.fingerprint}), console.status("measuring the floor") as status:
        try:
            evaluator = Evaluator(items, n, metrics=COMPARED)

            def progress(words: str) -> None:
                status.update(Text(shown(words)))

            comparison = Comparison(models, items, n=n, folder=out / "figures", evaluator=evaluator, progress=progress, samplers=samplers)
            if all(model.name == CLOSED for number in calls for model, _ in comparison.parts(number)):
                asked = ", ".join(map(str, calls))
                raise SaltusError(f"no run takes part at {asked} calls, since all have fixed levels; add their number of levels to --calls")
            for number in calls:  # written after each: a long comparison can be read while it goes on
                for row in comparison.rows(number):
                    rows.append(row)
                    words = f"{row['model']}, {row['sampler']}, {number} calls: {_words(row)}"
                    console.print(shown(words), highlight=False, soft_wrap=True)
                if rows:
                    summary = _written(comparison, rows, time.monotonic() - start, out)
        except KeyboardInterrupt:
            if rows:
                _written(comparison, rows, time.monotonic() - start, out)
            raise Interrupted(f"stopped; {len(rows)} rows are kept in {out}, and the same command continues") from None
    say(as_json, summary, f"{_table(summary)}\ncompare.json and compare.html are in {out}/")


def _written(comparison: Comparison, rows: Sequence[dict[str, Any]], seconds: float, out: Path) -> dict[str, Any]:
    """The summary of the rows so far, which compare.json and compare.html now hold."""
    from saltus.files import to_json, write_atomically
    from saltus.studies.compare.page import write_page

    summary, items = comparison.summary(rows, seconds), comparison.data
    write_atomically(out / "compare.json", to_json(summary, indent=1) + "\n")
    pictured = comparison.pictured if items.encoding.layout.is_image else None
    write_page(summary, out / "compare.html", pictured=pictured, shown=items.encoding.shown)
    return summary


def _words(row: dict[str, Any]) -> str:
    from saltus.evaluation import METRICS

    parts = [f"{METRICS[name].title} {_figure(name, row)}" for name in _TABLE if name in row["metrics"]]
    if row["bound"]:
        parts.append(f"{row['bound']['value']['mean']:.3f} {row['bound']['unit']}")
    return ", ".join(parts)


def _figure(name: str, row: dict[str, Any]) -> str:
    from saltus.studies.compare.page import plus_minus

    return plus_minus(row["metrics"][name], 3)


def _table(summary: dict[str, Any]) -> str:
    from rich.console import Console
    from rich.table import Table

    from saltus.evaluation import METRICS
    from saltus.studies.compare.page import plus_minus, tabulated

    console = Console(width=_WIDTH, markup=False, emoji=False)
    with console.capture() as text:
        for name in (name for name in _TABLE if name in summary["floor"]):
            headings, *rows = tabulated(summary, partial(_figure, name))
            table = Table(title=f"{METRICS[name].title}, floor {plus_minus(summary['floor'][name], 3)}, {summary['n_generated']} samples")
            for heading in headings:
                table.add_column(heading, justify="left" if heading == headings[0] else "right")
            for row in rows:
                table.add_row(*map(shown, row))
            console.print(table)
    return text.get()

"""`saltus evaluate`: a training run, or samples made by anything, measured against real items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.by_class import class_figures, classifier_figures
from saltus.cli.by_level import measured_by_level
from saltus.cli.common import (
    LATENT_ITEMS,
    PREPARATION_OPTIONS,
    SAMPLING_OPTIONS,
    chain_of,
    data_options,
    json_option,
    sampling_options,
    say,
)
from saltus.cli.evaluate_samples import read_samples
from saltus.cli.floors import drawn, few_of, floor_words
from saltus.cli.places import PLACE, SOURCE
from saltus.errors import SaltusError
from saltus.pretrained import run_folder
from saltus.processes import is_main
from saltus.terminal import tell

if TYPE_CHECKING:
    from torch import Tensor

    from saltus.data import DataSet, Preparation
    from saltus.evaluation import Evaluator, Figures, Likelihood, Report

__all__ = ["evaluate_command"]

_FILE = "evaluation.json"
_RUN_OPTIONS = ("seeds", "calls", *SAMPLING_OPTIONS, "importance_samples", "by_level", "classifier")


def _seeds(_: click.Context, __: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        seeds = tuple(int(word) for word in value.split(","))
    except ValueError:
        seeds = ()
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise click.BadParameter(
            f"{value!r:.60} are no seeds; expected different numbers from 0 on with commas between them, such as 0,1,2"
        )
    return seeds


@click.command("evaluate")
@click.argument("target", metavar="RUN_OR_SAMPLES", type=PLACE)
@click.option("--data", type=SOURCE, help="The data to compare with, as for `saltus train`; a run knows its own.")
@data_options
@click.option("--n", type=click.IntRange(min=1), help="Items to generate for each seed.  [default: as many as there are test items]")
@click.option(
    "--seeds",
    callback=_seeds,
    default="0,1,2",
    show_default=True,
    help="Seeds of the samples of a run, with commas between them; each gives one set.",
)
@click.option("--calls", type=click.IntRange(min=1), help="Network calls of each sample; for a run that was trained with --any-step.")
@sampling_options
@click.option(
    "--importance-samples",
    type=click.IntRange(min=1),
    help="Latents that each step of the bound is importance-weighted with.  [default: as in training]",
)
@click.option("--by-level", is_flag=True, help="Start the chain from real z of each level too: what every step adds to the distances.")
@click.option(
    "--classifier", is_flag=True, help="Train a classifier on items drawn of each class, and test it on real ones; of a run of classes."
)
@click.option("--inception", is_flag=True, help="Measure Inception FID and KID too; this needs the package torch-fidelity and its weights.")
@click.option("--out", type=PLACE, help=f"Folder for {_FILE}.")
@json_option
def evaluate_command(
    target: Path,
    data: str | None,
    preparation: Preparation,
    n: int | None,
    seeds: tuple[int, ...],
    calls: int | None,
    sampling: dict[str, Any],
    importance_samples: int | None,
    by_level: bool,
    classifier: bool,
    inception: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Measure a run, or samples made by anything.

    Samples are measured against test items, and so are real items in their place: that is the floor.
    RUN_OR_SAMPLES is a folder that `saltus train` wrote, a .npz or .npy file, or a folder of images.
    Samples in files and folders are measured in three thirds; --size and the like hold for them too.
    """
    from saltus.files import to_json, write_atomically

    if out is not None and is_main():  # before the work, not after it
        if (out / _FILE).exists():
            raise SaltusError(f"{out / _FILE} is already there; give another folder with --out, or remove it first")
        out.mkdir(parents=True, exist_ok=True)
    target = run_folder(target)
    if (target / "chain.json").exists():
        _refuse(PREPARATION_OPTIONS, target, "is for samples, and the run in {} knows how its data are read")
        result, words = _run(
            target, data, n, seeds, calls, sampling, importance_samples, inception, by_level=by_level, out=out, classifier=classifier
        )
    else:
        _refuse(_RUN_OPTIONS, target, "is for a training run, and {} holds none")
        y, items = read_samples(target, data, preparation)
        result, words = _samples(target, y, items, n, inception)
    if not is_main():
        return
    say(as_json, result, words)  # before they are written, for which there may be no room
    if out is not None:
        write_atomically(out / _FILE, to_json(result, indent=1) + "\n")
        tell(f"The figures are in {out / _FILE}", result=not as_json)


def _refuse(options: Sequence[str], target: Path, why: str) -> None:
    """Say so when an option was given that a run, or samples that are made already, cannot follow."""
    context = click.get_current_context()
    for option in options:
        if context.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE:
            flag = next(parameter.opts[0] for parameter in context.command.params if parameter.name == option)
            raise click.UsageError(f"{flag} {why.format(target)}; leave it out")


def _run(
    run: Path,
    data: str | None,
    n: int | None,
    seeds: Sequence[int],
    calls: int | None,
    sampling: dict[str, Any],
    importance_samples: int | None,
    inception: bool,
    *,
    by_level: bool,
    out: Path | None,
    classifier: bool,
) -> tuple[dict[str, Any], str]:
    import torch

    from saltus.data import subsample
    from saltus.evaluation import MOST_ITEMS, ChainSampler, closed_forms, closed_samples, evaluate, latent_use, likelihood
    from saltus.kernels import DEFAULT
    from saltus.launched import together
    from saltus.networks import ClassCondition
    from saltus.training import load_data

    chain, items = chain_of(run, calls), load_data(run, data)
    if classifier and not isinstance(chain.condition, ClassCondition):
        raise SaltusError(f"--classifier was given, and {run} knows no classes; leave it out, or train with --condition labels")
    chosen = replace(chain.sampling, **sampling)
    evaluator = _evaluator(items, n or _default(items), inception)
    processes = together(torch.device("cpu"))
    processes.agreed(lambda: bool(evaluator.features))  # trained once, by one process
    told = items.conditions_for(chain.condition, "test")
    condition = None if told is None else subsample(told, MOST_ITEMS, seed=evaluator.seed)
    report = evaluate(ChainSampler(chain, chosen, condition, processes), evaluator, seeds, progress=_progress)
    _progress(f"the likelihood bound of {evaluator.n_real} {evaluator.part} items")
    eta = chosen.eta if chain.has_bound_at(chosen.eta) else 1.0
    options: dict[str, Any] = {"condition": condition, "importance_samples": importance_samples, "eta": eta, "processes": processes}
    if items.surprise is not None:
        options["surprise"] = subsample(items.surprise.test, MOST_ITEMS, seed=evaluator.seed)
    bound = likelihood(chain, evaluator.real, items.encoding, **options)
    few = None if condition is None else condition[:LATENT_ITEMS]
    weighted = bound.importance_samples if bound else None
    uses = latent_use(chain, evaluator.real[:LATENT_ITEMS], condition=few, importance_samples=weighted) if bound else []
    classes = class_figures(chain, evaluator.real, condition, progress=_progress) if bound and condition is not None else None
    _progress("the same of closed forms: one Gaussian, and a mixture")
    floors = closed_forms(chain, items, evaluator.real, condition=condition)
    measured = {name: evaluator.measure(closed_samples(floor.oracle, items, evaluator.n, seed=0)) for name, floor in floors.items()}
    made = {"run": str(run), "calls": chain.levels.L, **asdict(chosen), "latent_use": [asdict(use) for use in uses], "classes": classes}
    how = f"final {chosen.final}, eta {chosen.eta:g}, temperature {chosen.temperature:g}, guidance {chosen.guidance:g}"
    steps = f"{chain.levels.L} network calls a sample, {how}"
    if replace(chosen, final=DEFAULT.final, eta=eta) != replace(DEFAULT, eta=eta):
        steps += f"; the bound is that of eta {eta:g}, temperature 1 and guidance 1"
    made["closed_forms"] = {
        name: {**{key: value for key, value in vars(floor).items() if key != "oracle"}, "metrics": measured[name]}
        for name, floor in floors.items()
    }
    words = [
        _words(steps, report, bound, measured),
        *floor_words(chain, evaluator.real, floors if bound else {}, condition),
        *([classes["words"]] if classes else []),
        *few_of([str(use) for use in uses]),
    ]
    if classifier and is_main():
        made["classification"] = classifier_figures(chain, items, n, chosen, progress=_progress)
        words.append(made["classification"]["words"])
    if by_level:
        made["by_level"], text = measured_by_level(chain, items, n, chosen, out)
        words.append(text)
    return _result(made, report, bound), "\n".join(words)


def _samples(place: Path, y: Tensor, items: DataSet, n: int | None, inception: bool) -> tuple[dict[str, Any], str]:
    from saltus.evaluation import THIRDS, evaluate_items

    evaluator = _evaluator(items, n or min(len(y) // THIRDS, _default(items)), inception)
    report = evaluate_items(y, evaluator, progress=_progress)
    return _result({"samples": str(place)}, report, None), _words(f"samples of {place}, in thirds", report, None, {})


def _default(items: DataSet) -> int:
    """How many items are generated if nobody says."""
    from saltus.evaluation import MOST_ITEMS

    return min(len(items.test), len(items.train), MOST_ITEMS)


def _evaluator(items: DataSet, n: int, inception: bool) -> Evaluator:
    from saltus.evaluation import DEFAULT_METRICS, INCEPTION_METRICS, Evaluator, measurable

    metrics, said = measurable(items, n, DEFAULT_METRICS + INCEPTION_METRICS * inception)
    if said:
        _progress(said)
    return Evaluator(items, n, metrics=metrics, progress=_progress)


def _progress(words: str) -> None:
    if is_main():
        tell(words)


def _result(made: dict[str, Any], report: Report, bound: Likelihood | None) -> dict[str, Any]:
    return {**made, **asdict(report), "likelihood": None if bound is None else asdict(bound)}


def _words(how: str, report: Report, bound: Likelihood | None, closed: Mapping[str, Mapping[str, float]]) -> str:
    from rich.table import Table

    from saltus.evaluation import METRICS

    table = Table(
        caption="± is the standard deviation over repeats; the floor is what real items get in place of samples", caption_style=""
    )
    table.add_column("metric")
    for heading in ("value", "floor", "above the floor", *closed):
        table.add_column(heading, justify="right")
    for name, result in report.metrics.items():
        above = "" if result.above_floor is None else f"{result.above_floor:.3g}"
        others = (f"{figures[name]:.3g}" for figures in closed.values())
        table.add_row(METRICS[name].title, _number(result.generated), _number(result.floor), above, *others)
    return "\n".join([report.data, *_protocol(how, report), drawn(table), *_bound_words(bound)])


def _protocol(how: str, report: Report) -> list[str]:
    repeats = f"{report.repeats} {', '.join(map(str, report.seeds))}"
    return [
        f"{report.n_real} real items (the {report.part} part), {report.n_generated} generated, {repeats}; {how}; {report.seconds:.0f} s",
        report.features,
    ]


def _number(figures: Figures) -> str:
    spread = "" if len(figures.values) < 2 else f" ± {figures.spread:.1g}"
    return f"{figures.mean:.3g}{spread}"


def _bound_words(bound: Likelihood | None) -> list[str]:
    if bound is None:
        return []
    mean, error, unit = bound.figure
    return [
        f"bound: {mean:.4f} ± {error:.4f} {unit} (standard error over {bound.items} items), {bound.convention}{bound.weighting}",
        f"nats: {', '.join(f'{name} {nats:.4g}' for name, nats in bound.nats.items())}",
    ]

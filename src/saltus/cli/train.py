"""`saltus train`: its options are those of `saltus.Config`, each with its description."""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from saltus.cli.common import LATENT_ITEMS, Interrupted, data_options, json_option, same_command, say
from saltus.cli.places import PLACE, SOURCE
from saltus.errors import SaltusError
from saltus.pretrained import run_folder
from saltus.processes import is_main
from saltus.terminal import tell

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from saltus.chain import Chain
    from saltus.data import DataSet, Preparation
    from saltus.evaluation import Likelihood

__all__ = ["train"]


_FLAGS = {"channels": "--network-channels"}
"""Of fields whose names are those of other options."""


def _mapping(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, Any] | None:
    """NAME=VALUE, values as JSON has them, and words without quotes."""
    found: dict[str, Any] = {}
    for setting in given:
        name, sign, value = setting.partition("=")
        if not (name and sign):
            raise click.BadParameter(f"{setting} has no value; expected NAME=VALUE, such as kl=0.7")
        try:
            found[name] = json.loads(value)
        except json.JSONDecodeError:
            found[name] = value
    return found or None


def _numbers(_: click.Context, __: click.Parameter, given: str | None) -> list[str] | None:
    return None if given is None else given.split(",")


def _option(name: str, field: FieldInfo) -> click.Option:
    """The option of one field of the configuration; what it is given is checked there."""
    flag, default = _FLAGS.get(name, "--" + name.replace("_", "-")), field.get_default(call_default_factory=True)
    kinds, words = {field.annotation, *get_args(field.annotation)}, field.description or ""
    if isinstance(default, dict):
        return click.Option([flag, name], multiple=True, callback=_mapping, metavar="NAME=VALUE", help=f"{words}  May be given again.")
    if default is not None:
        words += f"  [default: {default if not isinstance(default, bool) else 'on' if default else 'off'}]"
    if bool in kinds:
        return click.Option([f"{flag}/--no-{flag[2:]}"], default=None, help=words)
    if any(str(kind).startswith("tuple") for kind in kinds):
        return click.Option([flag, name], callback=_numbers, metavar="NUMBER,NUMBER,...", help=words)
    return click.Option([flag], metavar=_metavar(kinds), help=words)


def _metavar(kinds: set[Any]) -> str:
    """The values that there are, or what they are."""
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return f"[{'|'.join(kind)}]"
    return "INTEGER" if int in kinds else "NUMBER" if float in kinds else "NAME"


class _Train(click.Command):
    """A command that asks for the options of the configuration when it is used, since they take seconds to import."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        from saltus.training import Config

        own = [param for param in super().get_params(ctx) if param.name not in Config.model_fields]
        return [*own, *(_option(name, field) for name, field in Config.model_fields.items())]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The command's own options, those of every training, and those of some kernels alone."""
        from saltus.kernels import KERNELS
        from saltus.training import Config

        titles = dict.fromkeys(Config.model_fields, "Training")
        for option in {option for name in KERNELS.names() for option in KERNELS.get(name).options}:
            titles[option] = (
                f"Training with the {' and '.join(name for name in KERNELS.names() if option in KERNELS.get(name).options)} kernel"
            )
        records: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if (record := param.get_help_record(ctx)) is not None:
                records.setdefault(titles.get(param.name or "", "Options"), []).append(record)
        for title, described in records.items():
            with formatter.section(title):
                formatter.write_dl(described)


@click.command(cls=_Train)
@click.option(
    "--data",
    type=SOURCE,
    required=True,
    help="A folder of images, a file of images or rows (.npz, .npy, .csv, .parquet, .tar), hf:NAME, or digits.",
)
@data_options
@click.option("--out", required=True, type=PLACE, help="Folder for the run; new or empty, or of a run that goes on.")
@click.option(
    "--start",
    metavar="RUN",
    type=PLACE,
    help="Start from the network of this run of the gaussian or deterministic kernel; vae kernel only.",
)
@click.option("--device", default="cpu", show_default=True, help="Where to train, as torch names it, such as cuda or cuda:1.")
@click.option("--extend", is_flag=True, help="Go on with a run that had fewer --updates.")
@click.option("--track", type=click.Choice(("tensorboard", "trackio")), help="Keep the metrics in this program's form too, in --out.")
@json_option
def train(
    data: str,
    preparation: Preparation,
    out: Path,
    start: Path | None,
    device: str,
    extend: bool,
    track: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Learn from your images or table.

    The folder of --out then holds all that is needed to sample, and to go on: a training that was ended goes on by the same command.
    """
    from saltus import training
    from saltus.data import load
    from saltus.estimators.ordinary import keep_ordinary

    if options["last_update"] is not None and (options["updates"] is not None or options["time"] is not None):
        raise click.UsageError("--last-update was given with --updates or --time, which it takes the place of; give one of them")
    try:
        config = training.Config(**{name: value for name, value in options.items() if value is not None})
    except SaltusError as error:
        raise click.UsageError(str(error)) from None
    items = load(data, condition=config.condition, preparation=preparation)
    for line in (items.describe(), *items.notes) if is_main() else ():
        tell(line)
    try:
        training.usable_device(device)
        config, spent = training.length_found(items, config, out)
        teacher = start and run_folder(start)
        chain = training.train(items, config, out, start=teacher, device=device, extend=extend, track=track, spent=spent)
    except KeyboardInterrupt:
        if not (out / "config.json").exists():
            raise Interrupted("stopped before the first update; nothing is kept") from None
        raise Interrupted(
            f"stopped; what was reached is kept in {out} and can be sampled; to go on, give the same command: {same_command()}"
        ) from None
    if not is_main():
        return
    chosen = _best_sampled(chain, items, out)
    result, words = _report(chain, items)
    if not math.isfinite(result.get("bits_per_dim") or 0):
        with training.failing(out):
            raise SaltusError(f"the training diverged: {words[0]}; {training.REMEDY}")
    keep_ordinary(chain, items, out)
    told = {"kernel": training.load_config(out).kernel, "calls": chain.levels.L, "sampling": asdict(chain.sampling), "bits_per_dim": None}
    result = {"run": str(out), **told, **result}
    calls = ["--calls", "4"] if chain.any_step else []
    command = shlex.join(["saltus", "sample", str(out), "--n", "64", *calls, "--out", f"{out}-samples"])
    say(as_json, result, "\n".join([*words, *chosen, f"the run is in {out}; sample it with: {command}"]))


def _best_sampled(chain: Chain, items: DataSet, out: Path) -> list[str]:
    """Choose how the run is sampled from now on, and keep it; in words, what is not the default."""
    from saltus.evaluation import METRICS, chosen_by, keep_sampling, words_of

    keep_sampling(chain, items, out, progress=lambda words: tell(words))
    if not (words := words_of(chain.sampling)):
        return []
    return [f"sampled best with {words}, by the {METRICS[chosen_by(items)].title} on validation items; sample and evaluate do so"]


def _report(chain: Chain, items: DataSet) -> tuple[dict[str, Any], list[str]]:
    """The bound on the validation items and what latents are used for, as JSON and in words."""
    from saltus.cli.floors import few_of, floor_words
    from saltus.data import MEASURED
    from saltus.evaluation import closed_forms, latent_use, likelihood

    y, condition = items.validation[:MEASURED], items.conditions_for(chain.condition, "validation")
    if len(y) < 2:
        return {}, []
    condition = None if condition is None else condition[:MEASURED]
    surprise = None if items.surprise is None else items.surprise.validation[:MEASURED]
    bound = likelihood(chain, y, items.encoding, condition=condition, surprise=surprise)
    if bound is None:
        return {}, []
    few = None if condition is None else condition[:LATENT_ITEMS]
    uses = latent_use(chain, y[:LATENT_ITEMS], condition=few)
    names = ("bits_per_dim", "nats", "importance_samples", "active_units")
    result = {name: getattr(bound, name) for name in names} | {"latent_use": [asdict(use) for use in uses]}
    floors = closed_forms(chain, items, y, condition=condition)
    result["closed_forms"] = {name: {"total": floor.total, "per_level": floor.per_level} for name, floor in floors.items()}
    return result, [_words(bound, len(items.validation)), *floor_words(chain, y, floors, condition), *few_of([str(use) for use in uses])]


def _words(bound: Likelihood, n: int) -> str:
    value, error, unit = bound.figure
    some = f"{bound.items} of {n:,}" if bound.items < n else f"{n}"
    return f"bound on {some} validation items{bound.weighting}: {value:.3f} ± {error:.3f} {unit}"

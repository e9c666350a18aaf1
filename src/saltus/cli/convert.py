"""`saltus convert`: a diffusion model of diffusers, its bound, and a chain of a few calls that is made of its network."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.common import Interrupted, data_options, json_option, same_command, say, seed_option
from saltus.cli.places import PLACE, SOURCE
from saltus.errors import SaltusError
from saltus.terminal import tell

if TYPE_CHECKING:
    from saltus.data import DataSet, Preparation
    from saltus.kernels import Teacher

__all__ = ["convert"]

_RATE = 5e-4  # of learning: half of a fresh network's


@click.command()
@click.argument("model", type=SOURCE)
@click.option("--data", type=SOURCE, required=True, help="What the model was trained on, or is to be fine-tuned to, as for `saltus train`.")
@data_options
@click.option("--condition", type=click.Choice(("labels",)), help="For a model of classes: those of the data, in the model's order.")
@click.option("--out", type=PLACE, help="Folder for the run, as of `saltus train`; left out, the model's own bound is told and no more.")
@click.option("--calls", "levels", type=click.IntRange(min=1), default=4, show_default=True, help="Network calls of a sample.")
@click.option("--updates", type=click.IntRange(min=1), help="Updates of the optimiser.  [default: 5000]")
@click.option("--time", metavar="DURATION", help="How long to fine-tune, such as 20m, in place of updates.")
@click.option("--batch", type=click.IntRange(min=1), help="Items in one update.  [default: 128]")
@click.option("--learning-rate", type=float, default=_RATE, show_default=True, help="Learning rate of AdamW after warm-up.")
@click.option("--prior", type=click.Choice(("normal", "mixture")), help="What sampling starts from.  [default: what costs fewer nats]")
@click.option(
    "--noisy-steps",
    type=click.Choice(("vae", "flow")),
    default="vae",
    show_default=True,
    help="How steps before the one to data are taken: by the model's network (vae), or by a flow around the mixture.",
)
@click.option(
    "--closed-forms/--no-closed-forms", default=True, help="Replace a learned step by the mixture's where it is better.  [default: on]"
)
@click.option("--latent", type=click.IntRange(min=0), help="Size of the latent.  [default: a quarter of an item, at most 128]")
@click.option("--head", metavar="NAME", help="Likelihood of the step to data, as for `saltus train`.")
@click.option("--bound-levels", type=click.IntRange(min=1), default=50, show_default=True, help="Levels of the model's own bound.")
@click.option("--bound-items", type=click.IntRange(min=2), default=64, show_default=True, help="Test items of the bounds.")
@seed_option("Seed of the weights that are new, of the order of items and of all noise.")
@click.option("--device", default="cpu", show_default=True, help="Where to compute, as torch names it, such as cuda or cuda:1.")
@click.option("--extend", is_flag=True, help="Go on with a run that had fewer --updates.")
@json_option
def convert(
    model: str,
    data: str,
    preparation: Preparation,
    condition: str | None,
    out: Path | None,
    bound_levels: int,
    bound_items: int,
    device: str,
    extend: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Take a model of diffusers in a few calls.

    MODEL is a folder that save_pretrained of diffusers wrote, or hf:OWNER/NAME: a UNet2DModel with the scheduler that it was trained
    with.  Its bound is told, and that of the chain.  Its network takes every step of the chain, told a latent besides, and is
    fine-tuned on --data.
    """
    from saltus import training
    from saltus.data import load
    from saltus.evaluation import keep_sampling, words_of
    from saltus.integrations import load_teacher, measured_chain

    try:
        given = {name: value for name, value in options.items() if value is not None}
        config = training.Config(**given, condition=condition)
    except SaltusError as error:
        raise click.UsageError(str(error)) from None
    items = load(data, condition=condition, preparation=preparation)
    teacher, remarks = load_teacher(model, items.condition)
    training.check_teacher(teacher, config, items)
    for line in (items.describe(), *items.notes, *remarks):
        tell(line)
    bound = _own_bound(teacher, items, out, {"levels": bound_levels, "items": bound_items, "seed": config.seed}, device)
    words = [
        f"the model's own bound, Gaussian steps of the best variance on {bound_levels} of its {len(teacher.log_snrs)} levels: "
        f"{bound['bits_per_dim']:.3f} ± {bound['standard_error']:.3f} bits/dim on {bound['items']} test items"
    ]
    result: dict[str, Any] = {"model": model, "teacher": bound}
    if out is None:
        say(as_json, result, words[0])
        return
    tell(words[0])
    try:
        chain = training.train(items, config, out, start=teacher, device=device, extend=extend)
    except KeyboardInterrupt:
        if (out / "config.json").exists():
            _keep(out, bound)
        raise Interrupted(f"stopped; to go on, give the same command: {same_command()}") from None
    _keep(out, bound)
    keep_sampling(chain, items, out, progress=lambda said: tell(said))
    own = measured_chain(chain, items, bound_items, seed=config.seed)
    words.append(f"the chain's bound, {chain.levels.L} calls: {own['bits_per_dim']:.3f} ± {own['standard_error']:.3f} on the same items")
    if chosen := words_of(chain.sampling):
        words.append(f"sampled best with {chosen}")
    result |= {"run": str(out), "calls": chain.levels.L, "sampling": asdict(chain.sampling), "chain": own}
    say(as_json, result, "\n".join([*words, f"the run is in {out}; sample it with: saltus sample {out} --n 64 --out {out}-samples"]))


def _own_bound(teacher: Teacher, items: DataSet, out: Path | None, how: dict[str, int], device: str) -> dict[str, Any]:
    """Of the model as its owner has it; from the run's folder, where it was measured before."""
    from saltus.files import read_json
    from saltus.integrations import measured_teacher
    from saltus.integrations.card import TEACHER

    mark = {"network": teacher.digest, "levels": how["levels"], "seed": how["seed"], "of": how["items"]}
    if out is not None and (out / TEACHER).exists():  # it takes minutes
        kept = read_json(out / TEACHER)
        if isinstance(kept, dict) and mark.items() <= kept.items():
            return kept
    tell(f"the model's own bound: {how['levels']} levels, {how['items']} items")
    return mark | measured_teacher(teacher, items, levels=how["levels"], n=how["items"], seed=how["seed"], device=device)


def _keep(out: Path, bound: dict[str, Any]) -> None:
    from saltus.files import to_json, write_atomically
    from saltus.integrations.card import TEACHER

    write_atomically(out / TEACHER, to_json(bound, indent=1) + "\n")

"""The command line.  Libraries that take seconds to import are imported where a command uses them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from saltus.cli.common import LATENT_ITEMS, SEED, Interrupted, json_option, sampling_options, say
from saltus.cli.compare import compare
from saltus.cli.evaluate import evaluate_command
from saltus.cli.study import study
from saltus.errors import SaltusError
from saltus.machine import keep_freed_memory
from saltus.pretrained import PRETRAINED, run_folder

if TYPE_CHECKING:
    from saltus.kernels import Sampling

__all__ = ["cli", "main"]

_FAILURE, _WRONG_CALL, _INTERRUPTED = 1, 2, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="saltus")
def cli() -> None:
    """Diffusion models that need a handful of network calls, and say how good they are in nats.

    \b
    Start with    saltus demo
    then          saltus train --data FOLDER --out my-run
    and           saltus sample my-run --n 64 --out my-samples
    """


for command in (evaluate_command, compare, study):
    cli.add_command(command)


@cli.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Folder for pictures and summary.")
@click.option("--quick", is_flag=True, help="Half a minute, to see that everything works; the figures mean little.")
@click.option("--seed", type=SEED, default=0, show_default=True)
@json_option
def demo(out: Path, quick: bool, seed: int, as_json: bool) -> None:
    """Train three kernels on handwritten digits and compare them, in a few minutes.

    Writes samples.png, levels.png and summary.json.
    """
    from saltus.cli.demo import run_demo

    summary, words = run_demo(out, quick=quick, seed=seed)
    say(as_json, summary, words)


def _settings(_: click.Context, __: click.Parameter, given: Sequence[str]) -> dict[str, Any]:
    """Values as JSON has them, and words without quotes."""
    found: dict[str, Any] = {}
    for setting in given:
        name, sign, value = setting.partition("=")
        if not (name and sign):
            raise click.BadParameter(f"{setting} has no value; expected NAME=VALUE, such as learning_rate=0.002")
        try:
            found[name] = json.loads(value)
        except json.JSONDecodeError:
            found[name] = value
    return found


@cli.command()
@click.option("--data", required=True, help="A folder of images, an .npz or .npy file, or: digits (built in).")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the run; new or empty.")
@click.option("--kernel", default="vae", show_default=True, help="vae, gaussian or deterministic.")
@click.option(
    "--levels", type=int, show_default="4, or as many as times that are set", help="Steps from noise to data: network calls of one sample."
)
@click.option("--steps", type=int, default=5000, show_default=True, help="Updates of the training.")
@click.option("--seed", type=SEED, default=0, show_default=True)
@click.option("--objective", default="likelihood", show_default=True, help="vae: likelihood, or quality of samples.")
@click.option("--start", metavar="RUN", type=click.Path(path_type=Path), help="vae: start from the network of another kernel's run.")
@click.option("--preset", default="tiny", show_default=True, help="Size of the networks: tiny (minutes) or small (hours).")
@click.option("--batch", type=int, default=128, show_default=True, help="Items in one update.")
@click.option(
    "--set",
    "others",
    multiple=True,
    callback=_settings,
    metavar="NAME=VALUE",
    help="Any other option of saltus.Config, such as learning_rate=0.002 or ladder=last; may be given again.",
)
@click.option("--device", default="cpu", show_default=True, help="Where to train, as torch names it: cpu, cuda, cuda:1.")
@click.option("--bf16", is_flag=True, help="bfloat16 autocast: faster where the machine has it.")
@click.option("--channels-last", is_flag=True, help="Memory layout of images: often faster.")
@click.option("--compile", is_flag=True, help="torch.compile the networks: slow to start, then faster.")
@json_option
def train(
    data: str, out: Path, start: Path | None, device: str, as_json: bool, levels: int | None, others: dict[str, Any], **options: Any
) -> None:
    """Learn from your images or table; the folder OUT then holds all that is needed to sample."""
    from saltus import training
    from saltus.data import load
    from saltus.evaluation import latent_use, likelihood

    try:
        config = training.Config(**(options | ({} if levels is None else {"levels": levels}) | others))
    except SaltusError as error:
        raise click.UsageError(str(error)) from None
    items = load(data)
    click.echo(items.describe(), err=True)
    click.echo(config.grid.remark(items.validation), err=True)
    try:
        chain = training.train(items, config, out, start=start and run_folder(start), device=device)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; what was reached is kept in {out} and can be sampled") from None
    result: dict[str, Any] = {"run": str(out), "kernel": config.kernel, "calls": chain.levels.L, "bits_per_dim": None}
    words = f"the run is in {out}; sample it with: saltus sample {out} --n 64 --out {out}-samples"
    bound = likelihood(chain, items.validation, items.encoding) if len(items.validation) > 1 else None
    if bound is not None:
        value, error, unit = bound.figure
        result |= {"bits_per_dim": bound.bits_per_dim, "nats": bound.nats, "latents": bound.latents, "active_units": bound.active_units}
        uses = latent_use(chain, items.validation[:LATENT_ITEMS])
        result["latent_use"] = [asdict(use) for use in uses]
        words = "\n".join(
            [f"bound on {bound.items} validation items{bound.tightened}: {value:.3f} ± {error:.3f} {unit}", *map(str, uses), words]
        )
    say(as_json, result, words)


@cli.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--n", type=click.IntRange(min=1), required=True, help="How many.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for samples.npz and, for images, samples.png.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="The same seed gives the same items.")
@sampling_options
@json_option
def sample(run: Path, n: int, out: Path, seed: int, how: Sampling, as_json: bool) -> None:
    """Generate N items from the training run in the folder RUN, or from a chain that comes with saltus: digits."""
    import numpy as np

    from saltus.chain import Chain
    from saltus.evaluation import save_grid
    from saltus.training import load_encoding

    if not (run := run_folder(run)).exists():
        raise SaltusError(
            f"{run} is not there; give the folder of a training run, or a chain that comes with saltus: {', '.join(PRETRAINED)}"
        )
    chain, encoding = Chain.load(run), load_encoding(run)
    files = [out / "samples.npz"] + [out / "samples.png"] * encoding.layout.is_image
    if taken := [file for file in files if file.exists()]:
        raise SaltusError(f"{taken[0]} is already there; give another folder with --out, or remove it first")
    out.mkdir(parents=True, exist_ok=True)
    y = chain.sample(n, seed=seed, how=how)
    np.savez_compressed(files[0], samples=encoding.decode(y))
    if encoding.layout.is_image:
        save_grid(y, files[1], shown=encoding.shown)
    result = {"samples": n, "seed": seed, **asdict(how), "calls": chain.levels.L, "files": [str(file) for file in files]}
    say(as_json, result, f"{n} samples, {chain.levels.L} network calls each: " + " and ".join(map(str, files)))


def _settle_in() -> None:
    """Set what libraries read only when they are loaded, so it belongs to a command and not to the library.

    Threads that wait for each other sleep: spinning, they take the core that another program's thread holds, and a
    small network on a busy machine trains several times slower.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    keep_freed_memory()


def main() -> NoReturn:
    """Entry point: 0 for success, 1 for a failure, 2 for a wrong call; one sentence for a user's error."""
    _settle_in()
    try:
        cli.main(prog_name="saltus", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        _end(error.format_message(), _WRONG_CALL)
    except Interrupted as error:
        _fail(str(error), _INTERRUPTED)
    except click.exceptions.Abort:
        _fail("stopped", _INTERRUPTED)
    except SaltusError as error:
        _fail(str(error), _FAILURE)
    except OSError as error:
        _fail(f"{error.filename or 'a file'}: {error.strerror or error}; give another place, or make room or way there", _FAILURE)
    sys.exit(0)


def _fail(words: str, code: int) -> NoReturn:
    click.echo(f"saltus: {words}", err=True)
    _end(words, code)


def _end(words: str, code: int) -> NoReturn:
    if "--json" in sys.argv:  # the call may be too wrong for click to say which options it had
        click.echo(json.dumps({"error": words}))
    sys.exit(code)


if __name__ == "__main__":
    main()

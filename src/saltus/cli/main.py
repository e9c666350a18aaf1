"""The command line.  Libraries that take seconds to import are imported where a command uses them."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import NoReturn

import click

from saltus.cli.common import Interrupted, json_option, say, seed_option
from saltus.cli.compare import compare
from saltus.cli.data import data_command
from saltus.cli.evaluate import evaluate_command
from saltus.cli.plan import plan
from saltus.cli.sample import sample
from saltus.cli.study import study
from saltus.cli.train import train
from saltus.errors import SaltusError
from saltus.machine import keep_freed_memory
from saltus.processes import Elsewhere, Lost, alone, is_main

__all__ = ["cli", "main"]

_SECOND_WORD = 3.0  # seconds in which the main process says the same, and the launcher ends this one
_FAILURE, _WRONG_CALL, _INTERRUPTED = 1, 2, 130
_SHARED = ("train", "sample", "evaluate")
"""Commands whose work is shared by the processes that a launcher starts."""
_RENAMED = {
    "train": {"--any-time": "--any-step", "--encodes": "--encoder-input", "--latents": "--importance-samples", "--steps": "--updates"},
    "sample": {"--last": "--final"},
    "evaluate": {"--last": "--final", "--latents": "--importance-samples"},
    "compare": {"--way": "--sampler"},
}
"""Options by the names that they had, for each command."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="saltus")
@click.pass_context
def cli(context: click.Context) -> None:
    """Diffusion models that need a handful of network calls, and say how good they are in nats.

    \b
    Start with    saltus demo
    then          saltus train --data FOLDER --out my-run
    and           saltus sample my-run --n 64 --out my-samples
    """
    if not alone() and context.invoked_subcommand not in _SHARED:
        raise SaltusError(f"{context.invoked_subcommand} works in one process, and there are several; start it without a launcher")


for command in (data_command, train, sample, evaluate_command, compare, plan, study):
    cli.add_command(command)


@cli.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Folder for pictures and summary.")
@click.option("--quick", is_flag=True, help="Take half a minute, to see that everything works; the figures mean little.")
@seed_option("Seed of the networks and of all noise.")
@json_option
def demo(out: Path, quick: bool, seed: int, as_json: bool) -> None:
    """Train three kernels on digits and compare them.

    It takes a few minutes, and writes samples.png, levels.png and summary.json.
    """
    from saltus.cli.demo import run_demo

    summary, words = run_demo(out, quick=quick, seed=seed)
    say(as_json, summary, words)


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
        if isinstance(error, click.NoSuchOption):
            error = _renamed(error)
        if is_main():
            error.show()
        _end(error.format_message(), _WRONG_CALL)
    except (Interrupted, click.exceptions.Abort) as error:
        if not is_main():  # all processes stop, and one says so
            sys.exit(_INTERRUPTED)
        _fail(str(error) or "stopped", _INTERRUPTED)
    except Elsewhere:
        sys.exit(_FAILURE)
    except Lost as error:
        click.echo(f"saltus: {error}", err=True)
        _end(str(error), _FAILURE)
    except SaltusError as error:
        _fail(str(error), _FAILURE)
    except OSError as error:
        _fail(f"{error.filename or 'a file'}: {error.strerror or error}; give another place, or make room or way there", _FAILURE)
    sys.exit(0)


def _renamed(error: click.NoSuchOption) -> click.UsageError:
    """What an option of an older name is called today."""
    command, option = error.ctx.info_name if error.ctx else None, error.option_name
    if command == "train" and option == "--set":
        return click.UsageError("--set NAME=VALUE is now an option for each name; give --learning-rate 0.002, for instance", error.ctx)
    name = _RENAMED.get(command or "", {}).get(option)
    return click.UsageError(f"the option {option} is now {name}; give that one", error.ctx) if name else error


def _fail(words: str, code: int) -> NoReturn:
    if not is_main():
        time.sleep(_SECOND_WORD)
    click.echo(f"saltus: {words}", err=True)
    _end(words, code)


def _end(words: str, code: int) -> NoReturn:
    if is_main() and "--json" in sys.argv:  # the call may be too wrong for click to say which options it had
        click.echo(json.dumps({"error": words}))
    sys.exit(code)


if __name__ == "__main__":
    main()

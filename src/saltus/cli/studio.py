"""`saltus studio`: the noise process, the collapse and the leaps in a browser."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path

import click

from saltus.cli.places import PLACE
from saltus.errors import SaltusError
from saltus.machine import use_few_arenas
from saltus.terminal import tell

__all__ = ["studio"]

_PORT = 7860


@click.command()
@click.argument("runs", nargs=-1, type=PLACE)
@click.option("--port", type=click.IntRange(0, 65535), default=_PORT, show_default=True, help="Port of the page; 0 for any that is free.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Address to listen at.  Another one than this machine's own needs a password.",
)
@click.option(
    "--password-file",
    type=PLACE,
    metavar="FILE",
    help="A file with the password of the user saltus; the variable SALTUS_STUDIO_PASSWORD is read where none is given.",
)
@click.option(
    "--workspace",
    type=PLACE,
    metavar="FOLDER",
    help="Where files that are sent, and trainings of them, are kept.  [default: a temporary folder]",
)
@click.option(
    "--comparison",
    "comparisons",
    type=PLACE,
    multiple=True,
    metavar="FOLDER",
    help="A folder of saltus compare; may be given again.",
)
def studio(
    runs: tuple[Path, ...], port: int, host: str, password_file: Path | None, workspace: Path | None, comparisons: tuple[Path, ...]
) -> None:
    """Show runs in a browser.

    A page on this machine shows the noise process, the collapse of the deterministic decoder, and how RUNS draw in a few calls.  Without
    RUNS it shows the chains that come with saltus.  It trains small runs on files that are sent to it, too, one at a time.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # which is read when the library is loaded
    from saltus.studio.app import build_app, check_access, serve
    from saltus.studio.limits import Limits
    from saltus.studio.runs import Runs
    from saltus.studio.trainings import Trainings
    from saltus.studio.workspace import Workspace

    password, limits = _password(password_file), Limits()
    use_few_arenas(limits.at_once)
    check_access(host, password)
    shown, trainings = Runs([str(run) for run in runs], limits.models), Trainings(limits)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # which lets a training be kept, as Ctrl-C does
    with Workspace(workspace, limits) as kept, contextlib.closing(trainings):
        app = build_app(shown, limits, comparisons, kept, trainings)
        address = serve(app, limits, host=host, port=port, password=password, block=False)
        tell(f"the studio is at {address} - stop it with Ctrl+C", result=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            app.close(verbose=False)
            tell("the studio is closed")


def _password(file: Path | None) -> str:
    """The first line of a file, or what the environment says; "" for none."""
    from saltus.studio.app import PASSWORD

    if file is None:
        return os.environ.get(PASSWORD, "")
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SaltusError(f"the password file {file} cannot be read; expected a text file with the password in its first line") from error
    if not lines or not lines[0].strip():
        raise SaltusError(f"the password file {file} is empty; expected the password in its first line: write it there")
    return lines[0].strip()

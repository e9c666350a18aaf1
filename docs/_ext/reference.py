"""The pages of `docs/api`, written anew by each build: one for each room, one for the commands, and the cards of the chains that ship.

A room's page has the names that the room lists in `__all__`, by which they are imported, and below them what each of its files says
of itself.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import click

import saltus
from saltus.cli.main import cli
from saltus.pretrained import PRETRAINED, run_folder

__all__ = ["setup"]

ROOMS = {
    "estimators": "models of tables, images and arrays",
    "chain": "sampling, the loss and the bound",
    "kernels": "one way to take a step each",
    "process": "the noise",
    "levels": "grids of times",
    "likelihoods": "the last step",
    "oracles": "exact distributions",
    "networks": "shapes and conditions",
    "data": "reading and encoding",
    "training": "the loop and its folder",
    "evaluation": "distances, floors, likelihood",
    "integrations": "other libraries",
    "studies": "comparisons and their pages",
}
"""The rooms that have a page, in the order of the list, and what each holds."""
FRONT = ("registry", "storage", "extras", "errors")
"""Small modules that a plugin or a script of a user's may need."""


def _heading(text: str, mark: str = "=") -> str:
    return f"{text}\n{mark * len(text)}\n\n"


def _module(name: str, *, members: bool) -> str:
    return f".. automodule:: {name}\n   :{'members' if members else 'no-members'}:\n{'' if members else '   :no-index:'}\n\n"


def room(name: str, what: str) -> str:
    """The page of a room."""
    package = importlib.import_module(f"saltus.{name}")
    page = _heading(f"saltus.{name}: {what}") + _module(package.__name__, members=True)
    files = sorted(found.name for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."))
    page += _heading("What each file says of itself", "-")
    for file in files:
        page += _heading(file.removeprefix(f"{package.__name__}."), "~") + _module(file, members=False)
    return page


def front() -> str:
    """The page of the names of `saltus` itself."""
    page = _heading("Names of saltus") + "What ``import saltus`` gives, each in the room that owns it.\n\n"
    page += ".. list-table::\n   :header-rows: 1\n\n   * - name\n     - room\n"
    for name in saltus.__all__:
        home = next(where for where, names in saltus._rooms.items() if name in names)
        full = f"saltus.{home}.{name}"
        page += f"   * - :py:obj:`saltus.{name} <{full}>`\n     - ``saltus.{home}``\n"
    page += "\n" + _heading("Small modules", "-")
    return page + "".join(_heading(f"saltus.{name}", "~") + _module(f"saltus.{name}", members=True) for name in FRONT)


def commands() -> str:
    """The page of the commands: what each prints for `--help`."""
    page = _heading("Commands") + "What each command prints for ``--help``.\n\n"
    above = click.Context(cli, info_name="saltus")
    for name in cli.list_commands(above):
        command = cli.get_command(above, name)
        assert command is not None
        words = click.Context(command, info_name=name, parent=above, terminal_width=100, max_content_width=100).get_help()
        page += _heading(f"saltus {name}", "-") + "::\n\n" + "".join(f"   {line}\n" for line in click.unstyle(words).splitlines()) + "\n"
    return page


def cards() -> dict[str, str]:
    """The cards of the chains that come with saltus, by their page."""
    return {f"card-{name}": (run_folder(name) / "CARD.md").read_text() for name in PRETRAINED}


def linked(_app: Any, _name: str, source: list[str]) -> None:
    """Links to a card lead to its page: those of a file outside of this folder would lead nowhere."""
    source[0] = re.sub(r"\([./]*/src/saltus/pretrained/([\w-]+)/CARD\.md\)", r"(/api/card-\1.md)", source[0])


def write(app: Any) -> None:
    """Write the pages; one that is as it was keeps its time, so that a build need not read it again."""
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    pages = {"commands": commands(), "saltus": front(), **{name: room(name, what) for name, what in ROOMS.items()}}
    listed = "\n".join(f"   {name}" for name in ("commands", "saltus", *ROOMS, *cards()))
    pages["index"] = _heading("Reference") + f".. toctree::\n   :maxdepth: 1\n\n{listed}\n"
    files = {f"{name}.rst": page for name, page in pages.items()} | {f"{name}.md": page for name, page in cards().items()}
    for name, page in files.items():
        file = folder / name
        if not file.exists() or file.read_text() != page:
            file.write_text(page)


def setup(app: Any) -> dict[str, bool]:
    app.connect("builder-inited", write)
    app.connect("source-read", linked)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Small trained chains that come with the package: run folders, each with a card that says how it was made.

saltus sample digits --n 64 --out DIR
Chain.load(run_folder("digits"))
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["PRETRAINED", "run_folder"]

_HOME = Path(__file__).parent

PRETRAINED: tuple[str, ...] = tuple(sorted(folder.name for folder in _HOME.iterdir() if (folder / "chain.json").exists()))
"""Their names."""


def run_folder(place: str | Path) -> Path:
    """The run folder at a place, or the one that comes with the package under that name; a folder of the user's goes first."""
    given = Path(place)
    return _HOME / given if str(given) in PRETRAINED and not given.exists() else given

"""Small trained chains that come with the package: run folders, each with a card that says how it was made.

saltus sample digits --n 64 --out DIR
saltus sample hf:OWNER/NAME --n 64 --out DIR
Chain.load(run_folder("digits"))
"""

from __future__ import annotations

from pathlib import Path

from saltus.pretrained.hub import downloaded, is_hub_name

__all__ = ["IN_PIPELINE", "PRETRAINED", "run_folder"]

IN_PIPELINE = Path("chain", "run")
"""Where the run is in the folder of a pipeline of diffusers, see `saltus.integrations.pipeline_folder`."""
_HOME = Path(__file__).parent

PRETRAINED: tuple[str, ...] = tuple(sorted(folder.name for folder in _HOME.iterdir() if (folder / "chain.json").exists()))
"""Their names."""


def run_folder(place: str | Path) -> Path:
    """The run folder at a place, or the one that comes with the package under that name; a folder of the user's goes first.

    hf:OWNER/NAME is a run, or a pipeline of diffusers that holds one, on the Hugging Face hub.

    Raises:
        SaltusError: if a name of the hub cannot be downloaded.
    """
    if is_hub_name(place):
        folder = downloaded(place)
        return folder / IN_PIPELINE if (folder / IN_PIPELINE).is_dir() else folder
    given = Path(place)
    return _HOME / given if str(given) in PRETRAINED and not given.exists() else given

"""Runs on the Hugging Face hub: written there by `push`, and read by every command as hf:OWNER/NAME (see `saltus.pretrained.hub`).

A run on images goes as a pipeline of diffusers, which holds the run itself; every other run goes as it is, with its card.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from saltus.chain import Chain
from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.integrations.card import model_card
from saltus.integrations.pipeline_folder import copy_run, to_diffusers
from saltus.pretrained import run_folder
from saltus.pretrained.hub import name_on_hub
from saltus.training import encoding_of
from saltus.words import in_brief

__all__ = ["push"]


def push(run: str | Path, name: str, *, private: bool = False, license: str | None = None) -> str:
    """Write a run to the hub, as the user who is logged in there.

    Args:
        run: the folder of a run, or the name of one that comes with the package.
        name: OWNER/NAME of the repository, which is made where there is none; what is there is replaced file by file.
        private: whether a new repository is seen by its owner alone.
        license: of the weights, as the hub names it.

    Returns:
        Where it is.

    Raises:
        SaltusError: if there is no run, the name is none, or the hub refuses.
    """
    name = name_on_hub(name)
    hub, home = needs("huggingface_hub", extra="hub"), run_folder(run)
    chain = Chain.load(home)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary) / "folder"
        if encoding_of(chain, home).layout.is_image:
            to_diffusers(home, place, license=license)
        else:
            copy_run(home, place)
        (place / "README.md").write_text(_card(home, place, name, license))
        try:
            api = hub.HfApi()
            made = api.create_repo(name, private=private or None, exist_ok=True)
            api.upload_folder(repo_id=made.repo_id, folder_path=place, commit_message="A run of saltus")
        except Exception as error:  # of the network, of the hub, and of its library
            raise SaltusError(f"{name} cannot be written ({in_brief(error)}); log in with: hf auth login, and try again") from error
    return str(made)


def _card(home: Path, place: Path, name: str, license: str | None) -> str:
    picture = next(iter(file.name for file in place.glob("*.png")), None)
    return model_card(home, name=name, license=license, picture=picture)

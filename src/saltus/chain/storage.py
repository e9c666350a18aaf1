"""A chain in a folder: `chain.json` says how it is made, `chain.safetensors` holds its numbers.  Nothing is pickled."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from saltus.blueprint import Buildable, build, describe
from saltus.mistakes import Mistake

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["read", "write"]

_FORMAT = 1
_STATE = "state."


def write(thing: Buildable, folder: Path) -> None:
    """Write a module and how it is made; each file appears whole or not at all."""
    assert isinstance(thing, nn.Module)
    folder.mkdir(parents=True, exist_ok=True)
    description, tensors = describe(thing)
    state = {_STATE + name: value.detach().cpu().contiguous() for name, value in thing.state_dict().items()}
    partial = folder / "chain.safetensors.partial"
    save_file({**tensors, **state}, partial)
    os.replace(partial, folder / "chain.safetensors")
    partial = folder / "chain.json.partial"
    partial.write_text(json.dumps({"format": _FORMAT, "chain": description}, indent=1) + "\n")
    os.replace(partial, folder / "chain.json")


def read(folder: Path) -> Buildable:
    """Make again what `write` wrote.

    Raises:
        Mistake: if a file is missing, damaged, or of a later format.
    """
    if not (folder / "chain.json").is_file() or not (folder / "chain.safetensors").is_file():
        raise Mistake(f"{folder} holds no trained chain (chain.json and chain.safetensors); give the folder that training wrote")
    try:
        document = json.loads((folder / "chain.json").read_text())
        with safe_open(folder / "chain.safetensors", framework="pt") as file:
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (json.JSONDecodeError, UnicodeDecodeError, SafetensorError) as error:
        raise Mistake(f"{folder} holds a damaged chain ({error}); train or copy it again") from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise Mistake(
            f"{folder / 'chain.json'} is not of format {_FORMAT}, the one that this version of saltus reads; use the version that wrote it"
        )
    with torch.random.fork_rng(devices=[]):  # networks are initialised before they are overwritten: leave the user's generator alone
        thing = build(document["chain"], tensors)
    state = {name.removeprefix(_STATE): value for name, value in tensors.items() if name.startswith(_STATE)}
    for name, value in state.items():  # buffers that were calibrated have grown
        owner, _, buffer = name.rpartition(".")
        if buffer in dict(thing.get_submodule(owner).named_buffers(recurse=False)):
            setattr(thing.get_submodule(owner), buffer, value)
    thing.load_state_dict(state)
    thing.eval()
    built: Buildable = thing
    return built

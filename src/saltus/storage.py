"""A thing in a folder: `NAME.json` says how it is made, `NAME.safetensors` holds its numbers.  Nothing is pickled."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from saltus.errors import SaltusError
from saltus.registry import Configurable, Tensors, build, describe

__all__ = ["read", "to_json", "write"]

_FORMAT = 1
_STATE = "state."


def write(thing: Configurable, folder: Path, name: str) -> None:
    """Write a thing and how it is made; each file appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    description, tensors = describe(thing)
    learned = thing.state_dict() if isinstance(thing, nn.Module) else {}
    shared = _shared(learned)
    own = {key: value for key, value in learned.items() if key not in shared}
    state = {_STATE + key: value.detach().cpu().clone(memory_format=torch.contiguous_format) for key, value in own.items()}
    numbers, made = folder / f"{name}.safetensors", folder / f"{name}.json"
    save_file({**{key: value.clone() for key, value in tensors.items()}, **state}, _partial(numbers))  # views may overlap
    _partial(made).write_text(to_json({"format": _FORMAT, name: description, "shared": shared}, indent=1) + "\n")
    for file in (numbers, made):
        os.replace(_partial(file), file)


def _shared(state: Tensors) -> dict[str, str]:
    """Names of tensors that are another one of the state, as where one kernel serves several levels, and that one's name."""
    first: dict[tuple[int, torch.Size], str] = {}
    named = {key: first.setdefault((value.data_ptr(), value.shape), key) for key, value in state.items() if value.numel()}
    return {key: owner for key, owner in named.items() if key != owner}


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON as its standard has it, with null for numbers that are not finite."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
        case _:
            return value


def _partial(file: Path) -> Path:
    return file.with_name(file.name + ".partial")


def read(folder: Path, name: str) -> Configurable:
    """Make again what `write` wrote.

    Raises:
        SaltusError: if a file is missing, damaged, or of another format.
    """
    numbers, made = folder / f"{name}.safetensors", folder / f"{name}.json"
    if not made.is_file() or not numbers.is_file():
        raise SaltusError(f"{folder} holds no {made.name} and {numbers.name}; give the folder that training wrote")
    try:
        document = json.loads(made.read_text())
        with safe_open(numbers, framework="pt") as file:
            tensors: dict[str, Tensor] = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (json.JSONDecodeError, UnicodeDecodeError, SafetensorError) as error:
        raise SaltusError(f"{made} or {numbers.name} is damaged ({error}); train or copy it again") from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise SaltusError(f"{made} is not of format {_FORMAT}, the one this version of saltus reads; use the version that wrote it")
    try:
        with torch.random.fork_rng(devices=[]):  # fresh networks draw random numbers, which are not the user's concern
            thing: Configurable = build(document[name], tensors)
        if isinstance(thing, nn.Module):
            state = {key.removeprefix(_STATE): value for key, value in tensors.items() if key.startswith(_STATE)}
            _restore(thing, state | {key: state[owner] for key, owner in document.get("shared", {}).items()})
    except SaltusError:
        raise
    except (AttributeError, ImportError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise SaltusError(f"{made} and {numbers.name} do not fit together; copy both again from one training") from error
    return thing


def _restore(module: nn.Module, state: Tensors) -> None:
    """Load a state in which buffers may have grown by calibration."""
    for key, value in state.items():
        owner, _, buffer = key.rpartition(".")
        if buffer in dict(module.get_submodule(owner).named_buffers(recurse=False)):
            setattr(module.get_submodule(owner), buffer, value)
    module.load_state_dict(state, assign=True)  # in the dtype that was written
    module.eval()

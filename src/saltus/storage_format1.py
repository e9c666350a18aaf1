"""Files of format 1, which saltus wrote before version 0.2: what they say, in today's words.

Classes were named with their modules, dictionaries had no mark, the module's tensors were named "state.NAME" and lay in one file
with those of the arguments, and the JSON listed the names of tensors that are another one.  There were no digests.
"""

from __future__ import annotations

from typing import Any

from saltus.errors import SaltusError
from saltus.registry import find

__all__ = ["description_of", "tensor_names"]

_STATE = "state."

_CLASSES = {"Scaled": "Preconditioned"}
"""New names of classes that have lost their old one."""

_ARGUMENTS = {
    ("VAEKernel", "encodes"): "encoder_input",
    ("LadderKernel", "encodes"): "encoder_input",
    ("GaussianKernel", "any_time"): "any_step",
    ("DeterministicKernel", "any_time"): "any_step",
    ("Ladder", "rungs"): "groups",
    ("Chain", "latents"): "importance_samples",
}
"""New names of arguments, by the class's new name and the argument's old one."""

_TENSORS = {".rungs.": ".groups."}
"""New parts of the names of tensors."""

_ADDED: dict[str, dict[str, Any]] = {"Chain": {"noise_version": 1}}
"""Arguments that classes have got since, with the values that give the old behaviour, by the class's new name."""


def description_of(old: Any) -> Any:
    """The description of format 2 that says what one of format 1 does."""
    match old:
        case {"class": str(name), "arguments": dict(arguments), **rest} if not rest:
            short = name.rpartition(":")[2].rpartition(".")[2]
            new = short if find(short) else _CLASSES.get(short, short)
            given = {_ARGUMENTS.get((new, key), key): description_of(value) for key, value in arguments.items()}
            return {"class": new, "arguments": given | _ADDED.get(new, {})}
        case {"same": int(), **rest} | {"tensor": str(), **rest} if not rest:
            return old
        case dict():
            return {"mapping": {key: description_of(value) for key, value in old.items()}}
        case list():
            return [description_of(item) for item in old]
        case _:
            return old


def tensor_names(document: dict[str, Any], names: list[str]) -> dict[str, str]:
    """For each name in a module's state, the name in the file; `names` are all of the file.

    Raises:
        SaltusError: if a name is another one that is not there.
    """
    found = {name.removeprefix(_STATE): name for name in names if name.startswith(_STATE)}
    shared = document.get("shared")
    if not isinstance(shared, dict) or not all(isinstance(owner, str) and owner in found for owner in shared.values()):
        raise SaltusError("it names tensors that are not there; copy all files again from one training")
    return {_renamed(name): place for name, place in (found | {name: found[owner] for name, owner in shared.items()}).items()}


def _renamed(name: str) -> str:
    for old, new in _TENSORS.items():
        name = name.replace(old, new)
    return name

"""What a training needs to go on as if it had never stopped, in a folder of its own.

    UPDATE.safetensors   weights, averages, the optimiser's moments
    UPDATE.json          the numbers beside them, and a digest of both files; written last
    chain.json, ...      the chain as it began

The last two are kept: while a new one is written, the one before it stays.  A checkpoint that was cut short, damaged or of a newer format
is named in a warning, and the one before it is taken.
"""

from __future__ import annotations

import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file

from saltus.errors import SaltusError
from saltus.files import read_bytes
from saltus.registry import Tensors
from saltus.storage import read_document, write_document
from saltus.words import in_brief

__all__ = ["Checkpoint", "Checkpoints"]

_FORMAT = 1
_KEPT = 2
_DIGITS = 9
_WEIGHTS = ("chain.", "average.", "best.", "optimiser.")  # buffers and figures of levels may hold NaN
_NAMES, _BEGINNING = f"{'[0-9]' * _DIGITS}.json", "chain."


class Checkpoint(NamedTuple):
    """The state of a training after so many updates: numbers as JSON has them, and tensors."""

    update: int
    numbers: dict[str, Any]
    tensors: Tensors

    @property
    def is_finite(self) -> bool:
        """Whether its weights, averages and moments are: a training that diverged cannot go on."""
        return all(bool(tensor.isfinite().all()) for name, tensor in self.tensors.items() if name.startswith(_WEIGHTS))


class Checkpoints:
    """The checkpoints of a run.

    Args:
        folder: of their own; made with the first one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, then remove all but the last two; one whose weights are not finite takes no other one's place.

        Raises:
            OSError: if there is no room or no way; what was there stays.
        """
        if not checkpoint.is_finite:
            warnings.warn(f"no checkpoint was written after update {checkpoint.update}, whose weights are not finite", stacklevel=2)
            return
        name = f"{checkpoint.update:0{_DIGITS}}"
        for file in self.folder.glob(_NAMES):  # that could not be used, or another way was gone from there
            if file.stem > name:
                file.unlink()
        document = {"format": _FORMAT, "saltus": version("saltus"), "update": checkpoint.update, "numbers": checkpoint.numbers}
        write_document(self.folder, name, document, {f"{name}.safetensors": checkpoint.tensors})
        kept = {file.stem for file in sorted(self.folder.glob(_NAMES))[-_KEPT:]}
        for file in self.folder.iterdir():  # what a kill in mid-write left behind, too
            if file.is_file() and file.stem not in kept and not file.name.startswith(_BEGINNING):
                file.unlink(missing_ok=True)

    def latest(self) -> Checkpoint | None:
        """The newest that is whole, with a warning for every newer one that is not; None if there is none.

        Raises:
            SaltusError: if there are some, and none is whole.
            OSError: if one cannot be read at all.
        """
        found = sorted(self.folder.glob(_NAMES), reverse=True)
        for file in found:
            try:
                return _read(file)
            except (SaltusError, FileNotFoundError, SafetensorError) as error:
                told = f"the checkpoint {file} cannot be used ({in_brief(error)})"
                if file == found[-1]:
                    raise SaltusError(f"{told}, and none before it; take a copy of the run, or a new folder") from error
                warnings.warn(f"{told}; the one before it is taken", stacklevel=2)
        return None


def _read(file: Path) -> Checkpoint:
    beside = file.with_suffix(".safetensors")
    document, files = read_document(file, read_bytes(file), {beside.name})
    if document.get("format") != _FORMAT or document["format"] is True:
        raise SaltusError(f"it is of format {document.get('format')}, and this version of saltus reads {_FORMAT}")
    update, numbers = document.get("update"), document.get("numbers")
    if type(update) is not int or update != int(file.stem) or not isinstance(numbers, dict) or not files:
        raise SaltusError("it does not say the update of its name")
    found = Checkpoint(update, numbers, load_file(beside))
    if not found.is_finite:
        raise SaltusError("its weights are not finite")
    return found

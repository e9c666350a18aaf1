"""Finished pieces of a long work, kept in a folder: the same command continues where it was interrupted.

A piece is named by everything that decides it, so a piece that is there is the piece that would be made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from saltus.storage import atomically, read_json, to_json, write_atomically

__all__ = ["ResultCache"]

_TENSOR = "tensor"


class ResultCache:
    """A folder of files, one a piece.

    Args:
        folder: made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def file(self, key: Mapping[str, Any], suffix: str = "json") -> Path:
        """Where the piece is kept."""
        digest = hashlib.blake2b(json.dumps(key, sort_keys=True).encode(), digest_size=10).hexdigest()
        return self.folder / f"{digest}.{suffix}"

    def get(self, key: Mapping[str, Any], make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """The piece, made if it is not there; a file appears whole or not at all."""
        file = self.file(key)
        if not file.exists():
            write_atomically(file, to_json({"key": dict(key), "value": dict(make())}, indent=1) + "\n")
        value: dict[str, Any] = read_json(file)["value"]
        return value

    def tensor(self, key: Mapping[str, Any], make: Callable[[], Tensor]) -> Path:
        """The file of a piece that is one tensor, made if it is not there."""
        file = self.file(key, "safetensors")
        if not file.exists():
            tensor = make().contiguous()
            with atomically(file) as path:
                save_file({_TENSOR: tensor}, path)
        return file

    def load(self, name: str) -> Tensor:
        """The tensor in a file of this folder."""
        return load_file(self.folder / name)[_TENSOR]

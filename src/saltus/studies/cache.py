"""Finished results of a long work, kept in a folder: the same command continues where it was interrupted.

A result is named by everything that decides it, so a result that is there is the result that would be made.  It is
kept with a digest of itself.  A file that was cut short or damaged does not fit its digest, and is made again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from saltus.errors import SaltusError
from saltus.files import check_regular, read_json, to_json, write_atomically

__all__ = ["ResultCache"]

_TENSOR = "tensor"
_DIGEST = "digest"


class ResultCache:
    """A folder with one file for each result.

    Args:
        folder: made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def file(self, key: Mapping[str, Any], suffix: str = "json") -> Path:
        """Where the result is kept.

        Args:
            key: everything that decides the result, in values that JSON has.
            suffix: of the file's name.
        """
        return self.folder / f"{_digest(_canonical(key))}.{suffix}"

    def get(self, key: Mapping[str, Any], make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """The result as JSON holds it, made if no whole file has it; numbers that are not finite become None."""
        file = self.file(key)
        value = _read_json(file, key)
        if value is None:
            result = json.loads(to_json({"key": dict(key), "value": dict(make())}))
            write_atomically(file, to_json({_DIGEST: _digest(_canonical(result)), **result}, indent=1) + "\n")
            value = result["value"]
        return value

    def tensor(self, key: Mapping[str, Any], make: Callable[[], Tensor]) -> Path:
        """The file of a result that is one tensor, made if no whole file has it."""
        file = self.file(key, "safetensors")
        if _read_tensor(file) is None:
            tensor = make().detach().cpu().contiguous()
            write_atomically(file, save({_TENSOR: tensor}, metadata={_DIGEST: _tensor_digest(tensor, file.name)}))
        return file

    def load(self, name: str) -> Tensor:
        """The tensor in a file of this folder.

        Raises:
            SaltusError: if the file is missing or damaged.
        """
        tensor = _read_tensor(self.folder / name)
        if tensor is None:
            raise SaltusError(f"{self.folder / name} is missing or damaged; run the same command again, which makes it anew")
        return tensor


def _read_json(file: Path, key: Mapping[str, Any]) -> dict[str, Any] | None:
    """The value in a file; None unless the file is whole, and of this key."""
    try:
        document = read_json(file)
        whole = document.pop(_DIGEST) == _digest(_canonical(document)) and _canonical(document["key"]) == _canonical(key)
        value: dict[str, Any] = document["value"]
    except (FileNotFoundError, ValueError, AttributeError, KeyError, TypeError):  # no JSON, or JSON of another form
        return None
    return value if whole else None


def _read_tensor(file: Path) -> Tensor | None:
    """The tensor in a file; None unless the file is whole."""
    try:
        check_regular(file)
        with safe_open(file, framework="pt") as opened:
            tensor: Tensor = opened.get_tensor(_TENSOR)
            digest = (opened.metadata() or {}).get(_DIGEST)
    except (FileNotFoundError, SaltusError, SafetensorError):
        return None
    return tensor.clone() if digest == _tensor_digest(tensor, file.name) else None


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _tensor_digest(tensor: Tensor, name: str) -> str:
    """Of a tensor in the file of this name, which is that of its key."""
    return _digest(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode() + tensor.reshape(-1).view(torch.uint8).numpy().tobytes())


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=10).hexdigest()

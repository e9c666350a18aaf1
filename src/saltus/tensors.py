"""The tensors of a safetensors file, read one by one when they are asked for: what nobody uses is not read."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

from saltus.words import in_brief

__all__ = ["OpenTensors", "opened"]


class OpenTensors(Mapping[str, Tensor]):
    """Tensors of an open file by name.

    Args:
        file: None for no tensors.
        names: of those that it gives.
        size: of the file, in bytes.
    """

    def __init__(self, file: Any = None, names: Collection[str] = (), size: int = 0) -> None:
        self.file, self._names, self.size = file, names, size

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._names:
            raise KeyError(name)
        found: Tensor = self.file.get_tensor(name)
        return found.clone()  # or the file stays mapped, and changes under who has it

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@contextlib.contextmanager
def opened(file: Path | None) -> Iterator[OpenTensors]:
    """All tensors of a file, or none without one.

    Raises:
        OSError: if it cannot be read, or mapped into memory.
        SafetensorError: if it is no file of tensors.
    """
    if file is None:
        yield OpenTensors()
        return
    try:
        found = safe_open(file, framework="pt")
    except RuntimeError as error:  # as torch tells that it cannot map a file
        raise OSError(errno.ENOMEM, in_brief(error), str(file)) from error
    with found as whole:
        yield OpenTensors(whole, set(whole.keys()), file.stat().st_size)

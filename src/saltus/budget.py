"""How much a constructor may build, so that sizes that cannot be meant end in a sentence, before memory or minutes are taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from saltus.errors import SaltusError

__all__ = ["Budget"]

_FACTORIES = {torch.empty, torch.zeros, torch.ones, torch.full, torch.arange, torch.linspace, torch.eye, torch.rand, torch.randn}
"""Where large tensors come from."""
_RESTORES: Any = torch._C._set_grad_enabled  # what ends torch.no_grad, which an error in its place would leave on


class Budget(TorchFunctionMode):
    """Within it, torch is called at most so often in this thread, and makes new tensors of at most so many numbers in all.

    Tensors on the meta device take no memory, and are not counted.

    Args:
        calls: None for any number of them.
        numbers: of all new tensors together.
        told: what is said of more numbers than that.

    Raises:
        SaltusError: within it, at the first call that is too much.
    """

    def __init__(self, *, calls: int | None = None, numbers: float, told: str = "") -> None:
        super().__init__()
        self._calls, self._numbers = calls, numbers
        self._told = told or f"its sizes make more than {numbers:,} numbers; give smaller ones"
        self._called, self._made = 0, 0

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None) -> Any:
        self._called += 1
        if self._calls is not None and self._called > self._calls and func is not _RESTORES:
            raise SaltusError(f"its sizes take more than {self._calls:,} steps to build; give smaller ones")
        given = kwargs or {}
        if func in _FACTORIES and torch.device(given.get("device") or "cpu").type != "meta":
            self._made += _size(func, args, given)
            if self._made > self._numbers:
                raise SaltusError(self._told)
        return func(*args, **given)


def _size(func: Callable[..., Any], args: Any, given: dict[str, Any]) -> int:
    """How many numbers a factory would make, found where they take no memory."""
    return int(func(*args, **{name: value for name, value in given.items() if name != "generator"} | {"device": "meta"}).numel())

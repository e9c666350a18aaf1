"""Numbers from what a user gives: a tensor, an array, a number or lists of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saltus.errors import SaltusError

__all__ = ["as_array", "as_tensor", "kind", "listed"]

_SHOWN = 10  # names in a message


def as_array(values: Any) -> np.ndarray[Any, Any]:
    """The values as an array in this machine's byte order.

    Raises:
        SaltusError: if they are neither numbers nor text, or lists of different lengths.
    """
    try:
        array: np.ndarray[Any, Any] = np.array(values)
    except ValueError:  # rows of different lengths
        array = np.array(None)
    if array.dtype.kind not in "biufcU":
        raise SaltusError(f"the condition is a {type(values).__name__}; expected numbers, names or an array of them: convert it")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def as_tensor(values: Any) -> Tensor:
    """The values as a tensor, which is a copy unless they are a tensor.

    Raises:
        SaltusError: if they are no numbers.
    """
    if isinstance(values, Tensor):
        return values.detach()
    array = as_array(values)
    if array.dtype.kind == "U":
        raise SaltusError(f"the condition is {str(values)!r}; expected numbers: give them as an array or a list")
    return torch.from_numpy(array)


def kind(given: Tensor) -> str:
    """Type and shape, for messages."""
    return f"{str(given.dtype).removeprefix('torch.')} of shape {tuple(given.shape)}"


def listed(names: Sequence[str]) -> str:
    """The first ten names and how many more there are, for messages."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "missing") + more

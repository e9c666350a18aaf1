"""What a chain asks of an encoding, which the data room makes: raw values become y, and y raw values again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from saltus.likelihoods import Head

__all__ = ["Encoded", "check_encoding", "log_jacobian"]


class Encoded(Protocol):
    """A map from raw items to y and back, with what it does to a density."""

    @property
    def event_shape(self) -> Sequence[int]:
        """E of y."""
        ...

    def log_jacobian(self, y: Tensor) -> Tensor:
        """What -ln p(raw) has more than -ln p(y) at items y (N, *E): nats, (N,)."""
        ...

    def encode(self, raw: Any) -> Tensor:
        """y of raw items."""
        ...

    def decode(self, y: Tensor) -> Any:
        """Raw items of y."""
        ...

    def head(self) -> Head:
        """The likelihood that fits y."""
        ...


def log_jacobian(y: Tensor, encoding: Encoded | None, scaling: float) -> Tensor:
    """That of an encoding at items y (N, *E), or where there is none a scaling that is the same for all items: nats, (N,)."""
    return torch.full((len(y),), scaling, device=y.device) if encoding is None else encoding.log_jacobian(y)


def check_encoding(encoding: Encoded | None, scaling: float, event_shape: Sequence[int]) -> None:
    """Raise ValueError if an encoding is of items of another shape, or a scaling is not finite."""
    if encoding is not None and tuple(encoding.event_shape) != tuple(event_shape):
        raise ValueError(f"the encoding is of items {tuple(encoding.event_shape)} and the kernels of {tuple(event_shape)}; give both one")
    if not math.isfinite(scaling):
        raise ValueError(f"scaling = {scaling}; expected a finite number")

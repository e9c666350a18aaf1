"""What a chain asks of an encoding, which the data room makes: raw values become y, and y raw values again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor

from saltus.likelihoods import Head

__all__ = ["Encoded", "scaling_of"]


class Encoded(Protocol):
    """A map from raw items to y and back, with what it does to a density."""

    @property
    def event_shape(self) -> Sequence[int]:
        """E of y."""
        ...

    @property
    def scaling(self) -> float:
        """What -ln p(raw) has more than -ln p(y): nats per item."""
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


def scaling_of(encoding: Encoded | None, given: float, event_shape: Sequence[int]) -> float:
    """The scaling of an encoding, or the one that was given where there is none.

    Raises:
        ValueError: if the encoding is of items of another shape, or the scaling is not finite.
    """
    if encoding is not None and tuple(encoding.event_shape) != tuple(event_shape):
        raise ValueError(f"the encoding is of items {tuple(encoding.event_shape)} and the kernels of {tuple(event_shape)}; give both one")
    scaling = given if encoding is None else encoding.scaling
    if not math.isfinite(scaling):
        raise ValueError(f"scaling = {scaling}; expected a finite number")
    return scaling

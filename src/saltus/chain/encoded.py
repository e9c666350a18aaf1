"""What a chain asks of an encoding, which the data room makes: raw values become y, and y raw values again."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from saltus.likelihoods import Head

__all__ = ["Encoded"]


class Encoded(Protocol):
    """A map from raw items to y and back, with what it does to a density."""

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

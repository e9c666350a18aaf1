"""What a training tells after each update."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

__all__ = ["Progress", "Validation"]


@dataclass(frozen=True)
class Validation:
    """The averaged chain on up to 256 validation items, which it was calibrated on too: a figure to watch, not to report.

    Attributes:
        bits_per_dim: the bound, importance-weighted as the chain's is; None where the kernel has none.
        per_level: the bound's terms of each step, cleanest first, nats per item.
        kl: KL of the latent of each step, nats per item.
        active_units: of each step; None without a latent.
        aggregate_kl: of the latents taken together to N(0, I), of each step, nats; None without a latent.
    """

    bits_per_dim: float | None = None
    per_level: list[float] = field(default_factory=list)
    kl: list[float] = field(default_factory=list)
    active_units: list[int | None] = field(default_factory=list)
    aggregate_kl: list[float | None] = field(default_factory=list)

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Validation:
        """What JSON kept, which has null for numbers that are not finite.

        Raises:
            KeyError, TypeError, ValueError: if it is something else.
        """
        whole = {name: [math.nan if value is None else value for value in told[name]] for name in ("per_level", "kl")}
        bits = math.nan if told["bits_per_dim"] is None and whole["per_level"] else told["bits_per_dim"]
        return TypeAdapter(cls).validate_python({**told, **whole, "bits_per_dim": bits})


@dataclass(frozen=True)
class Progress:
    """One update.

    Attributes:
        update: updates done.
        loss: mean over items of the training loss, nats per dimension (squared error per dimension for the deterministic kernel).
        terms: its named terms, likewise.
        gradient_norm: before clipping.
        skipped: updates skipped so far because loss or gradient was not finite.
        validation: the latest.
    """

    update: int
    loss: float
    terms: dict[str, float]
    gradient_norm: float
    skipped: int
    validation: Validation

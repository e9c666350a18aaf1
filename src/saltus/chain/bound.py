r"""The chain bound, kept in its terms.

    -ln p(y) <= KL(q(z_L | y) || p(z_L)) + E_q sum_l [ terms of the step t_l -> t_{l-1} ] (+ ln of the data's scaling)

It bounds -ln p of the *model* for every item; against the truth only its average over data is larger.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from saltus.kernels import Terms

__all__ = ["ACTIVE_VARIANCE", "Bound", "bits_per_dim"]

ACTIVE_VARIANCE = 0.01
"""A latent unit is active when its posterior mean varies by more than this over the data (Burda et al. 2016)."""


def bits_per_dim(nats: Tensor, event_shape: Sequence[int]) -> Tensor:
    """Nats per item to bits per dimension."""
    return nats / (math.prod(event_shape) * math.log(2))


@dataclass(frozen=True)
class Bound:
    """The bound of each item of a batch, in nats.

    Attributes:
        event_shape: E.
        prior: KL(q(z_L | y) || p(z_L)), (B,).
        levels: the named terms of each step, cleanest first: `levels[l-1]` is the step t_l -> t_{l-1}; (B,) each.
        scaling: ln of the scaling of the data, the same for all items.
        active_units: for each step how many latent units the encoder uses on this batch; None without a latent.
    """

    event_shape: tuple[int, ...]
    prior: Tensor
    levels: list[Terms]
    scaling: float
    active_units: list[int | None]

    @property
    def per_level(self) -> Tensor:
        """The total of each step, cleanest first, (L, B)."""
        return torch.stack([torch.stack(list(terms.values())).sum(0) for terms in self.levels])

    @property
    def kl(self) -> Tensor:
        """KL of the latent to its prior at each step, cleanest first, (L, B); zero without a latent."""
        return torch.stack([terms.get("kl", torch.zeros_like(self.prior)) for terms in self.levels])

    @property
    def terms(self) -> Terms:
        """Every term under its own name: "prior", "scaling", and "level l/name"."""
        named = {f"level {l}/{name}": value for l, terms in enumerate(self.levels, 1) for name, value in terms.items()}
        return {"prior": self.prior, **named, "scaling": torch.full_like(self.prior, self.scaling)}

    @property
    def total(self) -> Tensor:
        """The bound on -ln p(y), (B,) nats."""
        return self.prior + self.per_level.sum(0) + self.scaling

    @property
    def bits_per_dim(self) -> Tensor:
        """The total in bits per dimension, (B,)."""
        return bits_per_dim(self.total, self.event_shape)


def active_units(means: Sequence[Tensor]) -> int | None:
    """How many units of posterior means, batches of (B, latent), vary over all items by more than `ACTIVE_VARIANCE`."""
    joined = torch.cat(list(means))
    return int((joined.var(0, correction=0) > ACTIVE_VARIANCE).sum()) if joined.shape[1] else None

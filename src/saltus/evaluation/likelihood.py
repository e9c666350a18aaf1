"""The likelihood bound of a chain on held-out items, with the convention that makes the number mean something."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from saltus.chain import Bound, Chain, bits_per_dim, like
from saltus.data import Encoding
from saltus.errors import SaltusError
from saltus.evaluation.shares import shared_bound
from saltus.processes import Processes

__all__ = ["Likelihood", "likelihood"]


@dataclass(frozen=True)
class Likelihood:
    """An upper bound on -ln p, averaged over items.

    Attributes:
        items: number of items.
        bits_per_dim: the mean, and `standard_error` that of it, over items.
        total: the mean in nats per item, and `total_error` the standard error of it.
        discrete: whether its unit is bits/dim, as that of probabilities on one scale is; that of a density, and of a table, is nats.
        per_item: nats of each item, in their order.
        nats: the mean of every term, by its name.
        per_level: nats of each step, cleanest first.
        active_units: number of those of the latent at each step; None where there is none.
        aggregate_kl: KL of the latents of all items taken together to N(0, I) at each step, nats; None where there is none.
        importance_samples: latents that each step is importance-weighted with; 1 is the plain bound.
        convention: what kind of likelihood it is, in words.
    """

    items: int
    bits_per_dim: float
    standard_error: float
    total: float
    total_error: float
    discrete: bool
    per_item: list[float]
    nats: dict[str, float]
    per_level: list[float]
    active_units: list[int | None]
    aggregate_kl: list[float | None]
    importance_samples: int
    convention: str

    @property
    def weighting(self) -> str:
        """How, in words; nothing of the plain bound."""
        return f", importance-weighted with {self.importance_samples} samples a step" if self.importance_samples > 1 else ""

    @property
    def figure(self) -> tuple[float, float, str]:
        """The mean, its standard error, and their unit: bits/dim of pixels, nats of densities and tables."""
        if self.discrete:
            return self.bits_per_dim, self.standard_error, "bits/dim"
        return self.total, self.total_error, "nats an item"


def likelihood(
    chain: Chain,
    y: Tensor,
    encoding: Encoding,
    *,
    condition: Tensor | None = None,
    seed: int = 0,
    importance_samples: int | None = None,
    eta: float = 1.0,
    processes: Processes | None = None,
    surprise: Tensor | None = None,
) -> Likelihood | None:
    """The bound of a chain on items (N, *E), N >= 2, one path each; None if the chain has no bound at this eta.

    Args:
        chain: whose model it is.
        y: items that were not trained on.
        encoding: how values became y.
        condition: c of each item; then the bound is that of -ln p(y | c).
        seed: of the paths and latents.
        importance_samples: with more than 1, each step is importance-weighted with so many latents; those of the chain unless given.
        eta: that the chain is sampled with.
        processes: that share the items, and all get the figures; this one alone unless given.
        surprise: what -ln p of the raw items has more than y can tell, nats (N,); a term of its own.

    Raises:
        SaltusError: for fewer than 2 items.
    """
    if len(y) < 2:
        raise SaltusError(f"{len(y)} items have no standard error; expected at least 2: give more")
    if not chain.has_bound_at(eta):
        return None
    options: dict[str, Any] = {"condition": condition, "seed": seed, "importance_samples": importance_samples, "eta": eta}
    bound = shared_bound(chain, y.to(like(chain)), processes or Processes(), **options)
    last = chain.kernel(1)
    head = last.head or encoding.head()
    return _summary(bound, head.in_bits, last.convention or head.convention, surprise)


def _summary(bound: Bound, discrete: bool, convention: str, surprise: Tensor | None) -> Likelihood:
    told = {} if surprise is None else {"determined": surprise.double().to(bound.total.device)}
    nats = bound.total.double() + sum(told.values())
    means = torch.stack([nats.mean(), nats.std() / math.sqrt(len(nats))])
    bits = bits_per_dim(means, bound.event_shape)
    return Likelihood(
        items=len(nats),
        bits_per_dim=float(bits[0]),
        standard_error=float(bits[1]),
        total=float(means[0]),
        total_error=float(means[1]),
        discrete=discrete,
        per_item=nats.tolist(),
        nats={name: float(value.double().mean()) for name, value in (bound.terms | told).items()},
        per_level=bound.per_level.double().mean(1).tolist(),
        active_units=bound.active_units,
        aggregate_kl=bound.aggregate_kl,
        importance_samples=bound.importance_samples,
        convention=convention,
    )

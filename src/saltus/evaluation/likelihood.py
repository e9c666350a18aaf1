"""The likelihood bound of a chain on held-out items, with the convention that makes the number mean something."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from saltus.chain import Bound, Chain
from saltus.data import Encoding
from saltus.kernels import DiscretisedHead, GaussianHead
from saltus.mistakes import Mistake

__all__ = ["Likelihood", "likelihood"]


@dataclass(frozen=True)
class Likelihood:
    """An upper bound on -ln p, averaged over items.

    Attributes:
        items: how many.
        bits_per_dim: the mean.
        standard_error: of the mean, over items.
        nats: the mean of every term, by its name.
        per_level: nats of each step, cleanest first.
        active_units: of the latent at each step; None where there is none.
        latents: of the importance weighting at each step; 1 is the plain bound.
        convention: what kind of likelihood it is, in words.
    """

    items: int
    bits_per_dim: float
    standard_error: float
    nats: dict[str, float]
    per_level: list[float]
    active_units: list[int | None]
    latents: int
    convention: str


def likelihood(chain: Chain, y: Tensor, encoding: Encoding, *, seed: int = 0, latents: int = 1) -> Likelihood | None:
    """The bound of a chain on items (N, *E), N >= 2, one path each; None if the chain has no bound.

    Args:
        chain: whose model it is.
        y: items that were not trained on.
        encoding: how values became y.
        seed: of the paths and latents.
        latents: with more than 1, each step is tightened by importance weighting with so many latents.

    Raises:
        Mistake: for fewer than 2 items.
    """
    if len(y) < 2:
        raise Mistake(f"{len(y)} items have no standard error; expected at least 2: give more")
    if not chain.has_bound:
        return None
    dtype = next(chain.parameters(), torch.zeros(0, dtype=torch.float64)).dtype
    return _summary(chain.bound(y.to(dtype), seed=seed, latents=latents), latents, convention(encoding))


def _summary(bound: Bound, latents: int, words: str) -> Likelihood:
    bits = bound.bits_per_dim.double()
    return Likelihood(
        items=len(bits),
        bits_per_dim=float(bits.mean()),
        standard_error=float(bits.std()) / math.sqrt(len(bits)),
        nats={name: float(value.double().mean()) for name, value in bound.terms.items()},
        per_level=bound.per_level.double().mean(1).tolist(),
        active_units=bound.active_units,
        latents=latents,
        convention=words,
    )


def convention(encoding: Encoding) -> str:
    """What the likelihood of data in this encoding is of."""
    match encoding.head():
        case DiscretisedHead() as head:
            return f"probability of {head.bins} values, by a discretised Gaussian with an outlier share of {head.outliers:g}"
        case GaussianHead() as head:
            return f"density in the units of the file, by a Gaussian whose standard deviation is at least {head.floor:g} of the data's"
        case head:
            return f"by {type(head).__name__}"

r"""The chain bound, kept in its terms.

    -ln p(y) <= KL(q(z_L | y) || p(z_L)) + E_q sum_l [ terms of the step t_l -> t_{l-1} ] (+ ln of the data's scaling)

It bounds -ln p of the *model* for every item; against the truth only its average over data is larger.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.distributions import Normal

from saltus.chain.modes import evaluating
from saltus.kernels import Terms
from saltus.process import Noise

if TYPE_CHECKING:
    from saltus.chain.chain import Chain

__all__ = ["ACTIVE_VARIANCE", "Bound", "active_units", "aggregate_kl", "bits_per_dim", "measured"]

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
        aggregate_kl: for each step how far the latents of this batch, taken together, are from N(0, I), nats; None without a latent.
        latents: of the importance weighting that tightens each step; 1 is the plain bound.
    """

    event_shape: tuple[int, ...]
    prior: Tensor
    levels: list[Terms]
    scaling: float
    active_units: list[int | None]
    aggregate_kl: list[float | None]
    latents: int

    @property
    def per_level(self) -> Tensor:
        """The total of each step, cleanest first, (L, B)."""
        return torch.stack([torch.stack(list(terms.values())).sum(0) for terms in self.levels])

    @property
    def kl(self) -> Tensor:
        """KL of the latent to its prior at each step, cleanest first, (L, B); zero without a latent.

        Raises:
            ValueError: if the bound was tightened with several latents, where it is no term of its own.
        """
        if any("marginal" in terms for terms in self.levels):
            raise ValueError("this bound was tightened with several latents, where the KL is no term of its own; take latents=1 for it")
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


def measured(chain: Chain, y: Tensor, *, seed: int, first_item: int, latents: int, batch: int) -> Bound:
    """The bound of data (N, *E), see `Chain.bound`."""
    prior: list[Tensor] = []
    terms: list[list[Terms]] = [[] for _ in range(chain.levels.L)]
    laws: list[list[Normal]] = [[] for _ in range(chain.levels.L)]
    with evaluating(chain):
        for start in range(0, len(y), batch):
            part = y[start : start + batch]
            noise = Noise(seed, first_item + start, len(part))
            for level, (z_s, z_t, s, t) in chain.forward_path(part, noise):
                kernel = chain.kernel(level)
                step = kernel.terms if latents == 1 else partial(kernel.tightened, latents=latents)
                terms[level - 1].append(step(part, z_s, z_t, s, t, noise=noise.at(level)))
                unit = noise.at(level).normal("aggregate", (kernel.latent,), like=part)
                laws[level - 1].append(kernel.infer(part, z_s, z_t, s, t, unit)[1])
            prior.append(chain.prior.cost(part, z_t, chain.levels.last))
    named = [{name: torch.cat([part[name] for part in parts]) for name in parts[0]} for parts in terms]
    encoded = [_joined(parts) for parts in laws]
    units, mismatches = list(map(active_units, encoded)), list(map(aggregate_kl, encoded))
    return Bound(chain.event_shape, torch.cat(prior), named, chain.scaling, units, mismatches, latents)


def active_units(law: Normal) -> int | None:
    """How many units of an encoder's law (N, latent) have means that vary over items by more than `ACTIVE_VARIANCE`."""
    return int((law.loc.var(0, correction=0) > ACTIVE_VARIANCE).sum()) if law.loc.shape[1] else None


def aggregate_kl(law: Normal) -> float | None:
    """How far latents of items are from those that samples draw: the sum over units of KL(N(m, v) || N(0, 1)) in nats, m and v the
    mean and the variance of the unit over all items of an encoder's law (N, latent).

    It is the part of KL(q(epsilon) || N(0, I)) that moments of single units show: neither correlations nor holes.  Latents without a
    aggregate_kl get up to latent / N nats from the means and variances being estimated.
    """
    if not law.loc.shape[1]:
        return None
    mean = law.loc.double().mean(0)
    variance = law.variance.double().mean(0) + law.loc.double().var(0, correction=0)
    return float(0.5 * (variance + mean.square() - 1 - variance.log()).sum())


def _joined(laws: Sequence[Normal]) -> Normal:
    """One law of many items from those of parts of them."""
    return Normal(torch.cat([law.loc for law in laws]), torch.cat([law.scale for law in laws]), validate_args=False)

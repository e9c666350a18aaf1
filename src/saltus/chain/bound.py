r"""The chain bound, kept in its terms.

.. math::
    -\ln p(y) \le \mathrm{KL}(q(z_L \mid y) \,\|\, p(z_L)) + E_q \sum_l [\text{terms of step } l]

and the log-Jacobian of the data's encoding is added to it.  Each eta in (0, 1] has its own: with q_eta(z_s | z_t, y) in place of the
bridge, in q and in the steps, it bounds the chain that is sampled with that eta.

It bounds -ln p of the *model* for every item; against the truth only its average over data is larger.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor
from torch.distributions import Normal

from saltus.chain.modes import evaluating
from saltus.chain.process import ChainProcess
from saltus.kernels import Terms

__all__ = ["ACTIVE_VARIANCE", "MOST_SAMPLES", "Bound", "active_units", "aggregate_kl", "bits_per_dim", "measured"]

ACTIVE_VARIANCE = 0.01
"""A latent unit is active when its posterior mean varies by more than this over the data (https://arxiv.org/abs/1509.00519)."""

MOST_SAMPLES = 10_000
"""Importance samples of a step: more gain nothing, and what asks for them is damaged, or mistyped."""

_AT_ONCE = 2**22  # numbers of y at a time, for which a step has a dozen arrays in float64


def bits_per_dim(nats: Tensor, event_shape: Sequence[int]) -> Tensor:
    """Nats per item to bits per dimension."""
    return nats / (math.prod(event_shape) * math.log(2))


@dataclass(frozen=True, repr=False)
class Bound:
    """The bound of each item of a batch, in nats.

    Attributes:
        event_shape: shape E of one item.
        prior: KL(q(z_L | y) || p(z_L)), (B,).
        levels: the named terms of each step, cleanest first: `levels[l-1]` is the step t_l -> t_{l-1}; (B,) each.
        kl: KL of the latent's posterior to its prior at each step, cleanest first, (L, B); zero without a latent.
        log_jacobian: what -ln p of raw values has more than that of y, (B,).
        posteriors: distributions of the latent at each step, cleanest first, over (B, latent).
        importance_samples: latents that each step's terms are importance-weighted with; 1 is the plain bound.
    """

    event_shape: tuple[int, ...]
    prior: Tensor
    levels: list[Terms]
    kl: Tensor
    log_jacobian: Tensor
    posteriors: list[Normal]
    importance_samples: int

    @cached_property
    def active_units(self) -> list[int | None]:
        """For each step how many latent units the encoder uses on this batch; None without a latent."""
        return list(map(active_units, self.posteriors))

    @cached_property
    def aggregate_kl(self) -> list[float | None]:
        """For each step how far the latents of this batch, taken together, are from N(0, I), nats; None without a latent."""
        return list(map(aggregate_kl, self.posteriors))

    @staticmethod
    def joined(parts: Sequence[Bound]) -> Bound:
        """That of the items of all parts, in their order."""
        return replace(
            parts[0],
            prior=torch.cat([part.prior for part in parts]),
            log_jacobian=torch.cat([part.log_jacobian for part in parts]),
            levels=[_joined_terms(terms) for terms in zip(*(part.levels for part in parts), strict=True)],
            kl=torch.cat([part.kl for part in parts], dim=1),
            posteriors=[_joined(posteriors) for posteriors in zip(*(part.posteriors for part in parts), strict=True)],
        )

    @property
    def per_level(self) -> Tensor:
        """The total of each step, cleanest first, (L, B)."""
        return torch.stack([torch.stack(list(terms.values())).sum(0) for terms in self.levels])

    @property
    def terms(self) -> Terms:
        """Every term under its own name: "prior", "log_jacobian", and "level l/name"."""
        named = {f"level {l}/{name}": value for l, terms in enumerate(self.levels, 1) for name, value in terms.items()}
        return {"prior": self.prior, **named, "log_jacobian": self.log_jacobian}

    @property
    def total(self) -> Tensor:
        """The bound on -ln p(y), (B,) nats."""
        return self.prior + self.per_level.sum(0) + self.log_jacobian

    @property
    def bits_per_dim(self) -> Tensor:
        """The total in bits per dimension, (B,)."""
        return bits_per_dim(self.total, self.event_shape)

    def __repr__(self) -> str:
        nats, steps = float(self.total.mean()), ", ".join(f"{float(level.mean()):.4g}" for level in self.per_level)
        weighted = f", {self.importance_samples} importance samples" if self.importance_samples > 1 else ""
        return (
            f"Bound({len(self.prior)} items: {nats:.4f} nats, {float(self.bits_per_dim.mean()):.4f} bits/dim; "
            f"prior {float(self.prior.mean()):.4g}, steps {steps}{weighted})"
        )


def measured(
    chain: ChainProcess,
    y: Tensor,
    *,
    seed: int,
    first_item: int,
    importance_samples: int,
    batch: int,
    log_jacobian: Tensor,
    condition: Tensor | None = None,
    eta: float = 1.0,
) -> Bound:
    """The bound of data (N, *E), see `Chain.bound`: each encoder and decoder runs once a step."""
    prior: list[Tensor] = []
    batch = min(batch, max(1, _AT_ONCE // math.prod(chain.event_shape)))
    found: list[list[tuple[Terms, Tensor, Normal]]] = [[] for _ in range(chain.levels.L)]
    with evaluating(chain):
        for start in range(0, len(y), batch):
            part, given = y[start : start + batch], None if condition is None else condition[start : start + batch]
            noise = chain.noise(seed, first_item + start, len(part))
            for level, pair in chain.forward_path(part, noise, given, eta=eta):
                explanation = chain.kernel(level).explain(pair, noise.at(level), importance_samples)
                found[level - 1].append((explanation.terms, explanation.kl, explanation.posterior))
            prior.append(chain.prior.cost(part, pair.z_t, chain.levels.last, given))
    terms, kls, posteriors = [], [], []
    for parts in found:
        named, kl, posterior = zip(*parts, strict=True)
        terms.append(_joined_terms(named))
        kls.append(torch.cat(kl))
        posteriors.append(_joined(posterior))
    costs = torch.cat(prior)
    return Bound(tuple(chain.event_shape), costs, terms, torch.stack(kls), log_jacobian.to(costs), posteriors, importance_samples)


def active_units(posterior: Normal) -> int | None:
    """How many units of a posterior (N, latent) have means that vary over items by more than `ACTIVE_VARIANCE`."""
    return int((posterior.loc.var(0, correction=0) > ACTIVE_VARIANCE).sum()) if posterior.loc.shape[1] else None


def aggregate_kl(posterior: Normal) -> float | None:
    """How far latents of items are from those that samples draw: the sum over units of KL(N(m, v) || N(0, 1)) in nats, m and v the
    mean and the variance of the unit over all items of a posterior (N, latent).

    It is the part of KL(q(epsilon) || N(0, I)) that moments of single units show: neither correlations nor holes.  Latents that match
    the prior get up to latent / N nats from the means and variances being estimated.
    """
    if not posterior.loc.shape[1]:
        return None
    mean = posterior.loc.double().mean(0)
    variance = posterior.variance.double().mean(0) + posterior.loc.double().var(0, correction=0)
    return float(0.5 * (variance + mean.square() - 1 - variance.log()).sum())


def _joined_terms(parts: Sequence[Terms]) -> Terms:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _joined(posteriors: Sequence[Normal]) -> Normal:
    """One posterior of many items from those of parts of them."""
    return Normal(torch.cat([p.loc for p in posteriors]), torch.cat([p.scale for p in posteriors]), validate_args=False)

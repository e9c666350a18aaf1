"""How items are coded: the class of each, and which numbers of latents take part at all (`saltus.chain.coding`)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from saltus.chain.chain import Chain
from saltus.errors import SaltusError
from saltus.networks import ClassCondition
from saltus.process import normal_kl

__all__ = ["Plan", "plan"]

_USED = 1e-3  # nats of a latent that is used, on average over items
_BATCH = 256  # items that are planned for at a time


class Plan(NamedTuple):
    """How items are coded.

    Attributes:
        classes: the class of each item, (N,) int64; None for a model without.
        used: for each level, which numbers of the latent are, (latent,) bool.
        nats: the bound of each item given its class, and what the class costs, (N,).
    """

    classes: Tensor | None
    used: list[Tensor]
    nats: Tensor


@torch.no_grad()
def plan(chain: Chain, y: Tensor) -> Plan:
    """How items (N, *E) are coded.

    Raises:
        SaltusError: if the model is conditioned on other things than classes; and as `Chain.bound`.
    """
    condition = chain.condition
    if condition is not None and not isinstance(condition, ClassCondition):
        raise SaltusError(
            f"the model is conditioned on {condition.summary()}, which a code does not hold; take one of classes or of nothing"
        )
    classes, nats, costs = [], [], [torch.zeros(chain.kernel(level).latent) for level in range(1, chain.levels.L + 1)]
    for first, part in zip(range(0, len(y), _BATCH), y.split(_BATCH), strict=True):
        best = torch.zeros(len(part), dtype=torch.int64)
        least = torch.full((len(part),), math.inf, dtype=torch.float64)
        latent: list[Tensor] = [part.new_zeros(len(part), len(cost)) for cost in costs]
        for c in range(1 if condition is None else condition.classes):
            bound = chain.bound(part, condition=None if condition is None else torch.tensor([c]), first_item=first, importance_samples=1)
            total = bound.total.double() - (0.0 if condition is None else float(condition.log_frequencies[c]))
            better = total < least
            best, least = best.masked_fill(better, c), torch.where(better, total, least)
            for own, posterior in zip(latent, bound.posteriors, strict=True):
                unit = type(posterior)(torch.zeros_like(posterior.loc), torch.ones_like(posterior.scale), validate_args=False)
                own[better] = normal_kl(posterior, unit)[better].to(own)
        classes.append(best)
        nats.append(least)
        costs = [cost + own.sum(0) for cost, own in zip(costs, latent, strict=True)]
    found = torch.cat(classes)
    return Plan(None if condition is None else found, [cost / len(y) > _USED for cost in costs], torch.cat(nats))

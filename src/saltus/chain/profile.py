r"""What the bound says of single items, part by part: the terms of every level, and the pixels of the step to data.

The terms are those of `saltus.chain.bound`, on one path each.  At level 1 the last of them is a sum over pixels,

.. math:: -\ln p(y \mid \epsilon, z_1) = \sum_x -\ln p(y_x \mid y_{<x}, \epsilon, z_1),

whose summands say which pixels made an image dear.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from saltus.chain.modes import evaluating
from saltus.chain.process import ChainProcess

__all__ = ["Profile", "profile"]


@dataclass(frozen=True, eq=False)
class Profile:
    """The bounds of N items in parts.

    Attributes:
        terms: "prior" and "level l/name" by their names, (N,) nats each; the bridge's entropy, which is the same for all, is left out.
        pixels: -ln p of each pixel at the last step, its channels together, (N, H, W) nats; None where items are no images (C, H, W), or
            the step to data is no Gaussian one given a latent.
    """

    terms: dict[str, Tensor]
    pixels: Tensor | None


@torch.no_grad()
def profile(chain: ChainProcess, y: Tensor, *, seed: int = 0, batch: int = 256) -> Profile:
    """That of items (N, *E), whose condition is not told.

    Raises:
        SaltusError: if a kernel has no bound, or items are none of the chain.
    """
    chain.check_items(y)
    parts: list[dict[str, Tensor]] = []
    pixels: list[Tensor] = []
    with evaluating(chain):
        for start in range(0, len(y), batch):
            part = y[start : start + batch]
            noise, named = chain.noise(seed, start, len(part)), dict[str, Tensor]()
            for level, pair in chain.forward_path(part, noise):
                found = chain.kernel(level).explain(pair, noise.at(level))
                named |= {f"level {level}/{name}": value.double() for name, value in found.terms.items()}
                if level == 1 and part.ndim == 4 and (step := found.step) is not None:
                    pixels.append(-step.head.log_prob_each(part, step.mean, step.variance, step.extra).double().sum(1))
            parts.append({"prior": chain.prior.cost(part, pair.z_t, chain.levels.last).double(), **named})
    terms = {name: torch.cat([part[name] for part in parts]).cpu() for name in parts[0]}
    entropy = {name for name in terms if name.endswith("/entropy")}
    return Profile({name: nats for name, nats in terms.items() if name not in entropy}, torch.cat(pixels).cpu() if pixels else None)

r"""Latents as a handle on items: the code of an item is everything that the chain would have drawn to generate it.

encode      a path z_1 ... z_L ~ q( . | y) and at each level a latent epsilon of the encoder; the decoder's noise is what
            is left, delta = (z_s - mean(epsilon, z_t)) / std(epsilon, z_t), and of data on bins the middle of what draws their bin
decode      the same steps downwards, the last a draw: decode(encode(y)) is y
reconstruct the same with other noise of the decoder, the last step its median
interpolate codes on great circles: every part of a code is Gaussian a priori, and in many dimensions stays as long as Gaussians are;
            both ends go along the same noise, so that what changes between them is what tells them apart
vary        z_l of the item is kept, and everything cleaner is drawn anew
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from saltus.chain.modes import evaluating
from saltus.kernels import DEFAULT, GaussianStep
from saltus.process import Noise

if TYPE_CHECKING:
    from saltus.chain.chain import Chain

__all__ = ["Code", "decode", "encode", "on_great_circle", "reconstruct"]


@dataclass(frozen=True)
class Code:
    """What items are made from.

    Attributes:
        z: z_L, (B, *E).
        latents: of each step, cleanest first, (B, latent) each.
        noise: the decoder's noise of each step, likewise, (B, *E) each.
    """

    z: Tensor
    latents: list[Tensor]
    noise: list[Tensor]

    def map(self, change: Callable[..., Tensor], *others: Code) -> Code:
        """Every part of one or more codes changed by one function."""
        latents = [change(*parts) for parts in zip(self.latents, *(other.latents for other in others), strict=True)]
        noise = [change(*parts) for parts in zip(self.noise, *(other.noise for other in others), strict=True)]
        return Code(change(self.z, *(other.z for other in others)), latents, noise)


def encode(chain: Chain, y: Tensor, noise: Noise) -> Code:
    """The code of items (B, *E) on one path each."""
    latents, units = [], []
    with evaluating(chain):
        for level, (z_s, z_t, s, t) in chain.forward_path(y, noise):
            kernel = chain.kernel(level)
            latents.append(kernel.infer(y, z_s, z_t, s, t, noise.at(level).normal("encoder", (kernel.latent,), like=y))[0])
            step = kernel.step(latents[-1], z_t, s, t)
            if not bool((step.variance > 0).all()):
                raise ValueError(
                    f"the step at level {level} has no width, so nothing that it drew can be told; take a kernel with a variance"
                )
            units.append(step.unit(z_s))
    return Code(z_t, latents, units)


def decode(chain: Chain, code: Code) -> Tensor:
    """The items (B, *E) of a code."""
    return _descend(chain, code, lambda level, step: step.draw(code.noise[level - 1], "draw"))


def reconstruct(chain: Chain, y: Tensor, noise: Noise) -> Tensor:
    """Items (B, *E) from z_L and latents of theirs; what the decoder draws besides is drawn anew."""

    def drawn(level: int, step: GaussianStep) -> Tensor:
        return step.draw(noise.at(level).normal("decoder", y.shape[1:], like=y), DEFAULT.last)

    return _descend(chain, encode(chain, y, noise), drawn)


def _descend(chain: Chain, code: Code, draw: Callable[[int, GaussianStep], Tensor]) -> Tensor:
    """z_0 from the z_L of a code and its latents, by what is drawn of each level's step."""
    z = code.z
    with evaluating(chain):
        for level, (s, t) in reversed(list(enumerate(chain.levels.pairs(), 1))):
            z = draw(level, chain.kernel(level).step(code.latents[level - 1], z, s, t))
    return z


def on_great_circle(a: Tensor, b: Tensor, share: float) -> Tensor:
    """From a to b (B, ...) each, item by item along the circle through both (Shoemake 1985); straight where they are parallel."""
    flat_a, flat_b = a.flatten(1), b.flatten(1)
    cosine = torch.cosine_similarity(flat_a, flat_b, dim=1).clamp(-1, 1)
    angle = cosine.acos()[:, None]
    parallel = angle.sin() < torch.finfo(a.dtype).eps ** 0.5
    of_a = torch.where(parallel, 1 - share, torch.sin((1 - share) * angle) / angle.sin())
    of_b = torch.where(parallel, share, torch.sin(share * angle) / angle.sin())
    return (of_a * flat_a + of_b * flat_b).reshape(a.shape)

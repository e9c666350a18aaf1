r"""Latents as a handle on items: the code of an item is everything that the chain would have drawn to generate it.

encode      a path z_1 ... z_L ~ q( . | y) and at each level a latent of the posterior; the decoder's noise is what
            is left, delta = (z_s - mean(epsilon, z_t)) / std(epsilon, z_t), and of data on bins the middle of what draws their bin
decode      the same steps downwards, the last a sample: decode(encode(y)) is y
reconstruct the same with other noise of the decoder, the last step its mode
interpolate codes on great circles: every part of a code is Gaussian a priori, and in many dimensions stays as long as Gaussians are;
            both ends go along the same noise, so that what changes between them is what tells them apart
vary        z_l of the item is kept, and everything cleaner is drawn anew
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from saltus.chain.modes import evaluating
from saltus.chain.process import ChainProcess, descend
from saltus.errors import SaltusError
from saltus.kernels import DEFAULT, GaussianStep, Transition
from saltus.process import Noise

__all__ = ["Code", "between", "decode", "encode", "on_great_circle", "reconstruct"]


@dataclass(frozen=True, eq=False)
class Code:
    """What items are made from.

    Attributes:
        z: z_L, (B, *E).
        latents: those of each step, cleanest first, (B, latent) each.
        noise: the decoder's noise of each step, likewise, (B, *E) each.
        condition: what the items are conditioned on, (B, ...); None for none.
    """

    z: Tensor
    latents: list[Tensor]
    noise: list[Tensor]
    condition: Tensor | None = None

    def map(self, change: Callable[..., Tensor], *others: Code) -> Code:
        """Every part of one or more codes changed by one function; the condition stays that of the first."""
        latents = [change(*parts) for parts in zip(self.latents, *(other.latents for other in others), strict=True)]
        noise = [change(*parts) for parts in zip(self.noise, *(other.noise for other in others), strict=True)]
        return Code(change(self.z, *(other.z for other in others)), latents, noise, self.condition)


def encode(chain: ChainProcess, y: Tensor, noise: Noise, condition: Tensor | None = None) -> Code:
    """The code of items (B, *E) on one path each."""
    latents, drawn = [], []
    with evaluating(chain):
        for level, pair in chain.forward_path(y, noise, condition):
            explanation = chain.kernel(level).explain(pair, noise.at(level))
            step = explanation.step
            if step is None:
                raise SaltusError(
                    f"the kernel at level {level} is no Gaussian step given a latent; take a Gaussian or VAE kernel, "
                    "and train with --no-closed-forms"
                )
            if not bool((step.variance > 0).all()):
                raise SaltusError(
                    f"the step at level {level} has no width, so nothing that it drew can be told; take a kernel with a variance"
                )
            latents.append(explanation.latent)
            drawn.append(step.eps(pair.z_s))
    return Code(pair.z_t, latents, drawn, condition)


def decode(chain: ChainProcess, code: Code) -> Tensor:
    """The items (B, *E) of a code."""
    return _descend(chain, code, lambda level, step: step.sample(code.noise[level - 1], "sample"))


def reconstruct(chain: ChainProcess, y: Tensor, noise: Noise, condition: Tensor | None = None) -> Tensor:
    """Items (B, *E) from z_L and latents of theirs; what the decoder draws besides is drawn anew."""

    def draw(level: int, step: GaussianStep) -> Tensor:
        return step.sample(noise.at(level).normal("decoder", y.shape[1:], like=y), DEFAULT.final)

    return _descend(chain, encode(chain, y, noise, condition), draw)


def _descend(chain: ChainProcess, code: Code, draw: Callable[[int, GaussianStep], Tensor]) -> Tensor:
    """z_0 from the z_L of a code and its latents, by what is drawn of each level's step."""

    def step(level: int, transition: Transition) -> Tensor:
        return draw(level, chain.kernel(level).step(transition, code.latents[level - 1]))

    with evaluating(chain):
        *_, z_0 = descend(code.z, chain.levels, step, condition=code.condition)
    return z_0


def between(one: Code, other: Code, n: int) -> list[Code]:
    """n codes from one to another, both included, even along great circles."""
    shares = torch.linspace(0, 1, n).tolist()
    return [one.map(partial(on_great_circle, share=share), other) for share in shares]


def on_great_circle(a: Tensor, b: Tensor, share: float) -> Tensor:
    """From a to b (B, ...) each, item by item along the circle through both (Shoemake 1985, https://doi.org/10.1145/325165.325242);
    straight where they are parallel."""
    flat_a, flat_b = a.flatten(1), b.flatten(1)
    cosine = torch.cosine_similarity(flat_a, flat_b, dim=1).clamp(-1, 1)
    angle = cosine.acos()[:, None]
    parallel = angle.sin() < torch.finfo(a.dtype).eps ** 0.5
    of_a = torch.where(parallel, 1 - share, torch.sin((1 - share) * angle) / angle.sin())
    of_b = torch.where(parallel, share, torch.sin(share * angle) / angle.sin())
    return (of_a * flat_a + of_b * flat_b).reshape(a.shape)

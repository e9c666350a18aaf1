"""Small chains that are exported."""

from __future__ import annotations

import torch

from saltus.chain import Chain, OraclePrior
from saltus.data import Binned
from saltus.levels import Levels
from saltus.likelihoods import DiscretisedHead
from saltus.networks import ClassCondition, MLPEncoder
from saltus.oracles import LowRankMixture
from tests.helpers.stubs import randomise, small_vae

__all__ = ["pictures", "started"]

IMAGE = (1, 4, 4)


def mixture(labels: list[int] | None) -> LowRankMixture:
    """Of three components, whose means lie apart."""
    generator = torch.Generator().manual_seed(0)
    means = torch.tensor([-1.0, 0.0, 1.0]).reshape(3, 1, 1, 1).expand(3, *IMAGE)
    factors = 0.2 * torch.randn(3, 16, 2, generator=generator)
    return LowRankMixture(torch.tensor([0.2, 0.5, 0.3]), means, factors, torch.full((3, 16), 0.1), labels)


def pictures(*, labels: list[int] | None = None, classes: str = "", levels: tuple[float, ...] = (0.0, 0.4), bins: int = 17) -> Chain:
    """A VAE chain of images with 17 grey values, which starts from a mixture of such labels; its network is untrained."""
    torch.manual_seed(0)
    condition = ClassCondition([*classes], [1.0] * len(classes)) if classes else None
    kernel = small_vae(IMAGE, MLPEncoder(IMAGE, latent=2), DiscretisedHead(bins), condition=condition)
    randomise(kernel)
    return Chain(OraclePrior(mixture(labels)), Levels(levels), kernel, encoding=Binned("gray", IMAGE[1:], 0, bins - 1, "uint8"))


def started() -> Chain:
    """Of two classes, the first of two components."""
    return pictures(labels=[0, 0, 1], classes="ab")

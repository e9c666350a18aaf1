"""The use of latents: a step with two modes shows what they are worth, and one that ignores its latent says so."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from saltus.chain import Chain, StandardNormal
from saltus.evaluation import LatentUse, latent_use
from saltus.kernels import Preconditioned, Prediction, VAEKernel
from saltus.levels import Levels
from saltus.likelihoods import GaussianHead
from saltus.networks import MLP

RAW_STD = -4.0
STD = math.log2(1 + 2**RAW_STD)
LEVELS = Levels([0.0, 3.0])
ONE_ITEM = 0.5 * math.log(2 * math.pi)


class Signs(Preconditioned):
    """yhat = the sign of the latent, or 0 for a decoder that is deaf to it, with a small standard deviation or that of the signs."""

    def __init__(self, deaf: bool) -> None:
        super().__init__(MLP((1,), outputs=2, latent=1, width=8, depth=1))
        self.deaf = deaf
        self.double()

    def forward(self, z: Tensor, log_snr: Tensor, latent: Tensor | None = None, condition: Tensor | None = None) -> Prediction:
        assert latent is not None
        scale = torch.ones_like(z)
        if self.deaf:
            return Prediction(torch.zeros_like(z), torch.zeros_like(z), scale)
        return Prediction(latent.sign(), torch.full_like(z, RAW_STD), scale)


class Knows(nn.Module):
    """q(epsilon | y) = N(sign(y), 0.01), or the prior."""

    latent = 1

    def __init__(self, deaf: bool) -> None:
        super().__init__()
        self.deaf = deaf

    def forward(self, pair: Tensor, log_snr: Tensor, condition: Tensor | None = None) -> Tensor:
        mean = torch.zeros_like(pair[:, 0]) if self.deaf else pair[:, 0].sign()
        return torch.stack([mean, torch.full_like(mean, 0.0 if self.deaf else -7.0)], dim=1)


def use(deaf: bool) -> list[LatentUse]:
    y = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(500)[:, None]
    kernel = VAEKernel(Signs(deaf), Knows(deaf), GaussianHead(1e-3))
    return latent_use(Chain(StandardNormal(), LEVELS, kernel), y)


def test_two_modes_are_worth_what_a_gaussian_over_both_would_cost() -> None:
    (found,) = use(deaf=False)
    assert found.active_units == 1
    assert found.nats - found.kl == pytest.approx(ONE_ITEM + math.log(STD), abs=1e-9)
    assert found.gaussian_nats == pytest.approx(ONE_ITEM + 0.5, abs=4 * found.gain_error)  # N(0, 1) over both signs
    assert "1 active units" in str(found)
    assert found.gain == pytest.approx(found.gaussian_nats - found.nats, abs=1e-9)
    assert f"{-found.gain:.2f} ± {found.gain_error:.2f} more than a Gaussian step;" in str(found)  # this encoder tells more than the sign


def test_a_latent_that_nobody_hears_is_said_not_to_be_used() -> None:
    (found,) = use(deaf=True)
    assert found.active_units == found.kl == 0
    assert found.gaussian_nats == pytest.approx(found.nats, abs=1e-9)
    assert "the latent is not used" in str(found)
    assert str(found).startswith("level 1 (t 3 to 0): 1.419 nats, 0.00 ± 0.00")

"""The use of latents: a step with two modes shows what they are worth, and one that ignores its latent says so."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from saltus.chain import Chain, StandardNormal
from saltus.data import digits
from saltus.evaluation import LatentUse, latent_use
from saltus.kernels import Preconditioned, Prediction, VAEKernel
from saltus.levels import Levels
from saltus.likelihoods import GaussianHead
from saltus.networks import MLP, MLPEncoder
from saltus.training import Config, build_chain
from tests.helpers.chains import HEAD, chain_of, data_for, grid
from tests.helpers.stubs import randomise, small_vae

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
    assert "1 active unit, " in str(found)
    assert found.gain == pytest.approx(found.gaussian_nats - found.nats, abs=1e-9)
    assert f"{-found.gain:.2f} ± {found.gain_error:.2f} more than a Gaussian step;" in str(found)  # this encoder tells more than the sign


def test_a_latent_that_nobody_hears_is_said_not_to_be_used() -> None:
    (found,) = use(deaf=True)
    assert found.active_units == found.kl == 0
    assert found.gaussian_nats == pytest.approx(found.nats, abs=1e-9)
    assert "the latent is not used" in str(found)
    assert str(found).startswith("level 1 (t 3 to 0): 1.419 nats, 0.00 ± 0.00")


def test_the_nats_of_a_step_are_those_of_the_bound() -> None:
    chain, y = chain_of("vae"), data_for("vae")
    for k in (1, 3):
        bound, found = chain.bound(y, seed=4, importance_samples=k), latent_use(chain, y, seed=4, importance_samples=k)
        assert [use.level for use in found] == [1, 2, 3]
        assert [(use.s, use.t) for use in found] == chain.levels.pairs()
        assert [use.nats for use in found] == pytest.approx(bound.per_level.mean(1).tolist())
        assert [use.active_units for use in found] == bound.active_units
    assert [use.nats for use in latent_use(chain, y, seed=5)] != pytest.approx(bound.per_level.mean(1).tolist())


def test_steps_without_a_latent_are_left_out() -> None:
    with_latent = small_vae((2,), MLPEncoder((2,), latent=3, width=16), HEAD)
    chain = Chain(StandardNormal(), grid(3), [small_vae((2,), None, HEAD), with_latent, small_vae((2,), None, HEAD)])
    assert [use.level for use in latent_use(chain, data_for("vae"))] == [2]
    assert latent_use(chain_of("no latent"), data_for("vae")) == []


def test_a_conditioned_step_is_told_the_conditions_of_its_items_however_many_they_are() -> None:
    data = digits("labels")
    config = Config(condition="labels", levels=2, updates=1, width=16)
    chain = build_chain(config, data)
    randomise(chain)
    y, given = data.train[:300], data.conditions.train[:300]
    for level, use in enumerate(latent_use(chain, y, condition=given, seed=1), 1):
        assert use.nats == pytest.approx(float(chain.bound(y, condition=given, seed=1).per_level[level - 1].mean()), rel=1e-5)
    right, wrong, absent = (latent_use(chain, y, condition=c, seed=1)[0].gaussian_nats for c in (given, given.flip(0), None))
    assert len({round(figure, 6) for figure in (right, wrong, absent)}) == 3

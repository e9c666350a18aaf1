"""The ladder: climbing and being given the latents are the same step, rungs have the laws they say, and every part learns."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from saltus.chain import Chain, StandardNormal
from saltus.errors import SaltusError
from saltus.kernels import LadderKernel
from saltus.levels import Levels
from saltus.likelihoods import DiscretisedHead
from saltus.networks import Ladder, LadderEncoder, Scaled
from saltus.process import Noise, OrnsteinUhlenbeck
from tests.helpers.checks import STANDARD_ERRORS, standard_error
from tests.helpers.stubs import randomise

CHANNELS = (8, 16)
S, T = 0.1, 0.6

ROUNDING = 1e-4  # float32 through the same layers twice


def kernel(shape: tuple[int, int, int] = (1, 8, 8), encoder_input: str = "z_s", patch: int = 1) -> LadderKernel:
    torch.manual_seed(0)
    ladder = Scaled(Ladder(shape, channels=CHANNELS, rungs=2, k=2, patch=patch))
    made = LadderKernel(ladder, LadderEncoder(shape, channels=CHANNELS, patch=patch), DiscretisedHead(256), encoder_input=encoder_input)
    randomise(made)
    return made


def items(n: int, shape: tuple[int, int, int] = (1, 8, 8)) -> Tensor:
    """On the bins of the head."""
    return torch.randint(0, 256, (n, *shape), generator=torch.Generator().manual_seed(1)) / 127.5 - 1


@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 7)])
@torch.no_grad()
def test_climbing_and_being_given_the_same_latents_are_the_same_step(shape: tuple[int, int, int], patch: int) -> None:
    """The encoder's latents decode to what the terms were computed from."""
    made, y = kernel(shape, patch=patch), items(3, shape)
    noise = Noise(0, 0, 3)
    unit = noise.normal("encoder", (made.latent,), like=y)
    latent, law = made.infer(y, y, y, S, T, unit)
    assert latent.shape == law.loc.shape == (3, made.latent)
    assert torch.allclose(latent, law.loc + law.scale * unit, atol=1e-5)
    decoded = made.step(latent, y, S, T).negative_log_prob(y)
    assert torch.allclose(made.terms(y, y, y, S, T, noise=noise)["decoder"], decoded, rtol=ROUNDING)
    assert not torch.allclose(made.step(latent.roll(1, 0), y, S, T).negative_log_prob(y), decoded, rtol=ROUNDING)


@torch.no_grad()
def test_latents_keep_their_precision_where_layers_have_less() -> None:
    """The KL is a small difference of numbers near 1: in bfloat16, of which 0.99 is 0.988, it would be noise."""
    made, y = kernel(), items(3)
    with torch.autocast("cpu", torch.bfloat16):
        latent, law = made.infer(y, y, y, S, T, torch.zeros(3, made.latent))
        assert made.decoder.backbone.last(torch.zeros(1, CHANNELS[0], 8, 8)).dtype == torch.bfloat16
    assert latent.dtype == law.loc.dtype == law.scale.dtype == torch.float32


@torch.no_grad()
def test_lower_rungs_hear_the_rungs_above_and_not_the_other_way() -> None:
    made, y = kernel(), items(1)
    unit = torch.zeros(1, made.latent)
    _, law = made.infer(y, y, y, S, T, unit)
    sizes = [math.prod(shape) for shape in made.decoder.backbone.shapes]
    for rung in range(len(sizes)):
        moved = unit.clone()
        moved[:, sum(sizes[:rung]) : sum(sizes[: rung + 1])] = 2.0
        _, other = made.infer(y, y, y, S, T, moved)
        same = torch.isclose(law.loc, other.loc, atol=1e-6)[0].split(sizes)
        assert all(part.all() for part in same[: rung + 1])
        assert not any(part.all() for part in same[rung + 1 :])


@pytest.mark.parametrize("encoder_input", ["z_s", "y"])
@torch.no_grad()
def test_the_terms_are_those_of_both_joint_laws(encoder_input: str) -> None:
    """KL, decoder and entropy against log densities of all latents and of z_s, averaged over many draws."""
    made, n, process = kernel(encoder_input=encoder_input), 4000, OrnsteinUhlenbeck()
    y, z_t = items(1).expand(n, 1, 8, 8), items(2)[1:].expand(n, 1, 8, 8)
    bridge = process.bridge(z_t, y, S, T)
    torch.manual_seed(2)
    z_s, noise = bridge.sample(), Noise(3, 0, n)
    terms = made.terms(y, z_s, z_t, S, T, noise=noise)
    epsilon, law = made.infer(y, z_s, z_t, S, T, noise.normal("encoder", (made.latent,), like=y))
    step = made.step(epsilon, z_t, S, T)
    log_p = Normal(0.0, 1.0).log_prob(epsilon).sum(1) + Normal(step.mean, step.variance.sqrt()).log_prob(z_s).sum((1, 2, 3))
    log_q = law.log_prob(epsilon).sum(1) + bridge.log_prob(z_s)
    difference = torch.stack(list(terms.values())).sum(0) - (log_q - log_p)
    assert abs(float(difference.mean())) <= STANDARD_ERRORS * standard_error(difference)
    without = difference - terms["kl"]  # the twin
    assert abs(float(without.mean())) > STANDARD_ERRORS * standard_error(without)


@torch.no_grad()
def test_more_latents_tighten() -> None:
    made, n, process = kernel(), 500, OrnsteinUhlenbeck()
    y, for_s, for_t = items(n), *torch.randn(2, n, 1, 8, 8, generator=torch.Generator().manual_seed(4))
    z_s = process.noised(y, S, for_s)
    z_t = process.noised(z_s, T - S, for_t)
    one, many = (sum(made.tightened(y, z_s, z_t, S, T, noise=Noise(5, 0, n), latents=k).values()) for k in (1, 8))
    plain = sum(made.terms(y, z_s, z_t, S, T, noise=Noise(5, 0, n)).values())
    assert abs(float((one - plain).mean())) <= STANDARD_ERRORS * standard_error(one - plain)
    assert float((many - one).mean()) < -STANDARD_ERRORS * standard_error(many - one)


@pytest.mark.parametrize("patch", [1, 2])
def test_every_part_learns(patch: int) -> None:
    made, y = kernel(patch=patch), items(4)
    sum(made.loss(y, y, y, S, T, noise=Noise(0, 0, 4), weights={"data": 1.0}).values()).sum().backward()
    assert [name for name, weight in made.named_parameters() if weight.grad is None or not weight.grad.any()] == []


@torch.no_grad()
def test_a_chain_of_ladders_is_kept_and_items_are_apart(tmp_path: Path) -> None:
    chain = Chain(StandardNormal(), Levels([0.0, 0.5, 2.0]), kernel())
    chain.save(tmp_path)
    again = Chain.load(tmp_path)
    assert torch.equal(again.sample(3, seed=1), chain.sample(3, seed=1))
    assert torch.allclose(chain.sample(3, seed=1, batch=1), chain.sample(3, seed=1), atol=1e-4)
    bound = chain.bound(items(5))
    assert bound.kl.shape == (2, 5)
    assert all(value is not None and value > 0 for value in bound.aggregate_kl)
    assert torch.allclose(chain.decode(chain.encode(items(2))), items(2), atol=1e-6)  # on the same bins


def test_vectors_have_no_ladder() -> None:
    with pytest.raises(SaltusError, match="a ladder takes images"):
        Ladder((5,))

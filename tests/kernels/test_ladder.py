"""The ladder: a posterior pass and a step given its latents are the same, groups have the distributions they say, and every part learns."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from saltus.chain import Chain, StandardNormal
from saltus.kernels import LadderKernel, Pair, Preconditioned
from saltus.levels import Levels
from saltus.likelihoods import DiscretisedHead
from saltus.networks import Ladder, LadderEncoder
from saltus.process import Noise, OrnsteinUhlenbeck
from tests.helpers.checks import STANDARD_ERRORS, standard_error
from tests.helpers.stubs import GivenNoise, randomise

CHANNELS = (8, 16)
S, T = 0.1, 0.6

ROUNDING = 1e-4  # float32 through the same layers twice


def kernel(shape: tuple[int, int, int] = (1, 8, 8), patch: int = 1, **options: str) -> LadderKernel:
    torch.manual_seed(0)
    ladder = Preconditioned(Ladder(shape, channels=CHANNELS, groups=2, k=2, patch=patch))
    made = LadderKernel(ladder, LadderEncoder(shape, channels=CHANNELS, patch=patch), DiscretisedHead(256), **options)
    randomise(made)
    return made


def items(n: int, shape: tuple[int, int, int] = (1, 8, 8)) -> Tensor:
    """On the bins of the head."""
    return torch.randint(0, 256, (n, *shape), generator=torch.Generator().manual_seed(1)) / 127.5 - 1


def posterior_pass(made: LadderKernel, pair: Pair, eps: Tensor) -> tuple[Tensor, Normal]:
    """The latents that unit noise (B, latent) draws, and their posterior."""
    explanation = made.explain(pair, GivenNoise(0, 0, len(eps), normals={"encoder": eps}))
    return explanation.latent, explanation.posterior


@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 7)])
@pytest.mark.parametrize("parametrisation", ["bridge", "direct"])
@torch.no_grad()
def test_a_posterior_pass_and_a_step_given_its_latents_are_the_same(shape: tuple[int, int, int], patch: int, parametrisation: str) -> None:
    """The encoder's latents decode to what the terms were computed from."""
    made, y = kernel(shape, patch, parametrisation=parametrisation), items(3, shape)
    pair, noise = Pair(y, S, T, y=y, z_s=y), Noise(0, 0, 3)
    eps = noise.normal("encoder", (made.latent,), like=y)
    explanation = made.explain(pair, noise)
    latent, posterior = explanation.latent, explanation.posterior
    assert latent.shape == posterior.loc.shape == (3, made.latent)
    assert torch.allclose(latent, posterior.loc + posterior.scale * eps, atol=1e-5)
    decoded = made.step(pair, latent)
    assert torch.allclose(explanation.step.mean, decoded.mean, atol=ROUNDING)
    assert torch.allclose(explanation.terms["decoder"], decoded.negative_log_prob(y), rtol=ROUNDING)
    other = made.step(pair, latent.roll(1, 0)).negative_log_prob(y)
    assert not torch.allclose(other, explanation.terms["decoder"], rtol=ROUNDING)


@torch.no_grad()
def test_latents_keep_their_precision_where_layers_have_less() -> None:
    """The KL is a small difference of numbers near 1: in bfloat16, of which 0.99 is 0.988, it would be noise."""
    made, y = kernel(), items(3)
    with torch.autocast("cpu", torch.bfloat16):
        latent, posterior = posterior_pass(made, Pair(y, S, T, y=y, z_s=y), torch.zeros(3, made.latent))
        assert made.decoder.backbone.last(torch.zeros(1, CHANNELS[0], 8, 8)).dtype == torch.bfloat16
    assert latent.dtype == posterior.loc.dtype == posterior.scale.dtype == torch.float32


@torch.no_grad()
def test_finer_groups_hear_the_coarser_ones_and_not_the_other_way() -> None:
    made, y = kernel(), items(1)
    pair, eps = Pair(y, S, T, y=y, z_s=y), torch.zeros(1, made.latent)
    _, posterior = posterior_pass(made, pair, eps)
    sizes = [math.prod(shape) for shape in made.decoder.backbone.shapes]
    assert len(sizes) == 4
    for group in range(len(sizes)):
        moved = eps.clone()
        moved[:, sum(sizes[:group]) : sum(sizes[: group + 1])] = 2.0
        _, other = posterior_pass(made, pair, moved)
        same = torch.isclose(posterior.loc, other.loc, atol=1e-6)[0].split(sizes)
        assert all(part.all() for part in same[: group + 1])
        assert not any(part.all() for part in same[group + 1 :])


@pytest.mark.parametrize("encoder_input", ["z_s", "y"])
@torch.no_grad()
def test_the_terms_are_those_of_both_joint_distributions(encoder_input: str) -> None:
    """KL, decoder and entropy against log densities of all latents and of z_s, averaged over many draws."""
    made, n, process = kernel(encoder_input=encoder_input), 4000, OrnsteinUhlenbeck()
    y, z_t = items(1).expand(n, 1, 8, 8), items(2)[1:].expand(n, 1, 8, 8)
    bridge = process.bridge(z_t, y, S, T)
    torch.manual_seed(2)
    z_s, noise = bridge.sample(), Noise(3, 0, n)
    pair = Pair(z_t, S, T, y=y, z_s=z_s)
    terms = made.explain(pair, noise).terms
    epsilon, posterior = posterior_pass(made, pair, noise.normal("encoder", (made.latent,), like=y))
    step = made.step(pair, epsilon)
    log_p = Normal(0.0, 1.0).log_prob(epsilon).sum(1) + Normal(step.mean, step.variance.sqrt()).log_prob(z_s).sum((1, 2, 3))
    log_q = posterior.log_prob(epsilon).sum(1) + bridge.log_prob(z_s)
    difference = torch.stack(list(terms.values())).sum(0) - (log_q - log_p)
    assert abs(float(difference.mean())) <= STANDARD_ERRORS * standard_error(difference)
    without = difference - terms["kl"]  # the twin
    assert abs(float(without.mean())) > STANDARD_ERRORS * standard_error(without)


@torch.no_grad()
def test_more_latents_tighten() -> None:
    """On average; two latents that are one give the plain bound of that one."""
    made, n, process = kernel(), 500, OrnsteinUhlenbeck()
    y, for_s, for_t = items(n), *torch.randn(2, n, 1, 8, 8, generator=torch.Generator().manual_seed(4))
    z_s = process.noised(y, S, for_s)
    pair = Pair(process.noised(z_s, T - S, for_t), S, T, y=y, z_s=z_s)
    eps = Noise(5, 0, n).normal("encoder", (made.latent,), like=y)
    twice = GivenNoise(0, 0, n, normals={"importance": torch.stack([eps, eps], dim=1)})
    plain, one, many = (
        sum(made.explain(pair, noise, k).terms.values()) for noise, k in [(Noise(5, 0, n), 1), (twice, 2), (Noise(5, 0, n), 8)]
    )
    assert abs(float((one - plain).mean())) <= STANDARD_ERRORS * standard_error(one - plain)
    assert float((many - plain).mean()) < -STANDARD_ERRORS * standard_error(many - plain)


@pytest.mark.parametrize("patch", [1, 2])
def test_every_part_learns(patch: int) -> None:
    made, y = kernel(patch=patch), items(4)
    sum(made.loss(Pair(y, S, T, y=y, z_s=y), Noise(0, 0, 4), {"data": 1.0}).values()).sum().backward()
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


@torch.no_grad()
def test_a_latent_is_drawn_group_by_group() -> None:
    """From the same noise it is the one of the posterior pass; a group that is changed changes the posteriors of those after it."""
    made, pair, noise = kernel(), Pair(torch.randn(3, 1, 8, 8), S, T, y=items(3), z_s=torch.randn(3, 1, 8, 8)), Noise(0, 0, 3)
    explained = made.explain(pair, noise)
    eps = noise.normal("encoder", (made.latent,), like=pair.z_t)
    distributions: list[tuple[Tensor, Tensor]] = []

    def draw(mean: Tensor, std: Tensor) -> Tensor:
        start = sum(distribution[0].shape[1] for distribution in distributions)
        distributions.append((mean, std))
        return mean + std * eps[:, start : start + mean.shape[1]]

    torch.testing.assert_close(made.latent_of(pair, draw), explained.latent)
    assert len(distributions) == 4
    torch.testing.assert_close(torch.cat([mean for mean, _ in distributions], 1), explained.posterior.loc)
    torch.testing.assert_close(torch.cat([std for _, std in distributions], 1), explained.posterior.scale)
    first, eps = list(distributions), eps + 1
    distributions.clear()
    made.latent_of(pair, draw)
    torch.testing.assert_close(distributions[0][0], first[0][0])
    assert not torch.allclose(distributions[1][0], first[1][0])

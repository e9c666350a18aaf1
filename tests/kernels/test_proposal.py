"""Proposals: latents weigh their prior over what they were drawn with, and every step is weighed without bias."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from saltus.kernels import Known, LadderKernel, Pair, Preconditioned, Transition, VAEKernel
from saltus.likelihoods import DiscretisedHead
from saltus.networks import Ladder, LadderEncoder, MLPEncoder
from saltus.process import Measurement, Noise
from tests.helpers.checks import mean_is
from tests.helpers.stubs import randomise, small_vae

N, S, T = 20_000, 0.1, 0.6


def vae() -> VAEKernel:
    torch.manual_seed(0)
    made = small_vae((2,), MLPEncoder((2,), latent=2, width=16), DiscretisedHead(3))
    randomise(made)
    return made


def pair_of(kernel: VAEKernel, n: int) -> Pair:
    y, z_s, z_t = (torch.randn(1, *kernel.event_shape, generator=torch.Generator().manual_seed(seed)) for seed in range(3))
    return Pair(z_t.expand(n, -1), S, T, y=y.expand(n, -1), z_s=z_s.expand(n, -1))


@torch.no_grad()
@pytest.mark.parametrize("told", [0.0, 0.5, 1.0])
def test_a_guessed_latent_weighs_its_prior(told: float) -> None:
    """The mean of p / r is 1, and what a guess expects is what the prior does, so weighed; not so without the weights."""
    kernel = vae()
    pair, noise = pair_of(kernel, N), Noise(0, 0, N)
    step, log_ratio = kernel.guess(pair, torch.full((2,), told), noise)
    weight = log_ratio.exp()
    assert mean_is(weight, 1.0) or float((weight - 1).abs().max()) < 1e-6
    prior = kernel.step(pair, torch.randn(N, 2, generator=torch.Generator().manual_seed(1))).mean[:, 0].double()
    prior, values = ((each - prior.mean()).square() for each in (prior, step.mean[:, 0].double()))
    assert mean_is(weight * values - prior, 0.0)
    if told:
        assert not mean_is(values - prior, 0.0)


@torch.no_grad()
def test_a_ladder_guesses_by_what_lies_over_each_place() -> None:
    torch.manual_seed(0)
    shape = (1, 8, 8)
    ladder = Ladder(shape, channels=(8, 16), groups=1, k=2)
    kernel = LadderKernel(Preconditioned(ladder), LadderEncoder(shape, channels=(8, 16)), DiscretisedHead(256))
    randomise(kernel)
    told = torch.zeros(shape)
    told[:, :4] = 1
    shares = [part.squeeze(0) for part in ladder._arrays(ladder.shares(told)[None])]
    assert all(bool((part[:, : part.shape[1] // 2] == 1).all() and (part[:, part.shape[1] // 2 :] == 0).all()) for part in shares)
    y, z_s, z_t = torch.randn(3, 1, *shape).unbind(0)
    pair = Pair(z_t.expand(64, *shape), S, T, y=y.expand(64, *shape), z_s=z_s.expand(64, *shape))
    _, nothing = kernel.guess(pair, torch.zeros(shape), Noise(0, 0, 64))
    assert float(nothing.abs().max()) < 1e-4  # the prior alone
    _, some = kernel.guess(pair, told, Noise(0, 0, 64))
    assert float(some.std()) > 1e-2


@torch.no_grad()
def test_a_step_is_weighed_without_bias() -> None:
    """What z_s is expected to be under the step, from proposals on the way to an item that it hardly draws."""
    kernel, n = vae(), 40_000
    z_t = torch.tensor([[0.2, -0.5]]).expand(n, 2)
    known = Known(Measurement.of_known(torch.tensor([True, False])), torch.tensor([1.0]))
    found = kernel.propose(Transition(z_t, S, T), known, None, Noise(0, 0, n))
    drawn = kernel.sample(Transition(z_t, S, T), Noise(1, 0, n))

    def agree(weight: Tensor) -> bool:
        shown = (lambda z: z[:, 0], lambda z: z[:, 1], lambda z: z[:, 0] * z[:, 1])
        return all(mean_is(weight * show(found.z_s).double() - show(drawn).double(), 0.0) for show in shown)

    assert agree(found.log_weight.exp())
    assert not agree(torch.ones(n, dtype=torch.float64))

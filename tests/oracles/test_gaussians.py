"""Gaussians with few factors: what x and its factors tell of each other makes one joint distribution."""

from __future__ import annotations

import torch
from torch.distributions import Normal

from saltus.oracles.gaussians import LowRankGaussians

K, D, R, N = 3, 5, 2, 7


def test_factors_and_numbers_have_one_joint_distribution() -> None:
    """ln p(x | u) + ln p(u) - ln p(u | x) is ln p(x) for every u."""
    torch.manual_seed(0)
    mean, factors, diagonal = torch.randn(K, D).double(), torch.randn(K, D, R).double(), torch.rand(K, D).double() + 0.1
    distributions = LowRankGaussians.of(mean, factors, diagonal)
    x, u, k = 2 * torch.randn(N, D).double(), torch.randn(N, R).double(), torch.arange(N) % K
    given, prior, back = (
        Normal(*distributions.given_factors(u, k)),
        Normal(torch.zeros_like(u), 1.0),
        Normal(*distributions.factors_given(x, k)),
    )
    found = given.log_prob(x).sum(1) + prior.log_prob(u).sum(1) - back.log_prob(u).sum(1)
    dense = torch.distributions.MultivariateNormal(mean[k], (factors @ factors.mT + torch.diag_embed(diagonal))[k])
    torch.testing.assert_close(found, dense.log_prob(x))
    wrong = Normal(back.loc, back.scale * 1.01)
    assert not torch.allclose(found, found + back.log_prob(u).sum(1) - wrong.log_prob(u).sum(1))  # the twin that must fail


def test_a_direction_of_no_length_is_as_if_it_were_not_there() -> None:
    distributions = LowRankGaussians.of(torch.zeros(1, D).double(), torch.zeros(1, D, R).double(), torch.ones(1, D).double())
    x, k = torch.randn(N, D).double(), torch.zeros(N, dtype=torch.int64)
    mean, std = distributions.factors_given(x, k)
    assert not mean.any()
    assert bool((std == 1).all())

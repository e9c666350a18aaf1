"""A chain that starts from a mixture may start from noise: by one exact step more."""

from __future__ import annotations

import math

import pytest
import torch

from saltus.chain import Chain, OraclePrior, StandardNormal, started, starts
from saltus.errors import SaltusError
from saltus.kernels import OracleKernel
from saltus.levels import Levels
from saltus.oracles import GaussianMixture
from tests.helpers.checks import assert_one_sentence

MIXTURE = GaussianMixture(
    torch.tensor([0.3, 0.7], dtype=torch.float64),
    torch.tensor([[-2.0, 0.0], [1.0, 1.0]], dtype=torch.float64),
    0.04 * torch.eye(2, dtype=torch.float64).expand(2, 2, 2),
)
CHAIN = Chain(OraclePrior(MIXTURE), Levels([0, 0.5]), OracleKernel(MIXTURE))
N = 4000


def test_a_chain_has_its_own_start_first() -> None:
    assert starts(CHAIN) == ("mixture", "noise")
    assert starts(Chain(StandardNormal(), Levels([0, 0.5]), OracleKernel(MIXTURE))) == ("noise",)
    assert started(CHAIN, "mixture") is CHAIN


def test_z_L_from_noise_has_the_distribution_of_the_mixture() -> None:
    """Moments of z_L within five standard errors; those of the noise itself are far."""
    path = started(CHAIN, "noise").sample(N, seed=0, return_path=True)
    assert path.shape == (3, N, 2)
    own = CHAIN.sample(N, seed=1, return_path=True)[1]
    for moment in (lambda z: z, lambda z: z.square(), lambda z: z[:, :1] * z[:, 1:]):
        a, b, noise = (moment(z) for z in (path[1], own, path[2]))
        error = math.sqrt(2 / N) * b.std(0)
        assert bool(((a.mean(0) - b.mean(0)).abs() < 5 * error).all())
    assert bool(((noise.mean(0) - b.mean(0)).abs() > 5 * error).any()), "the twin"


def test_another_start_is_refused() -> None:
    with pytest.raises(SaltusError) as caught:
        started(Chain(StandardNormal(), Levels([0, 0.5]), OracleKernel(MIXTURE)), "mixture")
    assert_one_sentence(caught.value, "mixture", "noise")


def test_a_late_mixture_starts_later_still() -> None:
    late = Chain(OraclePrior(MIXTURE), Levels([0, 6.0]), OracleKernel(MIXTURE))
    assert list(started(late, "noise").levels) == [0.0, 6.0, 7.0]

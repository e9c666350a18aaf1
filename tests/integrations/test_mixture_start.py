"""The draw of a mixture in a graph is the oracle's own, for the same random numbers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from saltus.chain import Chain, OraclePrior, StandardNormal
from saltus.errors import SaltusError
from saltus.integrations.mixture_start import start_of
from saltus.levels import Levels
from saltus.oracles import FiniteData
from saltus.process import Noise
from tests.helpers.exported import IMAGE, pictures
from tests.helpers.stubs import small_vae

N = 500
CASES = {
    "no classes": (pictures(), None),
    "classes that the mixture knows": (pictures(labels=[0, 0, 1], classes="ab"), torch.arange(N) % 3 - 1),
    "classes that it does not know": (pictures(classes="ab"), torch.arange(N) % 3 - 1),
}


@pytest.mark.parametrize("name", CASES)
def test_draws_are_those_of_the_prior(name: str) -> None:
    chain, condition = CASES[name]
    start, noise = start_of(chain), Noise(0, 0, N, 1)
    assert start is not None
    drawn = start(noise.uniform("prior component").float(), noise.normal("prior", IMAGE).float(), condition)
    expected = chain.prior.sample(IMAGE, chain.levels.last, noise, condition)
    assert drawn.dtype == torch.float32
    assert float((drawn - expected).abs().max()) < 1e-5
    other: Tensor = start(Noise(1, 0, N, 1).uniform("prior component").float(), noise.normal("prior", IMAGE).float(), condition)
    assert not torch.allclose(drawn, other, atol=0.1)


def test_a_class_keeps_its_components() -> None:
    chain, _ = CASES["classes that the mixture knows"]
    start, noise = start_of(chain), Noise(0, 0, N)
    assert start is not None
    means = [
        start(noise.uniform("u").float(), torch.zeros(N, *IMAGE), torch.full((N,), label)).mean((1, 2, 3)).round(decimals=3).unique()
        for label in (0, 1)
    ]
    assert [len(found) for found in means] == [2, 1]


def test_the_standard_normal_needs_no_tables_and_points_are_refused() -> None:
    plain = pictures()
    kernel = small_vae((2,), None, plain.kernel(1).head or pytest.fail("a head"))
    assert start_of(Chain(StandardNormal(), Levels((0.0, 1.0)), kernel)) is None
    with pytest.raises(SaltusError, match="starts from a FiniteData"):
        start_of(Chain(OraclePrior(FiniteData(torch.zeros(3, 2))), Levels((0.0, 1.0)), kernel))

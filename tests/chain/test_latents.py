"""Codes: encoding inverts, interpolation goes from one item to the other, and variations share what they should."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import pytest
import torch

from saltus.chain import Chain, OraclePrior, StandardNormal
from saltus.chain.latents import on_great_circle
from saltus.data import digits
from saltus.errors import SaltusError
from saltus.kernels import OracleKernel, Preconditioned, Sampling, VAEKernel, Variance
from saltus.levels import Levels
from saltus.networks import MLP, ClassCondition, MLPEncoder
from saltus.pretrained import run_folder
from tests.helpers.chains import COVARIANCES, HEAD, MEANS, MIXTURE, WEIGHTS, chain_of, data_for, grid
from tests.helpers.checks import assert_one_sentence, follows, mixture_cdf
from tests.helpers.stubs import randomise

CODED = ["gaussian", "vae", "direct vae", "no latent", "one for each level"]
ROUNDING = 1e-4  # float32 through four networks, whose small standard deviations divide


@pytest.mark.parametrize("name", CODED)
def test_decoding_inverts_encoding(name: str) -> None:
    chain, y = chain_of(name), data_for(name)
    code = chain.encode(y, seed=3)
    assert torch.allclose(chain.decode(code), y, atol=ROUNDING)
    assert [len(part) for part in (code.latents, code.noise)] == [chain.levels.L] * 2
    assert [latent.shape[1] for latent in code.latents] == [chain.kernel(l).latent for l in range(1, chain.levels.L + 1)]
    if any(latent.numel() for latent in code.latents):
        assert not torch.allclose(chain.reconstruct(y, seed=3), y, atol=ROUNDING)


@pytest.mark.parametrize("name", CODED)
def test_interpolation_goes_from_one_item_to_the_other(name: str) -> None:
    chain, y = chain_of(name), data_for(name)
    way = chain.interpolate(y, y.flip(0), 5)
    assert way.shape == (5, *y.shape)
    assert torch.allclose(way[0], y, atol=ROUNDING)
    assert torch.allclose(way[-1], y.flip(0), atol=ROUNDING)
    assert not torch.allclose(way[2], (y + y.flip(0)) / 2, atol=0.1)


def test_half_way_between_two_digits_the_model_finds_a_digit() -> None:
    """In bits it costs much less than the mean of their pixels does, and lies on the bins as data do."""
    chain, y = Chain.load(run_folder("digits")), digits().test
    a, b = y[: len(y) // 2], y[len(y) // 2 : len(y) // 2 * 2]
    head = digits().encoding.head()
    mixed = head.mode((a + b) / 2, torch.ones_like(a))
    less = chain.bound(mixed).bits_per_dim - chain.bound(chain.interpolate(a, b, 3)[1]).bits_per_dim
    assert float(less.mean()) > 5 * float(less.std()) / math.sqrt(len(less))


def test_great_circles_keep_lengths_and_pass_at_even_angles() -> None:
    a, b = torch.tensor([[3.0, 0.0], [1.0, 1.0]]), torch.tensor([[0.0, 3.0], [1.0, 1.0]])
    third = on_great_circle(a, b, 1 / 3)
    assert torch.allclose(third, torch.tensor([[3 * math.cos(math.pi / 6), 1.5], [1.0, 1.0]]), atol=1e-6)
    assert on_great_circle(a[:, :0], b[:, :0], 0.5).shape == (2, 0)


def test_variations_of_an_exact_chain_follow_the_data_and_keep_what_is_asked() -> None:
    """From a clean level an item hardly changes, from a noisy one it is a new draw; both are repeatable."""
    chain = Chain(OraclePrior(MIXTURE), Levels([0.0, 1e-3, 4.0]), OracleKernel(MIXTURE))
    y = MIXTURE.sample(400, seed=1)
    near, far = (chain.vary(y, level, seed=5) for level in (1, 2))
    assert torch.equal(far, chain.vary(y, 2, seed=5))
    assert not torch.equal(far, chain.vary(y, 2, seed=6))
    assert float((near - y).square().mean()) < 0.01 * float((far - y).square().mean())
    correlation = torch.corrcoef(torch.stack([y[:, 0], far[:, 0]]))[0, 1]
    assert abs(float(correlation)) < 5 / math.sqrt(len(y))


@pytest.mark.parametrize("name", CODED)
def test_an_item_has_the_same_noise_in_any_batch(name: str) -> None:
    chain, y = chain_of(name), data_for(name)
    for use in (chain.reconstruct, partial(chain.vary, from_level=2), lambda y, **at: chain.interpolate(y, y.roll(1, 1), 3, **at)[1]):
        assert torch.allclose(use(y[2:], seed=3, first_item=2), use(y, seed=3)[2:], atol=ROUNDING)
        assert not torch.allclose(use(y[2:], seed=3), use(y, seed=3)[2:], atol=ROUNDING)


def test_codes_keep_the_condition_they_were_made_under() -> None:
    """Decoding needs it, and gives the items back; told another class, the same code is other items."""
    chain, y = conditional_chain(), data_for("vae")
    condition = torch.arange(len(y)) % 2
    code = chain.encode(y, seed=3, condition=condition)
    assert torch.equal(code.condition, condition)
    assert torch.allclose(chain.decode(code), y, atol=ROUNDING)
    assert not torch.allclose(chain.decode(replace(code, condition=1 - condition)), y, atol=ROUNDING)  # the twin
    uses = (
        chain.reconstruct,
        partial(chain.vary, from_level=2),
        lambda y, **given: chain.interpolate(y, y.roll(1, 1), 3, **given)[1],
    )
    for use in uses:
        told = use(y, seed=3, condition=condition)
        assert not torch.allclose(told, use(y, seed=3, condition=1 - condition), atol=ROUNDING)
        assert torch.allclose(told[:2], use(y[:2], seed=3, condition=condition[:2]), atol=ROUNDING)


def conditional_chain() -> Chain:
    torch.manual_seed(0)
    kind = ClassCondition(["a", "b"], [1, 1])
    decoder = Preconditioned(MLP((2,), outputs=2, latent=3, width=16, depth=1, condition=kind))
    chain = Chain(StandardNormal(), grid(3), VAEKernel(decoder, MLPEncoder((2,), latent=3, width=16, condition=kind), HEAD))
    randomise(chain)
    return chain


def test_a_variation_of_the_noisiest_level_is_a_sample() -> None:
    """At a level that keeps nothing of the item it follows the data; at a cleaner one, of items that are all alike, it does not."""
    chain = Chain(OraclePrior(MIXTURE), Levels([0.0, 0.1, 6.0]), OracleKernel(MIXTURE))
    y = torch.zeros(10_000, 2, dtype=torch.float64)
    for level, follows_data in ((2, True), (1, False)):
        varied = chain.vary(y, level, seed=5)
        assert follows(varied[:, 0], mixture_cdf(WEIGHTS, MEANS[:, 0], COVARIANCES[:, 0, 0])) is follows_data


def test_mistakes_are_named() -> None:
    chain, y = chain_of("vae"), data_for("vae")
    with pytest.raises(ValueError, match="from_level = 0; expected a level from 1 to 3"):
        chain.vary(y, 0)
    with pytest.raises(ValueError, match="n = 1"):
        chain.interpolate(y, y, 1)
    with pytest.raises(SaltusError, match=r"temperature = 1\.5"):
        chain_of("gaussian").vary(y, 1, sampling=Sampling(temperature=1.5))
    for use in (chain.encode, chain.reconstruct, lambda y: chain.vary(y, 1)):
        with pytest.raises(ValueError, match=r"torch\.float64 were given, and the parameters are torch\.float32"):
            use(y.double())
        with pytest.raises(ValueError, match=r"expected \(N, 2\)"):
            use(y[:, :1])
    sharp = chain_of("gaussian")
    sharp.kernel(1).variance = Variance.POSTERIOR
    with pytest.raises(ValueError, match="level 1 has no width"):
        sharp.encode(y)
    with pytest.raises(SaltusError, match="kernel at level 1 is no Gaussian step") as caught:
        chain_of("mixture").encode(data_for("mixture"))
    assert_one_sentence(caught.value)

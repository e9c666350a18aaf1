"""Chains: exact kernels give exact samples, items are apart, any-step kernels take other grids, and mistakes are named."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from saltus.chain import Chain, OraclePrior, StandardNormal
from saltus.data import Binned, Standardised
from saltus.errors import SaltusError
from saltus.kernels import GaussianKernel, OracleDenoiser, OracleKernel, Preconditioned, Sampling
from saltus.levels import Levels
from saltus.networks import MLP
from saltus.oracles.oracle import Oracle
from saltus.process import Noise
from saltus.storage import write
from tests.helpers.chains import COVARIANCES, HEAD, MEANS, MIXTURE, WEIGHTS, chain_of, data_for, grid, kernels
from tests.helpers.checks import assert_one_sentence, follows, mean_is, mixture_cdf
from tests.helpers.stubs import randomise

MANY = 10_000


def oracle_chain(oracle: Oracle, levels: Levels) -> Chain:
    return Chain(OraclePrior(oracle), levels, OracleKernel(oracle))


@pytest.mark.parametrize("L", [1, 2, 4, 32])
def test_exact_kernels_sample_the_data_at_any_number_of_levels(L: int) -> None:
    sample = oracle_chain(MIXTURE, grid(L)).sample(MANY, seed=1, batch=MANY)
    for angle in (0.0, 0.7, 2.0):
        direction = torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)
        spreads = torch.einsum("i,kij,j->k", direction, COVARIANCES, direction)
        assert follows(sample @ direction, mixture_cdf(WEIGHTS, MEANS @ direction, spreads))
        assert not follows(sample @ direction, mixture_cdf(WEIGHTS.roll(1), MEANS @ direction, spreads))  # the twin


@pytest.mark.parametrize("L", [2, 4])
def test_a_gaussian_step_does_not(L: int) -> None:
    """The twin of the last test: around the perfect denoiser, but Gaussian, few steps leave the data."""
    chain = Chain(OraclePrior(MIXTURE), grid(L), GaussianKernel(OracleDenoiser(MIXTURE), HEAD))
    chain.calibrate(MIXTURE.sample(MANY, seed=2))
    sample = chain.sample(MANY, seed=1, batch=MANY, sampling=Sampling(final="sample"))
    assert not follows(sample[:, 0], mixture_cdf(WEIGHTS, MEANS[:, 0], COVARIANCES[:, 0, 0]))


@pytest.mark.parametrize("version", range(1, Noise.LATEST + 1))
@pytest.mark.parametrize("name", kernels())
def test_an_item_is_the_same_in_any_batch(name: str, version: int) -> None:
    chain = chain_of(name)
    chain.noise_version = version
    whole = chain.sample(10, seed=3)
    rounding = 0 if name in ("mixture", "items") else 1e-5  # float32 sums, in an order that depends on the batch
    for part, rows in [
        (chain.sample(10, seed=3, batch=3), slice(None)),
        (chain.sample(4, seed=3, first_item=5), slice(5, 9)),
        (chain.sample(1, seed=3, first_item=9, batch=1), slice(9, 10)),
    ]:
        assert torch.allclose(part, whole[rows], rtol=rounding, atol=rounding)
    assert (chain.sample(10, seed=4) != whole).any()
    if chain.has_bound:
        y = data_for(name)
        total = chain.bound(y).total
        assert torch.allclose(chain.bound(y, batch=2).total, total, rtol=1e-4)
        assert torch.allclose(chain.bound(y[1:], first_item=1).total, total[1:], rtol=1e-4)


def test_versions_of_noise_have_samples_of_their_own() -> None:
    """The same chain, made with another version, draws other items of the same data."""
    one, other = (
        Chain(OraclePrior(MIXTURE), grid(3), OracleKernel(MIXTURE), noise_version=version).sample(MANY, seed=1, batch=MANY)
        for version in (1, 2)
    )
    assert not torch.allclose(one, other)
    for sample in (one, other):
        assert follows(sample[:, 0], mixture_cdf(WEIGHTS, MEANS[:, 0], COVARIANCES[:, 0, 0]))


def test_paths_run_from_data_to_noise() -> None:
    chain = oracle_chain(MIXTURE, grid(3))
    path = chain.sample(MANY, seed=1, return_path=True, batch=MANY)
    assert path.shape == (4, MANY, 2)
    assert torch.equal(path[0], chain.sample(MANY, seed=1, batch=MANY))
    for level, t in enumerate(chain.levels):
        marginal = MIXTURE.marginal(t)
        for dimension in (0, 1):
            assert mean_is(path[level, :, dimension], float(marginal.mean[dimension]))
            assert mean_is((path[level, :, dimension] - marginal.mean[dimension]) ** 2, float(marginal.variance[dimension]))


def test_the_last_step_gives_a_mode_or_a_sample() -> None:
    chain = chain_of("gaussian")
    mode, sample = (chain.sample(MANY, seed=1, sampling=Sampling(final), batch=MANY) for final in ("mode", "sample"))
    step = (sample - mode).double()
    assert mean_is(step.square(), 0.1)  # the error that it was given at the first level
    assert not mean_is(step.square(), 0.11)  # the twin


def test_modes_are_left_as_they_were() -> None:
    chain, y = chain_of("gaussian"), torch.zeros(2, 2)
    for mode in (True, False):
        chain.train(mode)
        chain.sample(1, seed=0)
        chain.bound(y)
        chain.calibrate(y)
        assert chain.training is mode


def any_step_chain(levels: Levels) -> Chain:
    torch.manual_seed(0)
    chain = Chain(StandardNormal(), levels, GaussianKernel(Preconditioned(MLP((2,), width=16, depth=1)), HEAD, variance="transition"))
    randomise(chain)
    return chain


def test_an_any_step_chain_takes_other_grids() -> None:
    """As if it had been made with the grid."""
    chain, other = any_step_chain(grid(4)), Levels.cosine(2, 1.5)
    moved, made = chain.on(other), any_step_chain(other)
    y = data_for("gaussian")
    assert moved.levels == other
    assert moved.kernel(1) is chain.kernel(1)
    assert torch.equal(moved.sample(5, seed=1), made.sample(5, seed=1))
    assert torch.equal(moved.bound(y).total, made.bound(y).total)
    assert not torch.allclose(moved.sample(5, seed=1), chain.sample(5, seed=1))  # the twin
    assert chain.on(grid(4)) is chain


def test_exact_kernels_sample_the_data_on_every_grid() -> None:
    chain = oracle_chain(MIXTURE, grid(1))
    for levels in (grid(3), Levels.cosine(5, 2.0)):
        sample = chain.on(levels).sample(MANY, seed=1, batch=MANY)
        assert follows(sample[:, 0], mixture_cdf(WEIGHTS, MEANS[:, 0], COVARIANCES[:, 0, 0]))
        assert not follows(sample[:, 0], mixture_cdf(WEIGHTS.roll(1), MEANS[:, 0], COVARIANCES[:, 0, 0]))  # the twin


def test_another_grid_keeps_everything_else() -> None:
    encoding = Standardised("vector", (2,), torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    kernel = GaussianKernel(Preconditioned(MLP((2,), width=16, depth=1)), HEAD)
    chain = Chain(OraclePrior(MIXTURE), grid(3), kernel, importance_samples=4, encoding=encoding, noise_version=1)
    moved = chain.on(grid(2))
    for name in ("prior", "importance_samples", "encoding", "noise_version", "scaling"):
        assert getattr(moved, name) is getattr(chain, name) or getattr(moved, name) == getattr(chain, name)
    plain = Chain(StandardNormal(), grid(3), kernel, scaling=0.7).on(grid(2))
    assert (plain.scaling, plain.encoding) == (0.7, None)


def test_a_chain_of_an_encoding_has_its_log_jacobian(tmp_path: Path) -> None:
    """Raw values are density per raw unit: ln of the scales; it is saved and loaded with the chain."""
    encoding = Standardised("vector", (2,), torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    chain = Chain(StandardNormal(), grid(3), any_step_chain(grid(3)).kernel(1), scaling=9.0, encoding=encoding)
    y = data_for("gaussian")
    assert torch.allclose(chain.bound(y).total, any_step_chain(grid(3)).bound(y).total + math.log(12))
    chain.save(tmp_path)
    again = Chain.load(tmp_path)
    assert torch.equal(again.bound(y).total, chain.bound(y).total)
    assert again.encoding is not None
    assert torch.equal(torch.as_tensor(again.encoding.decode(y)), torch.as_tensor(encoding.decode(y)))


def test_a_folder_of_something_else_is_no_chain(tmp_path: Path) -> None:
    write(Binned("gray", (8, 8), 0, 16, "uint8"), tmp_path, "chain")
    with pytest.raises(SaltusError) as caught:
        Chain.load(tmp_path)
    assert_one_sentence(caught.value, "holds a Binned, not a chain")


def test_a_chain_tells_what_it_is_in_one_line() -> None:
    torch.manual_seed(0)
    kernel = GaussianKernel(Preconditioned(MLP((2,), width=16, depth=1)), HEAD)
    count = f"{sum(p.numel() for p in kernel.parameters()):,}"
    assert repr(Chain(StandardNormal(), Levels([0, 0.1234, 3]), kernel)) == (
        f"Chain(2 calls, any grid up to t = 3, items (2,): Gaussian step ({count} parameters))"
    )
    fixed = GaussianKernel(Preconditioned(MLP((2,), width=16, depth=1)), HEAD, any_step=False)
    assert repr(Chain(StandardNormal(), Levels([0, 0.1234, 3]), [fixed, fixed])) == (
        f"Chain(2 calls, t = 0, 0.123, 3, items (2,): Gaussian step ({count} parameters))"
    )


@pytest.mark.parametrize(
    ("call", "kind", "given"),
    [
        (lambda: chain_of("vae").bound(torch.zeros(3, 1)), SaltusError, r"\(3, 1\)"),
        (lambda: chain_of("vae").bound(torch.zeros(0, 2)), SaltusError, r"\(0, 2\)"),
        (lambda: chain_of("vae").bound(torch.zeros(1, 2).double()), SaltusError, "torch.float64 .* the parameters are torch.float32"),
        (lambda: chain_of("vae").bound(torch.zeros(1, 2), batch=0), ValueError, "batch = 0"),
        (lambda: chain_of("vae").sample(0, seed=0), ValueError, "n = 0"),
        (lambda: chain_of("vae").sample(1, seed=0, batch=0), ValueError, "batch = 0"),
        (lambda: chain_of("vae").sample(1, seed=-1), ValueError, "seed=-1"),
        (lambda: chain_of("vae").sample(1, seed=0, first_item=-1), ValueError, "first_item=-1"),
        (lambda: Sampling("men"), SaltusError, "final = 'men'"),
        (lambda: Sampling(eta=math.nan), SaltusError, "eta = nan"),
        (lambda: Sampling(temperature=0.0), SaltusError, r"temperature = 0\.0"),
        (lambda: Sampling(temperature=math.inf), SaltusError, "temperature = inf"),
        (lambda: Sampling(guidance=-1.0), SaltusError, r"guidance = -1\.0"),
        (lambda: Sampling(guidance=math.nan), SaltusError, "guidance = nan"),
        (lambda: chain_of("gaussian").sample(1, seed=0, sampling=Sampling(temperature=1.5)), SaltusError, r"temperature = 1\.5"),
        (lambda: chain_of("vae").on(grid(2)), SaltusError, "2 calls .* trained for its own of 3"),
        (lambda: chain_of("one thrice").on(grid(2)), SaltusError, "2 calls .* trained for its own of 3"),
    ],
)
def test_errors_say_what_was_given(call: Callable[[], object], kind: type[Exception], given: str) -> None:
    with pytest.raises(kind, match=given) as caught:
        call()
    if isinstance(caught.value, SaltusError):
        assert_one_sentence(caught.value)

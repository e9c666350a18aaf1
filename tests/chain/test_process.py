"""The two ways along a chain: the forward path, and the one reverse loop."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from saltus.chain import Chain, ChainProcess, StandardNormal, descend
from saltus.errors import SaltusError
from saltus.kernels import OracleKernel, Transition
from saltus.levels import Levels
from saltus.oracles import GaussianMixture
from saltus.process import Noise
from tests.helpers.chains import MIXTURE, chain_of, data_for, grid, kernels
from tests.helpers.checks import mean_is

MANY = 10_000
LEVELS = Levels([0, 0.2, 0.7, 1.5])


def test_the_reverse_loop_visits_each_level_once_noisiest_first() -> None:
    condition, seen = torch.tensor([1, 0]), []

    def step(level: int, transition: Transition) -> Tensor:
        seen.append((level, transition.s, transition.t, transition.guidance))
        assert transition.condition is condition
        return transition.z_t - level

    states = list(descend(torch.zeros(2, 1), LEVELS, step, condition=condition, guidance=2.5))
    assert seen == [(3, 0.7, 1.5, 2.5), (2, 0.2, 0.7, 2.5), (1, 0.0, 0.2, 2.5)]
    assert [float(z[0, 0]) for z in states] == [0.0, -3.0, -5.0, -6.0]


def test_the_reverse_loop_starts_where_it_is_told() -> None:
    seen: list[tuple[int, float, float]] = []

    def step(level: int, transition: Transition) -> Tensor:
        seen.append((level, float(transition.s), float(transition.t)))
        return transition.z_t

    assert len(list(descend(torch.zeros(2, 1), LEVELS, step, from_level=2))) == 3
    assert seen == [(2, 0.2, 0.7), (1, 0.0, 0.2)]


def test_the_forward_path_is_one_path_of_the_noise_process() -> None:
    """Its ends meet, and each z_t has the moments of q(z_t | y) and the covariance with z_s of one transition."""
    chain = ChainProcess(StandardNormal(), LEVELS, OracleKernel(MIXTURE))
    y = torch.tensor([[0.7, -1.2]], dtype=torch.float64).expand(MANY, 2)
    condition = torch.zeros(MANY, dtype=torch.int64)
    pairs = dict(chain.forward_path(y, chain.noise(3, 0, MANY), condition))
    assert list(pairs) == [1, 2, 3]
    assert torch.equal(pairs[1].z_s, y)
    for level, pair in pairs.items():
        assert (pair.s, pair.t) == LEVELS.pairs()[level - 1]
        assert pair.condition is condition
        assert torch.equal(pair.y, y)
        alpha, variance = torch.exp(-torch.tensor(pair.t)), -torch.expm1(-2 * torch.tensor(pair.t))
        rest = (pair.z_t - alpha * y)[:, 0]
        assert mean_is(rest, 0.0)
        assert mean_is(rest.square(), float(variance))
        assert not mean_is(rest.square(), 1.1 * float(variance))  # the twin
        if level > 1:
            assert pair.z_s is pairs[level - 1].z_t
            before = (pair.z_s - torch.exp(-torch.tensor(pair.s)) * y)[:, 0]
            expected = float(torch.exp(torch.tensor(pair.s - pair.t)) * -torch.expm1(-2 * torch.tensor(pair.s)))
            assert mean_is(rest * before, expected)


@pytest.mark.parametrize("version", range(1, Noise.LATEST + 1))
def test_the_noise_is_of_the_version_that_the_chain_was_made_with(version: int) -> None:
    chain = Chain(StandardNormal(), grid(3), OracleKernel(MIXTURE), noise_version=version)
    assert chain.noise(5, 2, 3) == Noise(5, 2, 3, version=version)
    expected = Noise(5, 2, 3, level=3, version=version).normal("prior", (2,))
    assert torch.equal(chain.sample(3, seed=5, first_item=2, return_path=True)[-1], expected)


@pytest.mark.parametrize("name", kernels())
def test_no_random_number_is_used_twice(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps would depend on each other: a fault that hardly shows in samples."""
    chain, y, asked = chain_of(name), data_for(name), []
    uniform, normal = Noise.uniform, Noise.normal

    def record(noise: Noise, role: str, shape: Sequence[int] = ()) -> Tensor:
        asked.append((noise.first_item, noise.level, role))
        return uniform(noise, role, shape)

    def record_normal(noise: Noise, role: str, shape: Sequence[int], *, like: Tensor | None = None) -> Tensor:
        asked.append((noise.first_item, noise.level, role))
        with monkeypatch.context() as inside:
            inside.setattr(Noise, "uniform", uniform)  # which normals may be made of
            return normal(noise, role, shape, like=like)

    monkeypatch.setattr(Noise, "uniform", record)
    monkeypatch.setattr(Noise, "normal", record_normal)
    for use in (lambda: chain.sample(1, seed=0), lambda: chain.bound(y), lambda: chain.loss(y, seed=0)):
        asked.clear()
        with contextlib.suppress(SaltusError):  # kernels without a bound, or nothing to train
            use()
        assert asked
        assert len(asked) == len(set(asked))


def test_what_a_chain_can_do_is_what_its_kernels_can() -> None:
    assert chain_of("vae").has_bound
    assert not chain_of("deterministic").has_bound
    assert [chain_of(name).any_step for name in ("gaussian", "vae", "mixture", "one thrice")] == [True, False, True, False]
    one = chain_of("one thrice")
    assert len(one.kernels) == 3
    assert one.each_kernel() == [one.kernel(1)]
    each = chain_of("one for each level")
    assert each.each_kernel() == [each.kernel(1), each.kernel(2), each.kernel(3)]


@pytest.mark.parametrize(
    ("kernels", "given"),
    [
        ([OracleKernel(MIXTURE)] * 2, "2 kernels .* for 3 levels"),
        ([], "0 kernels"),
        (
            [OracleKernel(MIXTURE)] * 2 + [OracleKernel(GaussianMixture(torch.ones(1), torch.zeros(1, 1), torch.ones(1, 1, 1)))],
            "of one shape",
        ),
    ],
)
def test_kernels_that_do_not_fit_are_refused(kernels: list[OracleKernel], given: str) -> None:
    with pytest.raises(ValueError, match=given):
        ChainProcess(StandardNormal(), grid(3), kernels)

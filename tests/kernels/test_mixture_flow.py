"""The flow around the mixture's exact step: it starts there, its density integrates to 1, its draws have it, and it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from saltus import Chain, OraclePrior, digits
from saltus.data import DataSet
from saltus.errors import SaltusError
from saltus.kernels import LadderKernel, MixtureFlow, NoisySteps, OracleKernel, Pair, Transition, VAEKernel
from saltus.networks import ClassCondition
from saltus.oracles import LowRankMixture, fit_mixture
from saltus.process import Noise, OrnsteinUhlenbeck
from saltus.training import Config, Trainer, build_chain, train
from tests.helpers.checks import assert_one_sentence, mean_is

process = OrnsteinUhlenbeck()
S, T = 0.3, 0.8


def mixture(shape: tuple[int, ...] = (1, 1, 2), labels: list[int] | None = None) -> LowRankMixture:
    g, d = torch.Generator().manual_seed(0), int(np.prod(shape))
    return LowRankMixture(
        torch.tensor([0.6, 0.4]),
        torch.randn(2, *shape, generator=g),
        0.5 * torch.randn(2, d, 1, generator=g),
        torch.full((2, d), 0.2),
        labels,
    )


def flow(distribution: LowRankMixture, *, fresh: bool = False, condition: ClassCondition | None = None) -> MixtureFlow:
    torch.manual_seed(0)
    made = MixtureFlow(distribution, channels=8, blocks=1, condition=condition).double()
    for layer in made.layers if not fresh else ():
        torch.nn.init.normal_(layer.last.weight, std=0.3)  # type: ignore[union-attr, arg-type]
        torch.nn.init.normal_(layer.last.bias, std=0.3)  # type: ignore[union-attr, arg-type]
    return made


def pair_of(distribution: LowRankMixture, n: int, s: float | Tensor = S, t: float | Tensor = T) -> Pair:
    y, g = distribution.sample(n, seed=1), torch.Generator().manual_seed(2)
    one, other = torch.randn(2, *y.shape, generator=g, dtype=torch.float64)
    z_s = process.noised(y, s, one)
    return Pair(process.noised(z_s, torch.as_tensor(t) - torch.as_tensor(s), other), s, t, y=y, z_s=z_s)


@torch.no_grad()
def log_density(made: MixtureFlow, z_t: Tensor, z_s: Tensor) -> Tensor:
    """ln p(z_s | z_t) of many z_s (n, *E) and one z_t (*E)."""
    n = len(z_s)
    pair = Pair(z_t.expand(n, *z_t.shape), S, T, y=torch.zeros_like(z_s), z_s=z_s)
    truth = process.bridge(pair.z_t, pair.y, S, T).log_prob(z_s)
    return truth - made.explain(pair, Noise(0, 0, n)).terms["decoder"]


@pytest.mark.parametrize(("s", "t"), [(S, T), (torch.tensor([0.1, 0.3, 0.3, 0.1]), torch.tensor([0.3, 0.8, 0.8, 0.3]))])
@torch.no_grad()
def test_a_fresh_one_is_the_exact_step(s: float | Tensor, t: float | Tensor) -> None:
    distribution = mixture((1, 3, 3))
    pair, noise = pair_of(distribution, 4, s, t), Noise(3, 0, 4)
    made, exact = flow(distribution, fresh=True), OracleKernel(distribution)
    assert torch.allclose(made.explain(pair, noise).terms["decoder"], exact.explain(pair, noise).terms["decoder"])
    assert torch.allclose(made.sample(pair, noise), exact.sample(pair, noise))
    other = flow(distribution)
    assert not torch.allclose(other.explain(pair, noise).terms["decoder"], exact.explain(pair, noise).terms["decoder"], atol=0.1)


@torch.no_grad()
def test_its_density_integrates_to_one_and_its_draws_have_it() -> None:
    made, line = flow(mixture()), torch.linspace(-8, 8, 401, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 1, 1, 2)
    z_t, spacing = torch.tensor([[[0.4, -0.7]]], dtype=torch.float64), float(line[1] - line[0])
    mass = log_density(made, z_t, grid).exp() * spacing**2
    assert float(mass.sum()) == pytest.approx(1, abs=1e-6)
    n = 20_000
    drawn = made.sample(Transition(z_t.expand(n, *z_t.shape), S, T), Noise(1, 0, n)).flatten(1)
    for what in (lambda z: z[:, 0], lambda z: z[:, 1], lambda z: z[:, 0] * z[:, 1], lambda z: (z[:, 0] > 0.2).double()):
        expected = float((mass * what(grid.flatten(1))).sum())
        assert mean_is(what(drawn), expected)
        assert not mean_is(what(drawn) * 1.2 + 0.1, expected)  # the twin


@torch.no_grad()
def test_classes_reach_the_mixture_and_the_networks() -> None:
    distribution, told = mixture((1, 4, 4), [0, 1]), ClassCondition("ab", [1.0, 2.0])
    made, pair = flow(distribution, condition=told), pair_of(distribution, 6)
    both = [
        made.explain(Pair(pair.z_t, S, T, torch.full((6,), c), y=pair.y, z_s=pair.z_s), Noise(0, 0, 6)).terms["decoder"] for c in (0, 1)
    ]
    assert not torch.allclose(*both, atol=0.1)
    unaware = flow(mixture((1, 4, 4)), condition=told)
    unaware.explain(Pair(pair.z_t, S, T, torch.zeros(6).long(), y=pair.y, z_s=pair.z_s), Noise(0, 0, 6))


def test_what_it_cannot_do_is_one_sentence() -> None:
    distribution = mixture()
    z = torch.zeros(2, 1, 1, 2, dtype=torch.float64)
    for transition, words in (
        (Transition(z, 0.0, T), "it takes noisy steps"),
        (Transition(z, S, T, eta=0.5), "eta = 0.5"),
    ):
        with pytest.raises(SaltusError) as caught:
            flow(distribution).sample(transition, Noise(0, 0, 2))
        assert_one_sentence(caught.value, words)
    with pytest.raises(SaltusError, match="takes images"):
        MixtureFlow(LowRankMixture(torch.ones(1), torch.zeros(1, 2), torch.ones(1, 2, 1), torch.ones(1, 2)))


def test_it_is_the_noisy_step_of_images_that_start_from_a_mixture() -> None:
    data = digits()
    options = {"levels": 3, "width": 16, "prior": "mixture"}
    chain = build_chain(Config(**options), data)
    assert [type(chain.kernel(level)) for level in (1, 2, 3)] == [VAEKernel, MixtureFlow, MixtureFlow]
    assert chain.kernel(2) is chain.kernel(3)
    assert isinstance(build_chain(Config(**options, noisy_steps="vae"), data).kernel(2), VAEKernel)
    ladder = build_chain(Config(levels=2, prior="mixture", ladder="every", channels=(8, 16)), data)
    assert [type(ladder.kernel(level)) for level in (1, 2)] == [LadderKernel, MixtureFlow]
    assert isinstance(build_chain(Config(levels=3, width=16, prior="normal"), data).kernel(2), VAEKernel)
    assert isinstance(build_chain(Config(**options, any_step=True), data).kernel(1), VAEKernel)
    rows = DataSet.from_arrays(np.random.default_rng(0).normal(size=(600, 2)))
    assert isinstance(build_chain(Config(**options), rows).kernel(2), VAEKernel)
    for items, prior in ((rows, "mixture"), (data, "normal")):
        with pytest.raises(SaltusError, match="noisy_steps flow"):
            build_chain(Config(levels=2, width=16, prior=prior, noisy_steps=NoisySteps.FLOW), items)


def test_it_learns_what_the_mixture_misses_and_is_saved(tmp_path: Path) -> None:
    """Every second pixel is the square of the one beside it, which no Gaussian can have."""
    first = np.random.default_rng(0).uniform(-1, 1, size=(3000, 8, 4))
    data = DataSet.from_arrays(np.stack([first, first**2], axis=3).reshape(3000, 8, 8))
    distribution = fit_mixture(data.train, 0.5, components=1, rank=8)
    config = Config(times=(0.0, 0.1, 0.5), prior="mixture", updates=200, batch=128, learning_rate=0.01, architecture="mlp", width=16)
    start, last = OraclePrior(distribution), build_chain(config, data).kernel(1)
    chain = Chain(start, config.grid, [last, MixtureFlow(distribution, channels=16, blocks=1)], encoding=data.encoding)
    exact = Chain(start, config.grid, [last, OracleKernel(distribution)], encoding=data.encoding)
    floor = exact.bound(data.test).per_level[1].double()
    trainer = Trainer(chain, data, config)
    for _ in trainer:
        pass
    made = trainer.averaged()
    gain = floor - made.bound(data.test).per_level[1].double()  # on the same paths
    assert float(gain.mean()) > 5 * float(gain.std()) / len(gain) ** 0.5
    made.save(tmp_path / "run")
    again = Chain.load(tmp_path / "run")
    assert torch.equal(again.sample(3, seed=0), made.sample(3, seed=0))
    assert again.prior.oracle is again.kernel(2).mixture  # type: ignore[attr-defined]  # written once


def test_training_keeps_it_where_it_beats_the_mixture() -> None:
    """By default, and it is what one would sample."""
    data = digits()
    chain = train(data, Config(levels=2, updates=30, width=16, prior="mixture", learning_rate=1e-9), quiet=True)
    assert isinstance(chain.kernel(2), MixtureFlow)  # as good as its floor: nothing is gained by replacing it
    assert chain.sample(2, seed=0).shape == (2, 1, 8, 8)

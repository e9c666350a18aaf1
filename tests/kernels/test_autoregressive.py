"""The step that takes one number after another: its rows' probabilities sum to 1, draws have them, and parts of rows are its own parts."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from saltus.chain import Chain, StandardNormal
from saltus.data import DataSet, load
from saltus.errors import SaltusError
from saltus.evaluation import likelihood
from saltus.kernels import AutoregressiveKernel, Pair, Transition
from saltus.levels import Levels
from saltus.likelihoods import Number
from saltus.networks import ClassCondition, ImageCondition
from saltus.process import Noise
from saltus.training import Config, train
from saltus.training.build import build_chain
from tests.helpers.checks import assert_one_sentence, has_frequencies, standard_error
from tests.helpers.rows import EVERY, NUMBERS, rows_of
from tests.helpers.stubs import GivenNoise, randomise

T = 0.5
N = 6000


def kernel(numbers: list[Number] = NUMBERS, **options: object) -> AutoregressiveKernel:
    torch.manual_seed(0)
    made = AutoregressiveKernel((len(numbers),), 0.8, width=16, rank=2, numbers=numbers, **options)  # type: ignore[arg-type]
    randomise(made)
    made.network.gaussian.factors.copy_(torch.randn(len(numbers), 2))
    return made.double()


def at(z: float, n: int, e: int = len(NUMBERS)) -> Transition:
    return Transition(torch.full((n, e), z, dtype=torch.float64), 0.0, T)


def known(n: int, *which: int, e: int = len(NUMBERS)) -> Tensor:
    """The same numbers known in n rows."""
    found = torch.zeros(n, e, dtype=torch.bool)
    found[:, list(which)] = True
    return found


def chances(made: AutoregressiveKernel, z: float = 0.4) -> Tensor:
    """p(y | z_t) of every row that there is."""
    y = rows_of(EVERY)
    return made.log_prob(at(z, len(y)), y, known(len(y), *range(len(NUMBERS)))).exp()


def places_of(y: Tensor) -> Tensor:
    """Which of all rows each is; each must be one exactly."""
    every = rows_of(EVERY)
    distance = (y[:, None] - every).abs().amax(2)
    assert float(distance.amin(1).max()) < 1e-12
    return distance.argmin(1)


def uniform(n: int, seed: int = 0, e: int = len(NUMBERS)) -> Tensor:
    return Noise(seed, 0, n).uniform("test", (e,))


@torch.no_grad()
@pytest.mark.parametrize("z", [0.4, -2.0])
def test_probabilities_of_all_rows_sum_to_1(z: float) -> None:
    p = chances(kernel(), z)
    assert float(p.sum()) == pytest.approx(1, abs=1e-9)
    assert 0.1 < float(p[~EVERY[:, 2].isnan()].sum()) < 0.9  # without the rows of which a cell is missing


@torch.no_grad()
def test_explain_is_what_the_probability_says() -> None:
    made, y = kernel(), rows_of(EVERY)
    explained = made.explain(Pair(at(0.4, len(y)).z_t, 0.0, T, y=y, z_s=y), Noise(0, 0, len(y)))
    assert set(explained.terms) == {"decoder"}
    assert torch.allclose(explained.terms["decoder"], -chances(made).log(), atol=1e-12)
    assert not explained.kl.any()


@torch.no_grad()
@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_the_first_numbers_have_the_sum_over_the_rest(first: int) -> None:
    made, y = kernel(), rows_of(EVERY)
    part = made.log_prob(at(0.4, len(y)), torch.where(known(len(y), *range(first)), y, torch.nan), known(len(y), *range(first)))
    same = (y[:, None, :first] == y[None, :, :first]).all(2)
    expected = (same.double() * chances(made)).sum(1)
    assert torch.allclose(part.exp(), expected, atol=1e-12)


@torch.no_grad()
def test_draws_come_as_often_as_their_probabilities() -> None:
    made = kernel()
    p, drawn = chances(made), places_of(made.sample(at(0.4, N), Noise(3, 0, N)))
    assert has_frequencies(drawn, p)
    assert not has_frequencies(drawn, chances(made, -0.4))  # the twin
    y, all_known, chance = made.fill(at(0.4, N), torch.full((N, 4), torch.nan).double(), known(N), uniform(N))
    assert all_known.all()
    assert torch.allclose(chance, torch.zeros(N).double(), atol=1e-9)
    assert has_frequencies(places_of(y), p)


@torch.no_grad()
def test_what_is_known_stays_and_the_rest_goes_with_it() -> None:
    """The first two numbers, once with a cell that is missing, once with one that is there, and other rows where nothing is known."""
    made, p, every = kernel(), chances(kernel()), rows_of(EVERY)
    told = torch.where(torch.arange(N)[:, None] % 3 == 2, False, known(N, 0, 1))
    given = torch.tensor([[0.0, 0.0, torch.nan, 0.0], [2.0, 1.0, 3.0, 0.0]], dtype=torch.float64)
    y = torch.where(told, rows_of(given)[torch.arange(N) % 3 % 2], torch.nan)
    filled, _, _ = made.fill(at(0.4, N), y, told, uniform(N))
    assert torch.equal(filled[told], y[told])
    for k in range(2):
        agree = (every[:, :2] == rows_of(given)[k, :2]).all(1)
        drawn = places_of(filled[torch.arange(N) % 3 == k])
        assert has_frequencies(drawn, p * agree / p[agree].sum())
        assert not has_frequencies(drawn, chances(made, -0.4) * agree / chances(made, -0.4)[agree].sum())  # the twin
    assert has_frequencies(places_of(filled[torch.arange(N) % 3 == 2]), p)


@torch.no_grad()
def test_a_range_is_drawn_from_what_is_in_it() -> None:
    """Of the first number alone, and of the last one given whole rows before it."""
    made, p, every = kernel(), chances(kernel()), rows_of(EVERY)
    middles = made.distributions.middles(0)
    cells = made.distributions.on.cells(every)
    within = [(float(cells.below[EVERY[:, 0] == 1][0, 0]), float(cells.above[EVERY[:, 0] == 2][0, 0]))]
    y, _, chance = made.fill(at(0.4, N), torch.zeros(N, 4).double(), known(N), uniform(N), which=[0], within={0: within})
    shares = torch.tensor([float(p[EVERY[:, 0] == value].sum()) for value in range(3)])
    assert torch.allclose(chance, shares[1:].sum().log().double(), atol=1e-9)
    assert has_frequencies((y[:, :1] - middles).abs().argmin(1), shares * torch.tensor([0.0, 1, 1]) / shares[1:].sum())
    row = every[100:101].expand(N, -1)
    within = [(float(cells.below[EVERY[:, 3] == 5][0, 3]), float(cells.above[EVERY[:, 3] == 30][0, 3]))]
    y, _, chance = made.fill(at(0.4, N), row, known(N, 0, 1, 2), uniform(N), within={3: within})
    agree = (every[:, :3] == every[100, :3]).all(1)
    inside = agree & (EVERY[:, 3] >= 5) & (EVERY[:, 3] <= 30)
    assert torch.allclose(chance, (p[inside].sum() / p[agree].sum()).log(), atol=1e-9)
    assert has_frequencies(places_of(y), p * inside / p[inside].sum())


@torch.no_grad()
def test_draws_are_those_of_their_rows_whatever_the_batch() -> None:
    made, z = kernel(), Noise(1, 0, 12).normal("z", (4,)).double()
    whole = made.sample(Transition(z, 0.0, T), Noise(5, 0, 12))
    parts = [made.sample(Transition(z[k : k + 4], 0.0, T), Noise(5, k, 4)) for k in (0, 4, 8)]
    assert torch.allclose(torch.cat(parts), whole)
    assert not torch.allclose(made.sample(Transition(z, 0.0, T), Noise(6, 0, 12)), whole)


@torch.no_grad()
def test_a_number_given_all_others_sees_nothing_of_itself() -> None:
    """Neither in the row nor in z_t; and whether a cell is there is not seen by what is in it."""
    made, y, n = kernel(), rows_of(EVERY)[::7], len(EVERY[::7])
    unit, z = Noise(0, 0, n).normal("unit", (4,)).double(), Noise(1, 0, n).normal("z", (4,)).double()
    found = made.log_prob_each(Transition(z, 0.0, T), y, known(n, 0, 1, 2, 3), unit)
    absent = EVERY[::7, 2].isnan()
    assert not found[absent, 2].any()
    for j, unseen in enumerate(([0], [1, 2], [2], [3])):
        hidden = known(n, *unseen)
        others = Transition(torch.where(hidden, unit, z), 0.0, T)
        own = _each(made, others, y, ~hidden)
        assert torch.allclose(found[:, j], own[:, j], atol=1e-9)
    some = made.log_prob_each(Transition(z, 0.0, T), torch.where(known(n, 0, 3), y, torch.nan), known(n, 0, 3), unit)
    assert torch.equal((some != 0).all(0), torch.tensor([True, False, False, True]))
    assert not torch.allclose(some[:, 0], found[:, 0])


def _each(made: AutoregressiveKernel, transition: Transition, y: Tensor, told: Tensor) -> Tensor:
    """ln p of each number given those that are told."""
    row = made.distributions.row(y)
    known = made.network.told(made._begin(transition), row, told)
    return made.distributions.log_prob(made.network.out(made.network.hidden(known)), row, about=made.network.gaussian.moments(known.given))


E = 3
ORDERS = list(itertools.permutations(range(E)))
MASKS = torch.tensor([[0.9, (k + 0.5) / E, *[(order.index(j) + 0.5) / E for j in range(E)]] for order in ORDERS for k in range(E)]).double()
"""What says which numbers a row is told: that they are in no order, k, and the order."""
WHOLE = [Number(0, 2, step=1.0, shares=(0.2, 0.5, 0.3)), Number(-9.0, 9.0), Number(0, 90, step=1.0, mean=40.0, std=20.0)]


def test_the_loss_is_the_mean_over_orders_of_what_a_row_costs() -> None:
    """Over every order and every number of numbers that are told."""
    made = kernel(WHOLE)
    y = made.distributions.on.forward(torch.tensor([[1.0, 0.3, 55.0]], dtype=torch.float64)).expand(len(MASKS), -1)
    pair = Pair(at(0.4, len(y), E).z_t, 0.0, T, y=y, z_s=y)
    loss = made.loss(pair, GivenNoise(0, 0, len(y), uniforms={"told": MASKS}), {})["decoder"]
    costs = []
    with torch.no_grad():
        for order in ORDERS:
            for place, j in enumerate(order):
                costs.append(-float(_each(made, at(0.4, 1, E), y[:1], known(1, *order[:place], e=E))[0, j]))
    assert float(loss.detach().mean()) == pytest.approx(sum(costs) / len(ORDERS), abs=1e-9)
    loss.mean().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in made.parameters())


def test_half_of_the_rows_are_told_any_numbers_and_half_the_first_ones() -> None:
    made = kernel(WHOLE)
    told = made._told(torch.zeros(N, E), Noise(0, 0, N)).long() @ torch.tensor([1, 2, 4])
    any_one, in_order = torch.tensor([1, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 0]) / 3, torch.tensor([1, 1.0, 0, 1, 0, 0, 0, 0]) / 3
    assert has_frequencies(told, (any_one + in_order) / 2)
    assert not has_frequencies(told, any_one)  # the twin


def test_who_is_told_a_cell_is_told_that_it_is_there() -> None:
    made = kernel()
    told = made._told(torch.zeros(N, 4), Noise(0, 0, N))
    assert bool(told[told[:, 2], 1].all())
    assert bool((told[:, 1] & ~told[:, 2]).any())


def test_what_is_absent_is_learned_nothing_of() -> None:
    """Neither a cost nor a slope: of rows that are told that a cell is missing the rest is learned."""
    made, n = kernel(), 64
    y = rows_of(torch.tensor([[1.0, 0.0, torch.nan, 7.0]], dtype=torch.float64)).expand(n, -1)
    loss = made.loss(Pair(at(0.4, n).z_t, 0.0, T, y=y, z_s=y), Noise(0, 0, n), {"decoder": 2.0})["decoder"]
    assert bool(loss.isfinite().all())
    loss.sum().backward()
    out = made.network.out.weight.grad
    assert out is not None
    for j, own in enumerate(out.split(made.distributions.size)):
        assert bool(own.any()) is (j != 2)
    plain = made.loss(Pair(at(0.4, n).z_t, 0.0, T, y=y, z_s=y), Noise(0, 0, n), {})["decoder"]
    assert torch.allclose(loss, 2 * plain)


def test_neurons_are_left_out_in_training_alone_by_the_noise() -> None:
    made, n = kernel(dropout=0.5), 64
    y = rows_of(EVERY[:n])
    pair = Pair(at(0.4, n).z_t, 0.0, T, y=y, z_s=y)
    one, again, other = (made.loss(pair, Noise(seed, 0, n), {})["decoder"] for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)
    kept = made._kept(Noise(0, 0, N))
    assert kept is not None
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert abs(float(kept.mean()) - 1) < 5 / kept.numel() ** 0.5
    assert made.eval()._kept(Noise(0, 0, N)) is None


def test_costs_in_bfloat16_are_those_of_float32() -> None:
    """Of a column whose values are far closer to each other than bfloat16 tells."""
    torch.manual_seed(0)
    numbers = [Number(0, 5000, step=1.0, mean=2500.0, std=1400.0), Number(0, 2, step=1.0, shares=(0.2, 0.5, 0.3))]
    made = AutoregressiveKernel((2,), width=32, numbers=numbers)
    many = torch.linspace(0, 5000, 400).double().round()
    y = made.distributions.on.forward(torch.stack([many, many % 3], 1)).float()
    pair, costs = Pair(torch.zeros_like(y), 0.0, T, y=y, z_s=y), []
    for narrow in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=narrow):
            costs.append(made.loss(pair, Noise(0, 0, len(y)), {})["decoder"])
    assert costs[1].dtype == torch.float32
    assert torch.allclose(costs[0], costs[1], atol=0.02)


def test_a_dependency_is_learned_that_no_product_of_columns_has() -> None:
    """c is a or b but not both, in nine rows of ten: the entropy of that is 0.37 nats below the columns' own."""
    rng, n, wrong = np.random.default_rng(0), 4000, 0.1
    a, b = rng.integers(0, 2, (2, n))
    data = load(np.stack([a, b, a ^ b ^ (rng.random(n) < wrong)], 1))
    config = Config(kernel="autoregressive", levels=1, prior="normal", updates=150, width=32, batch=128, learning_rate=1e-2)
    chain = train(data, config, quiet=True)
    cost = chain.bound(data.test).total
    entropy = 2 * math.log(2) - wrong * math.log(wrong) - (1 - wrong) * math.log(1 - wrong)
    assert abs(float(cost.mean()) - entropy) < 5 * standard_error(cost) + 0.03
    assert float(cost.mean()) < 3 * math.log(2) - 0.2
    rows = data.encoding.decode(chain.sample(2000, seed=0))
    agree = (rows[:, 0] ^ rows[:, 1]) == rows[:, 2]
    assert abs(agree.mean() - (1 - wrong)) < 5 * math.sqrt(wrong / 2000) + 0.02


def test_it_begins_at_the_cost_of_a_gaussian_of_the_rows() -> None:
    """Rows of a Gaussian cost its entropy before the first update; without it, the entropy of its columns."""
    rng, n, E, correlation = np.random.default_rng(0), 6000, 5, 0.8
    common = rng.normal(size=(n, 1))
    data = load(correlation**0.5 * common + (1 - correlation) ** 0.5 * rng.normal(size=(n, E)))
    config = Config(kernel="autoregressive", levels=1, prior="normal", seed=0)
    chain = build_chain(config, data).eval()
    alone = E * 0.5 * math.log(2 * math.pi * math.e)
    mutual = -0.5 * (math.log(1 + (E - 1) * correlation) + (E - 1) * math.log(1 - correlation))
    cost = chain.bound(data.test).total
    assert abs(float(cost.mean()) - (alone - mutual)) < 5 * standard_error(cost) + 0.3  # of how far a start is from N(0, 1)
    kernel = chain.kernel(1)
    assert isinstance(kernel, AutoregressiveKernel)
    kernel.network.gaussian.factors.zero_()  # the twin
    kernel.network.gaussian.variances.fill_(1)
    assert abs(float(chain.bound(data.test).total.mean()) - alone) < 0.3


def test_a_saved_chain_of_it_is_the_same(tmp_path: Path) -> None:
    chain = Chain(StandardNormal(), Levels((0.0, T)), kernel(condition=ClassCondition(["a", "b"], [0.5, 0.5])).float())
    chain.save(tmp_path)
    again = Chain.load(tmp_path)
    assert torch.equal(again.sample(5, seed=0, condition=1), chain.eval().sample(5, seed=0, condition=1))
    y = chain.sample(5, seed=1, condition=0)
    assert torch.equal(again.bound(y, condition=0).total, chain.bound(y, condition=0).total)
    assert not torch.allclose(again.bound(y, condition=1).total, chain.bound(y, condition=0).total)


def test_it_refuses_what_it_cannot_be() -> None:
    for wrong, words in (
        (lambda: AutoregressiveKernel((1, 8, 8)), "this kernel takes rows of a table"),
        (lambda: AutoregressiveKernel((2,), condition=ImageCondition((1, 4, 4))), "this kernel takes classes or vectors"),
        (lambda: AutoregressiveKernel((2,), width=0), "width is 0"),
        (lambda: kernel().sample(Transition(at(0.4, 3).z_t, 0.1, T), Noise(0, 0, 3)), "give a chain of one level"),
        (lambda: kernel().sample(Transition(at(0.4, 2).z_t, torch.tensor([0.0, 0.1]), T), Noise(0, 0, 2)), "give a chain of one level"),
        (lambda: train(load(np.eye(80)), Config(kernel="autoregressive", levels=2, updates=1), quiet=True), "levels = 2 was given"),
        (lambda: train(load("digits"), Config(kernel="autoregressive", levels=1, updates=1), quiet=True), "take the vae kernel"),
    ):
        with pytest.raises(SaltusError) as caught:
            wrong()
        assert_one_sentence(caught.value, words)
    with pytest.raises(ValueError, match="expected a positive number"):
        AutoregressiveKernel((2,), 0.0)


def test_its_likelihood_says_what_it_is() -> None:
    rows = DataSet.from_arrays(np.random.default_rng(0).normal(size=(300, 2)))
    chain = train(rows, Config(kernel="autoregressive", levels=1, updates=2, prior="normal"), quiet=True)
    found = likelihood(chain, rows.test, rows.encoding)
    assert found is not None
    assert found.convention == "density in the units of the file, one column after another"
    assert kernel().convention.startswith("probability of counted values, and density")
    assert kernel().label == "autoregressive step"

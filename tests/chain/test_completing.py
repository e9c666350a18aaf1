"""Parts of rows: what is drawn given the rest has the chain's own distribution, by enumeration; ranges and rows are kept apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from saltus.chain import Chain, OraclePrior, StandardNormal, complete, completing, given_others
from saltus.data import load
from saltus.errors import SaltusError
from saltus.kernels import AutoregressiveKernel, Transition
from saltus.levels import Levels
from saltus.likelihoods import Number
from saltus.oracles import GaussianMixture
from saltus.training import Config, train
from tests.helpers.chains import MIXTURE, chain_of, gaussian
from tests.helpers.checks import assert_one_sentence, gauss_hermite, mean_is
from tests.helpers.rows import EVERY, NUMBERS, rows_of
from tests.helpers.stubs import randomise

T = 0.3
FLAGS = [Number(0, 1, step=1.0, shares=(0.4, 0.6)), Number(0, 1, step=1.0, shares=(0.5, 0.5)), Number(0, 1, step=1.0, shares=(0.7, 0.3))]
COUNTS = [FLAGS[0], Number(0, 69, step=1.0, mean=30.0, std=17.0)]
ROWS, DRAWS = 30, 200


def chain(numbers: list[Number], t: float = T) -> Chain:
    """Of a network that looks hard at z_L, little of whose noise hides what is known."""
    torch.manual_seed(2)
    kernel = AutoregressiveKernel((len(numbers),), width=16, numbers=numbers)
    randomise(kernel)
    with torch.no_grad():
        kernel.network.z.weight.mul_(8)
    return Chain(StandardNormal(), Levels((0.0, t)), kernel.double())


def step(of: Chain) -> AutoregressiveKernel:
    return completing.step_of_rows(of)


def y_of(of: Chain, x: list[list[float]] | Tensor) -> Tensor:
    return step(of).distributions.on.forward(torch.as_tensor(x, dtype=torch.float64))


@torch.no_grad()
def chances(of: Chain, x: Tensor, nodes: int) -> Tensor:
    """The chain's p(y) of rows, z_L integrated out by quadrature."""
    y, E, last = y_of(of, x), x.shape[1], of.levels.last
    points, weights = (torch.from_numpy(value) for value in gauss_hermite(nodes))
    z = torch.cartesian_prod(*[points] * E)
    w = torch.cartesian_prod(*[weights] * E).prod(1)
    every, known = y.repeat_interleave(len(z), 0), torch.ones(len(y) * len(z), E, dtype=torch.bool)
    p = step(of).log_prob(Transition(z.repeat(len(y), 1), 0.0, last), every, known).exp().unflatten(0, (len(y), len(z)))
    return (p * w).sum(1)


def first_known(n: int, k: int, E: int) -> Tensor:
    return (torch.arange(E) < k).expand(n, E)


@pytest.mark.parametrize("told", [[0.0], [1.0], [0.0, 1.0], [1.0, 0.0]])
def test_the_rest_of_a_row_has_the_chains_distribution(told: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """z_L integrated out, the numbers that are known being the first ones of the chain's own order."""
    of, k = chain(FLAGS), len(told)
    every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3).double()
    p = chances(of, every, 24)
    assert float(p.sum()) == pytest.approx(1, abs=1e-6)
    agree = (every[:, :k] == torch.tensor(told)).all(1)
    y = y_of(of, [[*told, *[0.0] * (3 - k)]]).expand(ROWS, -1)
    plain, fits = completing.resampled, {}
    for weighed in (True, False):
        if not weighed:
            monkeypatch.setattr(completing, "resampled", lambda log_weight, *others: plain(torch.zeros_like(log_weight), *others))
        drawn = complete(of, y, first_known(ROWS, k, 3), draws=DRAWS, seed=1)
        x = step(of).distributions.on.inverse(drawn.flatten(0, 1)).unflatten(0, (ROWS, DRAWS))
        assert bool((x[..., :k] == torch.tensor(told)).all())
        own = [mean_is((x == row).all(2).double().mean(1), float(p[agree][j] / p[agree].sum())) for j, row in enumerate(every[agree])]
        fits[weighed] = all(own)
    assert fits == {True: True, False: False}


def test_with_nothing_known_rows_are_the_chains_own() -> None:
    of, every = chain(FLAGS), torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3).double()
    p = chances(of, every, 24)
    drawn = complete(of, torch.full((ROWS, 3), torch.nan).double(), first_known(ROWS, 0, 3), draws=DRAWS)
    x = step(of).distributions.on.inverse(drawn.flatten(0, 1)).unflatten(0, (ROWS, DRAWS))
    assert all(mean_is((x == row).all(2).double().mean(1), float(p[j])) for j, row in enumerate(every))


def test_numbers_in_a_range_have_the_chains_distribution_there() -> None:
    """And stay there; an end in the middle of a value's interval is that of the interval."""
    of, E = chain(COUNTS), 2
    every = torch.cartesian_prod(torch.tensor([0.0, 1.0]), torch.arange(70.0)).double()
    p = chances(of, every, 32)
    assert float(p.sum()) == pytest.approx(1, abs=1e-4)
    cells = step(of).distributions.on.cells(y_of(of, every))
    within = [(float(cells.below[low, 1]), float(cells.above[high, 1])) for low, high in ((0, 12), (40, 69))]
    inside = (every[:, 1] <= 12) | (every[:, 1] >= 40)
    y = y_of(of, [[1.0, 0.0]]).expand(ROWS, -1)
    drawn = complete(of, y, first_known(ROWS, 1, E), draws=DRAWS, within={1: within}, seed=2)
    x = step(of).distributions.on.inverse(drawn.flatten(0, 1)).unflatten(0, (ROWS, DRAWS))
    assert bool(((x[..., 1] <= 12) | (x[..., 1] >= 40)).all())
    agree, fits = every[:, 0] == 1, []
    for low, high in ((0, 3), (4, 12), (40, 50), (51, 69)):
        part = agree & (every[:, 1] >= low) & (every[:, 1] <= high)
        values = ((x[..., 1] >= low) & (x[..., 1] <= high)).double().mean(1)
        assert mean_is(values, float(p[part].sum() / p[agree & inside].sum()))
        fits.append(mean_is(values, float(p[part].sum() / p[agree].sum())))
    assert not all(fits)  # the twin: as if there were no range


def test_a_row_that_is_known_whole_comes_back() -> None:
    of = chain(NUMBERS)
    y = rows_of(EVERY[::50])
    found = complete(of, y, torch.ones_like(y, dtype=torch.bool), draws=2)
    assert torch.equal(found, y[:, None].expand(-1, 2, -1))
    assert complete(of, y[:0], torch.ones_like(y[:0], dtype=torch.bool)).shape == (0, 1, 4)


def some_rows() -> tuple[Tensor, Tensor]:
    """Rows of which different parts are known, one whole, one not at all; what is not known is no number."""
    y = rows_of(EVERY[torch.tensor([3, 100, 400, 500, 600, 700, 800, 1000])])
    known = torch.rand(y.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    known[0], known[1] = True, False
    known[:, 1] |= known[:, 2]
    return torch.where(known, y, torch.nan), known


def test_draws_of_a_row_are_the_same_whatever_other_rows_there_are() -> None:
    """Some need more proposals than others."""
    of = chain(NUMBERS, t=0.1)
    y, known = some_rows()
    within = {3: [(-0.5, 0.5)]}
    known[:, 3] = False
    seen = []
    plain = completing._some

    def watched(asked: completing._Asked, rows: Tensor, P: int) -> tuple[Tensor, Tensor]:
        seen.append((P, len(rows)))
        return plain(asked, rows, P)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(completing, "_some", watched)
        whole = complete(of, y, known, draws=3, within=within, seed=4, first_item=5)
    assert [n for _, n in seen] == sorted((n for _, n in seen), reverse=True)
    assert 0 < seen[-1][1] < len(y)
    assert len({P for P, _ in seen}) > 1
    alone = [complete(of, y[k : k + 1], known[k : k + 1], draws=3, within=within, seed=4, first_item=5 + k) for k in range(len(y))]
    assert torch.allclose(torch.cat(alone), whole)
    halves = [
        complete(of, y[part], known[part], draws=3, within=within, seed=4, first_item=5 + part.start) for part in (slice(0, 3), slice(3, 8))
    ]
    assert torch.allclose(torch.cat(halves), whole)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(completing, "_AT_ONCE", 30)
        assert torch.allclose(complete(of, y, known, draws=3, within=within, seed=4, first_item=5), whole)
    assert not torch.allclose(complete(of, y, known, draws=3, within=within, seed=5, first_item=5), whole)
    assert not torch.allclose(complete(of, y, known, draws=3, within=within, seed=4, first_item=6), whole)
    assert torch.equal(torch.where(known[:, None], whole, 0.0), torch.where(known, y, 0.0)[:, None].expand_as(whole))
    inside = step(of).distributions.on.inverse(whole.flatten(0, 1))[:, 3]
    assert bool(((inside >= 22) & (inside <= 38)).all())


def test_what_cannot_be_is_said() -> None:
    of = chain([*FLAGS, Number(-9.0, 9.0)])
    y = y_of(of, [[1.0, 0.0, 0.0, 0.0]]).expand(2, -1)
    with pytest.raises(SaltusError) as caught:
        complete(of, y, first_known(2, 1, 4), within={1: [(5.0, 5.0)], 3: [(-1.0, 1.0)]})
    assert_one_sentence(caught.value, "no row can be as it was asked for")


@pytest.mark.parametrize(
    "other",
    [
        lambda: chain_of("vae"),
        lambda: Chain(StandardNormal(), Levels((0.0, 0.5)), gaussian()),
        lambda: Chain(OraclePrior(MIXTURE), Levels((0.0, 0.5)), AutoregressiveKernel((2,))),
        lambda: Chain(StandardNormal(), Levels((0.0, 0.5, 1.0)), AutoregressiveKernel((2,))),
    ],
)
def test_other_chains_say_that_they_draw_whole_rows(other: object) -> None:
    made, y = other(), torch.zeros(2, 2)  # type: ignore[operator]
    for ask in (lambda: complete(made, y, y == 0), lambda: given_others(made, y)):
        with pytest.raises(SaltusError) as caught:
            ask()
        assert_one_sentence(caught.value, "this model draws whole rows", "train one with kernel autoregressive")


@torch.no_grad()
def test_proposals_are_taken_as_often_as_they_weigh() -> None:
    """Each once less or more, in systematic resampling; and each as often on average."""
    weights = torch.rand(3, 8, generator=torch.Generator().manual_seed(0)).double()
    weights[1, 2:5] = 0
    shares = weights / weights.sum(1, keepdim=True)
    counts = torch.stack(
        [
            torch.stack([row.bincount(minlength=8) for row in completing.resampled(weights.log() + 700, 20, torch.full((3,), u).double())])
            for u in (torch.arange(100) + 0.5) / 100
        ]
    ).double()
    assert bool(((counts - 20 * shares).abs() < 1 + 1e-9).all())
    assert not counts[:, 1, 2:5].any()
    assert torch.allclose(counts.mean(0), 20 * shares, atol=0.02)
    nothing = completing.resampled(torch.full((2, 4), -torch.inf).double(), 3, torch.full((2,), 0.5).double())
    assert bool(((nothing >= 0) & (nothing < 4)).all())


@torch.no_grad()
def test_a_cost_given_all_others_is_that_of_its_row_whatever_the_batch() -> None:
    of, y = chain(NUMBERS), rows_of(EVERY[::30])
    whole = given_others(of, y, seed=3)
    assert whole.shape == y.shape
    assert bool((whole[~EVERY[::30, 2].isnan()] > 0).all())
    assert not whole[EVERY[::30, 2].isnan(), 2].any()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(completing, "_AT_ONCE", 7)
        assert torch.allclose(given_others(of, y, seed=3), whole)
    assert not torch.allclose(given_others(of, y, seed=4), whole)
    assert given_others(of, y[:0]).shape == (0, 4)


MEANS = torch.tensor([[-1.0, 0.5, 1.5], [1.2, -0.3, -1.0]], dtype=torch.float64)
COVARIANCES = torch.tensor(
    [[[0.3, 0.1, 0.15], [0.1, 0.4, -0.1], [0.15, -0.1, 0.3]], [[0.5, -0.2, 0.0], [-0.2, 0.3, 0.1], [0.0, 0.1, 0.2]]], dtype=torch.float64
)
WEIGHTS = torch.tensor([0.6, 0.4], dtype=torch.float64)


def last_given_others(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The mixture of the last number given the first two, of x (2,): weights, means and variances, (2,) each."""
    first = torch.distributions.MultivariateNormal(MEANS[:, :2], COVARIANCES[:, :2, :2])
    gain = torch.linalg.solve(COVARIANCES[:, :2, :2], COVARIANCES[:, :2, 2])
    means = MEANS[:, 2] + ((x - MEANS[:, :2]) * gain).sum(1)
    variances = COVARIANCES[:, 2, 2] - (COVARIANCES[:, :2, 2] * gain).sum(1)
    return (WEIGHTS.log() + first.log_prob(x)).softmax(0), means, variances


@pytest.mark.slow
def test_a_trained_chain_completes_rows_of_a_mixture_as_its_closed_form_does() -> None:
    """Means within a tenth of a standard deviation of the column, quantiles within 0.04 of their levels, in the mean over rows."""
    oracle = GaussianMixture(WEIGHTS, MEANS, COVARIANCES)
    data = load(oracle.sample(6000, seed=0).numpy())
    of = train(
        data, Config(kernel="autoregressive", levels=1, prior="normal", updates=800, batch=256, width=64, learning_rate=3e-3), quiet=True
    )
    x = oracle.sample(40, seed=1)
    known = torch.tensor([True, True, False]).expand(len(x), -1)
    drawn = complete(of, data.encoding.encode(x.float().numpy()), known, draws=400)
    last = data.encoding.decode(drawn.flatten(0, 1)).reshape(len(x), 400, 3)[:, :, 2]
    off, levels = [], []
    for row, values in zip(x, torch.from_numpy(last).double(), strict=True):
        weights, means, variances = last_given_others(row[:2])
        off.append(float(values.mean() - (weights * means).sum()))
        for level in (0.1, 0.5, 0.9):
            at = values.quantile(level)
            levels.append(float((weights * torch.special.ndtr((at - means) / variances.sqrt())).sum()) - level)
    assert np.abs(off).mean() < 0.1 * float(x[:, 2].std())
    assert np.abs(levels).mean() < 0.04
    others = np.abs(np.array(off) - last.mean(1) + np.roll(last.mean(1), 1)).mean()
    assert others > 0.3 * float(x[:, 2].std())  # the twin: as if the numbers that are known were another row's

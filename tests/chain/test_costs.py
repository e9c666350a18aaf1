"""What steps cost: of exact kernels the information that they win back, and of every kernel the parts of its bound on a grid."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from saltus.chain import Chain, OraclePrior, StandardNormal, pair_costs
from saltus.kernels import GaussianKernel, OracleKernel, Preconditioned
from saltus.levels import Levels
from saltus.networks import MLP, ClassCondition
from saltus.oracles import GaussianMixture
from saltus.process import OrnsteinUhlenbeck
from tests.helpers.chains import HEAD, MIXTURE, grid
from tests.helpers.checks import STANDARD_ERRORS, standard_error
from tests.helpers.stubs import randomise

N, TIMES = 20_000, 3
process = OrnsteinUhlenbeck()


def test_exact_steps_cost_the_information_that_they_win_back() -> None:
    """Of Gaussian data I(y; z_t) = ln(1 + v SNR) / 2, and y given z_t has the variance v / (1 + v SNR)."""
    v = 0.3
    oracle = GaussianMixture(torch.ones(1), torch.zeros(1, 1), torch.tensor([[[v]]]))
    chain = Chain(OraclePrior(oracle), Levels([0, 2.0]), OracleKernel(oracle))
    costs = pair_costs(chain, oracle.sample(N, seed=1), TIMES, seed=2)
    assert costs.times == tuple(Levels.cosine(TIMES, 2.0))
    total = 1 + v * process.log_snr(torch.tensor(costs.times)).exp()
    information = 0.5 * total.log()
    for j in range(1, TIMES + 1):
        assert abs(float(costs.prior[j] - information[j])) < STANDARD_ERRORS / math.sqrt(N)  # a log ratio that varies by less than 1
        for i in range(j):
            entropy = 0.5 * math.log(2 * math.pi * math.e * v / float(total[j]))
            expected = entropy if i == 0 else float(information[i] - information[j])
            tolerance = STANDARD_ERRORS * float(costs.error[i, j])
            assert abs(float(costs.nats[i, j]) - expected) < tolerance
            assert abs(float(costs.nats[i, j]) - 1.3 * expected) > tolerance  # the twin
    assert costs.nats.isnan().sum() == (TIMES + 1) ** 2 - TIMES * (TIMES + 1) // 2


@pytest.mark.parametrize("condition", [None, 1])
def test_costs_along_a_grid_add_up_to_its_bound(condition: int | None) -> None:
    """Of an untrained kernel, told its class or not."""
    torch.manual_seed(0)
    kind = ClassCondition(["a", "b"], [1, 1])
    kernel = GaussianKernel(Preconditioned(MLP((2,), width=16, depth=1, condition=kind)), HEAD, variance="transition")
    chain = Chain(StandardNormal(), grid(3), kernel)
    randomise(chain)
    y = MIXTURE.sample(N, seed=1).float()
    told = None if condition is None else torch.full((N,), condition)
    costs = pair_costs(chain, y, TIMES, condition=told, seed=2)

    def differ(given: int | None) -> bool:
        bound = chain.on(Levels([0, costs.times[1], costs.times[3]])).bound(y, condition=given, batch=N).total
        summed = float(costs.nats[0, 1] + costs.nats[1, 3] + costs.prior[3])
        error = math.hypot(float(costs.error[0, 1]), float(costs.error[1, 3]), standard_error(bound))
        return abs(float(bound.double().mean()) - summed) > STANDARD_ERRORS * error

    assert not differ(condition)
    assert differ(0)  # the twin: another condition


def test_the_plan_of_a_conditional_chain_is_its_bound() -> None:
    """The prior's part is given the condition too: two classes far apart, whose marginal without them costs more."""
    oracle = GaussianMixture(torch.ones(2), torch.tensor([[-2.0], [2.0]]), torch.full((2, 1, 1), 0.1), labels=[0, 1])
    chain = Chain(OraclePrior(oracle), Levels([0, 0.5]), OracleKernel(oracle))
    condition = torch.arange(2).repeat(2000)
    y = oracle.sample(len(condition), seed=1, condition=condition)
    plan = pair_costs(chain, y, 1, condition=condition, seed=2).plan(1)
    bound = chain.bound(y, condition=condition, seed=3).total
    assert abs(plan.total - float(bound.mean())) < STANDARD_ERRORS * math.sqrt(2) * standard_error(bound)
    assert plan.total < float(-oracle.log_prob(y, 0.0).mean()) - 0.5  # ln 2 nats of it


def test_an_oracle_with_labels_is_saved_and_loaded(tmp_path: Path) -> None:
    oracle = GaussianMixture(torch.ones(2), torch.tensor([[-2.0], [2.0]]), torch.full((2, 1, 1), 0.1), labels=[0, 1])
    chain = Chain(OraclePrior(oracle), Levels([0, 0.5]), OracleKernel(oracle))
    chain.save(tmp_path)
    again = Chain.load(tmp_path)
    assert torch.equal(again.sample(5, seed=1, condition=1), chain.sample(5, seed=1, condition=1))

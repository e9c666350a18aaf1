"""From a configuration to a chain: the same weights for the same seed, sizes as given, ladders where they were asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from saltus import SaltusError
from saltus.chain import Chain
from saltus.data import DataSet, digits
from saltus.kernels import DeterministicKernel, GaussianKernel, LadderKernel, VAEKernel
from saltus.likelihoods import ColumnsHead, MixtureHead
from saltus.networks import NETWORKS
from saltus.training import Config, build_chain, train
from tests.helpers.checks import assert_one_sentence, standard_error


@pytest.fixture(scope="module")
def data() -> DataSet:
    return digits()


def parameters(chain: Chain) -> int:
    return sum(p.numel() for p in chain.parameters())


@pytest.mark.parametrize(
    ("options", "kind", "any_step"),
    [
        ({"kernel": "vae"}, VAEKernel, False),
        ({"kernel": "vae", "any_step": True}, VAEKernel, True),
        ({"kernel": "gaussian"}, GaussianKernel, True),
        ({"kernel": "gaussian", "any_step": False}, GaussianKernel, False),
        ({"kernel": "deterministic"}, DeterministicKernel, True),
        ({"ladder": "every", "any_step": True}, LadderKernel, True),
    ],
)
def test_a_kernel_is_of_its_kind_and_serves_any_step_where_it_was_asked_to(
    options: dict[str, object], kind: type, any_step: bool, data: DataSet
) -> None:
    chain = build_chain(Config(levels=3, **options), data)
    assert type(chain.kernel(1)) is kind
    assert chain.any_step is any_step
    assert chain.encoding is data.encoding


def test_chains_start_from_their_seed_alone(data: DataSet) -> None:
    torch.manual_seed(1)
    first = build_chain(Config(seed=5), data).state_dict()
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    second = build_chain(Config(seed=5), data).state_dict()
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = build_chain(Config(seed=6), data).state_dict()
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_sizes_can_be_given(data: DataSet) -> None:
    assert parameters(build_chain(Config(width=64), data)) < parameters(build_chain(Config(), data))
    assert build_chain(Config(latent=5), data).kernel(1).latent == 5
    assert build_chain(Config(), data).kernel(1).latent == 64 // 4
    assert build_chain(Config(), DataSet.from_arrays(np.random.default_rng(0).normal(size=(300, 3)))).kernel(1).latent == 3
    with pytest.raises(SaltusError, match=r"channels are \(10, 20\); expected multiples of 8") as error:
        build_chain(Config(architecture="unet", channels=(10, 20)), data)
    assert_one_sentence(error.value)


def test_many_rows_get_a_mixture_in_each_column_and_counted_ones_masses() -> None:
    rng = np.random.default_rng(0)
    counted, plain = rng.integers(0, 9, (7000, 2)), rng.normal(size=(7000, 2))
    for rows, kind in ((counted, ColumnsHead), (plain, MixtureHead)):
        data = DataSet.from_arrays(rows)
        head = build_chain(Config(), data).kernel(1).head
        assert isinstance(head, kind)
        assert head.arrays == MixtureHead(1.0).arrays
        few = build_chain(Config(), DataSet.from_arrays(rows[:900])).kernel(1).head
        assert few is not None
        assert few.arrays == 0
    assert build_chain(Config(head="mixture"), DataSet.from_arrays(counted[:900])).kernel(1).head.arrays == 15  # type: ignore[union-attr]


def test_a_table_of_counts_learns_masses_and_draws_its_values() -> None:
    """A few updates: a bound that no density on a lattice keeps, spreads and types of the data."""
    rng = np.random.default_rng(0)
    counts = np.stack([rng.binomial(60, 0.6, 3000), rng.integers(0, 2, 3000)], 1).astype(np.uint8)
    data = DataSet.from_arrays(counts)
    chain = train(data, Config(updates=150, levels=2, width=32, batch=128, prior="normal"), quiet=True)
    bound = chain.bound(data.test).total
    entropy = float(stats.binom(60, 0.6).entropy()) + math.log(2)
    assert float(bound.mean()) > entropy - 5 * standard_error(bound)
    assert float(bound.mean()) < entropy + 1
    drawn = data.encoding.decode(chain.sample(3000, seed=0))
    assert drawn.dtype == np.uint8
    assert np.abs(drawn.std(0) / counts.std(0) - 1).max() < 0.15
    assert np.abs(drawn.mean(0) - counts.mean(0)).max() < 0.5


def test_an_architecture_of_ones_own_is_a_name(data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def network(*given: object, **named: object) -> torch.nn.Module:
        made.append(named["outputs"])
        return NETWORKS.get("mlp")(*given, **named)

    monkeypatch.setitem(NETWORKS._things, "mine", network)
    assert build_chain(Config(architecture="mine", kernel="gaussian"), data).kernel(1).event_shape == (1, 8, 8)
    assert made == [1]


def test_a_condition_is_that_of_the_data(data: DataSet) -> None:
    labelled = digits("labels")
    assert build_chain(Config(condition="labels"), labelled).condition is labelled.condition
    assert build_chain(Config(), labelled).condition is labelled.condition
    assert build_chain(Config(), data).condition is None
    for wrong, items in (("labels", data), ("attributes", labelled)):
        with pytest.raises(SaltusError, match=f"condition {wrong} was asked for, and digits was loaded with") as error:
            build_chain(Config(condition=wrong), items)
        assert_one_sentence(error.value, f"condition='{wrong}'")


def test_a_ladder_takes_the_step_to_data_and_a_plain_kernel_the_others(data: DataSet) -> None:
    chain = train(data, Config(ladder="last", width=16, levels=3, updates=2, closed_forms=False, noisy_steps="vae"), quiet=True)
    assert [type(chain.kernel(level)) for level in (1, 2, 3)] == [LadderKernel, VAEKernel, VAEKernel]
    assert chain.kernel(2) is chain.kernel(3)
    loss = chain.loss(data.train[:30], seed=1)
    assert all(bool(loss.total[loss.level == level].ne(0).all()) for level in (1, 2, 3))
    assert bool(loss.total.isfinite().all())
    alone = Config(ladder="last", levels=1)
    assert build_chain(alone, data).kernel(1).latent == 8 * 3 * (4 * 4 + 2 * 2 + 1)  # of patches, three groups at each resolution


def test_ladders_on_every_step_are_one_of_the_step_to_data_and_one_of_the_others(data: DataSet) -> None:
    first, *others = build_chain(Config(ladder="every", levels=3), data).kernels
    assert all(isinstance(kernel, LadderKernel) for kernel in (first, *others))
    assert others[0] is others[1] is not first
    assert not torch.equal(next(first.parameters()), next(others[0].parameters()))


def test_a_ladder_and_plain_kernels_train_importance_weighted(data: DataSet) -> None:
    config = Config(ladder="last", levels=2, importance_samples=2)
    loss = build_chain(config, data).loss(data.train[:6], seed=0, importance_samples=2)
    assert set(loss.terms) == {"marginal", "entropy"}
    assert loss.total.isfinite().all()

"""The training loop: what an update sees, how it is weighted, what is skipped, and when it is validated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from saltus import Chain, SaltusError
from saltus.chain import Batch, ChainLoss, Loss, StandardNormal
from saltus.data import DataSet, digits
from saltus.kernels import KERNELS, DeterministicKernel, EncoderInput, Preconditioned
from saltus.levels import Levels
from saltus.networks import MLP
from saltus.training import VALIDATIONS, Config, Trainer, build_chain
from saltus.training.order import items_after
from tests.helpers.checks import STANDARD_ERRORS, assert_one_sentence

UPDATES = 40


@pytest.fixture(scope="module")
def data() -> DataSet:
    return digits()


def trainer_of(data: DataSet, **options: Any) -> Trainer:
    config = Config(**options)
    return Trainer(build_chain(config, data), data, config)


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[Batch]:
    """Every batch that a loss is computed of."""
    seen, forward = [], ChainLoss.forward

    def watched(self: ChainLoss, batch: Batch) -> Loss:
        seen.append(batch)
        return forward(self, batch)

    monkeypatch.setattr(ChainLoss, "forward", watched)
    return seen


def test_items_are_whole_permutations_wherever_a_run_is_cut() -> None:
    n, batch = 10, 7
    stream = torch.cat([items_after(n, first, batch, seed=3) for first in range(0, 5 * n * batch, batch)])
    for epoch in stream[: len(stream) // n * n].split(n):
        assert sorted(epoch.tolist()) == list(range(n))
    assert torch.equal(items_after(n, 4, 23, seed=3), stream[4:27])
    assert not torch.equal(stream, torch.cat([items_after(n, first, batch, seed=4) for first in range(0, 5 * n * batch, batch)]))


@pytest.mark.parametrize("kernel", [name for name in KERNELS.names() if name not in ("flow", "autoregressive")])  # which are of rows
def test_training_lowers_the_loss_and_is_reproducible(kernel: str, data: DataSet) -> None:
    runs = [list(trainer_of(data, kernel=kernel, updates=UPDATES)) for _ in range(2)]
    assert [p.loss for p in runs[0]] == [p.loss for p in runs[1]]
    assert [p.update for p in runs[0]] == list(range(1, UPDATES + 1))
    assert runs[0][-1].loss < 0.8 * runs[0][0].loss
    last = runs[0][-1]
    assert last.skipped == 0
    assert (last.validation.bits_per_dim is None) == (kernel == "deterministic")
    assert last.loss == pytest.approx(sum(last.terms.values()))
    if kernel == "vae":
        assert set(last.terms) == {"kl", "decoder", "entropy"}
        assert len(last.validation.kl) == len(last.validation.active_units) == len(last.validation.aggregate_kl) == 4
    assert next(iter(trainer_of(data, kernel=kernel, updates=UPDATES, seed=1))).loss != runs[0][0].loss


@pytest.mark.parametrize("options", [{"kernel": "vae", "any_step": True}, {"kernel": "gaussian"}], ids=["vae", "gaussian"])
def test_training_for_any_step_lowers_the_bound_on_every_grid(options: dict[str, Any], data: DataSet) -> None:
    trainer = trainer_of(data, updates=UPDATES, width=32, learning_rate=3e-3, **options)

    def bounds() -> list[float]:
        chain = trainer.averaged()
        found = []
        for calls in (1, 2, 6):
            other = chain.on(Levels.cosine(calls, chain.levels.last))
            other.calibrate(data.validation)
            found.append(float(other.bound(data.test, seed=1).bits_per_dim.mean()))
        return found

    before = bounds()
    *_, last = trainer
    assert last.skipped == 0
    assert all(later < earlier - 0.1 for later, earlier in zip(bounds(), before, strict=True))


def test_an_update_sees_the_items_and_the_noise_of_their_numbers(data: DataSet, batches: list[Batch]) -> None:
    for _ in trainer_of(data, updates=3, batch=16, width=16, seed=4):
        pass
    for number, batch in enumerate(batches):
        assert torch.equal(batch.y, data.train[items_after(len(data.train), 16 * number, 16, seed=4)])
        assert (batch.noise.seed, batch.noise.first_item, batch.noise.n) == (4, 16 * number, 16)
        assert batch.condition is None


def test_the_weight_of_the_kl_rises_from_zero_in_a_straight_line(data: DataSet, batches: list[Batch]) -> None:
    first, *_, last = trainer_of(data, updates=10, kl_warm_up=0.5, batch=16, width=16, weights={"kl": 3.0})
    assert first.terms["kl"] == 0 < last.terms["kl"]
    assert [batch.weights["kl"] for batch in batches] == pytest.approx([3 * share for share in [0, 0.2, 0.4, 0.6, 0.8] + [1] * 5])
    batches.clear()
    list(trainer_of(data, updates=3, kl_warm_up=0.0, batch=16, width=16))
    assert [batch.weights["kl"] for batch in batches] == [1, 1, 1]


def test_the_bound_is_importance_weighted_once_the_kl_has_risen(data: DataSet) -> None:
    trainer = trainer_of(data, updates=10, kl_warm_up=0.5, importance_samples=4)
    updates = list(trainer)
    assert ["kl" in update.terms for update in updates] == [True] * 5 + [False] * 5
    assert ["marginal" in update.terms for update in updates] == [False] * 5 + [True] * 5
    assert trainer.averaged().importance_samples == 4
    assert len(updates[-1].validation.kl) == 4  # of the encoder, whatever the bound is


def test_validations_weight_the_bound_as_the_chain_does(data: DataSet) -> None:
    trainer, y = trainer_of(data, importance_samples=4), data.validation[:256]
    bits = {k: float(trainer.chain.bound(y, importance_samples=k).bits_per_dim.mean()) for k in (1, 4)}
    assert trainer.validate().bits_per_dim == pytest.approx(bits[4], abs=1e-6)
    assert bits[4] < bits[1] - 1e-4  # the twin


def test_a_chain_and_its_configuration_have_the_same_importance_samples(data: DataSet) -> None:
    with pytest.raises(ValueError, match="the chain has 1 importance samples, the configuration 4"):
        Trainer(build_chain(Config(), data), data, Config(importance_samples=4))


def test_the_encoder_sees_what_it_was_asked_to(data: DataSet) -> None:
    for given in EncoderInput:
        *_, last = trainer_of(data, encoder_input=given, updates=2, width=16, batch=16)
        assert ("entropy" in last.terms) == (given is EncoderInput.Z_S)


@pytest.mark.parametrize("kernel", [name for name in KERNELS.names() if name not in ("flow", "autoregressive")])  # which are of rows
def test_updates_that_are_not_finite_are_skipped_counted_and_given_up(kernel: str, data: DataSet) -> None:
    config = Config(kernel=kernel, updates=200, batch=16)
    chain = build_chain(config, data)
    before = [p.detach().clone() for p in chain.parameters()]
    with torch.no_grad():
        next(iter(chain.parameters()))[0] = torch.nan
    counts = []
    with pytest.raises(SaltusError, match="up to update 100, the last time in the term"):
        counts.extend(progress.skipped for progress in Trainer(chain, data, config))
    assert counts == list(range(1, 100))
    assert all(torch.equal(a, b) for a, b in zip(before[1:], list(chain.parameters())[1:], strict=True))


def spoiled(term: Tensor, what: str) -> Tensor:
    """A term whose value, or whose gradient alone, is not finite."""
    return term + torch.inf if what == "loss" else term + (0 * term).clamp_min(0).sqrt()


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_one_bad_update_leaves_no_trace_and_the_next_goes_on(what: str, data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    forward, number = ChainLoss.forward, 0

    def watched(self: ChainLoss, batch: Batch) -> Loss:
        nonlocal number
        number += 1
        loss = forward(self, batch)
        return Loss(loss.level, {"error": spoiled(loss.terms["error"], what)}, loss.weight) if number == 3 else loss

    monkeypatch.setattr(ChainLoss, "forward", watched)
    trainer = trainer_of(data, kernel="deterministic", updates=5, width=16, batch=16)
    states, skipped = [], []
    for progress in trainer:
        states.append([p.detach().clone() for p in [*trainer.chain.parameters(), *trainer.averaged().parameters()]])
        skipped.append(progress.skipped)
    assert skipped == [0, 0, 1, 1, 1]
    same = [all(map(torch.equal, one, other)) for one, other in pairwise(states)]
    assert same == [False, True, False, False]
    assert all(bool(p.isfinite().all()) for p in states[-1])


@pytest.mark.parametrize("updates", [1, 19, 39, 41])
def test_a_run_has_at_most_so_many_validations_and_ends_in_one(updates: int, data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    done, validate = [], Trainer.validate
    monkeypatch.setattr(Trainer, "validate", lambda trainer: done.append(len(seen)) or validate(trainer))
    seen: list[object] = []
    for progress in trainer_of(data, updates=updates, width=16, levels=1, batch=2):
        seen.append(progress)
    assert min(updates, VALIDATIONS // 2) <= len(done) <= VALIDATIONS
    assert done[-1] == updates - 1


def test_a_validation_is_the_bound_of_the_averaged_chain(data: DataSet) -> None:
    trainer = trainer_of(data, updates=5, width=16, seed=2)
    *_, last = trainer
    bound = trainer.averaged().bound(data.validation[:256], seed=2)
    assert last.validation.bits_per_dim == pytest.approx(float(bound.bits_per_dim.mean()), abs=1e-6)
    assert last.validation.per_level == pytest.approx(bound.per_level.mean(1).tolist(), rel=1e-5)
    assert last.validation.active_units == bound.active_units
    raw = trainer.chain.bound(data.validation[:256], seed=2).per_level.mean(1).tolist()
    assert last.validation.per_level != pytest.approx(raw, rel=1e-5)  # the twin: the weights of the last update


def labelled(share: float) -> tuple[Trainer, int]:
    items = digits("labels")
    return trainer_of(items, condition="labels", condition_dropout=share, updates=30, batch=128, width=16, kernel="gaussian"), 30 * 128


@pytest.mark.parametrize("share", [0.3, 0.2, 0.5])
def test_conditions_are_those_of_the_items_and_the_stated_share_is_left_out(share: float, batches: list[Batch]) -> None:
    trainer, n = labelled(share)
    list(trainer)
    given = torch.cat([batch.condition for batch in batches])
    own = torch.cat([trainer.data.conditions.train[items_after(len(trainer.data.train), 128 * i, 128, 0)] for i in range(30)])
    left_out = given == -1
    assert torch.equal(given[~left_out], own[~left_out])

    def is_share(of: float) -> bool:
        error = np.sqrt(max(of * (1 - of), 0) / n)
        return abs(float(left_out.double().mean()) - of) <= STANDARD_ERRORS * error

    assert is_share(share)
    assert not is_share(share + 0.1)
    assert not is_share(abs(share - 0.1))


def test_conditions_that_are_left_out_are_so_whatever_their_class_is(batches: list[Batch]) -> None:
    """A chi-squared test of independence of class and omission, whose twin leaves out one class more often."""
    trainer, _ = labelled(0.5)
    list(trainer)
    left_out = torch.cat([batch.condition for batch in batches]) == -1
    own = torch.cat([trainer.data.conditions.train[items_after(len(trainer.data.train), 128 * i, 128, 0)] for i in range(30)])

    def p(left: Tensor) -> float:
        return float(stats.chi2_contingency([[int(((own == k) & (left == was)).sum()) for k in range(10)] for was in (True, False)]).pvalue)

    assert p(left_out) > 1e-6
    assert p(left_out | ((own == 3) & (torch.arange(len(own)) % 2 == 0))) < 1e-6


def test_a_condition_is_learned() -> None:
    """Samples of a class are nearer to its own mean than to those of the others; without a condition they could not be."""
    items = digits("labels")
    trainer = trainer_of(items, condition="labels", kernel="gaussian", updates=250, batch=128, width=64, learning_rate=3e-3)
    list(trainer)
    chain = trainer.averaged()
    means = torch.stack([items.train[items.conditions.train == k].mean(0) for k in range(10)]).flatten(1)
    asked = torch.arange(10).repeat_interleave(20)

    def hits(condition: Tensor) -> float:
        y = chain.sample(200, seed=0, condition=condition).flatten(1)
        return float((torch.cdist(y, means).argmin(1) == asked).double().mean())

    assert hits(asked) > 0.6
    assert hits(torch.full_like(asked, -1)) < 0.3


@pytest.mark.parametrize("bf16", [True, False])
def test_validations_have_the_precision_of_updates(bf16: bool, data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, bound = [], Chain.bound

    def watched(*given: Any, **named: Any) -> Any:
        seen.append(torch.is_autocast_enabled("cpu"))
        return bound(*given, **named)

    monkeypatch.setattr(Chain, "bound", watched)
    assert trainer_of(data, bf16=bf16, width=16).validate().bits_per_dim is not None
    assert seen == [bf16]


def test_bf16_trains_in_half_precision_and_keeps_weights_in_single(data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, linear = set(), nn.Linear.forward

    def watched(self: nn.Linear, x: Tensor) -> Tensor:
        seen.add((y := linear(self, x)).dtype)
        return y

    monkeypatch.setattr(nn.Linear, "forward", watched)
    losses = {}
    for bf16 in (False, True):
        trainer = trainer_of(data, bf16=bf16, updates=3, batch=64, width=16)
        losses[bf16] = torch.tensor([progress.loss for progress in trainer])
        assert {p.dtype for p in trainer.chain.parameters()} == {torch.float32}
        assert (torch.bfloat16 in seen) == bf16
    assert torch.allclose(losses[True], losses[False], rtol=0.05)
    assert not torch.equal(losses[True], losses[False])


class Normed(MLP):
    """A network whose buffers follow what it sees."""

    def __init__(self, event_shape: Sequence[int], **options: Any) -> None:
        super().__init__(event_shape, **options)
        self.seen = nn.BatchNorm1d(math.prod(event_shape), affine=False)

    def forward(self, x: Tensor, *others: Any) -> Tensor:
        return super().forward(self.seen(x.flatten(1)).reshape(x.shape), *others)


def test_buffers_of_averaged_weights_are_those_of_the_last_update(data: DataSet) -> None:
    config = Config(kernel="deterministic", updates=5)
    chain = Chain(StandardNormal(), config.grid, DeterministicKernel(Preconditioned(Normed(data.event_shape))))
    trainer = Trainer(chain, data, config)
    list(trainer)
    ours, averaged = dict(chain.named_buffers()), dict(trainer.averaged().named_buffers())
    assert int(averaged["kernels.0.network.backbone.seen.num_batches_tracked"]) == 5
    assert all(torch.equal(averaged[name], value) for name, value in ours.items())


def test_a_chain_and_data_of_other_conditions_do_not_train(data: DataSet) -> None:
    config, conditional = Config(updates=1, condition="labels"), digits("labels")
    for chain_of_data, trained_on in ((conditional, data), (data, conditional)):
        chain = build_chain(Config(updates=1), chain_of_data)
        with pytest.raises(SaltusError) as caught:
            Trainer(chain, trained_on, config)
        assert_one_sentence(caught.value, "condition")

"""The gradient of a batch in pieces is that of the whole, and memory that runs out makes the pieces smaller."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from saltus import SaltusError
from saltus.chain import Batch, ChainLoss, Loss
from saltus.data import DataSet, digits
from saltus.process import Noise
from saltus.processes import Processes
from saltus.training import Config, Trainer, build_chain
from saltus.training.gradient import Gradient
from tests.helpers.checks import assert_one_sentence

CASES: list[dict[str, Any]] = [
    {"levels": 3, "prior": "normal"},
    {"levels": 2, "prior": "mixture"},  # kernels of two kinds, and levels that count equally
    {"kernel": "gaussian"},  # any step: pairs are stratified over the batch
    {"kernel": "deterministic"},
    {"levels": 2, "importance_samples": 3, "kl_warm_up": 0.0},
    {"levels": 2, "condition": "labels"},
]


@pytest.fixture(scope="module")
def data() -> DataSet:
    return digits("labels")


def gradients(data: DataSet, options: dict[str, Any], micro_batch: int | None) -> tuple[list[Tensor], Loss]:
    config = Config(batch=12, width=16, **options)
    given = data if config.condition else digits()
    chain = build_chain(config, given)
    trainer = Trainer(chain, given, config)
    batch = trainer._batch(3)
    loss = Gradient(ChainLoss(chain), micro_batch, nullcontext).add(batch, [0.5, 2.0] if "mixture" in options.values() else None)
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in chain.parameters()], loss


@pytest.mark.parametrize("options", CASES, ids=str)
def test_pieces_have_the_gradient_and_the_terms_of_the_whole(options: dict[str, Any], data: DataSet) -> None:
    whole, loss = gradients(data, options, None)
    size = max(float(gradient.abs().max()) for gradient in whole)
    for micro_batch in (5, 1):
        pieces, joined = gradients(data, options, micro_batch)
        assert all(torch.allclose(one, other, rtol=1e-4, atol=1e-5 * size) for one, other in zip(whole, pieces, strict=True))
        assert torch.equal(loss.level, joined.level)
        assert set(loss.terms) == set(joined.terms)
        for name, value in loss.terms.items():
            torch.testing.assert_close(joined.terms[name], value, rtol=1e-4, atol=1e-4)


def test_a_piece_knows_its_place_in_the_whole(data: DataSet) -> None:
    whole = Batch(data.train[:10], Noise(0, 40, 10))
    part = whole.part(slice(2, 8)).part(slice(1, 4))
    jitter = whole.noise.uniform("level")
    assert torch.equal(part.y, whole.y[3:6])
    assert part.noise == Noise(0, 43, 3)
    assert torch.equal(part.strata(), whole.strata()[3:6])
    assert torch.equal(part.strata(jitter[3:6]), whole.strata(jitter)[3:6])
    assert not torch.equal(Batch(part.y, part.noise).strata(), part.strata())  # the twin: a batch of its own


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_every_third_item_is_at_its_level_of_the_whole(rank: int, data: DataSet) -> None:
    whole = Batch(data.train[:10], Noise(0, 40, 10))
    rows = slice(rank, 10, 3)
    n = len(data.train[:10][rows])
    share = Batch(whole.y[rows], Noise(0, 40 + rank, n, step=3), place=(rank, 10))
    assert torch.equal(share.strata(), whole.strata()[rows])
    later = share.part(slice(1, n))
    assert torch.equal(later.strata(), whole.strata()[rows][1:])
    assert torch.equal(later.noise.normal("z", (5,)), whole.noise.normal("z", (5,))[rows][1:])


class Limited(nn.Module):
    """A loss for which memory does for so many items."""

    def __init__(self, most: int, error: BaseException) -> None:
        super().__init__()
        self.weight, self.most, self.error, self.seen = nn.Parameter(torch.ones(())), most, error, list[int]()

    def forward(self, batch: Batch) -> Loss:
        self.seen.append(len(batch.y))
        terms = {"error": self.weight * batch.y.square().sum(-1)}
        if len(batch.y) > self.most:
            raise self.error
        return Loss(torch.ones(len(batch.y), dtype=torch.int64), terms, torch.ones(len(batch.y)))


def some(n: int) -> Batch:
    return Batch(torch.arange(2.0 * n).reshape(n, 2), Noise(0, 0, n))


ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    MemoryError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_memory_that_runs_out_halves_the_items_at_once(error: BaseException) -> None:
    loss, batch = Limited(3, error), some(10)
    gradient = Gradient(loss, None, nullcontext)
    with pytest.warns(UserWarning, match="memory ran out with .* items at once") as told:
        gradient.add(batch, None)
    assert loss.seen == [10, 5, 3, 3, 3, 1]
    assert len(told) == 2
    assert loss.weight.grad == pytest.approx(float(batch.y.square().mean()))
    gradient.add(batch, None)
    assert loss.seen[6:] == [3, 3, 3, 1]  # it is remembered


def test_memory_that_never_does_is_told_in_a_sentence() -> None:
    with pytest.warns(UserWarning, match="memory ran out"), pytest.raises(SaltusError, match="memory ran out with 1 of the 4") as error:
        Gradient(Limited(0, ERRORS[0]), None, nullcontext).add(some(4), None)
    assert_one_sentence(error)
    with pytest.raises(SaltusError, match=r"with 2 of the 4 .* leave micro_batch out"):
        Gradient(Limited(1, ERRORS[0]), 2, nullcontext).add(some(4), None)


def test_of_several_processes_each_is_told_what_would_do() -> None:
    several = Processes()
    several.world = 2
    with pytest.raises(SaltusError, match=r"memory ran out with 4 of the 4 .*; give micro_batch 2"):
        Gradient(Limited(3, ERRORS[0]), None, nullcontext, several).add(some(4), None)


def test_other_errors_are_not_taken_for_memory() -> None:
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        Gradient(Limited(0, RuntimeError("shapes do not fit")), None, nullcontext).add(some(2), None)


def test_a_training_in_pieces_is_the_same_training() -> None:
    data = digits()

    def losses(**options: Any) -> list[float]:
        config = Config(updates=6, batch=16, width=16, levels=2, prior="normal", **options)
        return [progress.loss for progress in Trainer(build_chain(config, data), data, config)]

    assert losses(micro_batch=5) == pytest.approx(losses(micro_batch="auto"), rel=1e-5)

"""The recipe of the optimiser, against formulas written another way and a plain AdamW in float64."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from saltus.chain import Batch, ChainLoss, Loss
from saltus.data import DataSet, digits
from saltus.training import Config, Trainer, build_chain

EPS = 1e-8  # of AdamW, torch's default


@pytest.fixture(scope="module")
def table() -> DataSet:
    return DataSet.from_arrays(np.random.default_rng(0).normal(size=(400, 3)))


@dataclass
class Steps:
    """Every step of every optimiser: its learning rate, and the parameters' gradients and values, before and after."""

    groups: list[dict[str, Any]] = field(default_factory=list)
    gradients: list[list[Tensor]] = field(default_factory=list)
    before: list[list[Tensor]] = field(default_factory=list)
    after: list[list[Tensor]] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        return [group["lr"] for group in self.groups]


@pytest.fixture
def steps() -> Iterator[Steps]:
    found = Steps()

    def parameters(optimiser: torch.optim.Optimizer) -> list[Tensor]:
        (group,) = optimiser.param_groups
        return group["params"]

    def before(optimiser: torch.optim.Optimizer, *_: object) -> None:
        found.groups.append({name: value for name, value in optimiser.param_groups[0].items() if name != "params"})
        found.gradients.append([torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in parameters(optimiser)])
        found.before.append([p.detach().clone() for p in parameters(optimiser)])

    def after(optimiser: torch.optim.Optimizer, *_: object) -> None:
        found.after.append([p.detach().clone() for p in parameters(optimiser)])

    handles = register_optimizer_step_pre_hook(before), register_optimizer_step_post_hook(after)
    yield found
    for handle in handles:
        handle.remove()


def run(data: DataSet, **options: Any) -> tuple[Trainer, list[float]]:
    """A trainer that has done its updates, and the norms of its gradients before clipping."""
    config = Config(**{"kernel": "deterministic", "width": 8, "batch": 16, **options})
    trainer = Trainer(build_chain(config, data), data, config)
    return trainer, [progress.gradient_norm for progress in trainer]


def flat(tensors: list[Tensor]) -> Tensor:
    return torch.cat([tensor.flatten().double() for tensor in tensors])


def test_the_learning_rate_rises_in_a_line_and_falls_along_a_half_cosine(table: DataSet, steps: Steps) -> None:
    updates, peak = 60, 0.01
    run(table, updates=updates, warm_up=0.2, learning_rate=peak)
    rates = np.array(steps.rates)
    assert len(rates) == updates
    top = int(rates.argmax())
    assert 9 <= top <= 11  # of 12 updates of warm-up
    assert rates[0] == pytest.approx(peak / 12)
    assert np.allclose(np.diff(rates[: top + 1])[:-1], peak / 12)  # a straight line
    assert (np.diff(rates[top:]) < 0).all()
    falling = np.arange(top + 1, updates)
    assert np.allclose(rates[falling], peak * np.cos(math.pi * falling / (2 * updates)) ** 2)  # cos^2 of half the angle
    assert rates[-1] == pytest.approx(peak * math.sin(math.pi / (2 * updates)) ** 2)
    assert rates[-1] < 0.001 * peak < 0.9 * peak < rates[top] < peak
    assert rates[updates // 2] == pytest.approx(peak / 2)


def test_without_warm_up_the_first_rate_is_the_whole_one(table: DataSet, steps: Steps) -> None:
    run(table, updates=5, warm_up=0.0, learning_rate=0.02)
    assert steps.rates[0] == 0.02


@pytest.mark.parametrize("share", [0.001, 0.7, 1.4, 1000])
def test_the_gradient_is_scaled_to_the_largest_norm_and_no_further(share: float, table: DataSet, steps: Steps) -> None:
    """The largest norm is a share of that of the first gradient."""
    _, (first_norm,) = run(table, updates=1, clip=1e9)
    steps.gradients.clear()
    clip = share * first_norm
    trainer, norms = run(table, updates=4, clip=clip)
    assert norms[0] == pytest.approx(first_norm, rel=1e-4)
    applied = [float(flat(gradient).norm()) for gradient in steps.gradients]
    assert applied == pytest.approx([min(norm, clip) for norm in norms], rel=1e-3)
    reference = build_chain(trainer.config, table)
    (ChainLoss(reference)(trainer._batch(0)).total.mean() / 3).backward()  # 3 numbers in an item
    own = flat([p.grad for p in reference.parameters() if p.grad is not None])
    assert norms[0] == pytest.approx(float(own.norm()), rel=1e-4)
    first = flat([g for g, p in zip(steps.gradients[0], reference.parameters(), strict=True) if p.grad is not None])
    assert torch.allclose(first / first.norm(), own / own.norm(), atol=1e-5)  # the direction is kept


def adamw(steps: Steps, betas: tuple[float, float], decay: float) -> Tensor:
    """Where the recorded gradients lead from the first parameters, in float64; weights decay apart from the gradient."""
    x = flat(steps.before[0])
    mean, square = torch.zeros_like(x), torch.zeros_like(x)
    for n, (rate, gradient) in enumerate(zip(steps.rates, map(flat, steps.gradients), strict=True), 1):
        x = x - rate * decay * x
        mean = betas[0] * mean + (1 - betas[0]) * gradient
        square = betas[1] * square + (1 - betas[1]) * gradient**2
        x = x - rate * (mean / (1 - betas[0] ** n)) / ((square / (1 - betas[1] ** n)).sqrt() + EPS)
    return x


def test_updates_are_those_of_adamw_with_its_betas(table: DataSet, steps: Steps) -> None:
    run(table, updates=40, learning_rate=0.01, weight_decay=0.3)
    assert {group["betas"] for group in steps.groups} == {(0.9, 0.99)}
    found = flat(steps.after[-1])

    def error(betas: tuple[float, float], decay: float) -> float:
        return float((adamw(steps, betas, decay) - found).abs().max())

    assert error((0.9, 0.99), 0.3) < 1e-5
    for betas, decay in (((0.9, 0.999), 0.3), ((0.8, 0.99), 0.3), ((0.9, 0.99), 0.2)):
        assert error(betas, decay) > 1e-3


def test_a_weight_without_a_gradient_shrinks_by_the_rate_times_the_decay(
    table: DataSet, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = ChainLoss.forward

    def nothing(self: ChainLoss, batch: Batch) -> Loss:
        loss = forward(self, batch)
        return Loss(loss.level, {name: 0 * term for name, term in loss.terms.items()}, loss.weight)

    monkeypatch.setattr(ChainLoss, "forward", nothing)
    run(table, updates=3, weight_decay=0.5, learning_rate=0.1)
    assert len(steps.rates) == 3
    for rate, before, after in zip(steps.rates, steps.before, steps.after, strict=True):
        assert torch.allclose(flat(after), flat(before) * (1 - 0.5 * rate), atol=1e-7)
        assert not torch.allclose(flat(after), flat(before), atol=1e-4)


@pytest.mark.parametrize("ema", [0.0, 0.5, 0.97])
def test_averaged_weights_are_a_weighted_sum_of_all_weights(ema: float, table: DataSet, steps: Steps) -> None:
    """With decay r_n at update n, the weights of update n count (1 - r_n) r_{n+1} r_{n+2} ...; the first ones count in place of none."""
    trainer, _ = run(table, updates=8, ema=ema, learning_rate=0.01)
    decays = [0.0] + [min(ema, (1 + n) / (10 + n)) for n in range(1, 8)]
    shares = np.array([(1 - r) * np.prod(decays[n + 1 :]) for n, r in enumerate(decays)])
    assert shares.sum() == pytest.approx(1)
    expected = sum(share * flat(weights) for share, weights in zip(shares, steps.after, strict=True))
    found = flat(list(trainer.averaged().parameters()))
    assert torch.allclose(found, expected, atol=1e-6)
    assert torch.equal(found, flat(steps.after[-1])) == (ema == 0)
    unwarmed = [ema**7, *((1 - ema) * ema ** (7 - n) for n in range(1, 8))]  # the twin: a decay that is not warmed up
    other = sum(share * flat(weights) for share, weights in zip(unwarmed, steps.after, strict=True))
    assert torch.allclose(found, other, atol=1e-6) == (ema == 0)


def test_a_longer_memory_is_slower_to_follow(table: DataSet, steps: Steps) -> None:
    distances = []
    for ema in (0.5, 0.8):
        trainer, _ = run(table, updates=40, ema=ema, learning_rate=0.01)
        distances.append(float((flat(list(trainer.averaged().parameters())) - flat(steps.after[-1])).detach().norm()))
    assert 0 < distances[0] < distances[1]


IMAGES = {"kernel": "gaussian", "architecture": "unet", "channels": (8, 16), "batch": 8, "updates": 2}


def test_channels_last_is_another_layout_of_the_same_training() -> None:
    data, losses = digits(), {}
    for layout in (False, True):
        config = Config(**IMAGES, channels_last=layout)
        trainer = Trainer(build_chain(config, data), data, config)
        losses[layout] = [progress.loss for progress in trainer]
        for chain in (trainer.chain, trainer.averaged()):
            weights = [m.weight for m in chain.modules() if isinstance(m, nn.Conv2d) and m.weight.shape[1] > 1 and m.weight.shape[2] > 1]
            assert weights
            assert all(w.is_contiguous(memory_format=torch.channels_last) == layout for w in weights)
            assert all(w.is_contiguous() != layout for w in weights)
    assert losses[True] == pytest.approx(losses[False], rel=1e-4)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # of torch's compiler, which hides it itself
@pytest.mark.parametrize(
    ("options", "networks"), [({"kernel": "gaussian"}, 1), ({"kernel": "vae"}, 2), ({"kernel": "vae", "latent": 0}, 1)]
)
def test_the_networks_are_compiled_and_give_the_same_training(
    options: dict[str, Any], networks: int, table: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a backend that runs graphs as they are, and counts those that reach it."""
    graphs: list[torch.fx.GraphModule] = []
    compiled: list[nn.Module] = []
    compile_ = nn.Module.compile

    def counting(graph: torch.fx.GraphModule, _: object) -> Any:
        graphs.append(graph)
        return graph.forward

    def watched(self: nn.Module, *given: Any, **named: Any) -> None:
        compiled.append(self)
        compile_(self, *given, **named, backend=counting)

    monkeypatch.setattr(nn.Module, "compile", watched)
    torch._dynamo.reset()
    losses = {}
    for wanted in (False, True):
        config = Config(**options, compile=wanted, updates=2, batch=16, width=8)
        trainer = Trainer(build_chain(config, table), table, config)
        losses[wanted] = [progress.loss for progress in trainer]
        assert (len(compiled), bool(graphs)) == (networks if wanted else 0, wanted)
    torch._dynamo.reset()
    assert len(graphs) >= networks
    assert all(any(module is network for network in trainer.chain.modules()) for module in compiled)
    assert losses[True] == pytest.approx(losses[False], rel=1e-5)
    names = {name for kept in (build_chain(config, table), trainer.averaged()) for name, _ in kept.named_parameters()}
    assert names == {name for name, _ in trainer.chain.named_parameters()}  # nothing is wrapped, so that files keep their names

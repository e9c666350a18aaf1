"""The collapse study: its plan, its exact part, its networks and its four samplers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from saltus import FiniteData, Levels, Noise
from saltus.data import digits
from saltus.evaluation import decoder_path, exact_decoder_path, spread
from saltus.kernels import OracleDenoiser
from saltus.studies.collapse import experiment as collapse
from saltus.studies.collapse.experiment import Plan, SamplerKind
from saltus.training import Config, train
from tests.helpers.study import TINY

GRID = Levels.cosine(4, 8.0)
DATA = digits()


def done(title: str, plan: Plan = TINY) -> list[Any]:
    return next(job for job in collapse.jobs(DATA, plan, seed=0) if job.title.startswith(title)).run()


def test_the_plans_hold_the_grids_that_networks_are_compared_on() -> None:
    for plan in (Plan(), Plan.quick(), TINY):
        assert {plan.early, plan.late} <= set(plan.lasts)
        assert list(plan.updates) == sorted(plan.updates)
        assert len(collapse.jobs(DATA, plan, seed=0)) == len(plan.lasts) + plan.runs * (len(plan.widths) * len(plan.updates) + 2) + 1


def test_the_exact_part_is_the_exact_decoder() -> None:
    (found,) = done("exact optimum from t = 3")
    levels = Levels.cosine(4, 3.0)
    path = exact_decoder_path(FiniteData(DATA.train), levels, TINY.paths, seed=0)
    unit = float(DATA.train.double().var(0, correction=0).mean().sqrt())
    assert found.levels == list(levels)
    assert found.descent.spread == pytest.approx([value / unit for value in spread(path)])
    apart = path[3] - DATA.train.double().mean(0)
    assert found.descent.first_from_mean == pytest.approx(float(apart.square().mean().sqrt()) / unit)
    assert torch.equal(found.images, path[0])


def test_networks_are_trained_as_the_plan_says(monkeypatch: pytest.MonkeyPatch) -> None:
    configs: list[Config] = []

    def recorded(data: Any, config: Config, *, quiet: bool) -> Any:
        configs.append(config)
        return train(data, config, quiet=quiet)

    monkeypatch.setattr(collapse, "train", recorded)
    (found,) = done("width 8 from t = 3, 4 updates, seed 1")
    done("four samplers of a network, seed 1")
    fixed, free = configs
    assert (fixed.width, fixed.updates, fixed.seed, fixed.times, fixed.any_step) == (8, 4, 1, tuple(Levels.cosine(4, 3.0)), False)
    assert (free.width, free.updates, free.seed, free.times, free.any_step) == (8, 4, 1, tuple(GRID), True)
    chain = train(DATA, fixed, quiet=True)
    assert (found.width, found.updates, found.seed) == (8, 4, 1)
    assert found.parameters == sum(p.numel() for p in chain.parameters())
    kernel = chain.kernel(1)
    z_L = Noise(0, 0, TINY.paths).normal("prior", (1, 8, 8)).float()
    with torch.no_grad():
        path = decoder_path(lambda transition: kernel.sample(transition, Noise(0, 0, TINY.paths)), chain.levels, z_L)
    assert torch.allclose(found.images.float(), path[0], atol=1e-5)
    optimum = FiniteData(DATA.train).posterior_mean(z_L, 3.0)
    unit = DATA.variance**0.5
    assert found.first_from_exact == pytest.approx(float((path[3] - optimum).square().mean().sqrt()) / unit, rel=1e-3)


def test_all_samplers_ask_the_same_of_the_same_prediction(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Tensor, Tensor]] = []

    class Recording(OracleDenoiser):
        def forward(self, z: Tensor, log_snr: Tensor, *rest: Any, **more: Any) -> Any:
            asked.append((z, log_snr[0]))
            return super().forward(z, log_snr, *rest, **more)

    monkeypatch.setattr(collapse, "OracleDenoiser", Recording)
    real, *found = done("four samplers of the exact optimum")
    assert [record.sampler for record in found] == [kind for kind in SamplerKind if kind is not SamplerKind.NONE]
    sampling = [(z, told) for z, told in asked if len(z) == TINY.generated]
    assert len(sampling) == 4 * GRID.L
    starts = sampling[:: GRID.L]
    assert all(torch.equal(z, starts[0][0]) for z, _ in starts)
    for i, (_, told) in enumerate(sampling):
        assert torch.equal(told, sampling[i % GRID.L][1])
        assert told[1] == math.inf
    by_sampler = {record.sampler: record.diversity for record in found}
    assert by_sampler[SamplerKind.PLAIN_DECODER] < 0.01
    assert min(by_sampler[SamplerKind.DDIM], by_sampler[SamplerKind.BRIDGE], by_sampler[SamplerKind.GAUSSIAN]) > 0.5
    assert real.diversity == pytest.approx(1, abs=0.2)
    assert {record.calls for record in found} == {4}


def test_another_seed_is_another_study() -> None:
    one, again, other = (next(iter(collapse.jobs(DATA, replace(TINY, lasts=(3.0, 8.0)), seed=seed))).run()[0].descent for seed in (0, 0, 1))
    assert one == again
    assert one != other

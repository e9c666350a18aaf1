"""The study of the collapse: growth of differences against closed forms, sentences that follow the numbers, the whole command."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from markupsafe import escape
from torch import Tensor

from saltus import FiniteData, GaussianMixture, Levels, Noise
from saltus.cli.common import Interrupted
from saltus.cli.study import study
from saltus.data import digits
from saltus.errors import SaltusError
from saltus.evaluation import decoder_path, exact_decoder_path, pair_growth, small_growth, spread
from saltus.kernels import OracleDenoiser
from saltus.studies.collapse import claims as collapse_claims
from saltus.studies.collapse import experiment as collapse
from saltus.studies.collapse.experiment import Descent, Exact, Job, Plan, Sampled, SamplerKind, Source, Trained
from saltus.training import Config, train

GRID = Levels.cosine(4, 8.0)
TINY = Plan(lasts=(3.0, 8.0, 20.0), widths=(4, 8), updates=(2, 4), runs=2, paths=8, generated=24)
NOTHING = torch.zeros(1, 1, 8, 8)

DATA = digits()


def noise(n: int, *shape: int) -> Tensor:
    return Noise(1, 0, n).normal("test", shape)


def test_a_step_that_scales_grows_every_difference_by_its_scale() -> None:
    factors = dict(zip(list(GRID)[1:], (2.0, 0.5, 3.0, 0.1), strict=True))

    def step(z: Tensor, _: float, t: float) -> Tensor:
        return factors[t] * z + 5

    path = decoder_path(step, GRID, noise(6, 3))
    assert pair_growth(path) == pytest.approx([2, 0.5, 3, 0.1])
    assert small_growth(step, GRID, path, seed=0) == pytest.approx([2, 0.5, 3, 0.1], rel=1e-4)


def test_the_optimum_for_gaussian_data_grows_differences_as_its_linear_map_does() -> None:
    variance = 4.0
    oracle = GaussianMixture(torch.ones(1), torch.zeros(1, 3), variance * torch.eye(3)[None])
    path = exact_decoder_path(oracle, GRID, 7, seed=0)
    times = GRID.times[1:]
    expected = (torch.exp(-times) * variance / (torch.exp(-2 * times) * variance - torch.expm1(-2 * times))).tolist()
    assert pair_growth(path) == pytest.approx(expected)
    assert small_growth(lambda z, _, t: oracle.posterior_mean(z, t), GRID, path, seed=0) == pytest.approx(expected, rel=1e-4)


def test_small_differences_are_carried_as_derivatives_are() -> None:
    """Automatic differentiation of a step that bends and mixes, against central differences."""
    mix = noise(4, 4)

    def step(z: Tensor, s: float, t: float) -> Tensor:
        return torch.tanh(z @ mix * t) + s * z

    path = decoder_path(step, GRID, 3 * noise(5, 4))
    direction = Noise(2, 0, 5).normal("direction", (4,))
    expected: list[float] = []
    for (s, t), z in reversed(list(zip(GRID.pairs(), path[1:], strict=True))):
        carried = torch.autograd.functional.jvp(lambda x, s=s, t=t: step(x, s, t), z, direction)[1]
        expected.insert(0, float(carried.norm() / direction.norm()))
        direction = carried
    assert small_growth(step, GRID, path, seed=2) == pytest.approx(expected, rel=1e-4)
    assert pair_growth(path) != pytest.approx(expected, rel=0.05)


def test_growth_of_what_is_lost_is_not_a_number() -> None:
    def forget(z: Tensor, s: float, t: float) -> Tensor:
        return z if s > 0 and t < GRID.last else 0 * z

    path = decoder_path(forget, GRID, noise(3, 2))
    for growth in (pair_growth(path), small_growth(forget, GRID, path, seed=0)):
        assert growth[-1] == 0
        assert all(math.isnan(value) for value in growth[:-1])


def test_rounding_is_not_taken_for_a_difference() -> None:
    path = decoder_path(lambda z, *_: z, GRID, noise(3, 2).float())
    with pytest.raises(ValueError, match="float32"):
        small_growth(lambda z, *_: z, GRID, path, seed=0)


# sentences


def descent(**numbers: Any) -> Descent:
    usual: dict[str, Any] = {"spread": [0.2, 0.15, 0.1, 0.1, 1.8], "pairs": [1.3, 1.5, 1.0, 0.06], "small": [1.2, 1.4, 0.9, 0.07]}
    return Descent(**({"first_from_mean": 0.1, "between_samples": 0.5, "diversity": 0.3} | usual | numbers))


def exact(last: float, **numbers: Any) -> Exact:
    return Exact(list(Levels.cosine(4, last)), 0.1, descent(**numbers), NOTHING)


def network(width: int = 16, updates: int = 100, last: float = 8.0, **numbers: Any) -> Trained:
    return Trained(list(Levels.cosine(4, last)), width, 1000, updates, 0, 0.1, descent(**numbers), NOTHING)


def samples(source: Source, *diversity: float, seed: int | None = 0) -> list[Sampled]:
    kinds = [kind for kind in SamplerKind if kind is not SamplerKind.NONE]
    made = [Sampled(source, kind, seed, 4, d, 1 - d / 2, NOTHING) for kind, d in zip(kinds, diversity, strict=True)]
    return [Sampled(Source.REAL, SamplerKind.NONE, None, 0, 1.0, 0.1, NOTHING), *made]


def test_samples_coincide_only_if_they_do() -> None:
    same = collapse_claims.collapse([exact(3), exact(20, first_from_mean=2e-9, between_samples=3e-8)])
    assert "t_L = 20" in same
    assert "all samples coincide to within 3e-08: the plain decoder collapses to one item" in same
    for numbers in ({"first_from_mean": 2e-9, "between_samples": 0.02}, {"first_from_mean": 0.3, "between_samples": 1e-8}):
        apart = collapse_claims.collapse([exact(20, **numbers), exact(3, first_from_mean=0, between_samples=0)])
        assert "coincide" not in apart
        assert "not yet independent" in apart


def test_a_later_last_time_is_said_to_tell_less_only_if_spreads_fall() -> None:
    spreads = {3: [0.5] * 5, 8: [0.1] * 5, 20: [0.01] * 5}
    falls = collapse_claims.residual([exact(t, spread=spreads[t]) for t in (8, 20, 3)])
    assert "t_L = 3, 8 and 20 the exact optimum's samples spread 0.5, 0.1 and 0.01 of the data: the later" in falls
    spreads[20] = [0.2] * 5
    assert "does not fall" in collapse_claims.residual([exact(t, spread=spreads[t]) for t in (3, 8, 20)])


def test_levels_that_amplify_are_named() -> None:
    levels = [0, 0.1, 0.2, 0.4, 8]
    both = collapse_claims.growth("Networks", [descent()], levels)
    assert "grow at t = 0.2 (two samples ×1.5, small ×1.4) and t = 0.1 (two samples ×1.3, small ×1.2), and at no other of 4 levels" in both
    none = collapse_claims.growth("Networks", [descent(pairs=[0.9] * 4, small=[0.8] * 4)], levels)
    assert none.endswith("differences grow at no level.")
    split = collapse_claims.growth("Networks", [descent(pairs=[0.9, 0.9, 0.9, 1.1], small=[2, 0.8, 0.8, 0.8])], levels)
    assert "one measure of the two only, at t = 8 (two samples ×1.1, small ×0.8) and t = 0.1 (two samples ×0.9, small ×2)" in split
    mixed = collapse_claims.growth("Networks", [descent(pairs=[2, 0.9, 0.9, 0.1], small=[2, 1.1, 0.8, 0.1])], levels)
    assert "grow at t = 0.1 (two samples ×2, small ×2); by one measure of the two only at t = 0.2" in mixed


def test_growth_of_several_runs_is_geometric_and_none_where_a_difference_was_lost() -> None:
    runs = [descent(pairs=[4, 0.5, math.nan, 0], small=[4, 0.5, 1.1, 0]), descent(pairs=[0.5, 4, 2, 0], small=[0.5, 0.25, 1.1, 0])]
    found = collapse_claims.growth("Networks", runs, [0, 0.1, 0.2, 0.4, 8])
    assert "t = 0.1 (two samples ×1.41, small ×1.41)" in found
    assert "t = 0.4 (two samples ×0, small ×1.1) and t = 0.2 (two samples ×1.41, small ×0.354)" in found


def test_networks_escape_only_if_they_are_more_diverse_than_the_optimum() -> None:
    optimum = exact(8, spread=[1e-3] * 5)
    out = collapse_claims.escape(optimum, [network(), network(spread=[0.4] * 5)])
    assert "2 trained networks 0.2 to 0.4 (median 0.3): all are more diverse than the optimum" in out
    assert "short of real items: 0.30" in out
    assert "as diverse as real items" in collapse_claims.escape(optimum, [network(diversity=0.95)])
    assert "1 of 2 are no more diverse" in collapse_claims.escape(optimum, [network(), network(spread=[1e-4] * 5)])


@pytest.mark.parametrize(
    ("finals", "says"),
    [
        ((0.2, 0.3), "×2 to ×3: the variation that a network leaves is amplified"),
        ((0.05, 0.02), "it is not amplified"),
        ((0.2, 0.05), "amplified on the way down in 1 of 2"),
    ],
)
def test_amplification_is_confirmed_only_if_differences_grow(finals: tuple[float, ...], says: str) -> None:
    assert says in collapse_claims.amplification([network(spread=[final, 9.0, 9.0, 0.1, 1.8]) for final in finals])


def test_the_course_of_training_is_told_by_width() -> None:
    courses = {(4, 10): 0.1, (4, 20): 0.2, (4, 30): 0.3, (8, 10): 0.3, (8, 20): 0.2, (8, 30): 0.1, (9, 10): 0.3, (9, 20): 0.1, (9, 30): 0.2}
    found = collapse_claims.training([network(width, n, diversity=d) for (width, n), d in courses.items()])
    assert "rises at width 4 (0.10, 0.20 and 0.30), falls at width 8 (0.30, 0.20 and 0.10)" in found
    assert "falls, then rises at width 9 (0.30, 0.10 and 0.20)" in found
    twice = collapse_claims.training([network(4, n, diversity=d) for n, d in ((1, 0.0), (1, 0.4), (2, 0.1))])
    assert "falls at width 4 (0.20 and 0.10)" in twice


@pytest.mark.parametrize(
    ("late", "says"), [(0.09, "less than half of the network's diversity remains"), (0.15, "most of"), (0.3, "adds nothing")]
)
def test_residual_information_and_the_network_are_told_apart(late: float, says: str) -> None:
    early, late_optimum = exact(3, spread=[0.4] * 5), exact(8, spread=[1e-3] * 5)
    found = collapse_claims.last_level(early, [network(last=3)], late_optimum, [network(spread=[late] * 5)])
    assert says in found
    assert f"Width 16 spreads 0.2 from t_L = 3, where the optimum spreads 0.4, and {late:.2g} from t_L = 8" in found


def test_the_ingredient_that_brings_diversity_back_is_the_one_that_does() -> None:
    kept = collapse_claims.ingredients(Source.NETWORK, [*samples(Source.NETWORK, 0.1, 0.95, 0.9, 0.7), *samples(Source.EXACT, 0, 0, 0, 0)])
    assert f"0.10 by {SamplerKind.PLAIN_DECODER}, 0.95 by DDIM" in kept
    assert "to DDIM, which keeps what is left of z_t, brings most of it back (+0.85); at least 0.9 of real items: DDIM and bridge" in kept
    assert "Nearest to real items is DDIM (sliced Wasserstein 0.525, real 0.100)" in kept
    drawn = collapse_claims.ingredients(Source.EXACT, samples(Source.EXACT, 0.1, 0.3, 0.8, 0.85))
    assert "which keeps less of z_t and draws noise, brings most of it back (+0.50); at least 0.9 of real items: none" in drawn
    assert "room for the error" in collapse_claims.ingredients(Source.EXACT, samples(Source.EXACT, 0.1, 0.1, 0.1, 0.9))
    assert "no change of sampler adds" in collapse_claims.ingredients(Source.EXACT, samples(Source.EXACT, 0.4, 0.3, 0.2, 0.1))


# the study


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
    assert (fixed.width, fixed.steps, fixed.seed, fixed.times, fixed.any_step) == (8, 4, 1, tuple(Levels.cosine(4, 3.0)), False)
    assert (free.width, free.steps, free.seed, free.times, free.any_step) == (8, 4, 1, tuple(GRID), True)
    chain = train(DATA, fixed, quiet=True)
    assert (found.width, found.updates, found.seed) == (8, 4, 1)
    assert found.parameters == sum(p.numel() for p in chain.parameters())
    kernel = chain.kernel(1)
    z_L = Noise(0, 0, TINY.paths).normal("prior", (1, 8, 8)).float()
    with torch.no_grad():
        path = decoder_path(lambda z, s, t: kernel.sample(z, s, t, noise=Noise(0, 0, TINY.paths)), chain.levels, z_L)
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
    assert [record.way for record in found] == [kind for kind in SamplerKind if kind is not SamplerKind.NONE]
    sampling = [(z, told) for z, told in asked if len(z) == TINY.generated]
    assert len(sampling) == 4 * GRID.L
    starts = sampling[:: GRID.L]
    assert all(torch.equal(z, starts[0][0]) for z, _ in starts)
    for i, (_, told) in enumerate(sampling):
        assert torch.equal(told, sampling[i % GRID.L][1])
        assert told[1] == math.inf
    by_way = {record.way: record.diversity for record in found}
    assert by_way[SamplerKind.PLAIN_DECODER] < 0.01
    assert min(by_way[SamplerKind.DDIM], by_way[SamplerKind.BRIDGE], by_way[SamplerKind.GAUSSIAN]) > 0.5
    assert real.diversity == pytest.approx(1, abs=0.2)
    assert {record.calls for record in found} == {4}


# the command


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`saltus study collapse --quick` with the tiny plan."""
    monkeypatch.setattr(Plan, "quick", classmethod(lambda _: TINY))
    return lambda *arguments: CliRunner().invoke(study, ["collapse", "--quick", *arguments], catch_exceptions=True)


def test_the_command_writes_a_page_and_its_numbers(tiny: Callable[..., Result], tmp_path: Path) -> None:
    out = tmp_path / "study"
    result = tiny("--out", str(out), "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found == json.loads((out / "collapse.json").read_text())
    assert (len(found["exact"]), len(found["trained"]), len(found["sampled"])) == (3, 10, 13)
    assert found["plan"]["updates"] == [2, 4]
    assert {run["seed"] for run in found["trained"]} == {0, 1}
    assert "the plain decoder collapses to one item" in found["claims"][0]
    page = (out / "index.html").read_text()
    assert page.count("<svg") == 4
    assert page.count("data:image/png") == 3 + 4 + 9
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert all(str(escape(claim)) in page for claim in found["claims"])
    assert "digits: 1450 training" in result.stderr


def test_a_table_has_no_pictures(tiny: Callable[..., Result], tmp_path: Path) -> None:
    np.save(tmp_path / "table.npy", np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32))
    result = tiny("--out", str(tmp_path / "study"), "--data", str(tmp_path / "table.npy"))
    assert result.exit_code == 0, result.output
    assert "data:image/png" not in (tmp_path / "study" / "index.html").read_text()
    assert result.stdout.rstrip().endswith("collapse.json")


def test_a_folder_with_something_in_it_is_refused(tiny: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    result = tiny("--out", str(tmp_path))
    assert isinstance(result.exception, SaltusError)
    assert "not an empty folder" in str(result.exception)


def test_a_stopped_study_keeps_what_was_measured(tiny: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> list[Any]:
        raise KeyboardInterrupt

    whole = collapse.jobs
    monkeypatch.setattr(collapse, "jobs", lambda *given, **options: [*whole(*given, **options)[:2], Job("stop", stop)])
    result = tiny("--out", str(tmp_path / "study"))
    assert isinstance(result.exception, Interrupted)
    assert "2 measurements are kept" in str(result.exception)
    assert len(json.loads((tmp_path / "study" / "collapse.json").read_text())["exact"]) == 2
    assert not (tmp_path / "study" / "index.html").exists()


def test_another_seed_is_another_study() -> None:
    one, again, other = (next(iter(collapse.jobs(DATA, replace(TINY, lasts=(3.0, 8.0)), seed=seed))).run()[0].descent for seed in (0, 0, 1))
    assert one == again
    assert one != other

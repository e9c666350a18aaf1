"""Sentences of the collapse study follow its numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from saltus import Levels
from saltus.studies.collapse import claims as collapse_claims
from saltus.studies.collapse.experiment import Descent, Exact, Plan, Sampled, SamplerKind, Source, Trained

NOTHING = torch.zeros(1, 1, 8, 8)


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


def test_the_finding_is_one_sentence_of_the_numbers() -> None:
    plan = Plan(lasts=(3.0, 8.0))
    drawn = [*samples(Source.NETWORK, 0.1, 0.8, 0.7, 0.6), *samples(Source.EXACT, 0.0, 0.9, 0.9, 0.9)]
    records = [exact(3), exact(8, between_samples=1e-8), network(diversity=0.01), network(diversity=0.45), network(last=3, diversity=0.9)]
    said = collapse_claims.finding(plan, [*records, *drawn])
    assert said == (
        "A perfect decoder without fresh noise draws the same item from every noise; trained networks, which are not perfect, have 1% to "
        "45% of the diversity of real items, and a network that is sampled by DDIM in place of it has 80%."
    )
    assert "several items" in collapse_claims.finding(plan, [exact(8), *records[2:], *drawn])


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

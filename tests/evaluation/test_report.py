"""A report holds the figures of every seed or third, and says what was compared."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import pytest
import torch

from saltus.errors import SaltusError
from saltus.evaluation import ChainSampler, Evaluator, Report, Sampler, drawn_conditions, evaluate, evaluate_items
from saltus.files import to_json
from saltus.kernels import Sampling
from tests.helpers.chains import chain_of
from tests.helpers.sets import QUICK, Fresh, N, table

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return Evaluator(table(), N, metrics=("energy", "precision"))


@pytest.fixture(scope="module")
def fresh(evaluator: Evaluator) -> Report:
    return evaluate(Fresh(), evaluator)


def test_the_report_says_what_was_compared(fresh: Report, evaluator: Evaluator) -> None:
    assert (fresh.n_real, fresh.n_generated, fresh.part, fresh.repeats, fresh.seeds) == (160, N, "test", "seeds", (0, 1, 2))
    assert fresh.fingerprint == evaluator.data.fingerprint
    assert evaluator.features is not None
    assert (fresh.feature_accuracy, fresh.feature_hash) == (evaluator.features.accuracy, evaluator.features.hash)
    assert fresh.features == evaluator.features_note
    again = json.loads(to_json(asdict(fresh)))
    assert again["metrics"]["energy"]["generated"]["mean"] == fresh.metrics["energy"].generated.mean


def test_a_file_is_measured_in_thirds() -> None:
    x = Fresh().sample(3 * N + 5, seed=0)
    quick = Evaluator(table(), N, metrics=QUICK)
    report = evaluate_items(x, quick)
    assert report.repeats == "thirds"
    assert report.metrics["energy"].generated.values == tuple(quick.measure(x[i * N : (i + 1) * N])["energy"] for i in range(3))
    with pytest.raises(SaltusError, match=r"449 samples make no 3 sets of 150; expected at least 450"):
        evaluate_items(x[: 3 * N - 1], quick)


def test_progress_is_told() -> None:
    told: list[str] = []
    evaluator = Evaluator(table(), N, metrics=QUICK, progress=told.append)
    evaluate(Fresh(), evaluator, (4, 9), progress=told.append)
    assert [words for words in told if "seed" in words] == ["seed 4: 150 samples", "seed 9: 150 samples"]
    assert sum("floor" in words for words in told) == 4


def test_the_seeds_are_the_samplers() -> None:
    evaluator = Evaluator(table(), N, metrics=QUICK)
    report = evaluate(Fresh(), evaluator, (4, 9))
    assert report.metrics["energy"].generated.values == tuple(evaluator.measure(Fresh().sample(N, seed=seed))["energy"] for seed in (4, 9))


def test_a_chain_is_a_sampler() -> None:
    chain: Sampler = chain_of("gaussian")
    report = evaluate(chain, Evaluator(table(), N, metrics=QUICK), (0,))
    assert report.metrics["energy"].generated.mean > report.metrics["energy"].floor.mean
    assert math.isnan(report.metrics["energy"].generated.spread)


def test_a_chain_sampler_passes_its_options_on() -> None:
    chain = chain_of("gaussian")
    hot, cold = (ChainSampler(chain, Sampling(final=final)).sample(9, seed=3) for final in ("sample", "mean"))
    assert torch.equal(cold, ChainSampler(chain, Sampling(final="mean")).sample(9, seed=3))
    assert not torch.equal(hot, cold)


def test_conditions_are_drawn_from_those_of_real_items_by_the_seed() -> None:
    conditions = torch.arange(5) * 10
    one, again, other = (drawn_conditions(conditions, 200, seed=seed) for seed in (1, 1, 2))
    assert one is not None
    assert set(one.tolist()) == set(conditions.tolist())
    assert torch.equal(one, again)  # type: ignore[arg-type]
    assert not torch.equal(one, other)  # type: ignore[arg-type]
    assert drawn_conditions(None, 3, seed=1) is None


def test_its_repr_is_one_short_line(fresh: Report) -> None:
    energy, precision = (fresh.metrics[name].generated.mean for name in ("energy", "precision"))
    assert repr(fresh) == (f"Report(table, 3 seeds of 150 items against 160 test items: energy={energy:.4g}, precision={precision:.4g})")

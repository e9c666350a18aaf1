"""The protocol: what is compared with what, floors, refusals; and that bad samples look bad and good ones good."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import saltus.evaluation.evaluator as suite_module
from saltus.chain import Chain
from saltus.data import Binned, DataSet, Labels, Standardised
from saltus.errors import SaltusError
from saltus.evaluation import (
    DEFAULT_METRICS,
    METRICS,
    Evaluator,
    Report,
    Sampler,
    evaluate,
    evaluate_items,
    latent_use,
    likelihood,
    sliced_wasserstein,
)
from saltus.storage import to_json
from tests.helpers.chains import MIXTURE, chain_of, data_for
from tests.helpers.checks import STANDARD_ERRORS, standard_error

N = 150
QUICK = ("sliced_wasserstein", "energy", "copies")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("SALTUS_CACHE", str(folder))
        patch.setattr("saltus.evaluation.two_sample._TREES", 20)  # the judge has tests of its own
        yield folder


def rows(n: int, seed: int) -> np.ndarray:
    return MIXTURE.sample(n, seed=seed).float().numpy()


def table(train: int = 600, validation: int = 140, test: int = 160) -> DataSet:
    """Rows of two numbers whose law is known."""
    raw = [rows(n, seed) for seed, n in enumerate((train, validation, test))]
    encoding = Standardised.fit("vector", raw[0])
    return DataSet("table", encoding, *(encoding.encode(part) for part in raw))


def images(train: int = 400, validation: int = 140, test: int = 160) -> DataSet:
    encoding, rng = Binned("gray", (8, 8), 0, 16, "uint8"), np.random.default_rng(0)
    return DataSet(
        "images", encoding, *(encoding.encode(rng.integers(0, 17, (n, 8, 8), dtype=np.uint8)) for n in (train, validation, test))
    )


class Fresh:
    """A perfect sampler."""

    def sample(self, n: int, *, seed: int) -> Tensor:
        return table().encoding.encode(rows(n, 100 + seed))


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return Evaluator(table(), N)


@pytest.fixture(scope="module")
def fresh(evaluator: Evaluator) -> Report:
    return evaluate(Fresh(), evaluator)


def test_a_perfect_sampler_is_at_the_floor(fresh: Report) -> None:
    assert list(fresh.metrics) == list(DEFAULT_METRICS)
    for name, result in fresh.metrics.items():
        assert len(result.generated.values) == len(result.floor.values) == 3
        spread = max(result.generated.spread, result.floor.spread)
        difference = result.generated.mean - result.floor.mean
        assert abs(difference) <= 6 * spread + 1e-9, name
        assert result.above_floor == (pytest.approx(difference) if METRICS[name].is_distance else None)
    assert abs(fresh.metrics["two_sample"].generated.mean - 0.5) < 0.1
    assert fresh.metrics["memorisation"].floor.mean == pytest.approx(0.5, abs=0.1)
    assert fresh.metrics["diversity"].floor.mean == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize(("shift", "alike"), [(0.0, True), (0.3, False)])
def test_fresh_draws_measure_as_training_items_do(shift: float, alike: bool) -> None:
    """What the floor rests on, by twenty draws of each; the twin: draws of a law that is shifted a little."""
    draws = 20
    evaluator = Evaluator(table(train=draws * N), N, metrics=("energy", "diversity"))
    fresh = [evaluator.data.encoding.encode(rows(N, 100 + i)) + shift for i in range(draws)]
    training, ours = ([evaluator.measure(y) for y in side] for side in (evaluator.data.train.split(N), fresh))
    for name in evaluator.metrics:
        a, b = (torch.tensor([values[name] for values in side], dtype=torch.float64) for side in (training, ours))
        near = abs(float(a.mean() - b.mean())) <= STANDARD_ERRORS * math.hypot(standard_error(a), standard_error(b))
        assert near is (alike or name == "diversity"), name  # a shift does not change diversity


def test_the_report_says_what_was_compared(fresh: Report, evaluator: Evaluator) -> None:
    assert (fresh.n_real, fresh.n_generated, fresh.part, fresh.repeats, fresh.seeds) == (160, N, "test", "seeds", (0, 1, 2))
    assert fresh.fingerprint == evaluator.data.fingerprint
    assert evaluator.features is not None
    assert (fresh.feature_accuracy, fresh.feature_hash) == (evaluator.features.accuracy, evaluator.features.hash)
    assert fresh.features == evaluator.features_note
    again = json.loads(to_json(asdict(fresh)))
    assert again["metrics"]["energy"]["generated"]["mean"] == fresh.metrics["energy"].generated.mean


WRONG: dict[str, tuple[Callable[[Tensor], Tensor], dict[str, str]]] = {
    "shifted": (lambda y: y + 0.7, dict.fromkeys(("frechet", "kernel_mmd", "sliced_wasserstein", "energy", "two_sample"), "above")),
    "collapsed": (
        lambda y: y[:1].expand_as(y),
        {"recall": "below", "coverage": "below", "vendi": "below", "diversity": "below", "frechet": "above", "two_sample": "above"},
    ),
    "wide": (lambda y: 3 * y, {"precision": "below", "density": "below", "diversity": "above", "nearest_ratio": "above"}),
}


@pytest.mark.parametrize("fault", WRONG)
def test_faults_are_seen(fault: str, evaluator: Evaluator) -> None:
    change, expected = WRONG[fault]
    found = evaluator.measure(change(Fresh().sample(N, seed=0)))
    for name, side in expected.items():
        floor = evaluator.floor[name]
        distance = (found[name] - floor.mean) * (1 if side == "above" else -1)
        assert distance > 4 * floor.spread, name


def test_copies_of_the_training_items_are_found_out(evaluator: Evaluator) -> None:
    found = evaluator.measure(evaluator.data.train[-N:])
    assert found["memorisation"] == 1
    assert found["copies"] == 1
    assert found["nearest_ratio"] < 1e-4
    assert evaluator.floor["copies"].mean == 0


def test_the_floor_is_that_of_disjoint_training_items() -> None:
    evaluator = Evaluator(table(), N, metrics=("sliced_wasserstein",), seed=3)
    order = torch.from_numpy(np.random.default_rng(3).permutation(600))
    expected = [sliced_wasserstein(evaluator.data.train[order[i * N : (i + 1) * N]], evaluator.data.test, seed=3) for i in range(3)]
    assert evaluator.floor["sliced_wasserstein"].values == pytest.approx(tuple(expected), rel=1e-9)
    assert evaluator.floor["sliced_wasserstein"].mean == pytest.approx(np.mean(expected))
    assert evaluator.floor["sliced_wasserstein"].spread == pytest.approx(np.std(expected, ddof=1))
    assert len(Evaluator(table(), 250, metrics=QUICK).floor["energy"].values) == 2
    one = Evaluator(table(), 400, metrics=QUICK).floor["energy"]
    assert len(one.values) == 1
    assert math.isnan(one.spread)


def test_the_floor_of_memorisation_is_of_items_held_out() -> None:
    """Training items in its place would all be copies."""
    for part in ("test", "validation"):
        floor = Evaluator(table(), N, part=part, metrics=("memorisation", "copies")).floor  # type: ignore[arg-type]
        assert floor["memorisation"].mean == pytest.approx(0.5, abs=0.1)
        assert floor["copies"].mean == 0


def test_the_real_side_is_the_part(monkeypatch: pytest.MonkeyPatch) -> None:
    data = table()
    assert torch.equal(Evaluator(data, N, metrics=QUICK).real, data.test)
    assert torch.equal(Evaluator(data, N, part="validation", metrics=QUICK).real, data.validation)
    monkeypatch.setattr(suite_module, "MOST_ITEMS", 50)
    some = Evaluator(data, N, metrics=QUICK, seed=1)
    assert some.n_real == 50
    assert {tuple(y) for y in some.real.tolist()} < {tuple(y) for y in data.test.tolist()}
    assert torch.equal(some.real, Evaluator(data, N, metrics=QUICK, seed=1).real)
    assert not torch.equal(some.real, Evaluator(data, N, metrics=QUICK, seed=2).real)


def test_a_quick_suite_trains_no_features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALTUS_CACHE", str(tmp_path))
    evaluator = Evaluator(images(), N, metrics=QUICK)
    found = evaluator.measure(evaluator.data.train[:N])
    assert tuple(found) == tuple(evaluator.floor) == QUICK
    assert evaluator.features is None
    assert evaluator.features_note == "no features"
    assert not any(tmp_path.iterdir())


def test_generated_items_are_compared_as_they_would_be_written() -> None:
    data = images()
    evaluator = Evaluator(data, N, metrics=("sliced_wasserstein", "two_sample", "copies"))
    rough = data.train[:N] + 0.05 * torch.rand(N, 1, 8, 8, generator=torch.Generator().manual_seed(0))  # less than half a bin
    found = evaluator.measure(rough)
    assert found == evaluator.measure(data.train[:N])
    assert found["copies"] == 1
    assert abs(found["two_sample"] - 0.5) < 0.15


def test_figures_are_the_same_again(evaluator: Evaluator) -> None:
    x = Fresh().sample(N, seed=5)
    assert evaluator.measure(x) == Evaluator(table(), N).measure(x)


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


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: Evaluator(table(), 127), "127 generated items are too few for the Fréchet distance; expected at least 128"),
        (lambda: Evaluator(table(test=99), N), "99 test items are too few for the Fréchet distance; expected at least 128"),
        (lambda: Evaluator(table(validation=99), N, part="validation"), "99 validation items are too few"),
        (
            lambda: Evaluator(table(), 5, metrics=("precision", "energy")),
            "5 generated items are too few for the precision; expected at least 6",
        ),
        (lambda: Evaluator(table(), 601), "601 generated items are more than the 600 training items of table"),
        (lambda: Evaluator(table(), N, metrics=("inception_frechet",)), "table holds rows of 2 columns, standardised, and Inception"),
        (lambda: Evaluator(table(), N, metrics=QUICK).measure(torch.zeros(N - 1, 2)), "149 generated items where 150 were expected"),
        (lambda: Evaluator(table(), N, metrics=QUICK).measure(torch.full((N, 2), math.nan)), "y holds 300 NaN"),
        (lambda: Evaluator(table(), N, metrics=QUICK).measure(torch.zeros(N, 3)), r"y has shape \(150, 3\) where \(N, 2\)"),
        (lambda: evaluate(Fresh(), Evaluator(table(), N, metrics=QUICK), ()), "there is no seed"),
    ],
)
def test_refusals_are_one_sentence(wrong: Callable[[], object], says: str) -> None:
    with pytest.raises(SaltusError, match=says) as caught:
        wrong()
    assert ". " not in str(caught.value)


def test_programmers_mistakes() -> None:
    for wrong in ({"metrics": ("fid",)}, {"metrics": ()}, {"part": "train"}):
        with pytest.raises(ValueError, match="expected one of"):
            Evaluator(table(), N, **wrong)  # type: ignore[arg-type]


def test_inception_with_a_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    class Means(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            return pixels[:, :2].float().flatten(1)[:, [0, 9, 70]]

    monkeypatch.setattr(suite_module, "inception_network", Means)
    data, n = images(train=2100, test=2100), 2060
    evaluator = Evaluator(data, n, metrics=("inception_frechet",))
    floor = evaluator.floor["inception_frechet"].mean
    assert evaluator.measure(-data.train[:n])["inception_frechet"] < 20 + 3 * floor  # a symmetric law
    assert evaluator.measure((data.train[:n] + 1) / 2)["inception_frechet"] > 2000
    with pytest.raises(
        SaltusError, match=r"160 generated items are too few for the Inception Fréchet distance \(FID\); expected at least 2049"
    ):
        Evaluator(data, 160, metrics=("inception_frechet",))


def test_a_chain_is_a_sampler() -> None:
    chain: Sampler = chain_of("gaussian")
    report = evaluate(chain, Evaluator(table(), N, metrics=QUICK), (0,))
    assert report.metrics["energy"].generated.mean > report.metrics["energy"].floor.mean
    assert math.isnan(report.metrics["energy"].generated.spread)


# ---------------------------------------------------------------------------------------------- likelihood


@pytest.mark.parametrize("name", ["gaussian", "vae", "mixture"])
def test_the_likelihood_is_the_chains_bound(name: str) -> None:
    chain, y = chain_of(name), data_for(name)
    found = likelihood(chain, y, table().encoding, seed=2)
    bound = chain.bound(y, seed=2)
    assert found is not None
    assert found.items == len(y)
    assert found.bits_per_dim == pytest.approx(float(bound.total.double().mean()) / (2 * math.log(2)), rel=1e-6)
    assert found.standard_error == pytest.approx(float(bound.bits_per_dim.double().std()) / math.sqrt(len(y)), rel=1e-6)
    assert sum(found.nats.values()) == pytest.approx(found.bits_per_dim * 2 * math.log(2), rel=1e-5)
    assert len(found.per_level) == len(found.active_units) == chain.levels.L
    assert sum(found.per_level) + found.nats["prior"] + found.nats["scaling"] == pytest.approx(sum(found.nats.values()), rel=1e-5)
    assert found.per_item == pytest.approx(bound.total.tolist())
    assert found.figure == (found.total, found.total_error, "nats an item")
    assert found.total_error == pytest.approx(found.standard_error * 2 * math.log(2))
    assert found.convention == "density in the units of the file, by a Gaussian whose standard deviation is at least 0.01 of the data's"


def test_a_tightened_chain_reports_its_bound_and_says_so() -> None:
    plain, y = chain_of("vae"), data_for("vae")
    chain = Chain(plain.prior, plain.levels, plain.kernel(1), latents=4)
    found, untightened = (likelihood(one, y, table().encoding) for one in (chain, plain))
    assert found is not None
    assert untightened is not None
    assert (found.latents, untightened.latents) == (4, 1)
    assert found.total < untightened.total
    assert (found.tightened, untightened.tightened) == (", tightened with 4 latents a step", "")
    uses = latent_use(chain, y)
    assert [use.nats for use in uses] == pytest.approx(found.per_level, rel=1e-5)
    assert [use.kl for use in uses] == pytest.approx(chain.bound(y, latents=1).kl.mean(1).tolist(), rel=1e-5)


def test_the_convention_of_bins_is_told() -> None:
    from saltus.evaluation.likelihood import convention

    assert convention(images().encoding) == "probability of 17 values, by a discretised Gaussian with an outlier share of 0.0001"


def test_a_chain_without_a_bound_has_no_likelihood() -> None:
    chain: Chain = chain_of("deterministic")
    assert likelihood(chain, data_for("deterministic"), table().encoding) is None
    with pytest.raises(SaltusError, match="1 items have no standard error"):
        likelihood(chain, data_for("deterministic")[:1], table().encoding)


def test_labels_do_not_change_the_data() -> None:
    data = table()
    labels = Labels(*(torch.zeros(len(part), dtype=torch.int64) for part in (data.train, data.validation, data.test)))
    assert replace(data, labels=labels).fingerprint == data.fingerprint

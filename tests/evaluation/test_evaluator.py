"""The protocol: what is compared with what, floors, refusals; and that bad samples look bad and good ones good."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import saltus.evaluation.evaluator as module
from saltus.data import Labels
from saltus.errors import SaltusError
from saltus.evaluation import (
    DEFAULT_METRICS,
    METRICS,
    Evaluator,
    Figures,
    Report,
    evaluate,
    sliced_wasserstein,
)
from tests.helpers.checks import STANDARD_ERRORS, standard_error
from tests.helpers.sets import QUICK, Fresh, N, images, rows, table

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture(scope="module", autouse=True)
def few_trees() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("saltus.evaluation.two_sample._TREES", 20)  # the classifier has tests of its own
        yield


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
def test_new_items_measure_as_training_items_do(shift: float, alike: bool) -> None:
    """The floor rests on this: twenty sets of each are equal on average; sets of a distribution that is shifted a little are not."""
    number = 20
    evaluator = Evaluator(table(train=number * N), N, metrics=("energy", "diversity"))
    fresh = [evaluator.data.encoding.encode(rows(N, 100 + i)) + shift for i in range(number)]
    training, new = ([evaluator.measure(y) for y in sets] for sets in (evaluator.data.train.split(N), fresh))
    for name in evaluator.metrics:
        a, b = (torch.tensor([values[name] for values in figures], dtype=torch.float64) for figures in (training, new))
        near = abs(float(a.mean() - b.mean())) <= STANDARD_ERRORS * math.hypot(standard_error(a), standard_error(b))
        assert near is (alike or name == "diversity"), name  # a shift does not change diversity


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
    for name, where in expected.items():
        floor = evaluator.floor[name]
        distance = (found[name] - floor.mean) * (1 if where == "above" else -1)
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
    """With training items it would be the figure of copies."""
    for part in ("test", "validation"):
        floor = Evaluator(table(), N, part=part, metrics=("memorisation", "copies")).floor  # type: ignore[arg-type]
        assert floor["memorisation"].mean == pytest.approx(0.5, abs=0.1)
        assert floor["copies"].mean == 0


def test_the_real_items_are_those_of_the_part(monkeypatch: pytest.MonkeyPatch) -> None:
    data = table()
    assert torch.equal(Evaluator(data, N, metrics=QUICK).real, data.test)
    assert torch.equal(Evaluator(data, N, part="validation", metrics=QUICK).real, data.validation)
    monkeypatch.setattr(module, "MOST_ITEMS", 50)
    some = Evaluator(data, N, metrics=QUICK, seed=1)
    assert some.n_real == 50
    assert {tuple(y) for y in some.real.tolist()} < {tuple(y) for y in data.test.tolist()}
    assert torch.equal(some.real, Evaluator(data, N, metrics=QUICK, seed=1).real)
    assert not torch.equal(some.real, Evaluator(data, N, metrics=QUICK, seed=2).real)


def test_no_features_are_trained_if_no_metric_uses_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (
            lambda: Evaluator(table(), 127),
            "127 generated items are too few for the Fréchet distance in features trained here; expected at least 128",
        ),
        (
            lambda: Evaluator(table(test=99), N),
            "99 test items are too few for the Fréchet distance in features trained here; expected at least 128",
        ),
        (lambda: Evaluator(table(validation=99), N, part="validation"), "99 validation items are too few"),
        (
            lambda: Evaluator(table(), 5, metrics=("precision", "energy")),
            "5 generated items are too few for the precision in features trained here; expected at least 6",
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

    monkeypatch.setattr(module, "inception_network", Means)
    data, n = images(train=2100, test=2100), 2060
    evaluator = Evaluator(data, n, metrics=("inception_frechet",))
    floor = evaluator.floor["inception_frechet"].mean
    assert evaluator.measure(-data.train[:n])["inception_frechet"] < 20 + 3 * floor  # a symmetric distribution
    assert evaluator.measure((data.train[:n] + 1) / 2)["inception_frechet"] > 2000
    with pytest.raises(
        SaltusError, match=r"160 generated items are too few for the Inception Fréchet distance \(FID\); expected at least 2049"
    ):
        Evaluator(data, 160, metrics=("inception_frechet",))


def test_labels_do_not_change_the_data() -> None:
    data = table()
    labels = Labels(*(torch.zeros(len(part), dtype=torch.int64) for part in (data.train, data.validation, data.test)))
    assert replace(data, labels=labels).fingerprint == data.fingerprint


def test_its_repr_says_what_is_measured() -> None:
    assert repr(Evaluator(table(), N, metrics=QUICK, seed=4)) == (
        "Evaluator('table', n=150, part='test', seed=4: 3 metrics against 160 real items)"
    )


def test_values_that_are_not_finite_have_no_spread() -> None:
    """As a ratio to held-out items that all are copies of training items, such as rows of a few small integers."""
    assert Figures.of([1.0, 3.0]).spread == pytest.approx(2**0.5)
    for values in ([1.0], [1.0, math.nan], [math.inf, 2.0]):
        assert math.isnan(Figures.of(values).spread)

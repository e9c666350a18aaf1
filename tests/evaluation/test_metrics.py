"""The table of metrics: every one has a title of its own, and is measured, alone and with others."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from saltus.evaluation import DEFAULT_METRICS, FEATURE_METRICS, INCEPTION_METRICS, METRICS, energy_distance
from saltus.evaluation.metrics import SampleSet, measure
from tests.helpers.sets import normal

TRAIN, REAL, ITEMS = (normal(40, 3, seed=seed) for seed in range(3))


def square(y: Tensor) -> Tensor:
    return y**2


def cube(y: Tensor) -> Tensor:
    return y**3


def sets() -> tuple[SampleSet, SampleSet]:
    return SampleSet(ITEMS, TRAIN, square, cube), SampleSet(REAL, TRAIN, square, cube)


def test_titles_say_which_features_they_are_in() -> None:
    assert len({metric.title for metric in METRICS.values()}) == len(METRICS)
    for name, metric in METRICS.items():
        assert metric.title.endswith("in features trained here") is (name in FEATURE_METRICS), name
        assert ("Inception" in metric.title) is (name in INCEPTION_METRICS), name


def test_every_metric_is_measured_in_the_order_asked_for() -> None:
    found = measure(*sets(), list(METRICS))
    assert list(found) == list(METRICS) == [*DEFAULT_METRICS, *INCEPTION_METRICS]
    assert all(math.isfinite(value) for value in found.values())
    few = measure(*sets(), ["copies", "energy"])
    assert list(few) == ["copies", "energy"]
    assert few == {name: found[name] for name in few}
    assert few["energy"] == pytest.approx(energy_distance(ITEMS, REAL))


@pytest.mark.parametrize(("name", "uses"), [("frechet", "features"), ("inception_frechet", "inception"), ("memorisation", "to_train")])
def test_what_a_metric_uses_is_computed_once_and_nothing_else_is(name: str, uses: str) -> None:
    x, real = sets()
    measure(x, real, [name])
    for items in (x, real):
        assert set(vars(items)) & {"features", "inception", "radii", "pairwise", "to_train"} == {uses}
        assert getattr(items, uses) is getattr(items, uses)


def test_figures_are_those_of_the_features() -> None:
    alone = measure(*sets(), ["frechet", "inception_frechet"])
    swapped = measure(SampleSet(ITEMS, TRAIN, cube, square), SampleSet(REAL, TRAIN, cube, square), ["frechet", "inception_frechet"])
    assert alone["frechet"] == swapped["inception_frechet"] != alone["inception_frechet"] == swapped["frechet"]


def test_of_real_items_themselves_distances_are_zero() -> None:
    _, real = sets()
    found = measure(real, real, ["sliced_wasserstein", "precision", "recall", "coverage", "diversity"])
    assert found == {"sliced_wasserstein": 0, "precision": 1, "recall": 1, "coverage": 1, "diversity": 1}
    assert torch.equal(real.items, REAL)

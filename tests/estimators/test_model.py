"""A model in the units of its data: items as they came, nats as they are, and files that the command line reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from saltus import Chain, Config, Model, SaltusError, digits, load
from saltus.data import DataSet
from saltus.files import to_json
from saltus.levels import Levels
from tests.helpers.chains import chain_of
from tests.helpers.checks import assert_one_sentence
from tests.helpers.terminal import saltus

SMALL = Config(levels=2, updates=6, batch=32, width=8, latent=2)
COLUMNS = (np.array([3.0, 1000.0]), np.array([1.0, 200.0]))


def rows(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(*COLUMNS, (n, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def table() -> Model:
    return Model.train(load(rows(300)), SMALL, quiet=True)


@pytest.fixture(scope="module")
def items() -> DataSet:
    return digits("labels")


@pytest.fixture(scope="module")
def classes(items: DataSet) -> Model:
    """Of digits for any step, conditioned on the digit."""
    return Model.train(items, SMALL.model_copy(update={"any_step": True, "condition": "labels"}), quiet=True)


def test_samples_have_the_shape_type_and_units_of_the_data(table: Model, classes: Model) -> None:
    images = classes.sample(5, seed=1)
    assert (images.shape, images.dtype) == ((5, 8, 8), np.uint8)
    assert images.max() <= 16
    sampled = table.sample(50, seed=1)
    assert (sampled.shape, sampled.dtype) == ((50, 2), np.float32)
    standardised = (sampled - COLUMNS[0]) / COLUMNS[1]
    assert np.abs(standardised.mean(0)).max() < 5
    assert np.abs(standardised).max() < 50


def test_items_go_to_the_chain_and_back_as_they_came(table: Model, classes: Model, items: DataSet) -> None:
    for model, raw in ((table, rows(300)[:20]), (classes, items.encoding.decode(items.test[:20]))):
        back = model.encoding.decode(model.encoding.encode(raw))
        assert back.dtype == raw.dtype
        assert np.allclose(back, raw, rtol=1e-5)


def test_a_seed_gives_the_same_items_and_no_seed_others(table: Model) -> None:
    assert np.array_equal(table.sample(7, seed=3), table.sample(9, seed=3, batch=4)[:7])
    torch.manual_seed(0)
    first, second = table.sample(3), table.sample(3)
    assert not np.array_equal(first, second)
    torch.manual_seed(0)
    assert np.array_equal(table.sample(3), first)


def test_calls_and_conditions_are_those_of_the_chain(classes: Model) -> None:
    chain = classes.chain.on(Levels.cosine(3, classes.chain.levels.last))
    expected = classes.encoding.decode(chain.sample(4, seed=2, condition=[1, 2, 3, 4]))
    assert np.array_equal(classes.sample(4, seed=2, condition=[1, 2, 3, 4], calls=3), expected)
    assert not np.array_equal(classes.sample(4, seed=2, condition=5, calls=3), expected)
    assert not np.array_equal(classes.sample(4, seed=2, condition=[1, 2, 3, 4], calls=2), expected)


def test_the_bound_is_minus_the_chains_in_the_units_of_the_data(table: Model, classes: Model, items: DataSet) -> None:
    raw = items.encoding.decode(items.test[:6])
    told, y = [0, 1, 2, 3, 4, 5], items.test[:6]
    bounds = {
        None: classes.chain.class_bound(y, seed=4).total,  # of what `sample` draws: the class is not told
        tuple(told): classes.chain.bound(y, condition=told, seed=4).total,
    }
    for condition, bound in bounds.items():
        expected = -bound.double().numpy()
        found = classes.log_prob_bound(raw, condition=condition, seed=4)
        assert (found.shape, found.dtype) == ((6,), np.float64)
        assert np.allclose(found, expected)
    raw = rows(6, seed=5)
    nats = -table.chain.bound(table.encoding.encode(raw), seed=4).total.double().numpy()
    assert np.allclose(table.log_prob_bound(raw, seed=4), nats)


def test_a_density_is_that_of_the_rows_and_not_of_what_the_network_sees(table: Model) -> None:
    """The chain's density of y times the slope of y in each column, by differences of the encoding."""
    raw = rows(6, seed=5)
    chain, moved = table.chain, raw + np.array([1.0, 100.0], dtype=np.float32)
    of_y = Chain(chain.prior, chain.levels, [chain.kernel(level) for level in (1, 2)], scaling=0.0)
    y, there = table.encoding.encode(raw), table.encoding.encode(moved)
    slopes = (there - y).double().numpy() / (moved - raw)
    expected = -of_y.bound(y, seed=2).total.double().numpy() + np.log(slopes).sum(1)
    assert table.log_prob_bound(raw, seed=2) == pytest.approx(expected, abs=1e-2)
    assert np.abs(np.log(slopes).sum(1)).min() > 1


def test_class_probabilities_are_what_the_bounds_say(classes: Model, items: DataSet) -> None:
    raw = items.encoding.decode(items.test[:3])
    found = classes.class_probabilities(raw, seed=1)
    assert (found.shape, found.dtype) == ((3, 10), np.float64)
    assert np.allclose(found.sum(1), 1)
    assert np.ptp(found, axis=1).min() > 0
    bounds = [
        sum(classes.chain.bound(items.test[:3], condition=c, seed=1, first_item=first).total.double() for first in (0, 3)) / 2
        for c in range(10)
    ]
    frequencies = torch.bincount(items.labels.train).double() if items.labels else torch.ones(10)
    expected = (frequencies.log() - torch.stack(bounds, dim=1)).softmax(1)
    assert np.allclose(found, expected.numpy(), atol=1e-4)


def test_what_is_saved_is_sampled_by_the_command_line(classes: Model, table: Model, tmp_path: Path) -> None:
    for name, model in (("classes", classes), ("table", table)):
        model.save(tmp_path / name)
        done = saltus("sample", name, "--n", "3", "--seed", "5", "--out", f"{name}-samples", cwd=tmp_path)
        assert done.code == 0, done.stderr
        written = np.load(tmp_path / f"{name}-samples" / "samples.npz")["samples"]
        assert np.array_equal(written, model.sample(3, seed=5))
        assert np.array_equal(Model.load(tmp_path / name).sample(3, seed=5), written)


def test_calls_are_on_the_planned_grid_of_the_folder(classes: Model, tmp_path: Path) -> None:
    classes.save(tmp_path)
    (tmp_path / "plan.json").write_text(to_json({"plans": {"2": {"times": [0.0, 0.7, 2.0]}}}))
    planned = Model.load(tmp_path)
    expected = classes.encoding.decode(classes.chain.on(Levels([0.0, 0.7, 2.0])).sample(4, seed=0))
    assert np.array_equal(planned.sample(4, seed=0, calls=2), expected)
    assert not np.array_equal(classes.sample(4, seed=0, calls=2), expected)
    assert np.array_equal(planned.sample(4, seed=0, calls=3), classes.sample(4, seed=0, calls=3))


def test_a_training_with_a_folder_is_a_run(tmp_path: Path) -> None:
    model = Model.train(load(rows(300)), SMALL, tmp_path / "run", quiet=True)
    assert np.array_equal(Model.load(tmp_path / "run").sample(3, seed=0), model.sample(3, seed=0))
    assert (tmp_path / "run" / "config.json").exists()


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        (lambda _: Model(chain_of("vae")), ("encoding",)),
        (lambda _: Model.load("nowhere"), ("nowhere",)),
        (lambda model: model.sample(2, calls=3), ("3 calls", "2")),
        (lambda model: model.sample(2, condition=1), ("condition", "without")),
        (lambda model: model.log_prob_bound(rows(4)[:, :1]), ("(4, 1)",)),
        (lambda model: model.log_prob_bound(np.full((4, 2), np.nan)), ("column 0 holds a missing cell in row 0",)),
        (lambda model: model.class_probabilities(rows(4)), ("classes",)),
    ],
)
def test_a_mistake_is_one_sentence(wrong: Callable[[Model], object], names: tuple[str, ...], table: Model) -> None:
    with pytest.raises(SaltusError) as error:
        wrong(table)
    assert_one_sentence(error.value, *names)


def test_a_kernel_without_a_bound_says_so() -> None:
    model = Model.train(load(rows(300)), Config(kernel="deterministic", updates=2, width=8), quiet=True)
    with pytest.raises(SaltusError) as error:
        model.log_prob_bound(rows(3))
    assert_one_sentence(error.value, "no bound")


def test_it_says_what_it_is(classes: Model) -> None:
    assert "8x8" in repr(classes)
    assert isinstance(classes.chain, Chain)
    assert "10 classes" in repr(classes)

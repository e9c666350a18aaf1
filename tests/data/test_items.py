"""Items that are not held are what they would be if they were, whatever is asked of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from saltus.data import DataSet, Items, drawn, load, subsample
from saltus.data import items as module
from saltus.data.items import encoded, variance_of
from saltus.evaluation import Evaluator, features, features_for
from saltus.evaluation.floors import start_mixture
from saltus.evaluation.neighbours import nearest_distances
from saltus.training import Config, train
from tests.helpers.raw import ENCODINGS, integers

RAW = integers(300, (9, 8, 3))
Y = ENCODINGS[0].encode(RAW)
ROWS = np.random.default_rng(0).permutation(300)[:200]


@pytest.fixture(params=[10_000, 500], ids=["in one piece", "in pieces"])
def items(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Items:
    monkeypatch.setattr(module, "_AT_ONCE", request.param)
    return Items(ENCODINGS[0], RAW, ROWS)


def test_they_stand_in_for_a_tensor(items: Items) -> None:
    y = Y[torch.from_numpy(ROWS)]
    assert (len(items), items.shape, items.dtype) == (200, y.shape, y.dtype)
    for index in (7, -1, slice(None), slice(20, 60, 3), torch.tensor([5, 0, 5]), torch.arange(200) % 3 == 0):
        assert torch.equal(items[index], y[index])
    assert torch.equal(Items(ENCODINGS[0], RAW)[:], Y)
    for parts in (items.split(64), items.blocks()):
        assert torch.equal(torch.cat(list(parts)), y)
    assert [len(part) for part in items.split(64)] == [64, 64, 64, 8]
    assert torch.equal(subsample(items, 30, seed=3), subsample(y, 30, seed=3))
    assert torch.equal(subsample(items, 200), y)
    assert variance_of(items) == pytest.approx(variance_of(y), rel=1e-6)
    assert torch.equal(encoded(ENCODINGS[0], RAW, np.array([3, 5, 4, 6])), Y[[3, 5, 4, 6]])  # as many as lie between, in another order


def test_distances_to_them_are_those_to_a_tensor(items: Items) -> None:
    x = Y[:20] + 0.01
    assert torch.allclose(nearest_distances(x, items), nearest_distances(x, items[:]), rtol=1e-12)
    assert float(nearest_distances(items[:1], items)) == 0


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[DataSet, DataSet]:
    """A file whose training items are held, and the same file where they are too many."""
    raw = np.random.default_rng(0).normal([128, 60], [40, 20], (900, 32, 2)).clip(0, 255).astype(np.uint8).reshape(900, 8, 8)
    np.savez(tmp_path / "a.npz", images=raw, labels=raw[:, 0, 0] > 128)
    held = load(tmp_path / "a.npz", condition="labels")
    monkeypatch.setattr(drawn, "MOST_HELD", 64 * 500)
    monkeypatch.setattr(drawn, "HELD_OUT", 64 * 60)
    monkeypatch.setattr(drawn, "FITTED", 64 * 200)
    monkeypatch.setenv("SALTUS_CACHE", str(tmp_path / "cache"))
    return held, load(tmp_path / "a.npz", condition="labels")


def test_a_data_set_with_them_says_what_it_does_not_use(both: tuple[DataSet, DataSet]) -> None:
    held, mapped = both
    assert isinstance(mapped.train, Items)
    assert torch.equal(mapped.train[:], held.train[:])
    assert mapped.encoding.key == held.encoding.key
    assert (len(mapped.validation), len(mapped.test)) == (60, 60)
    assert mapped.notes == (
        f"the {len(held.train)} training items are read as they are needed, and what needs all at once sees 200 of them; of "
        f"{len(held.validation)} validation items 60, drawn, are used; of {len(held.test)} test items 60, drawn, are used",
    )
    for part in ("train", "validation", "test"):  # labels go with their items
        y = getattr(mapped, part)[:]
        assert mapped.labels is not None
        np.testing.assert_array_equal(mapped.encoding.decode(y)[:, 0, 0] > 128, getattr(mapped.labels, part).numpy() == 1)
    assert mapped.fitting_items.shape == (200, 1, 8, 8)
    assert mapped.fitting_labels is not None
    np.testing.assert_array_equal(mapped.encoding.decode(mapped.fitting_items)[:, 0, 0] > 128, mapped.fitting_labels.numpy() == 1)
    assert torch.equal(held.fitting_items, mapped.fitting_items)  # a draw where items are many, held or not
    assert mapped.variance == pytest.approx(held.variance, rel=1e-6)
    assert mapped.fingerprint != held.fingerprint


def test_the_fingerprint_is_of_the_items_and_their_order() -> None:
    whole, raw = DataSet("a", ENCODINGS[0], Items(ENCODINGS[0], RAW), Y[:2], Y[:2]), RAW.copy()
    assert whole.fingerprint == DataSet("b", ENCODINGS[0], Items(ENCODINGS[0], RAW, np.arange(300)), Y[:2], Y[:2]).fingerprint
    raw[7, 3, 3, 0] ^= 1
    for other in (Items(ENCODINGS[0], raw), Items(ENCODINGS[0], RAW, np.arange(300)[::-1])):
        assert DataSet("c", ENCODINGS[0], other, Y[:2], Y[:2]).fingerprint != whole.fingerprint


def test_a_training_sees_what_it_would_see_if_all_were_held(both: tuple[DataSet, DataSet]) -> None:
    held, mapped = both
    held = DataSet("a", held.encoding, held.train, mapped.validation, mapped.test)
    mapped = DataSet("a", mapped.encoding, mapped.train, mapped.validation, mapped.test)
    config = Config(updates=2, levels=2, width=16, batch=32, prior="normal")
    one, other = (train(data, config, quiet=True) for data in (held, mapped))
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


def test_what_looks_at_all_items_looks_at_a_draw(both: tuple[DataSet, DataSet], monkeypatch: pytest.MonkeyPatch) -> None:
    _, mapped = both
    monkeypatch.setattr(features, "_UPDATES", 3)
    assert start_mixture(mapped, 0.3).K >= 2  # components of two classes
    unlabelled = DataSet("a", mapped.encoding, mapped.train, mapped.validation, mapped.test)
    assert features_for(unlabelled).extract(mapped.train).shape == (len(mapped.train), 64)
    figures = Evaluator(mapped, 60, metrics=("energy", "copies")).floor
    assert figures["copies"].mean == 0

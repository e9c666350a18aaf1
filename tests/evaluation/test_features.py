"""The features: trained once, on training items only, equal however many items are asked for, and good enough to measure with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from saltus.data import DataSet, Labels, Standardised, digits
from saltus.evaluation import Features, features_for

CENTRES = np.array([[3.0, 0, 0], [0, 3, 0], [0, 0, 3]])

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture(scope="module")
def of_digits() -> Features:
    return features_for(digits())


def blobs(*, labelled: bool = True, seed: int = 0) -> DataSet:
    """Rows around three centres."""
    rng, parts, labels = np.random.default_rng(seed), [], []
    for n in (600, 50, 90):
        classes = rng.integers(0, 3, n)
        parts.append((CENTRES[classes] + rng.normal(size=(n, 3))).astype(np.float32))
        labels.append(torch.from_numpy(10 * classes - 7))
    encoding = Standardised.fit("vector", parts[0])
    return DataSet("blobs", encoding, *(encoding.encode(part) for part in parts), labels=Labels(*labels) if labelled else None)


def test_digits_are_told_apart(of_digits: Features) -> None:
    data = digits()
    assert of_digits.labelled
    assert of_digits.classes == 10
    assert of_digits.accuracy >= 0.95
    assert data.labels is not None
    found = torch.stack([of_digits.extract(part).mean(0) for part in data.test.split(20)])
    assert found.shape[1] == 64
    guesses = of_digits.last(of_digits.extract(data.test) * of_digits.scale).argmax(1)
    assert float((guesses == data.labels.test).double().mean()) == of_digits.accuracy
    assert f"10 labels, {of_digits.accuracy:.1%} right" in of_digits.describe()


def test_features_do_not_depend_on_how_many_items_are_asked_for(of_digits: Features) -> None:
    y = digits().train[:300]
    whole = of_digits.extract(y)
    assert whole.shape == (300, 64)
    for start, n in [(0, 1), (7, 1), (250, 13), (0, 257), (299, 1)]:
        torch.testing.assert_close(of_digits.extract(y[start : start + n]), whole[start : start + n], rtol=1e-6, atol=1e-6)
    assert not of_digits.training


def test_their_mean_variance_over_the_training_items_is_one(of_digits: Features) -> None:
    assert float(of_digits.extract(digits().train).var(0).mean()) == pytest.approx(1, rel=1e-4)


def test_they_are_trained_once_and_kept(of_digits: Features, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_again(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(torch.optim, "AdamW", not_again)
    again = features_for(digits())
    assert again.hash == of_digits.hash
    assert again.accuracy == of_digits.accuracy
    y = digits().test[:9]
    assert torch.equal(again.extract(y), of_digits.extract(y))
    for other in (replace(digits(), labels=None), replace(digits(), test=digits().validation, labels=None)):
        with pytest.raises(AssertionError, match="trained again"):
            features_for(other)
    with pytest.raises(AssertionError, match="trained again"):
        features_for(digits(), seed=1)


def test_what_is_damaged_is_made_again(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALTUS_CACHE", str(tmp_path))
    first = features_for(blobs())
    (file,) = tmp_path.rglob("features.safetensors")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.warns(UserWarning, match="cannot be used"):
        assert features_for(blobs()).hash == first.hash  # and the same seed gives the same weights
    monkeypatch.setenv("SALTUS_CACHE", str(cache))
    assert features_for(blobs(), seed=1).hash != first.hash


def test_only_training_items_are_learned_from() -> None:
    data = blobs()
    assert data.labels is not None
    other = replace(data, test=-data.test, validation=-data.validation, labels=replace(data.labels, test=0 * data.labels.test))
    assert features_for(other).hash == features_for(data).hash
    assert features_for(other).accuracy < features_for(data).accuracy


def test_random_numbers_of_torch_are_left_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    features_for(blobs(seed=1))
    assert torch.equal(torch.rand(2), expected)


def test_without_labels_the_classes_are_clusters() -> None:
    found = features_for(blobs(labelled=False))
    assert not found.labelled
    assert found.classes == 30  # 600 training items, 20 in each
    assert 0.5 < found.accuracy <= 1
    assert "30 clusters" in found.describe()


@pytest.mark.parametrize("kind", ["numbers", "one kind"])
def test_labels_that_are_no_classes_are_passed_over(kind: str) -> None:
    data = blobs()
    parts = (data.train, data.validation, data.test)
    given = [torch.arange(len(part)) if kind == "numbers" else torch.zeros(len(part), dtype=torch.int64) for part in parts]
    assert not features_for(replace(data, labels=Labels(*given))).labelled


def test_a_class_that_training_never_saw_is_never_right() -> None:
    data = blobs()
    assert data.labels is not None
    full = features_for(data).accuracy
    assert full > 0.85
    strange = torch.where(data.labels.test == 3, 2, data.labels.test)  # between two known ones
    expected = full - float((data.labels.test == 3).double().mean())
    assert features_for(replace(data, labels=replace(data.labels, test=strange))).accuracy == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 30), (1, 28, 28), (4, 33, 17), (3, 100, 64), (5,)])
def test_items_of_every_shape_have_features(shape: tuple[int, ...]) -> None:
    features = Features(shape, 3, labelled=True).eval()
    assert features.extract(torch.zeros(2, *shape)).shape == (2, 64)


def test_every_pixel_is_seen() -> None:
    for shape in [(1, 8, 9), (2, 28, 28), (1, 70, 64)]:
        torch.manual_seed(0)
        y = torch.rand(1, *shape, requires_grad=True)
        features = Features(shape, 2, labelled=True).eval()
        features(y).sum().backward()
        assert y.grad is not None
        assert (y.grad != 0).double().mean() > 0.99

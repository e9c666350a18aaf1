"""Labels become classes, attributes become vectors or images, and each goes with its item."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from saltus.data import DataSet, load
from saltus.networks.conditions import ClassCondition, ImageCondition, VectorCondition
from tests.helpers.raw import classes_of, integers

PARTS = ("train", "validation", "test")
RAW = integers(200)
CLASSES = classes_of(RAW, 4)
ANIMALS = np.array(["dog", "ape", "cat", "bee"])


def decoded(data: DataSet, part: str) -> np.ndarray:
    """The class that is read off each item."""
    return classes_of(data.encoding.decode(getattr(data, part)), 4)


@pytest.mark.parametrize(
    ("labels", "names", "numbers"),
    [
        (CLASSES, "0 1 2 3", [0, 1, 2, 3]),
        (CLASSES.astype(np.float32), "0 1 2 3", [0, 1, 2, 3]),
        (CLASSES[:, None].astype(np.uint8), "0 1 2 3", [0, 1, 2, 3]),
        (CLASSES * 10 - 1, "-1 9 19 29", [0, 1, 2, 3]),
        (np.eye(4)[CLASSES], "0 1 2 3", [0, 1, 2, 3]),
        (CLASSES > 1, "0 1", [0, 0, 1, 1]),
        (ANIMALS[CLASSES], "ape bee cat dog", [3, 0, 2, 1]),
        (ANIMALS[CLASSES].astype(np.bytes_), "ape bee cat dog", [3, 0, 2, 1]),
    ],
    ids=["consecutive", "floats", "a column", "others", "one-hot", "booleans", "text", "bytes"],
)
def test_labels_become_classes(tmp_path: Path, labels: np.ndarray, names: str, numbers: list[int]) -> None:
    """`numbers`: the class that each class of the items becomes."""
    np.savez(tmp_path / "a.npz", images=RAW, labels=labels)
    for data in (load(tmp_path / "a.npz", condition="labels"), DataSet.from_arrays(RAW, labels=labels, condition="labels")):
        assert isinstance(data.condition, ClassCondition)
        assert data.conditions is not None
        assert data.condition.names == tuple(names.split())
        for part in PARTS:
            np.testing.assert_array_equal(getattr(data.conditions, part).numpy(), np.array(numbers)[decoded(data, part)])
        shares = torch.bincount(data.conditions.train).double() / len(data.train)
        torch.testing.assert_close(data.condition.frequencies, shares)


def test_labels_keep_their_numbers_beside_the_condition() -> None:
    data = DataSet.from_arrays(RAW, labels=CLASSES * 10, condition="labels")
    assert data.labels is not None
    np.testing.assert_array_equal(data.labels.test, 10 * decoded(data, "test"))
    assert data.labels.kinds == ("0", "10", "20", "30")
    named = DataSet.from_arrays(RAW, labels=ANIMALS[CLASSES])
    assert named.labels is not None
    assert named.labels.kinds == named.labels.names == ("ape", "bee", "cat", "dog")
    assert named.condition is None


PIXELS = {
    "bytes": np.broadcast_to(CLASSES[:, None, None].astype(np.uint8) * 85, (200, 4, 5)),
    "booleans": np.broadcast_to(CLASSES[:, None, None] > 1, (200, 4, 5)),
    "floats": np.broadcast_to(CLASSES[:, None, None] / 1.5 - 1, (200, 4, 5)),
}


@pytest.mark.parametrize("kind", PIXELS)
@pytest.mark.parametrize("order", ["gray", "last", "first"])
def test_images_become_conditions_in_the_range_of_items(tmp_path: Path, kind: str, order: str) -> None:
    pixels = {"gray": PIXELS[kind], "last": np.stack([PIXELS[kind]] * 3, -1), "first": np.stack([PIXELS[kind]] * 3, 1)}[order]
    np.savez(tmp_path / "a.npz", images=RAW, attributes=pixels)
    data = load(tmp_path / "a.npz", condition="attributes")
    assert isinstance(data.condition, ImageCondition)
    assert data.condition.shape == (1 if order == "gray" else 3, 4, 5)
    assert data.conditions is not None
    for part in PARTS:
        classes = decoded(data, part)
        expected = np.where(classes > 1, 1, -1) if kind == "booleans" else classes / 1.5 - 1
        values = getattr(data.conditions, part)
        assert values.shape == (len(classes), *data.condition.shape)
        np.testing.assert_allclose(values.flatten(1).numpy(), np.broadcast_to(expected[:, None], values.flatten(1).shape), atol=1e-6)


@pytest.mark.parametrize("size", [None, 1, 3])
def test_numbers_become_vectors(tmp_path: Path, size: int | None) -> None:
    shape = (200,) if size is None else (200, size)
    attributes = np.broadcast_to(CLASSES.reshape(200, *[1] * (len(shape) - 1)), shape) * 7 - 1
    np.savez(tmp_path / "a.npz", images=RAW, attributes=attributes)
    for data in (load(tmp_path / "a.npz", condition="attributes"), DataSet.from_arrays(RAW, condition=torch.from_numpy(attributes.copy()))):
        assert isinstance(data.condition, VectorCondition)
        assert data.condition.size == (size or 1)
        assert data.conditions is not None
        for part in PARTS:
            values = getattr(data.conditions, part)
            assert values.dtype == torch.float32
            np.testing.assert_array_equal(values.numpy(), np.repeat(decoded(data, part)[:, None] * 7 - 1, size or 1, axis=1))


@pytest.mark.parametrize("names", [["train", "validation", "test"], ["train", "test"], ["train"]])
def test_attributes_of_parts_go_with_their_parts(tmp_path: Path, names: list[str]) -> None:
    raws = {name: integers(200, seed=seed) for seed, name in enumerate(names)}
    beside = {f"{name}_attributes": classes_of(raw, 4).astype(np.float32) for name, raw in raws.items()}
    np.savez(tmp_path / "a.npz", **raws, **beside)
    data = load(tmp_path / "a.npz", condition="attributes")
    assert data.conditions is not None
    assert data.notes == ()
    for part in PARTS:
        np.testing.assert_array_equal(getattr(data.conditions, part)[:, 0].numpy(), decoded(data, part))

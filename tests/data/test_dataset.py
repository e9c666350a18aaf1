"""Data sets: made of arrays, with labels and conditions; what they refuse, and what makes them equal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from saltus.data import DataSet, Labels, Standardised, digits, load, subsample
from saltus.data.conditions import Conditions
from saltus.data.parts import Parts
from saltus.data.split import split
from saltus.errors import SaltusError
from saltus.networks.conditions import ClassCondition, VectorCondition
from tests.helpers.checks import assert_one_sentence
from tests.helpers.raw import ENCODINGS, classes_of, floats, integers

PARTS = ("train", "validation", "test")


def same(one: DataSet, other: DataSet) -> bool:
    return type(one.encoding) is type(other.encoding) and all(torch.equal(getattr(one, part), getattr(other, part)) for part in PARTS)


@pytest.mark.parametrize("raw", [integers(90), floats("vector", 90), floats("channels_last", 90).astype(np.float64), integers(90) > 99])
def test_arrays_and_files_make_equal_data_sets(tmp_path: Path, raw: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", raw)
    from_file = load(tmp_path / "a.npy")
    for data in (
        load(raw),
        load(torch.from_numpy(raw)),
        DataSet.from_arrays(raw),
        DataSet.from_arrays(raw.tolist() if raw.dtype == bool else raw),
    ):
        assert same(data, from_file)
        assert data.fingerprint == from_file.fingerprint
        assert data.source == ""
        assert data.name == "arrays"


def test_parts_and_labels_are_taken_as_they_are_given() -> None:
    raws = [integers(90, seed=seed) for seed in range(3)]
    classes = tuple(map(classes_of, raws))
    whole = DataSet.from_arrays(*raws, labels=classes, name="mine")
    assert whole.name == "mine"
    assert whole.labels is not None
    for part, raw, labels in zip(PARTS, raws, classes, strict=True):
        np.testing.assert_array_equal(whole.encoding.decode(getattr(whole, part)), raw)
        np.testing.assert_array_equal(getattr(whole.labels, part), labels)
    halves = DataSet.from_arrays(raws[0], test=raws[2], labels=(classes[0], None, classes[2]))
    assert halves.labels is not None
    for part in PARTS:
        np.testing.assert_array_equal(getattr(halves.labels, part), classes_of(halves.encoding.decode(getattr(halves, part))))
    with pytest.raises(SaltusError, match="the array of test labels is missing"):
        DataSet.from_arrays(raws[0], test=raws[2], labels=classes[0])


def test_half_precision_tensors_with_gradients_are_taken() -> None:
    rows = torch.randn(90, 3, generator=torch.Generator().manual_seed(0)).bfloat16().requires_grad_()
    assert same(load(rows), load(rows.detach().float()))


def test_huge_values_are_told_by_the_name_of_their_column() -> None:
    rows = floats("vector", 90).astype(np.float64)
    rows[:, 2] *= 1e300
    with pytest.raises(SaltusError, match="column c are too huge"):
        DataSet.from_arrays(rows, columns=list("abcde"))


@pytest.mark.parametrize("part", ["labels", "conditions"])
@pytest.mark.parametrize("wrong", [torch.zeros(2, dtype=torch.int64), torch.zeros(3)])
def test_a_data_set_refuses_labels_and_conditions_that_do_not_fit(wrong: torch.Tensor, part: str) -> None:
    y, right = torch.zeros(3, 5), torch.zeros(3, dtype=torch.int64)
    kind = Labels if part == "labels" else Conditions

    def made(validation: torch.Tensor) -> DataSet:
        beside: dict[str, Any] = {part: kind(right, validation, right)}
        condition = None if part == "labels" else ClassCondition(["a"], [1])
        return DataSet("mine", ENCODINGS[2], y, y, y, condition=condition, **beside)

    assert getattr(made(right), part) is not None
    with pytest.raises(SaltusError) as caught:
        made(wrong)
    assert_one_sentence(caught.value, f"the validation {part} of mine are")


def test_a_condition_needs_its_values() -> None:
    y = torch.zeros(3, 5)
    with pytest.raises(SaltusError) as caught:
        DataSet("mine", ENCODINGS[2], y, y, y, condition=VectorCondition(2))
    assert_one_sentence(caught.value, "mine has a condition without values")


def test_a_data_set_shows_itself() -> None:
    data = digits()
    for word in ("digits", str(len(data.train)), "8x8 pixels", "(1, 8, 8)", "labels of 10 classes"):
        assert word in repr(data)
    given = digits("labels")
    assert "conditioned on 10 classes" in repr(given)
    assert "labels of" not in repr(given)
    assert given.describe() == data.describe() + ", conditioned on 10 classes"
    assert "classes" not in repr(load(floats("vector", 90)))
    assert max(map(len, (repr(data), repr(given)))) < 200


def test_what_it_is_conditioned_on_loads_it_again(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=integers(90), labels=np.arange(90) % 3, attributes=floats("vector", 90))
    for what in (None, "labels", "attributes"):
        data = load(tmp_path / "a.npz", condition=what)
        assert data.conditioned_on == what
        assert type(load(data.source, condition=data.conditioned_on).condition) is type(data.condition)


# ---------------------------------------------------------------------------------------------- equal data


FINGERPRINTS = {
    "2ba8ad73ba586559": integers(80),
    "fb07b4d390747f0c": integers(80) > 99,
    "5c02981f6c2aff3a": floats("channels_last", 80),
}
"""As they were in the first version: files name their data by them."""


def test_fingerprints_stay_what_they_were() -> None:
    assert digits().fingerprint == digits("labels").fingerprint == "21306347a63339cb"
    assert [load(raw).fingerprint for raw in FINGERPRINTS.values()] == list(FINGERPRINTS)
    rows = floats("vector", 80)  # which older runs have standardised, and read so again
    as_then = Standardised.fit("vector", split(Parts(rows))[0])
    assert DataSet.from_parts(Parts(rows), name="rows", encoding=as_then).fingerprint == "4f00cd3a58b92c47"


def test_the_fingerprint_is_of_the_items_and_nothing_else() -> None:
    raw = integers(80)
    changed = raw.copy()
    changed[7, 3, 3] ^= 1
    found = [load(array).fingerprint for array in (raw, raw.copy(), changed, raw.astype(np.int64))]
    assert found[0] == found[1]
    assert len(set(found)) == 3
    assert DataSet.from_arrays(raw, condition=floats("vector", 80), labels=np.arange(80)).fingerprint == found[0]
    parts = dict(zip(PARTS, (torch.zeros(n, 5) for n in (3, 4, 3)), strict=True))
    other = {**parts, "train": parts["validation"], "validation": parts["train"]}
    assert DataSet("a", ENCODINGS[2], **parts).fingerprint == DataSet("b", ENCODINGS[2], **parts).fingerprint
    assert DataSet("a", ENCODINGS[2], **parts).fingerprint != DataSet("a", ENCODINGS[2], **other).fingerprint


def test_conditions_are_subsampled_as_their_items_are() -> None:
    items = torch.arange(50.0)[:, None]
    assert torch.equal(subsample(items, 20, seed=3)[:, 0], subsample(torch.arange(50.0), 20, seed=3))
    assert torch.equal(subsample(items, 50), items)
    assert not torch.equal(subsample(items, 20, seed=3), subsample(items, 20, seed=4))

"""Data sets of Hugging Face: those saved in a folder, and those that `load_dataset` finds, here in a folder in place of the network."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image

from saltus.data import Preparation, load
from saltus.data.readers import read_place
from saltus.errors import SaltusError
from tests.helpers.checks import assert_one_sentence
from tests.helpers.raw import integers

RAW = integers(90, (9, 8, 3))
FEATURES = datasets.Features(
    {"picture": datasets.Image(), "kind": datasets.ClassLabel(names=["dog", "cat"]), "note": datasets.Value("string")}
)


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def png(pixels: np.ndarray) -> dict[str, bytes]:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return {"bytes": file.getvalue()}


def pictures(raw: np.ndarray = RAW, kinds: Any = None) -> datasets.Dataset:
    n = len(raw)
    kinds = [k % 2 for k in range(n)] if kinds is None else kinds
    return datasets.Dataset.from_dict({"picture": [png(item) for item in raw], "kind": kinds, "note": ["x"] * n}, features=FEATURES)


def test_images_and_classes_of_a_saved_data_set(tmp_path: Path) -> None:
    pictures().save_to_disk(tmp_path / "a")
    parts = read_place(tmp_path / "a")
    np.testing.assert_array_equal(parts.train, RAW)
    assert parts.classes == ("dog", "cat")  # in their own order
    assert parts.labels is not None
    np.testing.assert_array_equal(parts.labels.train, np.arange(90) % 2)
    assert parts.notes == ("the column note is not used",)
    data = load(tmp_path / "a", condition="labels", preparation=Preparation(size=8, channels=1))
    assert data.event_shape == (1, 8, 8)
    assert data.condition is not None
    assert data.condition.summary() == "2 classes"


def test_splits_are_parts(tmp_path: Path) -> None:
    splits = {"train": pictures(RAW[:60]), "valid": pictures(RAW[60:70]), "test": pictures(RAW[70:], [-1] * 20), "extra": pictures(RAW[:1])}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "a")
    parts = read_place(tmp_path / "a")
    for part, raw in zip(parts.each, (RAW[:60], RAW[60:70], RAW[70:]), strict=True):
        np.testing.assert_array_equal(part, raw)
    assert parts.labels is None
    assert parts.notes == (
        "20 images have no label, so that labels are not used",
        "the split extra is not used",
        "the column note is not used",
    )


def test_columns_of_numbers_are_a_table(tmp_path: Path) -> None:
    rows = {"a": list(range(60)), "b": [k * 0.5 for k in range(60)], "s": ["x"] * 60, "kind": [k % 2 for k in range(60)]}
    table = datasets.Dataset.from_dict(rows).cast_column("kind", FEATURES["kind"]).shuffle(seed=0)
    table.save_to_disk(tmp_path / "a")
    parts = read_place(tmp_path / "a", "labels")
    assert (parts.columns, parts.dtypes, parts.classes) == (("a", "b"), ("int64", "float64"), ("dog", "cat"))
    np.testing.assert_array_equal(parts.train[:, 0], table["a"])  # in the order that it has now
    np.testing.assert_array_equal(parts.train[:, 1], parts.train[:, 0] * 0.5)
    assert parts.labels is not None
    np.testing.assert_array_equal(parts.labels.train, parts.train[:, 0] % 2)
    assert parts.notes == ("1 of 3 columns is left out: 1 constant (s)",)
    with pytest.raises(SaltusError, match="--size, --crop, --channels and --recursive are for images"):
        load(tmp_path / "a", preparation=Preparation(size=8))


def test_a_name_of_the_hub_is_loaded_by_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `load_dataset` does with a folder of Parquet files is what it does with those of the hub, but for the network."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "mine").mkdir()
    pictures().to_parquet(tmp_path / "mine" / "train-00000-of-00001.parquet")
    asked: list[tuple[str, str | None]] = []
    whole, builder = datasets.load_dataset, datasets.load_dataset_builder

    def counted(name: str, configuration: str | None) -> Any:
        asked.append((name, configuration))
        return whole(str(tmp_path / "mine"))

    monkeypatch.setattr(datasets, "load_dataset", counted)
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda *_: builder(str(tmp_path / "mine")))
    data = load("hf:somebody/mine:small", condition="labels")
    assert asked == [("somebody/mine", "small")]
    assert (data.name, data.source) == ("somebody-mine:small", "hf:somebody/mine:small")
    assert len(data.train) + len(data.validation) + len(data.test) == 90
    load(data.source)
    assert asked[1:] == [("somebody/mine", "small")]


CARD = """---
dataset_info:
  features:
  - name: picture
    dtype: image
  - name: kind
    dtype:
      class_label:
        names:
          '0': dog
          '1': cat
  - name: note
    dtype: string
  splits:
  - name: train
    num_bytes: 1
    num_examples: 90
configs:
- config_name: default
  data_files:
  - split: train
    path: train-*
---
"""


def test_images_whose_number_is_known_are_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is downloaded first: the card says how many rows there are, and they are read from where they lie."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "mine").mkdir()
    pictures().to_parquet(tmp_path / "mine" / "train-00000-of-00001.parquet")
    (tmp_path / "mine" / "README.md").write_text(CARD)
    builder = datasets.load_dataset_builder(str(tmp_path / "mine"))
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda *_: builder)
    monkeypatch.setattr(datasets, "load_dataset", None)
    parts = read_place("hf:somebody/mine")
    np.testing.assert_array_equal(parts.train, RAW)
    assert parts.labels is not None
    np.testing.assert_array_equal(parts.labels.train, np.arange(90) % 2)
    assert (parts.classes, parts.notes) == (("dog", "cat"), ("the column note is not used",))
    assert not list((tmp_path / "cache").rglob("*.arrow"))
    (tmp_path / "mine" / "train-00000-of-00001.parquet").unlink()
    with pytest.raises(SaltusError, match="cannot be"):
        read_place("hf:somebody/mine")


def test_what_is_wrong_is_told_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two = pictures().add_column("second", [png(item) for item in RAW], feature=datasets.Image())
    two.save_to_disk(tmp_path / "two")
    datasets.DatasetDict({"one": pictures(), "other": pictures()}).save_to_disk(tmp_path / "unnamed")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "state.json").write_text("{")
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda *_: (_ for _ in ()).throw(ConnectionError("no network")))
    for place, words in (
        (tmp_path / "two", "the columns picture and second hold images; say which with --array"),
        (tmp_path / "unnamed", "the splits are one, other; expected train"),
        (tmp_path / "broken", "this data set cannot be loaded"),
        ("hf:no/such", "hf:no/such: this data set cannot be loaded (no network)"),
    ):
        with pytest.raises(SaltusError) as caught:
            load(place)
        assert_one_sentence(caught.value, words)
    assert load(tmp_path / "two", preparation=Preparation(array="second")).event_shape == (3, 9, 8)
    with pytest.raises(SaltusError, match="there is no column of images named x; expected picture, second"):
        load(tmp_path / "two", preparation=Preparation(array="x"))

"""Files and folders become data sets: items, labels, notes; real files where they are there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from saltus.data import Binned, Columns, Layout, Listed, Standardised, digits, load, read_items
from saltus.data.parts import Parts
from saltus.data.split import split
from saltus.errors import SaltusError
from saltus.likelihoods import DiscretisedHead
from saltus.networks.conditions import ClassCondition
from tests.helpers.raw import classes_of, floats, integers, save_images

REAL = Path(__file__).resolve().parents[3] / "shared" / "data"


def test_the_digits() -> None:
    data = digits()
    assert data.event_shape == (1, 8, 8)
    assert len(data.train) + len(data.validation) + len(data.test) == 1797
    head = data.encoding.head()
    assert isinstance(head, DiscretisedHead)
    assert head.bins == 17
    head.check(torch.cat([data.train, data.validation, data.test]))
    assert data.variance == pytest.approx(float(data.train.flatten(1).numpy().var(axis=0).mean()), rel=1e-5)
    assert torch.equal(load("digits").train, data.train)
    assert data.describe().startswith("digits: ")
    assert data.describe().endswith("test images of 8x8 pixels with 17 values")


@pytest.mark.parametrize(
    ("raw", "kind", "event", "detail"),
    [
        (integers(90, (8, 9)), Binned, (1, 8, 9), "256 values"),
        (integers(90, (8, 9, 1)), Binned, (1, 8, 9), "256 values"),
        (integers(90, (3, 8, 9)), Binned, (3, 8, 9), "256 values"),
        (integers(90, (20,)), Columns, (20,), "20 counted"),
        (integers(90) > 99, Binned, (1, 8, 8), "2 values"),
        (integers(90).astype(np.int64) // 16 - 3, Binned, (1, 8, 8), "16 values"),
        (integers(90).astype(np.int64) * 2, Listed, (1, 8, 8), "256 values from 0 to 510"),
        (integers(90) // 85 * 85, Listed, (1, 8, 8), "4 values from 0 to 255"),
        (integers(90) // 128, Binned, (1, 8, 8), "2 values"),
        (np.array([0, 128, 255], np.uint8)[integers(90) % 3], Listed, (1, 8, 8), "3 values from 0 to 255"),
        (np.array([0, 2, 5], np.uint8)[integers(90) % 3], Binned, (1, 8, 8), "6 values"),
        (np.array([0, 1, 10**6])[integers(90) % 3], Listed, (1, 8, 8), "3 values from 0 to 1e+06"),
        (np.array([-1e300, 0, 1e300])[integers(90) % 3], Listed, (1, 8, 8), "3 values"),
        ((integers(90) / 255).astype(np.float32), Listed, (1, 8, 8), "256 values from 0 to 1"),
        (integers(90) / 127.5 - 1, Listed, (1, 8, 8), "256 values from -1 to 1"),
        (integers(90) ** 1.5, Standardised, (1, 8, 8), "standardised"),
        (integers(900, (4,)) / 255, Columns, (4,), "4 counted"),
        (integers(90, (4,)).astype(np.int64), Columns, (4,), "4 counted"),
        (floats("vector", 90), Columns, (5,), "5 continuous"),
        (floats("vector", 90).astype(">f8"), Columns, (5,), "5 continuous"),
        (floats("channels_last", 90), Standardised, (3, 9, 8), "standardised"),
    ],
)
def test_the_rule_from_raw_values_to_encodings(tmp_path: Path, raw: np.ndarray, kind: type, event: tuple[int, ...], detail: str) -> None:
    np.save(tmp_path / "mine.npy", raw)
    data = load(tmp_path / "mine.npy")
    assert type(data.encoding) is kind
    assert data.event_shape == event
    assert data.name == "mine"
    assert detail in data.describe()
    data.encoding.head().check(data.test)
    back = data.encoding.decode(data.train)
    np.testing.assert_allclose(back.astype(np.float64), split(Parts(raw))[0].astype(np.float64), atol=1e-3)


@pytest.mark.parametrize(
    ("names", "sizes"),
    [
        ({"train_images": 80, "test_images": 9, "train_labels": 80}, (80, 9)),
        ({"x_train": 80, "x_val": 7, "x_test": 9}, (80, 7, 9)),
        ({"train": 80, "validation": 7, "test": 9, "mean": 1}, (80, 7, 9)),
        ({"train": 80, "val": 7, "test": 9}, (80, 7, 9)),
        ({"train_images": 80, "valid_images": 7, "test_images": 9}, (80, 7, 9)),
        ({"images": 80, "labels": 80}, (80,)),
        ({"x": 80, "y": 80}, (80,)),
        ({"anything": 80}, (80,)),
    ],
)
def test_the_names_in_an_npz(tmp_path: Path, names: dict[str, int], sizes: tuple[int, ...]) -> None:
    np.savez_compressed(tmp_path / "a.npz", **{name: integers(n, seed=i) for i, (name, n) in enumerate(names.items())})
    data = load(str(tmp_path / "a.npz"))
    assert len(data.train) + len(data.validation) + len(data.test) == sum(sizes)
    if len(sizes) > 1:
        assert len(data.test) == sizes[-1]
    if len(sizes) == 3:
        assert len(data.validation) == sizes[1]


@pytest.mark.parametrize("shape", [(9, 8), (9, 8, 3), (9, 8, 4), (9, 8, 2)])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_folder_of_images_is_the_array_of_its_pixels(tmp_path: Path, shape: tuple[int, ...], ending: str) -> None:
    raw = integers(60, shape)
    save_images(tmp_path / "pets.v2", raw, ending)
    (tmp_path / "pets.v2" / ".hidden.png").write_bytes(b"no image")
    (tmp_path / "pets.v2" / "notes.txt").write_text("no image")
    (tmp_path / "pets.v2" / "more.png").mkdir()
    save_images(tmp_path / "pets.v2" / "more", raw[:1], ending)
    data = load(tmp_path / "pets.v2")
    assert data.labels is None  # the folder has images of its own
    assert data.name == "pets.v2"
    for part, expected in zip((data.train, data.validation, data.test), split(Parts(raw)), strict=True):
        np.testing.assert_array_equal(data.encoding.decode(part), expected)


@pytest.mark.parametrize(
    ("ending", "mode", "channels"), [("png", "1", 1), ("gif", "P", 3), ("jpg", "RGB", 3), ("bmp", "L", 1), ("png", "F16", 1)]
)
def test_other_kinds_of_images(tmp_path: Path, ending: str, mode: str, channels: int) -> None:
    raw = integers(60, (9, 8))
    save_images(tmp_path, raw.astype(np.uint16) * 257 if mode == "F16" else raw, ending, None if mode == "F16" else mode)
    data = load(tmp_path)
    assert data.event_shape == (channels, 9, 8)
    assert isinstance(data.encoding, Listed if mode == "F16" else Binned)
    assert data.encoding.decode(data.test).dtype == {"1": np.bool_, "F16": np.uint16}.get(mode, np.uint8)


def test_transparent_palettes_and_turned_photographs(tmp_path: Path) -> None:
    raw = integers(60, (9, 8))
    for index, item in enumerate(raw):
        Image.fromarray(item).convert("P").save(tmp_path / f"{index:02}.png", transparency=bytes(range(256)))
    np.testing.assert_array_equal(
        load(tmp_path).encoding.decode(load(tmp_path).test)[..., 0], split(Parts(np.stack([raw] * 3, -1)))[2][..., 0]
    )
    turned = tmp_path / "turned"
    turned.mkdir()
    for index, item in enumerate(raw):
        exif = Image.Exif()
        exif[274] = 6
        Image.fromarray(item).save(turned / f"{index:02}.jpg", exif=exif)
    assert load(turned).event_shape == (1, 8, 9)


def test_folders_inside_a_folder_are_classes(tmp_path: Path) -> None:
    raw = integers(90, (9, 8))
    classes = classes_of(raw, 3)
    for k, name in enumerate(("apes", "bees", "cats")):
        save_images(tmp_path / name, raw[classes == k])
    save_images(tmp_path / ".hidden", raw[:1, :8])
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no image")
    data = load(tmp_path)
    assert data.labels is not None
    assert data.labels.names == ("apes", "bees", "cats")
    assert data.condition is None
    assert len(data.train) + len(data.validation) + len(data.test) == 90
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(data.labels, part).numpy(), classes_of(data.encoding.decode(getattr(data, part)), 3))
    condition = load(tmp_path, condition="labels").condition
    assert isinstance(condition, ClassCondition)
    assert condition.names == ("apes", "bees", "cats")
    assert len(read_items(tmp_path)) == 90


# ---------------------------------------------------------------------------------------------- labels, notes, samples


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["train_images", "test_images"], ["train_labels", "test_labels"]),
        (["x_train", "x_val", "x_test"], ["y_train", "y_val", "y_test"]),
        (["train", "validation", "test"], ["train_labels", "validation_labels", "test_labels"]),
        (["train", "val", "test"], ["train_labels", "val_labels", "test_labels"]),
        (["images"], ["labels"]),
        (["data"], ["targets"]),
    ],
)
def test_labels_go_with_their_items(tmp_path: Path, names: list[str], labels: list[str]) -> None:
    raws = [integers(200, seed=seed) for seed in range(len(names))]
    np.savez(
        tmp_path / "a.npz", **dict(zip(names, raws, strict=True)), **{name: classes_of(raw) for name, raw in zip(labels, raws, strict=True)}
    )
    data = load(tmp_path / "a.npz")
    assert data.labels is not None
    for part in ("train", "validation", "test"):
        found = getattr(data.labels, part)
        assert found.dtype == torch.int64
        np.testing.assert_array_equal(found.numpy(), classes_of(data.encoding.decode(getattr(data, part))))


@pytest.mark.parametrize(
    ("names", "used"),
    [
        (["train", "test", "train_labels", "test_labels", "columns"], ["train", "test", "train_labels", "test_labels", "columns"]),
        (["train", "labels"], ["train", "labels"]),
        (["x", "labels", "mean", "attributes"], ["x", "labels"]),
        (["train", "validation", "test", "mean"], ["train", "validation", "test"]),
        (["x_train", "x_test", "y_train", "y_val", "y_test"], ["x_train", "x_test", "y_train", "y_test"]),
        (["x", *[f"a{k}" for k in range(15)]], ["x", *[f"a{k}" for k in range(10, 15)]]),
    ],
)
def test_what_a_file_holds_in_vain_is_told_once(tmp_path: Path, names: list[str], used: list[str]) -> None:
    rows = {name: floats("vector", 60, seed) for seed, name in enumerate(names)}
    labels = {name: np.arange(60) % 3 for name in names if "labels" in name or name.startswith("y_")}
    np.savez(tmp_path / "a.npz", **(rows | labels | ({"columns": np.array(list("abcde"))} if "columns" in names else {})))
    notes = load(tmp_path / "a.npz").notes
    unused = [name for name in names if name not in used]
    assert len(notes) == bool(unused)
    for note in notes:
        assert note.startswith("the array")
        words = note.replace(",", "").split()
        assert [name for name in words if name in names] == unused
        assert ("and 5 more" in note) == (len(names) > 15)


def test_the_digits_have_labels() -> None:
    data = digits()
    assert data.labels is not None
    assert data.labels.train.unique().tolist() == list(range(10))
    centres = torch.stack([data.train[data.labels.train == k].mean(0) for k in range(10)])
    nearest = torch.cdist(data.test.flatten(1), centres.flatten(1)).argmin(1)
    assert (nearest == data.labels.test).double().mean() > 0.8
    for given in (digits("labels"), load("digits", condition="labels")):
        assert isinstance(given.condition, ClassCondition)
        assert given.condition.names == tuple("0123456789")
        assert given.conditions is not None
        assert torch.equal(given.conditions.test, data.labels.test)
        assert given.fingerprint == data.fingerprint


@pytest.mark.parametrize(
    "labels",
    [
        {"train_labels": np.arange(79), "test_labels": np.arange(60)},
        {"train_labels": np.arange(80) + 0.5, "test_labels": np.arange(60)},
        {"train_labels": np.arange(80)},
        {"train_labels": np.array([None] * 80), "test_labels": np.arange(60)},
        {"labels": np.arange(80)},
    ],
    ids=["too few", "floats", "of one part", "objects", "another name"],
)
def test_labels_that_do_not_fit_are_passed_over(tmp_path: Path, labels: dict[str, np.ndarray]) -> None:
    np.savez(tmp_path / "a.npz", train_images=integers(80), test_images=integers(60, seed=1), **labels)
    data = load(tmp_path / "a.npz")
    assert data.labels is None
    assert all(name in note for note in data.notes for name in labels)
    assert len(data.notes) == 1


def test_the_source_is_where_data_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", integers())
    assert load("a.npy").source == str(tmp_path.resolve() / "a.npy")
    assert digits().source == load("digits").source == "digits"


def test_samples_of_any_number_are_read(tmp_path: Path) -> None:
    raw = integers(3)
    np.savez(tmp_path / "a.npz", samples=raw, more=integers(5))
    np.testing.assert_array_equal(read_items(tmp_path / "a.npz"), raw)
    np.save(tmp_path / "a.npy", raw[:1])
    np.testing.assert_array_equal(read_items(str(tmp_path / "a.npy")), raw[:1])
    save_images(tmp_path / "folder", raw)
    np.testing.assert_array_equal(read_items(tmp_path / "folder"), raw)
    with pytest.raises(SaltusError, match=r"none\.npy: there is no such file"):
        read_items(tmp_path / "none.npy")


@pytest.mark.parametrize("layout", [Layout.GRAY, Layout.CHANNELS_LAST, Layout.CHANNELS_FIRST])
@pytest.mark.parametrize("other", [Layout.GRAY, Layout.CHANNELS_LAST, Layout.CHANNELS_FIRST])
def test_images_in_another_order_of_axes_are_turned(layout: Layout, other: Layout) -> None:
    channels = 1 if Layout.GRAY in (layout, other) else 3
    items = np.random.default_rng(0).normal(size=(4, channels, 9, 8))
    wanted, given = layout.to_raw(items), other.to_raw(items)
    np.testing.assert_array_equal(layout.like(given, wanted.shape[1:]), wanted)


def test_other_images_stay_as_they_are() -> None:
    colour, larger, row = np.zeros((4, 9, 8, 3)), np.zeros((4, 9, 9)), np.zeros((4, 72))
    for raw in (colour, larger, row):
        assert Layout.GRAY.like(raw, (9, 8)) is raw


# ---------------------------------------------------------------------------------------------- real files

real = pytest.mark.skipif(not REAL.is_dir(), reason="needs the real data, which are not part of the project")


@real
def test_real_images() -> None:
    data = load(REAL / "mnist.npz")
    assert data.event_shape == (1, 28, 28)
    assert (len(data.train) + len(data.validation), len(data.test)) == (60_000, 10_000)
    with np.load(REAL / "mnist.npz") as file:
        np.testing.assert_array_equal(data.encoding.decode(data.test[:500]), file["test_images"][:500])


@real
@pytest.mark.parametrize(("name", "columns"), [("california", 9), ("ccpp", 5)])
def test_real_tables(name: str, columns: int) -> None:
    data = load(REAL / f"tabular_{name}.npz")
    assert data.event_shape == (columns,)
    with np.load(REAL / f"tabular_{name}.npz") as file:
        assert (len(data.train), len(data.validation), len(data.test)) == tuple(len(file[part]) for part in ("train", "validation", "test"))
        np.testing.assert_allclose(data.encoding.decode(data.test), file["test"], atol=1e-5)


def test_what_a_folder_holds_in_vain_is_counted(tmp_path: Path) -> None:
    save_images(tmp_path, integers(60), "png")
    save_images(tmp_path, integers(10, seed=1), "ppm")
    assert load(tmp_path).notes == ()
    for name in ("a.txt", "b.txt", "c.webm", ".hidden.png", "README"):
        (tmp_path / name).touch()
    save_images(tmp_path / "more", integers(10, seed=2), "png")
    (note,) = load(tmp_path).notes
    assert note.startswith(f"passed over in {tmp_path.name}: 2 .txt, 1 .webm, 1 a folder inside, 1 hidden, 1 without an ending")
    assert note.endswith("the images in more too: give that folder, or put all images into folders by class")


def test_a_program_in_an_image_is_not_run(tmp_path: Path) -> None:
    """Pillow gives PostScript to another program, whatever the file is named."""
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n")
    with pytest.raises(SaltusError, match=r"a\.png is no image of a known format"):
        load(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_pipe_is_no_image(tmp_path: Path) -> None:
    save_images(tmp_path, integers(60), "png")
    os.mkfifo(tmp_path / "pipe.png")
    assert load(tmp_path).notes == (f"passed over in {tmp_path.name}: 1 no regular file",)

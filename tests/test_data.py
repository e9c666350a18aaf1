"""The data room: encodings invert, splits depend on nothing but the item, and every mistake is one sentence that names the file."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.distributions import MultivariateNormal, Normal

from saltus.blueprint import build, describe
from saltus.data import Binned, DataSet, Encoding, Labels, Layout, Standardised, digits, load, read_items
from saltus.data.dataset import split
from saltus.kernels import DiscretisedHead, GaussianHead
from saltus.mistakes import Mistake

SHAPES = {"gray": (9, 8), "channels_last": (9, 8, 3), "channels_first": (3, 9, 8), "vector": (5,)}
EVENTS = {"gray": (1, 9, 8), "channels_last": (3, 9, 8), "channels_first": (3, 9, 8), "vector": (5,)}
RANGES = [("uint8", 0, 255), ("bool", 0, 1), ("int8", -128, 127), ("int64", 10**12, 10**12 + 16), ("uint16", 0, 2**16 - 1)]
REAL = Path(__file__).resolve().parents[2] / "shared" / "data"


def floats(layout: str, n: int = 60, seed: int = 0) -> np.ndarray:
    spread = np.random.default_rng(seed).normal(size=(n, *SHAPES[layout]))
    return (30 + spread * np.geomspace(0.1, 1000, SHAPES[layout][-1])).astype(np.float32)


def integers(n: int = 60, shape: tuple[int, ...] = (8, 8), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


# ---------------------------------------------------------------------------------------------- encodings


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize(("dtype", "low", "high"), RANGES)
def test_binned_inverts_exactly_and_lies_on_its_bins(layout: Layout, dtype: str, low: int, high: int) -> None:
    encoding = Binned(layout, SHAPES[layout], low, high, dtype)
    raw = np.random.default_rng(0).integers(low, high, (40, *SHAPES[layout]), endpoint=True).astype(dtype)
    raw.flat[:2] = low, high
    y = encoding.encode(raw)
    assert y.dtype == torch.float32
    assert y.shape == (40, *EVENTS[layout]) == (40, *encoding.event_shape)
    assert (y.min(), y.max()) == (-1, 1)
    encoding.head().check(y)
    back = encoding.decode(y)
    assert back.dtype == raw.dtype
    np.testing.assert_array_equal(back, raw)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_binned_inverts_whatever_the_range(data: st.DataObject) -> None:
    low = data.draw(st.integers(-(2**31), 2**31 - 2))
    high = data.draw(st.integers(low + 1, min(low + 2**16 - 1, 2**31 - 1)))
    raw = data.draw(arrays.arrays(np.int32, (3, 5), elements=st.integers(low, high)))
    encoding = Binned("vector", (5,), low, high, "int32")
    np.testing.assert_array_equal(encoding.decode(encoding.encode(raw)), raw)


def test_axes_are_moved_and_values_are_not_mixed_up() -> None:
    raw = integers(3, (9, 8, 3))
    y = Binned("channels_last", (9, 8, 3), 0, 255, "uint8").encode(raw)
    for item, row, column, channel in [(0, 0, 0, 0), (1, 8, 2, 1), (2, 3, 7, 2)]:
        assert y[item, channel, row, column] == pytest.approx(raw[item, row, column, channel] / 127.5 - 1, abs=1e-6)


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_standardised_inverts_within_rounding(layout: Layout, dtype: str) -> None:
    raw = floats(layout).astype(dtype)
    encoding = Standardised.fit(layout, raw)
    y = encoding.encode(raw)
    back = encoding.decode(y)
    assert y.dtype == torch.float32
    assert y.shape == (60, *EVENTS[layout])
    assert back.dtype == raw.dtype
    spread = raw.astype(np.float64).std(axis=None if layout.is_image else 0)
    rounding = np.finfo(dtype).eps * np.abs(raw.astype(np.float64)) + 1e-6 * spread
    assert (np.abs(back.astype(np.float64) - raw.astype(np.float64)) <= rounding).all()
    over = None if layout.is_image else 0
    np.testing.assert_allclose(y.double().numpy().mean(axis=over), 0, atol=1e-6)
    np.testing.assert_allclose(y.double().numpy().std(axis=over), 1, atol=1e-6)


def test_integer_columns_are_standardised_and_come_back_as_floats() -> None:
    raw = np.random.default_rng(0).integers(0, 10**6, (60, 4))
    encoding = Standardised.fit("vector", raw)
    back = encoding.decode(encoding.encode(raw))
    assert back.dtype == np.float64
    np.testing.assert_allclose(back, raw, atol=1)


def test_samples_are_clipped_and_rounded_to_values() -> None:
    encoding = Binned("vector", (4,), 0, 16, "uint8")
    np.testing.assert_array_equal(encoding.decode(torch.tensor([[-7.0, 9.0, 0.01, -0.9]])), [[0, 16, 8, 1]])
    small = Standardised("vector", (1,), torch.zeros(1), torch.ones(1), "float16")
    assert np.isfinite(small.decode(torch.tensor([[1e9]]))).all()


ENCODINGS = [
    Binned("channels_last", (9, 8, 3), 0, 255, "uint8"),
    Binned(Layout.VECTOR, (5,), 0, 1, "bool"),
    Standardised.fit("vector", floats("vector")),
    Standardised.fit("gray", floats("gray").astype(np.float64)),
]


@pytest.mark.parametrize("encoding", ENCODINGS, ids=Encoding.summary)
def test_an_encoding_can_be_written_down_and_made_again(encoding: Encoding) -> None:
    description, tensors = describe(encoding)
    again = build(json.loads(json.dumps(description)), tensors)
    y = torch.linspace(-1, 1, 2 * math.prod(encoding.event_shape)).reshape(2, *encoding.event_shape)
    assert type(again) is type(encoding)
    assert (again.event_shape, again.scaling, again.summary()) == (encoding.event_shape, encoding.scaling, encoding.summary())
    np.testing.assert_array_equal(again.decode(y), encoding.decode(y))


def test_the_scaling_is_the_jacobian_of_a_table() -> None:
    """A Gaussian density of raw rows, and the density of y under the same law in y's units."""
    raw = floats("vector").astype(np.float64)
    encoding = Standardised.fit("vector", raw)
    mean, std = torch.tensor(raw.mean(0)), torch.tensor(raw.std(0))
    mix = torch.randn(5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 3 * torch.eye(5)
    covariance = mix @ mix.T
    law_of_y = MultivariateNormal(torch.full((5,), 0.3, dtype=torch.float64), covariance)
    law_of_raw = MultivariateNormal(mean + 0.3 * std, std.diag() @ covariance @ std.diag())
    from_y = -law_of_y.log_prob(encoding.encode(raw).double()) + encoding.scaling
    torch.testing.assert_close(from_y, -law_of_raw.log_prob(torch.tensor(raw)), atol=1e-4, rtol=0)
    assert abs(encoding.scaling) > 1  # or the test could not fail


def test_the_scaling_is_the_jacobian_of_images() -> None:
    raw = floats("channels_last").astype(np.float64)
    encoding = Standardised.fit("channels_last", raw)
    from_y = -Normal(0, 2).log_prob(encoding.encode(raw).double()).flatten(1).sum(1) + encoding.scaling
    of_raw = -Normal(raw.mean(), 2 * raw.std()).log_prob(torch.tensor(raw)).flatten(1).sum(1)
    torch.testing.assert_close(from_y, of_raw, atol=1e-2, rtol=1e-5)
    assert Binned("gray", (8, 8), 0, 255, "uint8").scaling == 0


@pytest.mark.parametrize("encoding", ENCODINGS, ids=Encoding.summary)
def test_the_head_gives_likelihoods(encoding: Encoding) -> None:
    y = torch.zeros(3, *encoding.event_shape) + (1 if isinstance(encoding, Binned) else 0.5)
    head = encoding.head()
    head.check(y)
    log_prob = head.log_prob(y, torch.zeros_like(y), torch.ones_like(y))
    assert log_prob.shape == (3,)
    assert log_prob.isfinite().all()
    if isinstance(encoding, Binned):
        assert isinstance(head, DiscretisedHead)
        assert head.bins == encoding.high - encoding.low + 1
        assert (log_prob < 0).all()
    else:
        assert isinstance(head, GaussianHead)


# ---------------------------------------------------------------------------------------------- the split


def rows(parts: tuple[np.ndarray, ...]) -> list[set[bytes]]:
    return [{item.tobytes() for item in part} for part in parts]


def test_the_split_does_not_depend_on_order_company_or_copies() -> None:
    raw = floats("vector", 2000)
    parts = rows(split(raw))
    shuffled = np.random.default_rng(1).permutation(np.concatenate([raw, raw[:300], floats("vector", 500, seed=9)]))
    for part, larger in zip(parts, rows(split(shuffled)), strict=True):
        assert part <= larger
    assert sum(map(len, rows(split(shuffled)))) == 2500  # copies fell together


def test_the_split_is_a_partition_into_about_tenths() -> None:
    raw = integers(20_000, (8,))
    train, validation, test = split(raw)
    assert len(train) + len(validation) + len(test) == 20_000
    assert not set.intersection(*rows((train, validation))) | set.intersection(*rows((train, test)))
    for part, share in [(train, 0.81), (validation, 0.09), (test, 0.1)]:
        assert abs(len(part) / 20_000 - share) < 5 * math.sqrt(share * (1 - share) / 20_000)


def test_equal_items_of_unequal_bytes_fall_together() -> None:
    raw = floats("vector", 400)
    raw[:, 0] = 0
    negative = raw.copy()
    negative[:, 0] = -0.0
    for part, other in zip(split(raw), split(negative.astype(">f4")), strict=True):
        np.testing.assert_array_equal(part, other)


def test_parts_that_are_given_are_kept() -> None:
    raw, own = integers(300), integers(7, seed=1)
    train, validation, test = split(raw, test=own)
    assert test is own
    assert len(train) + len(validation) == 300
    assert 10 < len(validation) < 60
    assert split(raw, validation=own, test=own)[0] is raw
    with pytest.raises(Mistake, match="so few items differ"):
        split(np.repeat(integers(1), 100, axis=0))


def test_nothing_outside_the_training_items_sets_the_scaling(tmp_path: Path) -> None:
    raw = floats("vector", 400)
    _, _, test = split(raw)
    changed = {"train": raw, "test": test}
    encodings = []
    for test_values in (test, test * 1000):
        np.savez(tmp_path / "a.npz", **{**changed, "test": test_values})
        encodings.append(load(tmp_path / "a.npz").encoding)
    zeros = torch.zeros(1, 5)
    np.testing.assert_array_equal(encodings[0].decode(zeros), encodings[1].decode(zeros))


# ---------------------------------------------------------------------------------------------- sources


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
        (integers(90, (20,)), Binned, (20,), "256 values"),
        (integers(90) > 99, Binned, (1, 8, 8), "2 values"),
        (integers(90).astype(np.int64) // 16 - 3, Binned, (1, 8, 8), "16 values"),
        (integers(90).astype(np.int64) * 2, Standardised, (1, 8, 8), "standardised"),
        (integers(90, (4,)).astype(np.int64), Standardised, (4,), "standardised"),
        (floats("vector", 90), Standardised, (5,), "standardised"),
        (floats("vector", 90).astype(">f8"), Standardised, (5,), "standardised"),
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
    np.testing.assert_allclose(back.astype(np.float64), split(raw)[0].astype(np.float64), atol=1e-3)


@pytest.mark.parametrize(
    ("names", "sizes"),
    [
        ({"train_images": 80, "test_images": 9, "train_labels": 80}, (80, 9)),
        ({"x_train": 80, "x_val": 7, "x_test": 9}, (80, 7, 9)),
        ({"train": 80, "validation": 7, "test": 9, "mean": 1}, (80, 7, 9)),
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


def save_images(folder: Path, pixels: np.ndarray, ending: str = "png", mode: str | None = None) -> None:
    folder.mkdir(exist_ok=True)
    for index, item in enumerate(pixels):
        image = Image.fromarray(item)
        (image.convert(mode) if mode else image).save(folder / f"{index:04}.{ending}")


@pytest.mark.parametrize("shape", [(9, 8), (9, 8, 3), (9, 8, 4), (9, 8, 2)])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_folder_of_images_is_the_array_of_its_pixels(tmp_path: Path, shape: tuple[int, ...], ending: str) -> None:
    raw = integers(60, shape)
    save_images(tmp_path / "pets.v2", raw, ending)
    (tmp_path / "pets.v2" / ".hidden.png").write_bytes(b"no image")
    (tmp_path / "pets.v2" / "notes.txt").write_text("no image")
    (tmp_path / "pets.v2" / "more.png").mkdir()
    data = load(tmp_path / "pets.v2")
    assert data.name == "pets.v2"
    for part, expected in zip((data.train, data.validation, data.test), split(raw), strict=True):
        np.testing.assert_array_equal(data.encoding.decode(part), expected)


@pytest.mark.parametrize(
    ("ending", "mode", "channels"), [("png", "1", 1), ("gif", "P", 3), ("jpg", "RGB", 3), ("bmp", "L", 1), ("png", "F16", 1)]
)
def test_other_kinds_of_images(tmp_path: Path, ending: str, mode: str, channels: int) -> None:
    raw = integers(60, (9, 8))
    save_images(tmp_path, raw.astype(np.uint16) * 257 if mode == "F16" else raw, ending, None if mode == "F16" else mode)
    data = load(tmp_path)
    assert data.event_shape == (channels, 9, 8)
    assert isinstance(data.encoding, Standardised if mode == "F16" else Binned)
    assert data.encoding.decode(data.test).dtype == {"1": np.bool_, "F16": np.float64}.get(mode, np.uint8)


def test_transparent_palettes_and_turned_photographs(tmp_path: Path) -> None:
    raw = integers(60, (9, 8))
    for index, item in enumerate(raw):
        Image.fromarray(item).convert("P").save(tmp_path / f"{index:02}.png", transparency=bytes(range(256)))
    np.testing.assert_array_equal(load(tmp_path).encoding.decode(load(tmp_path).test)[..., 0], split(np.stack([raw] * 3, -1))[2][..., 0])
    turned = tmp_path / "turned"
    turned.mkdir()
    for index, item in enumerate(raw):
        exif = Image.Exif()
        exif[274] = 6
        Image.fromarray(item).save(turned / f"{index:02}.jpg", exif=exif)
    assert load(turned).event_shape == (1, 8, 9)


# ---------------------------------------------------------------------------------------------- labels, fingerprints, samples


def classes_of(raw: np.ndarray) -> np.ndarray:
    """A class that can be read off the item."""
    return raw.reshape(len(raw), -1)[:, 0].astype(np.int64) // 26


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["train_images", "test_images"], ["train_labels", "test_labels"]),
        (["x_train", "x_val", "x_test"], ["y_train", "y_val", "y_test"]),
        (["train", "validation", "test"], ["train_labels", "validation_labels", "test_labels"]),
        (["images"], ["labels"]),
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


def test_the_digits_have_labels() -> None:
    data = digits()
    assert data.labels is not None
    assert data.labels.train.unique().tolist() == list(range(10))
    centres = torch.stack([data.train[data.labels.train == k].mean(0) for k in range(10)])
    nearest = torch.cdist(data.test.flatten(1), centres.flatten(1)).argmin(1)
    assert (nearest == data.labels.test).double().mean() > 0.8


@pytest.mark.parametrize(
    "labels",
    [
        {"train_labels": np.arange(79), "test_labels": np.arange(60)},
        {"train_labels": np.arange(80.0), "test_labels": np.arange(60)},
        {"train_labels": np.arange(80)},
        {"train_labels": np.array([None] * 80), "test_labels": np.arange(60)},
        {"labels": np.arange(80)},
    ],
    ids=["too few", "floats", "of one part", "objects", "another name"],
)
def test_labels_that_do_not_fit_are_passed_over(tmp_path: Path, labels: dict[str, np.ndarray]) -> None:
    np.savez(tmp_path / "a.npz", train_images=integers(80), test_images=integers(60, seed=1), **labels)
    assert load(tmp_path / "a.npz").labels is None


@pytest.mark.parametrize("wrong", [torch.zeros(2, dtype=torch.int64), torch.zeros(3)])
def test_a_data_set_refuses_labels_that_do_not_fit(wrong: torch.Tensor) -> None:
    right = torch.zeros(3, dtype=torch.int64)
    y = torch.zeros(3, 5)
    assert DataSet("mine", ENCODINGS[2], y, y, y, labels=Labels(right, right, right)).labels is not None
    with pytest.raises(Mistake, match="the validation labels of mine are") as caught:
        DataSet("mine", ENCODINGS[2], y, y, y, labels=Labels(right, wrong, right))
    assert_one_sentence(caught.value)


def test_the_source_is_where_data_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", integers())
    assert load("a.npy").source == str(tmp_path.resolve() / "a.npy")
    assert digits().source == load("digits").source == "digits"


def test_the_fingerprint_is_of_the_data_and_nothing_else(tmp_path: Path) -> None:
    assert digits().fingerprint == "21306347a63339cb"  # on every machine
    raw = integers(80)
    changed = raw.copy()
    changed[7, 3, 3] ^= 1
    found = []
    for name, array in {"a": raw, "b": raw, "changed": changed, "other type": raw.astype(np.int64)}.items():
        np.save(tmp_path / f"{name}.npy", array)
        found.append(load(tmp_path / f"{name}.npy").fingerprint)
    assert found[0] == found[1]
    assert len(set(found)) == 3
    parts = dict(zip(("train", "validation", "test"), (torch.zeros(n, 5) for n in (3, 4, 3)), strict=True))
    other = {**parts, "train": parts["validation"], "validation": parts["train"]}
    assert DataSet("a", ENCODINGS[2], **parts).fingerprint == DataSet("b", ENCODINGS[2], **parts).fingerprint
    assert DataSet("a", ENCODINGS[2], **parts).fingerprint != DataSet("a", ENCODINGS[2], **other).fingerprint


def test_samples_of_any_number_are_read(tmp_path: Path) -> None:
    raw = integers(3)
    np.savez(tmp_path / "a.npz", samples=raw, more=integers(5))
    np.testing.assert_array_equal(read_items(tmp_path / "a.npz"), raw)
    np.save(tmp_path / "a.npy", raw[:1])
    np.testing.assert_array_equal(read_items(str(tmp_path / "a.npy")), raw[:1])
    save_images(tmp_path / "folder", raw)
    np.testing.assert_array_equal(read_items(tmp_path / "folder"), raw)
    with pytest.raises(Mistake, match=r"none\.npy: there is no such file"):
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


# ---------------------------------------------------------------------------------------------- mistakes


def assert_one_sentence(mistake: Mistake, *names: str) -> None:
    text = str(mistake)
    assert "\n" not in text
    assert ". " not in text.replace(". ...", "")
    assert not text.endswith(".")
    assert "; " in text or ": " in text
    for name in names:
        assert name in text, text


def saved(raw: object) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        np.save(folder / "bad.npy", np.asarray(raw), allow_pickle=True)
        return "bad.npy"

    return write


def zipped(**named: object) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        np.savez(folder / "bad.npz", **{name: np.asarray(value) for name, value in named.items()})
        return "bad.npz"

    return write


def written(name: str, content: bytes) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        (folder / name).write_bytes(content)
        return name

    return write


def truncated(make: Callable[[Path], str], keep: float = 0.6) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        name = make(folder)
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(len(content) * keep)])
        return name

    return write


def pictures(*changes: Callable[[Path], None], shape: tuple[int, ...] = (9, 8)) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        save_images(folder / "bad", integers(60, shape))
        for change in changes:
            change(folder / "bad")
        return "bad"

    return write


def cut_short(folder: Path) -> None:
    content = (folder / "0007.png").read_bytes()
    (folder / "0007.png").write_bytes(content[: len(content) // 2])


def flipped(make: Callable[[Path], str], at: float) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        name = make(folder)
        content = bytearray((folder / name).read_bytes())
        content[int(len(content) * at)] ^= 0xFF
        (folder / name).write_bytes(content)
        return name

    return write


def holed(n: int = 60) -> np.ndarray:
    raw = floats("vector", n)
    raw[3, 1], raw[9, 0] = np.nan, np.inf
    return raw


def pale(n: int = 60) -> np.ndarray:
    raw = floats("vector", n)
    raw[:, 2] = 0.1
    return raw


MISTAKES: dict[str, tuple[Callable[[Path], str], str]] = {
    "missing": (lambda _: "none.npy", "no such file"),
    "extension": (written("bad.csv", b"1,2"), ".csv"),
    "no extension": (written("bad", b"1,2"), "type none"),
    "one image": (written("bad.png", b""), "one image"),
    "garbage": (written("bad.npy", b"garbage"), "cannot be read"),
    "nothing": (written("bad.npy", b""), "cannot be read"),
    "not a zip": (written("bad.npz", b"PK\x03\x04 but no more"), "cannot be read"),
    "half an npy": (truncated(saved(integers())), "cannot be read"),
    "half an npz": (truncated(zipped(train=integers())), "cannot be read"),
    "a flipped byte": (flipped(zipped(train=integers()), 0.5), "cannot be read"),
    "objects": (saved([{"a": 1}] * 60), "holds Python objects"),
    "objects in npz": (zipped(train=[{"a": 1}] * 60), "holds Python objects"),
    "text": (saved(["a"] * 60), "type <U1"),
    "complex": (saved(np.ones((60, 2)) * 1j), "type complex128"),
    "names": (zipped(foo=integers(), bar=integers()), "foo, bar"),
    "no arrays": (zipped(), "missing"),
    "a row": (saved(np.arange(60.0)), "(60,)"),
    "a number": (saved(3.0), "()"),
    "five axes": (saved(np.ones((60, 1, 8, 8, 8))), "(60, 1, 8, 8, 8)"),
    "many channels": (saved(np.ones((60, 8, 8, 8))), "(60, 8, 8, 8)"),
    "small": (saved(integers(60, (7, 8))), "8x8"),
    "empty": (saved(np.ones((0, 3))), "(0, 3)"),
    "few": (saved(floats("vector", 49)), "49 items"),
    "NaN": (saved(holed()), "2 NaN or infinite values, the first at [3, 1]"),
    "NaN in test": (zipped(train=floats("vector"), test=holed()), "the array test holds 2 NaN"),
    "a constant column": (saved(pale()), "column 2 is the same"),
    "a named constant column": (zipped(train=pale(), columns=list("abcde")), "column c is the same"),
    "all the same": (saved(np.full((60, 8, 8), 7, dtype=np.uint8)), "every value of the training items is 7"),
    "huge": (saved(floats("vector").astype(np.float64) * 1e300), "huge"),
    "shapes": (zipped(train=integers(), test=integers(60, (8, 9))), "(8, 8) and uint8 items of shape (8, 9)"),
    "types": (zipped(train=integers(), test=integers().astype(float)), "uint8 items of shape (8, 8) and float64"),
    "an empty folder": (lambda folder: (folder / "bad").mkdir() or "bad", "no image"),
    "half a PNG": (pictures(cut_short), "0007.png cannot be read"),
    "no PNG": (pictures(lambda folder: (folder / "0007.png").write_bytes(b"text") and None), "0007.png is no image"),
    "sizes": (
        pictures(lambda folder: Image.new("L", (8, 10)).save(folder / "0007.png")),
        "0000.png is 8x9 in 1 channel of uint8 and 0007.png is 8x10",
    ),
    "kinds": (pictures(lambda folder: Image.new("RGB", (8, 9)).save(folder / "0007.png")), "0007.png is 8x9 in 3 channels"),
    "mode": (pictures(lambda folder: Image.new("CMYK", (8, 9)).save(folder / "0007.jpg")), "mode CMYK"),
    "frames": (
        pictures(lambda folder: Image.new("L", (8, 9)).save(folder / "a.gif", save_all=True, append_images=[Image.new("L", (8, 9), 255)])),
        "a.gif has 2 frames",
    ),
    "small pictures": (pictures(shape=(7, 9)), "8x8"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_sentence_that_names_the_file(tmp_path: Path, case: str) -> None:
    make, part = MISTAKES[case]
    name = make(tmp_path)
    with pytest.raises(Mistake) as caught:
        load(tmp_path / name)
    assert_one_sentence(caught.value, str(tmp_path / name), part)


def test_pickled_column_names_do_no_harm(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", train=floats("vector"), columns=np.array(list("abcde"), dtype=object))
    assert load(tmp_path / "a.npz").event_shape == (5,)


@pytest.mark.parametrize(
    ("encoding", "raw", "parts"),
    [
        (ENCODINGS[0], integers(2, (8, 8, 3)), ("(2, 8, 8, 3)", "(N, 9, 8, 3)")),
        (ENCODINGS[0], integers(2, (9, 8, 3)).astype(float), ("float64", "uint8")),
        (Binned("vector", (5,), 0, 16, "uint8"), integers(60, (5,)), ("0 to 16",)),
        (ENCODINGS[2], holed(), ("2 NaN", "[3, 1]")),
        (ENCODINGS[2], floats("vector") > 3, ("bool", "float32")),
        (ENCODINGS[2], floats("vector").astype(np.float64) * 1e300, ("float32",)),
    ],
)
def test_encode_refuses_what_is_not_its_own(encoding: Encoding, raw: np.ndarray, parts: tuple[str, ...]) -> None:
    with pytest.raises(Mistake) as caught:
        encoding.encode(raw)
    assert_one_sentence(caught.value, *parts)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: ENCODINGS[2].decode(torch.zeros(2, 4)),
        lambda: ENCODINGS[2].decode(torch.full((2, 5), math.nan)),
        lambda: Binned("gray", (8,), 0, 1, "uint8"),
        lambda: Binned("gray", (8, 8), 3, 3, "uint8"),
        lambda: Binned("gray", (8, 8), 0, 2**17, "int64"),
        lambda: Binned("gray", (8, 8), 0, 256, "uint8"),
        lambda: Binned("gray", (8, 8), 0, 1, "float32"),
        lambda: Standardised("vector", (2,), torch.zeros(2), torch.tensor([1.0, 0.0])),
        lambda: Standardised("gray", (8, 8), torch.zeros(2), torch.ones(2)),
        lambda: Standardised("vector", (2,), torch.zeros(2), torch.ones(2), "int64"),
        lambda: Layout.of((3, 0, 8)),
        lambda: DataSet("mine", ENCODINGS[2], torch.zeros(3, 5), torch.zeros(0, 5), torch.zeros(3, 5)),
        lambda: DataSet("mine", ENCODINGS[2], torch.zeros(3, 5), torch.zeros(3, 4), torch.zeros(3, 5)),
    ],
)
def test_other_mistakes_are_one_sentence_too(wrong: Callable[[], object]) -> None:
    with pytest.raises(Mistake) as caught:
        wrong()
    assert_one_sentence(caught.value)


# ---------------------------------------------------------------------------------------------- real files

real = pytest.mark.skipif(not REAL.is_dir(), reason="the real data are not on this machine")


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
    assert abs(data.encoding.scaling) < 1e-4  # standardised before
    with np.load(REAL / f"tabular_{name}.npz") as file:
        assert (len(data.train), len(data.validation), len(data.test)) == tuple(len(file[part]) for part in ("train", "validation", "test"))
        np.testing.assert_allclose(data.encoding.decode(data.test), file["test"], atol=1e-5)

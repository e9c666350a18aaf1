"""Every error with data is one sentence that names the file."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from saltus.data import Binned, DataSet, Encoding, Layout, Standardised, load
from saltus.errors import SaltusError
from tests.helpers.checks import assert_one_sentence
from tests.helpers.raw import ENCODINGS, floats, integers, save_images


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


def class_folders(*names: str, shapes: tuple[tuple[int, ...], ...]) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        for name, shape in zip(names, shapes, strict=True):
            save_images(folder / "bad" / name, integers(60, shape))
        return "bad"

    return write


def broken(k: int) -> Callable[[Path], None]:
    return lambda folder: (folder / f"{k:04}.png").write_bytes(b"text") and None


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


ERRORS: dict[str, tuple[Callable[[Path], str], str]] = {
    "missing": (lambda _: "none.npy", "no such file"),
    "extension": (written("bad.xlsx", b"1,2"), ".xlsx"),
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
    "all the same": (saved(np.full((60, 8, 8), 7, dtype=np.uint8)), "every value of the training items is 7"),
    "huge": (saved(floats("vector").astype(np.float64) * 1e300), "column 0 are too huge"),
    "a huge named column": (zipped(train=floats("vector").astype(np.float64) * 1e300, columns=list("abcde")), "column a are too huge"),
    "shapes": (zipped(train=integers(), test=integers(60, (8, 9))), "(8, 8) and uint8 items of shape (8, 9)"),
    "types": (zipped(train=integers(), test=integers().astype(float)), "uint8 items of shape (8, 8) and float64"),
    "an empty folder": (lambda folder: (folder / "bad").mkdir() or "bad", "no image"),
    "four bad files": (pictures(*map(broken, range(4))), "4 of 60 images cannot be read, such as 0000.png (of no known format)"),
    "sizes": (
        pictures(lambda folder: Image.new("L", (8, 10)).save(folder / "0007.png")),
        "0000.png is 8x9 in 1 channel of uint8 and 0007.png is 8x10",
    ),
    "kinds": (pictures(lambda folder: Image.new("RGB", (8, 9)).save(folder / "0007.png")), "0007.png is 8x9 in 3 channels"),
    "small pictures": (pictures(shape=(7, 9)), "8x8"),
    "classes of two sizes": (class_folders("apes", "bees", shapes=((9, 8), (8, 9))), "apes/0000.png is 8x9"),
    "parts and classes": (class_folders("train", "apes", shapes=((9, 8), (9, 8))), "the folders inside are named apes, train"),
    "no training part": (class_folders("val", "test", shapes=((9, 8), (9, 8))), "the folders inside are named test, val"),
    "one part twice": (class_folders("train", "Train", shapes=((9, 8), (9, 8))), "the folders inside are named Train, train"),
    "classes in one part": (class_folders("train", "test/apes", shapes=((9, 8), (9, 8))), "the train images are in no folders by class"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_an_error_is_one_sentence_that_names_the_file(tmp_path: Path, case: str) -> None:
    make, part = ERRORS[case]
    name = make(tmp_path)
    with pytest.raises(SaltusError) as caught:
        load(tmp_path / name)
    assert_one_sentence(caught.value, str(tmp_path / name), part)


def beside(**named: object) -> Callable[[Path], str]:
    """Images in an .npz file with other arrays."""
    return zipped(images=integers(), **named)


def in_parts(train: object, test: object) -> Callable[[Path], str]:
    """Images in an .npz file, in two parts with labels."""
    return zipped(train=integers(), test=integers(), train_labels=train, test_labels=test)


WRONG_LABELS: dict[str, tuple[Callable[[Path], str], str]] = {
    "none": (beside(), "the array labels is missing"),
    "none in parts": (zipped(train=integers(), test=integers(), train_labels=np.arange(60) % 2), "the array test_labels is missing"),
    "no place for them": (saved(integers()), "there are no labels"),
    "too few": (beside(labels=np.arange(59)), "the array labels has shape (59,)"),
    "two columns": (beside(labels=np.zeros((60, 2), dtype=int)), "shape (60, 2)"),
    "floats": (beside(labels=np.linspace(0, 1, 60)), "holds float64 that are no classes"),
    "NaN": (beside(labels=np.full(60, np.nan)), "holds float64 that are no classes"),
    "objects": (beside(labels=np.array([None] * 60)), "the array labels holds Python objects"),
    "text and numbers": (in_parts(["a", "b"] * 30, [0, 1] * 30), "one part are text"),
    "one class": (beside(labels=np.full(60, 7)), "the label of every training item is 7"),
    "one name": (beside(labels=["cat"] * 60), "the label of every training item is cat"),
    "one folder": (class_folders("apes", shapes=((9, 8),)), "the label of every training item is apes"),
    "a class in vain": (in_parts([3, 5] * 30, [3, 4] * 30), "class 4 has test items"),
    "a name in vain": (in_parts(["a", "b"] * 30, ["c"] * 60), "class c has test items"),
}

WRONG_ATTRIBUTES: dict[str, tuple[Callable[[Path], str], str]] = {
    "none": (beside(labels=np.arange(60)), "the array attributes is missing"),
    "no place for them": (pictures(), "there are no attributes"),
    "too few": (beside(attributes=np.ones((59, 2))), "the array attributes has shape (59, 2)"),
    "a number": (beside(attributes=1.0), "the array attributes has shape ()"),
    "five axes": (beside(attributes=np.ones((60, 1, 1, 1, 1))), "reshape it"),
    "text": (beside(attributes=["a"] * 60), "the array attributes is of type <U1"),
    "objects": (beside(attributes=np.array([None] * 60)), "the array attributes holds Python objects"),
    "NaN": (beside(attributes=holed()), "the array attributes holds 2 NaN"),
    "huge": (beside(attributes=np.full((60, 2), 1e300)), "condition 0 holds NaN or infinite values"),
    "bright images": (beside(attributes=np.full((60, 4, 4), 7.0)), "the pixels of the condition go from 7 to 7"),
    "shapes": (
        zipped(train=integers(), test=integers(), train_attributes=np.ones((60, 2)), test_attributes=np.ones((60, 3))),
        "float64 items of shape (2,) and float64 items of shape (3,)",
    ),
}


@pytest.mark.parametrize(
    ("condition", "case"),
    [("labels", case) for case in WRONG_LABELS] + [("attributes", case) for case in WRONG_ATTRIBUTES] + [("colour", "unknown")],
)
def test_an_error_with_a_condition_is_one_sentence_that_names_the_file(tmp_path: Path, condition: str, case: str) -> None:
    make, part = (WRONG_LABELS | {"unknown": (beside(), "'colour'")} if condition != "attributes" else WRONG_ATTRIBUTES)[case]
    name = make(tmp_path)
    with pytest.raises(SaltusError) as caught:
        load(tmp_path / name, condition=condition)
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
    with pytest.raises(SaltusError) as caught:
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
        lambda: DataSet.from_arrays([[1.0, 2.0], [1.0]]),
        lambda: DataSet.from_arrays(None),
        lambda: DataSet.from_arrays((1, 2, 3, 4)),
        lambda: DataSet.from_arrays(integers(), labels=(np.arange(60), None, None, None)),
    ],
)
def test_other_errors_are_one_sentence_too(wrong: Callable[[], object]) -> None:
    with pytest.raises(SaltusError) as caught:
        wrong()
    assert_one_sentence(caught.value)

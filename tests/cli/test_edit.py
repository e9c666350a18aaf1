"""`saltus reconstruct`, `vary` and `interpolate` write images and a picture, and say what does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from saltus import Config, Model
from tests.helpers.terminal import saltus


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    np.save(folder / "images.npy", load_digits().images.astype(np.uint8)[:5])
    Model.train(np.random.default_rng(0).normal(size=(60, 3)), Config(updates=1), folder / "rows", quiet=True)
    return folder


@pytest.mark.parametrize(
    ("command", "options", "shape"),
    [
        ("reconstruct", ("--condition", "3"), (4, 1)),
        ("vary", ("--level", "2", "--draws", "3"), (4, 3)),
        ("interpolate", ("--steps", "5"), (2, 5)),
    ],
)
def test_images_are_made(place: Path, tmp_path: Path, command: str, options: tuple[str, ...], shape: tuple[int, int]) -> None:
    done = saltus(command, "digits", "--data", "images.npy", "--n", "4", *options, "--out", str(tmp_path), "--json", cwd=place)
    assert (done.json["images"], done.json["of_each"]) == shape
    given = np.load(place / "images.npy")[:4]
    with np.load(tmp_path / "made.npz") as file:
        made = file["made"]
        np.testing.assert_array_equal(file["images"], given[::2] if command == "interpolate" else given)
    assert made.shape == (*shape, 8, 8)
    if command == "interpolate":
        np.testing.assert_array_equal(made[:, 0], given[::2])
        np.testing.assert_array_equal(made[:, -1], given[1::2])
    with Image.open(tmp_path / "made.png") as picture:
        assert picture.height > 0


@pytest.mark.parametrize(
    ("command", "options", "words"),
    [
        ("vary", ("digits", "--level", "5"), "from 1 to 4"),
        ("interpolate", ("digits",), "5 images were given where pairs were expected"),
        ("reconstruct", ("rows",), "images were expected"),
        ("reconstruct", ("digits", "--condition", "x"), "x"),
    ],
)
def test_what_does_not_fit_is_told_in_one_sentence(place: Path, tmp_path: Path, command: str, options: tuple[str, ...], words: str) -> None:
    done = saltus(command, *options, "--data", "images.npy", "--out", str(tmp_path / "out"), cwd=place)
    assert done.code != 0
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()

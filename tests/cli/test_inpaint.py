"""`saltus inpaint`, `upscale` and `colour` write draws and a picture, and say what does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tests.helpers.terminal import saltus


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    images = load_digits().images.astype(np.uint8)[:3]
    np.save(folder / "images.npy", images)
    np.save(folder / "small.npy", images.reshape(3, 4, 2, 4, 2).mean((2, 4)))
    mask = np.zeros((8, 8), dtype=np.uint8)
    mask[:, :4] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    np.save(folder / "mask.npy", mask)
    (folder / "broken.png").write_text("nothing")
    return folder


def drawn(folder: Path) -> np.ndarray:
    with np.load(folder / "drawn.npz") as file:
        assert len(file["effective"]) == len(file["log_prob"]) == len(file["drawn"])
        found: np.ndarray = file["drawn"]
    with Image.open(folder / "drawn.png") as picture:
        assert picture.width > picture.height
    return found


FEW = ("--draws", "2", "--particles", "4")


@pytest.mark.parametrize(
    ("options", "known"),
    [
        (("--mask", "mask.png"), np.s_[:, :4]),
        (("--mask", "mask.npy"), np.s_[:, :4]),
        (("--keep", "2,1,4,5"), np.s_[1:6, 2:6]),
        (("--drop", "4,0,4,8"), np.s_[:, :4]),
    ],
)
def test_known_pixels_are_kept(place: Path, tmp_path: Path, options: tuple[str, ...], known: tuple[slice, slice]) -> None:
    done = saltus("inpaint", "digits", "--data", "images.npy", *options, *FEW, "--n", "2", "--out", str(tmp_path), "--json", cwd=place)
    told = done.json
    assert (told["images"], told["draws"], told["particles"]) == (2, 2, 4)
    images = drawn(tmp_path)
    assert images.shape == (2, 2, 8, 8)
    given = np.load(place / "images.npy")[:2]
    assert all(np.array_equal(images[:, j][(slice(None), *known)], given[(slice(None), *known)]) for j in range(2))


def test_small_images_are_drawn_larger(place: Path, tmp_path: Path) -> None:
    done = saltus("upscale", "digits", "--data", "small.npy", *FEW, "--condition", "3", "--out", str(tmp_path), cwd=place)
    assert "3 images, drawn in the model's size, 2 times each" in done.stdout
    assert drawn(tmp_path).shape == (3, 2, 8, 8)


@pytest.mark.parametrize(
    ("command", "options", "words"),
    [
        ("inpaint", (), "one of --mask, --keep and --drop"),
        ("inpaint", ("--keep", "1,1,2,2", "--drop", "1,1,2,2"), "one of --mask, --keep and --drop"),
        ("inpaint", ("--keep", "a"), "X,Y,W,H"),
        ("inpaint", ("--keep", "1,1,9,2"), "not within"),
        ("inpaint", ("--keep", "0,0,8,8"), "every pixel"),
        ("inpaint", ("--mask", "broken.png"), "cannot be read"),
        ("inpaint", ("--mask", "small.npy"), "the mask has shape (3, 4, 4)"),
        ("inpaint", ("--drop", "0,0,2,2", "--condition", "x"), "x"),
        ("upscale", (), "8x8 pixels"),
        ("colour", (), "red, green and blue"),
    ],
)
def test_what_does_not_fit_is_told_in_one_sentence(place: Path, tmp_path: Path, command: str, options: tuple[str, ...], words: str) -> None:
    done = saltus(command, "digits", "--data", "images.npy", *options, "--out", str(tmp_path / "out"), cwd=place)
    assert done.code != 0
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()

"""`saltus compress` and `decompress`: images go into a file and come out as they were; what does not fit is told in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from saltus import Config, Model
from tests.helpers.terminal import saltus

IMAGES = load_digits().images.astype(np.uint8)[:3]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images and a file of them."""
    folder = tmp_path_factory.mktemp("images")
    np.save(folder / "images.npy", IMAGES)
    np.save(folder / "small.npy", IMAGES[:, :4])
    np.save(folder / "none.npy", IMAGES[:0])
    np.save(folder / "colour.npy", np.stack([IMAGES] * 3, -1))
    (folder / "rows.csv").write_text("a,b\n1,2\n3,4\n")
    Model.train(np.random.default_rng(0).normal(size=(60, 3)), Config(updates=1), folder / "rows", quiet=True)
    done = saltus("compress", "digits", "--data", "images.npy", "--out", "file", "--json", cwd=folder)
    found = done.json
    assert (found["images"], found["bytes"], found["checked"]) == (3, (folder / "file").stat().st_size, True)
    assert found["bytes_per_image"] * 3 == found["bytes"]
    assert found["bits_per_dim"] == pytest.approx(found["bytes"] * 8 / 3 / 64)
    assert 0 < found["first_bytes"] < found["bytes"]
    (folder / "cut").write_bytes((folder / "file").read_bytes()[:-9])
    return folder


def test_images_come_back(place: Path, tmp_path: Path) -> None:
    for name in ("a.npy", "a.npz", "pictures"):
        done = saltus("decompress", "digits", "file", "--out", str(tmp_path / name), cwd=place)
        assert done.code == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), IMAGES)
    with np.load(tmp_path / "a.npz") as found:
        np.testing.assert_array_equal(found["images"], IMAGES)
    pictures = sorted((tmp_path / "pictures").iterdir())
    assert [picture.name for picture in pictures] == ["0.png", "1.png", "2.png"]
    for picture, image in zip(pictures, IMAGES, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(picture)), image)


def test_fewer_images_and_no_check(place: Path, tmp_path: Path) -> None:
    done = saltus("compress", "digits", "--data", "images.npy", "--n", "2", "--no-check", "--out", str(tmp_path / "two"), cwd=place)
    assert done.code == 0, done.stderr
    assert "2 images in" in done.stdout
    assert "read again" not in done.stdout
    np.testing.assert_array_equal(Model.load("digits").decompress((tmp_path / "two").read_bytes()), IMAGES[:2])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("compress", "digits", "--data", "none.npy"), "empty"),
        (("compress", "digits", "--data", "missing.npy"), "no such file"),
        (("compress", "digits", "--data", "small.npy"), "(N, 8, 8) was expected"),
        (("compress", "digits", "--data", "colour.npy"), "(N, 8, 8) was expected"),
        (("compress", "rows", "--data", "rows.csv"), "images was expected"),
        (("decompress", "digits", "missing"), "cannot be read"),
        (("decompress", "digits", "."), "cannot be read"),
        (("decompress", "digits", "cut"), "damaged or cut short"),
        (("decompress", "digits", "images.npy"), "no file of compressed images"),
        (("decompress", "mnist", "file"), "written with another model"),
    ],
)
def test_what_does_not_fit_is_told_in_one_sentence(place: Path, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    done = saltus(*arguments, "--out", str(tmp_path / "out"), cwd=place)
    assert done.code == 1
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_files_are_not_overwritten(place: Path) -> None:
    for arguments in (("compress", "digits", "--data", "images.npy"), ("decompress", "digits", "file")):
        done = saltus(*arguments, "--out", "file", cwd=place)
        assert (done.code, "file is already there" in done.stderr) == (1, True)

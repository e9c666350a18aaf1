"""`saltus score` of images: numbers in a table, strange pixels in a picture, and mistakes in a sentence."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from saltus import Config, ImageModel, train
from saltus.data import digits
from tests.helpers.terminal import saltus

ODD = 3


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scored")
    images = load_digits().images.astype(np.uint8)[:12]
    images[ODD] = 16 - images[ODD]
    np.save(folder / "images.npy", images)
    np.save(folder / "wide.npy", np.zeros((5, 9, 8), dtype=np.uint8))
    np.save(folder / "colours.npy", np.zeros((5, 8, 8, 3), dtype=np.uint8))
    np.save(folder / "none.npy", np.zeros((0, 8, 8), dtype=np.uint8))
    return folder


def test_strange_images_are_told_and_pictured(place: Path, tmp_path: Path) -> None:
    files = "--out", str(tmp_path / "new" / "scores.csv"), "--map", str(tmp_path / "map.png")
    done = saltus("score", "digits", "--data", "images.npy", *files, "--json", cwd=place)
    assert done.code == 0, done.stderr
    found, images, model = done.json, np.load(place / "images.npy"), ImageModel.load("digits")
    assert (found["images"], found["file"], found["map"], found["strangest"][0]["image"]) == (12, files[1], files[3], ODD)
    table = list(csv.DictReader((tmp_path / "new" / "scores.csv").read_text().splitlines()))
    assert [int(row["image"]) for row in table] == list(range(12))
    np.testing.assert_allclose([float(row["anomaly"]) for row in table], model.anomaly_score(images))
    np.testing.assert_allclose([float(row["nats"]) for row in table], model.score_samples(images))
    bits = -model.score_samples(images) / (64 * np.log(2))
    np.testing.assert_allclose([float(row["bits_per_dim"]) for row in table], bits)
    parts = model.anomaly_parts(images)
    assert [row["part"] for row in table] == [max(parts, key=lambda name: float(parts[name][i])) for i in range(12)]
    assert found["bits_per_dim"] == pytest.approx(bits.mean())
    with Image.open(tmp_path / "map.png") as picture:
        assert {(255, 255, 255), (0, 0, 0)} < {colour[:3] for _, colour in picture.getcolors(2**20) or []}
    words = saltus("score", "digits", "--data", "images.npy", cwd=place).stdout
    assert f"12 images: {found['nats']:.4f} nats" in words
    assert words.count("│") == 7 * 5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("digits --data wide.npy", "wide.npy: the array has shape (5, 9, 8) where (N, 8, 8) was expected; resize or reshape it"),
        ("digits --data colours.npy", "colours.npy: the array has shape (5, 8, 8, 3) where (N, 8, 8) was expected"),
        ("digits --data none.npy", "none.npy"),
        ("digits --data images.npy --map map.jpg", "map.jpg was given for the picture; expected a file of the kind .png"),
        ("digits --data images.npy --out images.npy", "images.npy was given for the scores"),
        ("nothing --data images.npy", "nothing"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: str, says: str, place: Path) -> None:
    done = saltus("score", *arguments.split(), cwd=place)
    assert done.code == 1
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_options_of_images_are_not_for_tables(shop: Path) -> None:
    for options in (["--map", "map.png"], ["--size", "8"]):
        done = saltus("score", "run", "--data", "gems.csv", *options, cwd=shop)
        assert done.code == 2
        assert f"{options[0]} is for images, and the run is of a table; leave it out" in done.stderr


def test_a_run_without_a_bound_says_so(home: Path) -> None:
    images = load_digits().images.astype(np.uint8)[:3]
    np.save(home / "few.npy", images)
    train(digits(), Config(kernel="deterministic", updates=2, width=16), home / "bare", quiet=True)
    done = saltus("score", "bare", "--data", "few.npy", cwd=home)
    assert done.code == 1
    assert "this model has no bound" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1

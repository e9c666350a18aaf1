"""`saltus data` as a user meets it: words, JSON and a picture; what a training would refuse is told, and no failure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.raw import integers, save_images
from tests.helpers.terminal import saltus


def test_images_are_told_in_words_and_shown(tmp_path: Path) -> None:
    for k, name in enumerate(("apes", "bees")):
        save_images(tmp_path / "pets" / name, integers(60, (9, 8), seed=k))
    (tmp_path / "pets" / "notes.txt").touch()
    done = saltus("data", "pets", "--out", "pictures/pets.png", cwd=tmp_path)
    assert done.code == 0, done.stderr
    for line in (
        "items of shape (9, 8) and type uint8",
        "values from 0 to 255, 256 different ones",
        "2 classes: apes: 60, bees: 60",
        "passed over in pets: 1 .txt",
        "a training learns images of 9x8 pixels with 256 values",
        "a picture of 32 training items is in pictures/pets.png",
    ):
        assert line in done.stdout
    with Image.open(tmp_path / "pictures" / "pets.png") as picture:
        assert min(picture.size) >= 512
    done = saltus("data", "pets", "--out", "pictures/pets.png", cwd=tmp_path)
    assert (done.code, "is already there" in done.stderr) == (1, True)
    assert "made RGB of 8 bits" in saltus("data", "pets", "--channels", "3", cwd=tmp_path).stdout


def test_tables_are_told_column_by_column_and_as_json(tmp_path: Path) -> None:
    rows = [f"{k % 5},{k * 0.25},x" for k in range(80)]
    (tmp_path / "a.csv").write_text("\n".join(["[red]age,mass,na\x1b[31mme", *rows]))
    done = saltus("data", "a.csv", cwd=tmp_path)
    assert done.code == 0, done.stderr
    (age,) = [line for line in done.stdout.splitlines() if "[red]age" in line]
    cells = [cell.strip() for cell in age.split("│")[1:-1]]
    assert cells == ["[red]age", "int64", "counted", "0 to 4 in steps of 1", "5", "", "values lie evenly"]
    assert "1 of 3 columns is left out: 1 constant (na\\x1b[31mme)" in done.stdout
    assert "\x1b" not in done.stdout
    found = saltus("data", "a.csv", "--json", cwd=tmp_path).json
    assert found["columns"][1] == {
        "name": "mass",
        "dtype": "float64",
        "missing": 0,
        "different": 80,
        "least": 0.0,
        "mean": 9.875,
        "greatest": 19.75,
        "kind": "continuous",
        "holds": "0 to 19.75",
        "why": "most values come once",
        "said": {"kind": "number"},
    }
    assert found["left_out"] == {"na\x1b[31mme": "constant"}
    assert sum(found["items"].values()) == 80
    done = saltus("data", "a.csv", "--out", "a.png", cwd=tmp_path)
    assert (done.code, "pictures are of images" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ("few.npy", 0, "a training would refuse this: few.npy: 7 items are too few to split"),
        ("few.npy --out few.png", 1, "there is no picture of what cannot be learned: few.npy: 7 items are too few"),
        ("few.npy --out few.jpg", 1, "few.jpg is no name for a picture"),
        ("few.npy --size 8", 1, "are for images in a folder, and this is none; leave it out"),
        ("none.npy", 1, "none.npy: there is no such file or folder"),
    ],
)
def test_what_cannot_be_learned_or_read_is_told_in_one_sentence(arguments: str, code: int, says: str, tmp_path: Path) -> None:
    np.save(tmp_path / "few.npy", integers(7))
    done = saltus("data", *arguments.split(), cwd=tmp_path)
    assert done.code == code
    assert says in (done.stderr if code else done.stdout)
    assert not list(tmp_path.glob("*.png"))


def test_columns_that_follow_from_others_are_told_in_one_line(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    fixed = rng.permutation(20) * 37
    rows = [f"{rng.integers(0, 9)},{'abcdefghijklmnopqrst'[k]},{fixed[k]}" for k in rng.integers(0, 20, 400)]
    (tmp_path / "a.csv").write_text("\n".join(["seats,destination,distance", *rows]))
    done = saltus("data", "a.csv", cwd=tmp_path)
    assert done.code == 0, done.stderr
    assert "what others determine is not modelled but written from them: distance is determined by destination" in done.stdout.splitlines()
    assert "a training learns rows of 3 columns: 1 categorical, 1 counted, 1 determined" in done.stdout
    rows[0] = rows[0].rpartition(",")[0] + f",{fixed[0]}"  # the twin: each of two destinations is at two distances
    rows[1] = rows[1].rpartition(",")[0] + f",{fixed[1]}"
    (tmp_path / "b.csv").write_text("\n".join(["seats,destination,distance", *rows * 3]))
    assert "determined" not in saltus("data", "b.csv", cwd=tmp_path).stdout

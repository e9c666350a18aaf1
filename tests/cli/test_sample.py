"""`saltus sample` as a user meets it: batches on disk, conditions, calls, devices, and what is refused."""

from __future__ import annotations

import csv
import datetime
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from saltus.chain import Chain
from saltus.cli import sample as command
from saltus.cli import sample_files
from saltus.estimators import TableModel
from saltus.kernels import Sampling
from saltus.training import planned_levels
from tests.helpers.terminal import saltus


def samples(home: Path, out: str) -> np.ndarray:
    found: np.ndarray = np.load(home / out / "samples.npz")["samples"]
    return found


def sampled(home: Path, run: str, out: str, *options: str, n: int = 4) -> np.ndarray:
    done = saltus("sample", run, "--n", str(n), "--out", out, *options, cwd=home)
    assert done.code == 0, done.stderr
    return samples(home, out)


def test_a_grid_and_an_array_are_written(home: Path) -> None:
    done = saltus("sample", "fixed", "--n", "10", "--out", "samples", "--json", cwd=home)
    files = ["samples/samples.npz", "samples/samples.png"]
    way = {"final": "auto", "eta": 1.0, "temperature": 1.0, "guidance": 1.0}
    assert done.json == {"samples": 10, "seed": 0, **way, "calls": 2, "files": files}
    found = samples(home, "samples")
    assert (found.shape, found.dtype) == ((10, 8, 8), np.uint8)
    with Image.open(home / "samples" / "samples.png") as picture:
        assert min(picture.size) >= 512
    assert np.array_equal(sampled(home, "fixed", "again", n=3), found[:3])
    for out, option, value in (("other", "--seed", "1"), ("reusing", "--eta", "0"), ("final", "--final", "sample")):
        assert not np.array_equal(sampled(home, "fixed", out, option, value, n=10), found)


def test_memory_does_not_grow_with_their_number(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Items are made in parts that follow each other, and the file is the one that NumPy would write of all of them."""
    asked: list[tuple[int, int]] = []
    whole = Chain.sample

    def counted(self: Chain, n: int, *, first_item: int = 0, **options: Any) -> Any:
        asked.append((first_item, n))
        return whole(self, n, first_item=first_item, **options)

    expected = sampled(home, "any", "whole", "--calls", "1", n=11)
    monkeypatch.setattr(command, "_AT_ONCE", 4 * 64)
    monkeypatch.setattr(sample_files, "_PICTURED", 6)
    monkeypatch.setattr(Chain, "sample", counted)
    found = sampled(home, "any", "parts", "--calls", "1", n=11)
    assert asked == [(0, 4), (4, 4), (8, 3)]
    assert np.array_equal(found, expected)
    numpys = io.BytesIO()
    np.savez_compressed(numpys, samples=expected)
    with np.load(home / "parts" / "samples.npz") as ours, np.load(io.BytesIO(numpys.getvalue())) as theirs:
        assert ours.files == [*theirs.files, "labels"]  # the classes that were drawn
        names = Chain.load(home / "any").condition.names
        assert len(ours["labels"]) == 11
        assert set(ours["labels"].tolist()) <= set(names)
        assert ours["samples"].flags.c_contiguous
        assert ours["samples"].dtype == theirs["samples"].dtype


def test_one_condition_an_item_is_taken_along_with_the_parts(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classes = np.array([3, 1, 4, 1, 5, 9])
    np.save(home / "classes.npy", classes)
    np.save(home / "few.npy", classes[:5])
    monkeypatch.setattr(command, "_AT_ONCE", 4 * 64)
    found = sampled(home, "any", "each", "--calls", "2", "--condition", "classes.npy", n=6)
    chain = Chain.load(home / "any")
    chain = chain.on(planned_levels(home / "any", chain, 2))
    y = chain.sample(6, seed=0, condition=classes)
    assert chain.encoding is not None
    assert np.array_equal(found, chain.encoding.decode(y))
    assert np.array_equal(found, sampled(home, "any", "listed", "--calls", "2", "--condition", "3,1,4,1,5,9", n=6))
    done = saltus("sample", "any", "--n", "6", "--condition", "few.npy", "--out", "x", cwd=home)
    assert (done.code, (home / "x").exists()) == (1, False)
    assert "5" in done.stderr
    done = saltus("sample", "any", "--n", "6", "--condition", "missing.npy", "--out", "x", cwd=home)
    assert "the condition missing.npy cannot be read; expected a .npy file" in done.stderr
    assert not np.array_equal(found, sampled(home, "any", "one", "--calls", "2", "--condition", "3", n=6))


def test_a_condition_is_followed_and_can_be_guided(home: Path) -> None:
    plain, seven = sampled(home, "any", "drawn"), sampled(home, "any", "seven", "--condition", "7")
    assert not np.array_equal(plain, seven)
    assert not np.array_equal(seven, sampled(home, "any", "guided", "--condition", "7", "--guidance", "4"))
    done = saltus("sample", "any", "--n", "2", "--condition", "7", "--guidance", "2.5", "--out", "told", "--json", cwd=home)
    assert (done.json["condition"], done.json["guidance"]) == ("7", 2.5)
    chain = Chain.load(home / "any")
    assert chain.encoding is not None
    y = chain.sample(2, seed=0, condition=7, sampling=Sampling(guidance=2.5))
    assert np.array_equal(samples(home, "told"), chain.encoding.decode(y))


def test_a_class_is_given_by_its_name_or_its_number(tmp_path: Path) -> None:
    raw = np.random.default_rng(0).integers(0, 256, (200, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "named.npz", images=raw, labels=np.array(["cat", "dog"] * 100))
    options = "train --data named.npz --condition labels --updates 3 --batch 16 --width 8 --latent 2 --out run"
    assert saltus(*options.split(), cwd=tmp_path).code == 0
    assert np.array_equal(sampled(tmp_path, "run", "name", "--condition", "dog"), sampled(tmp_path, "run", "number", "--condition", "1"))
    assert not np.array_equal(samples(tmp_path, "name"), sampled(tmp_path, "run", "other", "--condition", "cat"))
    done = saltus("sample", "run", "--n", "1", "--out", "x", "--condition", "cow", cwd=tmp_path)
    assert (done.code, (tmp_path / "x").exists()) == (1, False)
    assert "cow" in done.stderr
    assert "cat, dog" in done.stderr


def test_calls_are_the_users_where_a_run_is_for_any_step(home: Path) -> None:
    for calls in (1, 3):
        done = saltus("sample", "any", "--n", "2", "--calls", str(calls), "--out", f"calls{calls}", cwd=home)
        assert f"2 samples, {calls} network call" in done.stdout
    assert saltus("sample", "fixed", "--n", "2", "--calls", "2", "--out", "its own", cwd=home).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ("nowhere --n 1", 1, "nowhere is not there; give the folder of a training run, or a chain that comes with saltus: digits"),
        ("any --n 0", 2, "0 is not in the range"),
        ("any --n 1 --calls 0", 2, "0 is not in the range"),
        ("fixed --n 1 --calls 3", 1, "this model was trained for its own of 2; leave the calls out, or train with --any-step"),
        ("fixed --n 1 --condition 3", 1, "the condition 3 was given, and this run was trained without one; leave it out"),
        ("fixed --n 1 --guidance 2", 1, "guidance = 2.0 strengthens a condition, and this model has none; leave it at 1"),
        ("any --n 1 --condition 10", 1, "class 10 was given; expected one of 10 classes from 0 to 9"),
        ("any --n 1 --condition seven", 1, "class seven was given; expected one of 10 classes"),
        ("any --n 1 --device meta", 1, "device meta cannot be used here"),
        ("any --n 1 --device nonsense", 1, "device nonsense cannot be used here"),
    ],
)
def test_what_a_run_cannot_do_is_told_in_one_sentence_before_the_work(arguments: str, code: int, says: str, home: Path) -> None:
    done = saltus("sample", *arguments.split(), "--out", "x", cwd=home)
    assert done.code == code
    assert says in done.stderr
    assert done.stdout == ""
    assert not (home / "x").exists()


def test_samples_are_never_overwritten(home: Path) -> None:
    first = sampled(home, "fixed", "kept", n=2)
    done = saltus("sample", "fixed", "--n", "3", "--out", "kept", cwd=home)
    assert done.code == 1
    assert "samples.npz is already there; give another folder with --out" in done.stderr
    assert np.array_equal(samples(home, "kept"), first)


@pytest.mark.parametrize("kernel", ["vae", "flow"])
def test_categories_dates_and_missing_cells_come_back(kernel: str, tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    lines = ["cut,day,price,note"]
    for k in range(300):
        cut = ("Fair", "Good, or so", "Ideal")[chance.integers(3)]
        price = "" if cut == "Fair" else str(50 * chance.integers(1, 40))
        lines.append(f'"{cut}",2024-0{1 + k % 9}-15,{price},{"" if k % 4 else "x"}')
    (tmp_path / "gems.csv").write_text("\n".join(lines))
    options = ("--kernel", kernel, "--levels", "1", "--updates", "3", "--batch", "16", "--width", "16")
    done = saltus("train", "--data", "gems.csv", *options, "--out", "run", "--json", cwd=tmp_path)
    assert done.code == 0, done.stderr
    assert saltus("sample", "run", "--n", "80", "--out", "more", cwd=tmp_path).code == 0
    header, *found = csv.reader((tmp_path / "more" / "samples.csv").read_text().splitlines())
    assert header == ["cut", "day", "price", "note"]
    assert {row[0] for row in found} <= {"Fair", "Good, or so", "Ideal"}
    assert all(datetime.date.fromisoformat(row[1]).year == 2024 for row in found)
    assert {row[2] for row in found} <= {"", *(str(50 * k) for k in range(1, 40))}
    assert {row[3] for row in found} == {"", "x"}
    assert saltus("evaluate", "run", cwd=tmp_path).code == 0
    assert saltus("evaluate", "more", "--data", "gems.csv", cwd=tmp_path).code == 0
    (tmp_path / "more" / "samples.csv").write_text("cut,day,price,note\n" + "Superb,2024-01-15,100,x\n" * 80)
    done = saltus("evaluate", "more", "--data", "gems.csv", cwd=tmp_path)
    assert done.code == 1
    assert 'the column cut holds "Superb" in row 0, which is none of its 3 categories' in done.stderr


def test_samples_of_a_table_are_a_table_like_it(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    rows = zip(chance.integers(17, 90, 200), chance.random(200) < 0.4, chance.normal(size=200), ["cat", "dog"] * 100, strict=True)
    lines = [f"{age},{flag},{mass},n{k},{kind}" for k, (age, flag, mass, kind) in enumerate(rows)]
    (tmp_path / "pets.csv").write_text("\n".join(["age,flag,mass,name,class", *lines]))
    quick = ("train", "--data", "pets.csv", "--levels", "2", "--updates", "3", "--batch", "16", "--width", "8")
    done = saltus(*quick, "--condition", "labels", "--out", "run", cwd=tmp_path)
    assert "1 of 4 columns is left out: 1 of text of its own in most rows (name)" in done.stderr
    done = saltus("sample", "run", "--n", "40", "--out", "more", "--json", cwd=tmp_path)
    assert done.json["files"] == ["more/samples.csv"]
    header, *found = csv.reader((tmp_path / "more" / "samples.csv").read_text().splitlines())
    assert header == ["age", "flag", "mass", "class"]
    assert len(found) == 40
    for age, flag, mass, kind in found:
        assert int(age) == float(age)
        assert flag in ("true", "false")
        assert float(mass) != round(float(mass))
        assert kind in ("cat", "dog")
    assert "40 samples" in saltus("sample", "run", "--n", "40", "--seed", "1", "--out", "others", cwd=tmp_path).stdout
    assert (tmp_path / "others" / "samples.csv").read_text() != (tmp_path / "more" / "samples.csv").read_text()
    assert saltus("evaluate", "more", "--data", "pets.csv", cwd=tmp_path).code == 0
    document = tmp_path / "run" / "source.json"
    document.write_text(document.read_text().replace('"int64"', '"object"'))
    done = saltus("sample", "run", "--n", "4", "--out", "x", cwd=tmp_path)
    assert (done.code, (tmp_path / "x").exists()) == (1, False)
    assert "source.json is damaged" in done.stderr


def gems(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "samples.csv").read_text().splitlines()))


def test_rows_are_as_was_asked(shop: Path, tmp_path: Path) -> None:
    def drawn(*where: str, n: int = 20, out: str = "") -> list[dict[str, str]]:
        out = out or "".join(filter(str.isalnum, "".join(where)))
        conditions = [word for one in where for word in ("--where", one)]
        done = saltus("sample", str(shop / "run"), "--n", str(n), "--out", out, *conditions, "--json", cwd=tmp_path)
        assert done.code == 0, done.stderr
        assert done.json["where"] == list(where)
        return gems(tmp_path / out)

    assert {row["cut"] for row in drawn("cut=Very:Good")} == {"Very:Good"}
    assert {row["cut"] for row in drawn("cut=Ideal|Fair")} == {"Fair", "Ideal"}
    assert {int(row["price"]) // 5000 for row in drawn("price=5000:")} == {1}
    asked = drawn("price=:1000", "carat=", "sold=2024-01-15:2024-01-17")
    assert all(int(row["price"]) <= 1000 and row["carat"] == "" for row in asked)
    assert {row["sold"] for row in asked} <= {"2024-01-15", "2024-01-16", "2024-01-17"}
    few, many = drawn("cut=Fair", n=3, out="few"), drawn("cut=Fair", n=300, out="many")  # of which there are two blocks
    assert many[:3] == few
    assert len({tuple(row.values()) for row in many}) > 250
    free = saltus("sample", str(shop / "run"), "--n", "300", "--out", "free", cwd=tmp_path)
    assert free.code == 0
    share = np.mean([row["cut"] == "Fair" for row in gems(tmp_path / "free")])
    assert 0.1 < share < 0.6  # the twin: cuts differ where nothing is asked


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("colour=red", "the condition colour=red was given; expected NAME=VALUE, and a name of cut, price, carat, sold"),
        ("price=dear", "price = dear was asked for; expected int64: give a value, LOW:HIGH, or values as A|B"),
        ("price=9000:", "price from 9000.0 was asked for, and it holds 500 to 5950 in steps of 50"),
        ("price=", "a missing cell of price was asked for, and none is missing in the data"),
        ("cut=Superb", "cut = Superb was asked for, and it holds the categories Fair, Ideal, Very:Good"),
        ("sold=2030-01-01:", "sold from 2030-01-01 was asked for, and it holds 2024-01-10 to 2024-01-29"),
    ],
)
def test_what_no_row_can_be_is_told(where: str, says: str, shop: Path, tmp_path: Path) -> None:
    done = saltus("sample", str(shop / "run"), "--n", "2", "--where", where, "--out", "x", cwd=tmp_path)
    assert (done.code, (tmp_path / "x").exists()) == (1, False)
    assert says in done.stderr
    done = saltus("sample", "digits", "--n", "2", "--where", where, "--out", "x", cwd=tmp_path)
    assert "which were not read from a table in CSV or Parquet" in done.stderr


def test_samples_of_a_saved_table_model_are_a_table(shop: Path, tmp_path: Path) -> None:
    TableModel.load(shop / "run").save(tmp_path / "saved")
    done = saltus("sample", "saved", "--n", "5", "--out", "more", "--where", "cut=Fair", cwd=tmp_path)
    assert done.code == 0, done.stderr
    assert [row["cut"] for row in gems(tmp_path / "more")] == ["Fair"] * 5

"""The file of kinds that `saltus data` writes: given again as it is it changes nothing, and what a user changes in it is done."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from saltus.data import Columns, load
from saltus.training import load_data
from tests.helpers.terminal import saltus

N = 240
QUICK = ("--kernel", "flow", "--levels", "1", "--prior", "normal", "--updates", "2", "--width", "8")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = zip(rng.integers(1, 6, N), rng.integers(17, 90, N), rng.choice(["A", "B", ""], N), rng.random(N) < 0.3, strict=True)
    names = ['"gra""de\n1"', "age", "shop", "kept", "born", "note", "price"]
    lines = [
        f'{grade},{age},{shop},{str(kept).lower()},2024-01-{1 + age % 28:02},text {k},"1,{100 + age}"'
        for k, (grade, age, shop, kept) in enumerate(rows)
    ]
    (tmp_path / "a.csv").write_text("\n".join([",".join(names), *lines]))
    return tmp_path / "a.csv"


def test_what_was_found_is_written_and_changes_nothing(table: Path) -> None:
    done = saltus("data", "a.csv", "--columns-out", "kinds/c.toml", "--json", cwd=table.parent)
    assert done.code == 0, done.stderr
    assert done.json["columns_file"] == "kinds/c.toml"
    text = (table.parent / "kinds" / "c.toml").read_text()
    kinds = tomllib.loads(text)
    assert list(kinds) == ['gra"de\n1', "age", "shop", "kept", "born", "price", "note"]
    assert [kind["kind"] for kind in kinds.values()] == ["integer", "integer", "category", "boolean", "date", "category", "skip"]
    assert '"note" = {kind = "skip"}  # left out: of text of its own in most rows' in text
    assert re.search(r'^"age" = {kind = "integer"}  # \d+ values from 17 to 89; ', text, re.MULTILINE)
    assert load(table, columns=table.parent / "kinds" / "c.toml").fingerprint == load(table).fingerprint
    done = saltus("data", "a.csv", "--columns-out", "kinds/c.toml", cwd=table.parent)
    assert (done.code, "kinds/c.toml is already there; give another name with --columns-out" in done.stderr) == (1, True)


def test_what_is_said_is_shown_learned_and_kept_by_the_run(table: Path) -> None:
    said = '["gra\\"de\\n1"]\nkind = "category"\n[price]\nkind = "number"\nlow = 1000\n[shop]\nkind = "ordinal"\norder = ["B", "A"]\n'
    (table.parent / "c.toml").write_text(said + '[age]\nkind = "skip"\n')
    done = saltus("data", "a.csv", "--columns", "c.toml", cwd=table.parent)
    rows = {
        line.split("│")[1].strip(): [cell.strip() for cell in line.split("│")[2:-1]] for line in done.stdout.splitlines() if "│" in line
    }
    assert rows['gra"de\\n1'] == ["text", "categorical", "5 categories, such as 1, 2, 3", "5", "", "as it was said"]
    assert rows["shop"][1:3] == ["ordinal", "B, A"]
    assert rows["shop"][4].endswith("%")
    assert rows["price"][:3] == ["int64", "counted", "1000 to 1189 in steps of 1"]
    assert rows["age"] == ["", "left out", "", "", "", "skipped"]
    done = saltus("train", "--data", "a.csv", "--columns", "c.toml", *QUICK, "--out", "run", cwd=table.parent)
    assert done.code == 0, done.stderr
    kept = json.loads((table.parent / "run" / "source.json").read_text())["preparation"]["columns"]
    assert kept["shop"] == {"kind": "ordinal", "order": ["B", "A"]}
    (table.parent / "c.toml").unlink()
    data = load_data(table.parent / "run")  # which needs the file no more
    assert isinstance(data.encoding, Columns)
    assert data.encoding.categories[0] == ("1", "2", "3", "4", "5")
    done = saltus("sample", "run", "--n", "40", "--out", "drawn", cwd=table.parent)
    assert done.code == 0, done.stderr
    drawn = (table.parent / "drawn" / "samples.csv").read_text()
    assert drawn.startswith('"gra""de\n1",shop,kept,born,price\n')
    done = saltus("evaluate", "drawn/samples.csv", "--data", "a.csv", cwd=table.parent)
    assert "there is no column" in done.stderr  # as age, which is learned without the file
    done = saltus("train", "--data", "a.csv", *QUICK, "--out", "run", "--extend", "--updates", "3", cwd=table.parent)
    assert "holds other data than those that run was trained on" in done.stderr


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        ("agee = 'skip'", 1, "a.csv: a kind is given for the column agee, which is not there; expected one of"),
        ("age = 'numeral'", 1, 'c.toml: the column age is said to be of the kind "numeral"'),
        ("age =", 1, "c.toml: this is no TOML"),
        ("shop = 'number'", 1, 'a.csv: the column shop holds "'),
        ("shop = {kind = 'ordinal', order = ['A', 'C']}", 1, 'a.csv: the column shop holds "B" in row '),
        ("born = {kind = 'date', high = 2024-01-05}", 1, "above high = 2024-01-05"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(said: str, code: int, words: str, table: Path) -> None:
    (table.parent / "c.toml").write_text(said)
    for command in (("data", "a.csv"), ("train", "--data", "a.csv", *QUICK, "--out", "run")):
        done = saltus(*command, "--columns", "c.toml", cwd=table.parent)
        assert done.code == code
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    assert {file.name for file in table.parent.iterdir()} == {"a.csv", "c.toml"}


def test_images_have_no_columns(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((60, 9, 9), np.uint8))
    (tmp_path / "c.toml").write_text("a = 'skip'")
    done = saltus("data", "a.npy", "--columns", "c.toml", cwd=tmp_path)
    assert (done.code, "which are no rows; leave --columns out" in done.stderr) == (1, True)
    done = saltus("data", ".", "--columns", "c.toml", cwd=tmp_path)
    assert (done.code, "--columns is for the columns of a table, and these are images; leave it out" in done.stderr) == (1, True)
    done = saltus("data", "a.npy", "--columns-out", "k.toml", cwd=tmp_path)
    assert (done.code, "leave --columns-out away" in done.stderr) == (1, True)

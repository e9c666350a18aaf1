"""`saltus score` as a user meets it: how likely and how strange rows are, and by which column."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from saltus import TableModel
from tests.helpers.terminal import saltus

ODD = "Ideal,550,1.0,2024-01-15,x"  # whose price is that of another cut


def rows_of(shop: Path, n: int = 40) -> list[str]:
    return (shop / "gems.csv").read_text().splitlines()[: n + 1]


def test_strange_rows_are_told_with_their_column(shop: Path, tmp_path: Path) -> None:
    header, *rows = rows_of(shop)
    (tmp_path / "rows.csv").write_text("\n".join([header, *rows[:7], ODD, *rows[7:], ""]))
    done = saltus("score", str(shop / "run"), "--data", "rows.csv", "--out", "new/scores.csv", "--json", cwd=tmp_path)
    assert done.code == 0, done.stderr
    found = done.json
    assert (found["rows"], found["file"], found["seed"], len(found["strangest"])) == (41, "new/scores.csv", 0, 5)
    first = found["strangest"][0]
    assert first["row"] == 7
    assert (first["column"], first["value"]) in (("price", "550"), ("cut", "Ideal"))
    table = list(csv.DictReader((tmp_path / "new" / "scores.csv").read_text().splitlines()))
    assert [int(row["row"]) for row in table] == list(range(41))
    model = TableModel.load(shop / "run")
    frame = pd.read_csv(tmp_path / "rows.csv", parse_dates=["sold"])
    frame["sold"] = frame["sold"].dt.date
    np.testing.assert_allclose([float(row["nats"]) for row in table], model.score_samples(frame))
    np.testing.assert_allclose([float(row["anomaly"]) for row in table], model.anomaly_score(frame), atol=1e-6)
    columns = model.anomaly_columns(frame)
    strangest = np.array(model.columns_)[np.stack(list(columns.values())).argmax(0)]
    assert [row["column"] for row in table] == strangest.tolist()
    assert found["nats"] == pytest.approx(model.score(frame))
    assert found["anomaly"] == pytest.approx(np.mean([float(row["anomaly"]) for row in table]))
    words = saltus("score", str(shop / "run"), "--data", "rows.csv", cwd=tmp_path).stdout
    assert f"41 rows: {found['nats']:.4f} nats" in words
    assert words.count("│") == 6 * 5


def test_what_ordinary_rows_cost_is_kept_or_measured_on_the_data(shop: Path, tmp_path: Path) -> None:
    """A run without the file, or with that of another chain, takes the validation rows; without these it says so."""
    call = ("score", "run", "--data", "gems.csv", "--json")
    shutil.copytree(shop / "run", tmp_path / "run")
    shutil.copy(shop / "gems.csv", tmp_path)
    kept = saltus(*call, cwd=tmp_path).json
    file, source = tmp_path / "run" / "ordinary.json", tmp_path / "run" / "source.json"
    ordinary = json.loads(file.read_text())
    assert len(ordinary["costs"]) > 10
    file.write_text(json.dumps({"chain": "another", "costs": [[1.0] * 4] * 9}))
    assert saltus(*call, cwd=tmp_path).json["anomaly"] == pytest.approx(kept["anomaly"], abs=1e-3)
    file.unlink()
    assert saltus(*call, cwd=tmp_path).json["anomaly"] == pytest.approx(kept["anomaly"], abs=1e-3)
    source.write_text(source.read_text().replace("gems.csv", "gone.csv"))
    done = saltus(*call, cwd=tmp_path)
    assert done.code == 1
    assert "run does not hold what ordinary rows cost, and the rows that it was trained on cannot be read (" in done.stderr
    for content in ("{}", "[]", '{"chain": 1', json.dumps(ordinary | {"costs": "x"})):
        file.write_text(content)
        assert "ordinary.json is damaged" in saltus(*call, cwd=tmp_path).stderr


def test_what_never_came_is_stranger_than_all(shop: Path, tmp_path: Path) -> None:
    header, *rows = rows_of(shop, 5)
    never = ["Superb,550,1.0,2024-01-15,x", "Fair,525,1.0,2024-01-15,x", "Fair,,1.0,2024-01-15,x"]  # prices go by fifties
    (tmp_path / "rows.csv").write_text("\n".join([header, *rows, ODD, *never, ""]))
    (tmp_path / "fine.csv").write_text("\n".join([header, *rows, ODD, ""]))
    done, fine = (
        saltus("score", str(shop / "run"), "--data", f"{name}.csv", "--out", f"{name}-scores.csv", "--json", cwd=tmp_path)
        for name in ("rows", "fine")
    )
    assert (done.json["unseen"], fine.json["unseen"]) == (3, 0)
    assert done.json["nats"] == pytest.approx(fine.json["nats"], abs=1e-4)
    told = {row["row"]: (row["column"], row["nats"], row["value"]) for row in done.json["strangest"]}
    for row, found in {6: ("cut", None, "Superb"), 7: ("price", None, "525"), 8: ("price", None, None)}.items():
        assert told.get(row, found) == found
    lines = (tmp_path / "rows-scores.csv").read_text().splitlines()
    assert [(line.split(",")[1], line.split(",")[3], line.split(",")[4]) for line in lines[-3:]] == [
        ("-inf", '"cut"', "inf"),
        ("-inf", '"price"', "inf"),
        ("-inf", '"price"', "inf"),
    ]
    assert lines[1].split(",")[3] == (tmp_path / "fine-scores.csv").read_text().splitlines()[1].split(",")[3]
    words = saltus("score", str(shop / "run"), "--data", "rows.csv", cwd=tmp_path).stdout
    assert "3 rows are left out of this, as they hold what never came" in words


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--data rows.csv --out scores.txt", "scores.txt was given for the scores; expected a file of the kind .csv, .tsv or .parquet"),
        ("--data rows.csv --out rows.csv", "rows.csv is already there; give another name with --out"),
        ("--data holes.csv", "holes.csv: the column price holds a missing cell in row 0, and none of it was missing"),
        ("--data odd.csv", 'odd.csv: the column cut holds "Superb" in row 0'),
    ],
)
def test_a_mistake_is_one_sentence(arguments: str, says: str, shop: Path, tmp_path: Path) -> None:
    header, *rows = rows_of(shop)
    (tmp_path / "rows.csv").write_text("\n".join([header, *rows, ""]))
    (tmp_path / "text.csv").write_text(f"{header}\n{rows[0]}\nFair,dear,1.0,2024-01-15,x\n")
    (tmp_path / "holes.csv").write_text(f"{header}\nFair,,1.0,2024-01-15,x\n")
    (tmp_path / "odd.csv").write_text(f"{header}\n{ODD.replace('Ideal', 'Superb')}\n")
    done = saltus("score", str(shop / "run"), *arguments.split(), cwd=tmp_path)
    assert done.code == 1
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1

"""`saltus impute` as a user meets it: what is there stays as it is written, what is missing is drawn from what it can be."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from saltus import TableModel
from tests.helpers.terminal import saltus

HEADER = "name,cut,zip,price,carat,sold"
HOLES = [
    "a,Fair,00501,550,1.50,2024-01-15",  # as it is
    '"b, or so",Ideal,00502,,,2024-01-16',
    "c,,,2300,1,2024-01-17",
    ",Very:Good,00504,2000,NA,",
]


def write(file: Path, rows: list[str] = HOLES, separator: str = ",", header: str = HEADER) -> None:
    lines = [separator.join(csv_fields(row)) for row in ([header] if header else []) + rows]
    content = "\n".join([*lines, ""]).encode()
    file.write_bytes(gzip.compress(content) if file.suffix == ".gz" else content)


def csv_fields(row: str) -> list[str]:
    return [f'"{field}"' if "," in field else field for field in next(csv.reader([row]))]


def read(file: Path, separator: str = ",") -> list[list[str]]:
    raw = file.read_bytes()
    return list(csv.reader((gzip.decompress(raw) if file.suffix == ".gz" else raw).decode().splitlines(), delimiter=separator))


@pytest.mark.parametrize(("ending", "separator"), [(".csv", ","), (".tsv", "\t"), (".csv.gz", ","), (".csv", ";")])
def test_what_is_there_stays_as_it_is_written(ending: str, separator: str, shop: Path, tmp_path: Path) -> None:
    write(tmp_path / f"holes{ending}", separator=separator)
    done = saltus("impute", str(shop / "run"), "--data", f"holes{ending}", "--out", f"full{ending}", "--json", cwd=tmp_path)
    assert done.code == 0, done.stderr
    assert done.json == {
        "rows": 4,
        "filled": 5,
        "by_column": {"cut": 1, "price": 1, "carat": 2, "sold": 1},
        "left": 2,
        "draws": 1,
        "seed": 0,
        "files": [f"full{ending}"],
    }
    assert "2 cells are missing still, in columns that were not learned" in done.stderr
    before, after = read(tmp_path / f"holes{ending}", separator), read(tmp_path / f"full{ending}", separator)
    assert after[:2] == before[:2]
    for old, new in zip(before, after, strict=True):
        assert [b for a, b in zip(old, new, strict=True) if a not in ("", "NA")] == [a for a in old if a not in ("", "NA")]
    assert {int(after[2][3])} <= set(range(500, 6000, 50))
    assert after[3][1] in ("Fair", "Very:Good", "Ideal")
    assert after[3][2] == after[4][0] == ""
    assert 0 < float(after[4][4]) < 3
    assert after[4][5].startswith("2024-01-")


def test_cells_are_drawn_given_the_rest_of_their_row(shop: Path, tmp_path: Path) -> None:
    """Prices tell the cut: those of the model's own rows do so as often as those that it fills."""
    write(tmp_path / "holes.csv", [f"{k},,0,{price},1.0,2024-01-15" for k in range(30) for price in (550, 2300, 5500)])
    assert saltus("impute", str(shop / "run"), "--data", "holes.csv", "--out", "full.csv", cwd=tmp_path).code == 0
    found = [row[1] for row in read(tmp_path / "full.csv")[1:]]
    right = sum(cut == expected for cut, expected in zip(found, ["Fair", "Very:Good", "Ideal"] * 30, strict=True))
    assert right > 60  # 30 by chance, with a standard deviation of 4.5


def test_parquet_keeps_its_types_and_several_draws_are_several_files(shop: Path, tmp_path: Path) -> None:
    columns = {
        "price": pa.array([None, 2000, 5500], pa.int16()),
        "cut": pa.array(["Fair", None, "Ideal"]).dictionary_encode(),
        "carat": pa.array([None] * 3, pa.float32()),
        "sold": pa.array([None, 19737, 19738], pa.date32()),
        "tags": pa.array([["x"], [], None]),
    }
    parquet.write_table(pa.table(columns), tmp_path / "holes.parquet")
    call = ("impute", str(shop / "run"), "--data", "holes.parquet", "--draws", "3")
    done = saltus(*call, "--out", "new/full.parquet", cwd=tmp_path)
    assert "6 missing cells in 3 rows are filled: new/full-1.parquet to new/full-3.parquet" in done.stdout
    tables = [parquet.read_table(tmp_path / "new" / f"full-{k}.parquet") for k in (1, 2, 3)]
    for table in tables:
        assert table.schema.types == pa.table(columns).schema.types
        assert [table.column(name).null_count for name in columns] == [0, 0, 0, 0, 1]
        assert table.column("price")[1:].to_pylist() == [2000, 5500]
    assert len({str(table.column("carat").to_pylist()) for table in tables}) == 3
    assert saltus(*call, "--out", "again.parquet", cwd=tmp_path).code == 0
    assert parquet.read_table(tmp_path / "again-2.parquet").equals(tables[1])
    saltus(*call, "--out", "other.parquet", "--seed", "1", cwd=tmp_path)
    assert not parquet.read_table(tmp_path / "other-2.parquet").equals(tables[1])


def test_a_saved_table_model_and_a_run_are_the_same_to_it(shop: Path, tmp_path: Path) -> None:
    TableModel.load(shop / "run").save(tmp_path / "saved")
    write(tmp_path / "holes.csv")
    for run, out in (("saved", "one.csv"), (str(shop / "run"), "other.csv")):
        assert saltus("impute", run, "--data", "holes.csv", "--out", out, cwd=tmp_path).code == 0
    assert read(tmp_path / "one.csv") == read(tmp_path / "other.csv")


def test_columns_without_names_are_found_by_their_places(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{rng.integers(0, 9)},{rng.normal():.3f}" for _ in range(120)]
    write(tmp_path / "rows.csv", rows, header="")
    assert saltus("train", "--data", "rows.csv", "--updates", "2", "--out", "run", cwd=tmp_path).code == 0
    write(tmp_path / "holes.csv", ["3,0.5", ",0.25", "4,"], header="")
    assert saltus("impute", "run", "--data", "holes.csv", "--out", "full.csv", cwd=tmp_path).code == 0
    found = read(tmp_path / "full.csv")
    assert found[0] == ["3", "0.5"]
    assert (found[1][1], found[2][0]) == ("0.25", "4")
    assert int(found[1][0]) in range(9)
    float(found[2][1])
    write(tmp_path / "wide.csv", ["3,0.5,1", "2,0.5,1"], header="")
    done = saltus("impute", "run", "--data", "wide.csv", "--out", "x.csv", cwd=tmp_path)
    assert "wide.csv has 3 columns without names, and 2 were learned; give it the names" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("digits --data holes.csv --out x.csv", "digits is of images of 8x8 pixels with 17 values, which were not read from a table"),
        ("nowhere --data holes.csv --out x.csv", "nowhere holds no table model; give a folder that TableModel.save or saltus train wrote"),
        ("RUN --data none.csv --out x.csv", "none.csv is not there; expected a table in a file of the kind .csv, .tsv or .parquet"),
        ("RUN --data holes.txt --out x.csv", "holes.txt is not read; expected a table"),
        ("RUN --data holes.csv --out x.parquet", "x.parquet was given for the rows of holes.csv; expected a file of the same kind"),
        ("RUN --data holes.csv --out holes.csv", "holes.csv is already there; give another name with --out"),
        ("RUN --data odd.csv --out x.csv", 'odd.csv: the column cut holds "Superb" in row 1, which is none of its 3 categories'),
        ("RUN --data few.csv --out x.csv", "few.csv: there is no column cut; expected cut, price, carat, sold"),
        ("RUN --data uneven.csv --out x.csv", "uneven.csv: this cannot be read as CSV (Row #3"),
        ("labels --data holes.csv --out x.csv", "labels: the model is conditioned on 3 classes, and whole rows were expected"),
        ("flow --data holes.csv --out x.csv", "flow: the model draws whole rows (1 of flow step)"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(arguments: str, says: str, shop: Path, wrong: Path) -> None:
    done = saltus("impute", *arguments.replace("RUN", str(shop / "run")).split(), cwd=wrong)
    assert done.code == 1
    assert says in done.stderr
    assert sum(line.startswith("saltus: ") for line in done.stderr.strip().splitlines()) == 1
    assert not [file for file in wrong.iterdir() if file.name.startswith(("x", "."))]


@pytest.fixture(scope="module")
def wrong(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files and runs that cannot be used."""
    folder = tmp_path_factory.mktemp("wrong")
    write(folder / "holes.csv")
    write(folder / "holes.txt")
    write(folder / "odd.csv", ["a,Fair,0,550,1,2024-01-15", "b,Superb,0,550,1,2024-01-15"])
    write(folder / "few.csv", ["a"], header="name")
    write(folder / "uneven.csv", [*HOLES[:1], "a,b"])
    text = (shop / "gems.csv").read_text()
    (folder / "gems.csv").write_text(text)
    (folder / "labelled.csv").write_text(text.replace("cut", "class"))
    small = ("--updates", "2", "--batch", "16", "--width", "8", "--levels", "1")
    for data, run, options in (
        ("labelled.csv", "labels", ("--condition", "labels", "--kernel", "autoregressive")),
        ("gems.csv", "flow", ("--kernel", "flow")),
    ):
        assert saltus("train", "--data", data, "--out", run, *small, *options, cwd=folder).code == 0
    return folder

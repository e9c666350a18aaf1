"""Every example and every command of the pages for users runs, on small data of the same kind, with little training."""

from __future__ import annotations

import gzip
import pickle
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.helpers.pages import blocks, play, strangers

ROOT = Path(__file__).parents[1]
PYTHON = blocks("python", (ROOT / "docs" / "python.md").read_text())
ROWS = 300


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text()


def diamonds() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    carat = rng.uniform(0.2, 2, ROWS).round(2)
    return pd.DataFrame(
        {
            "carat": carat,
            "cut": rng.choice(["Fair", "Good", "Ideal"], ROWS),
            "color": rng.choice([*"DEFG"], ROWS),
            "price": (300 + 6000 * carat**2 * rng.uniform(0.5, 1.5, ROWS)).astype(int),
        }
    )


def credit() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    income = rng.integers(50, 300, ROWS).astype(float)
    income[::9] = np.nan
    status = rng.choice(["good", "bad"], ROWS, p=[0.7, 0.3])
    return pd.DataFrame({"Status": status, "Income": income, "Age": rng.integers(18, 70, ROWS), "Home": rng.choice(["rent", "own"], ROWS)})


@pytest.mark.parametrize("place", ["README.md", *sorted(f"docs/{file.name}" for file in (ROOT / "docs").glob("*.md"))])
def test_figures_that_are_quoted_are_on_the_page_that_is_linked(place: str) -> None:
    docs = ROOT / "docs"
    linked = {
        file.relative_to(docs).as_posix(): file.read_text() for room in ("results", "decisions") for file in (docs / room).glob("*.md")
    }
    assert strangers((ROOT / place).read_text(), linked) == []


def test_figures_that_are_stale_are_seen() -> None:
    """Rounded ones are not, nor those of paragraphs that link no page."""
    linked = {"results/a.md": "| VAE | 0.643 ± 0.1 | 1,234.5 |"}
    text = "0.64 and 1,234.5 ([page](results/a.md)):\n\n| 0.65 | 3 |\n\nIn `torch` 2.13.0 it is 0.7."
    assert strangers(text, linked) == ["0.65"]


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with tables like the two."""
    for name, made in (("diamonds", diamonds), ("credit", credit)):
        made().to_csv(tmp_path / f"{name}.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_of_tables_runs(tables: Path) -> None:
    (example,) = blocks("python", page("tables"))
    found: dict[str, object] = {}
    exec(compile(example.replace('"60s"', '"1s"'), "docs/tables.md", "exec"), found)
    ideal = found["ideal"]
    assert isinstance(ideal, pd.DataFrame)
    assert set(ideal["cut"]) == {"Ideal"}
    assert ideal["price"].min() >= 5000
    shutil.rmtree(tables / "diamonds-model")
    play(page("tables"), tables)
    assert len(pd.read_csv(tables / "new-diamonds" / "samples.csv")) == 1000


def test_the_front_page_runs(tables: Path) -> None:
    play(page("index"), tables)
    assert (tables / "my-threes" / "samples.png").is_file()


def test_the_page_of_imputation_runs_and_measures_itself(tables: Path) -> None:
    printed = play(page("imputation"), tables)
    assert "90% ranges hold" in printed
    assert "by chance" in printed
    for name in ("whole", *(f"five-{number}" for number in range(1, 6))):
        assert not pd.read_csv(tables / f"{name}.csv")["Income"].isna().any()


def test_the_page_of_anomalies_runs_and_measures_itself(tables: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(tables / "images.npy", rng.integers(0, 256, (6, 28, 28), dtype=np.uint8))
    printed = play(page("anomalies"), tables)
    planted, turned = (line for line in printed.splitlines() if line.startswith(("planted anomalies", "turned digits")))
    assert "IsolationForest" in planted
    assert float(turned.split()[-1]) > 0.8
    assert len(pd.read_csv(tables / "scores.csv")) == ROWS
    assert (tables / "strangest.png").is_file()


def test_the_examples_of_images_run() -> None:
    """Those of docs/images.md, one after the other: they go on from each other."""
    found: dict[str, object] = {}
    for example in blocks("python", page("images")):
        exec(compile(example, "docs/images.md", "exec"), found)
    shapes = {name: np.shape(found[name]) for name in ("drawn", "large", "varied", "between", "again", "score", "where")}  # type: ignore[arg-type]
    expected = {"drawn": (3, 4, 8, 8), "large": (3, 4, 8, 8), "varied": (3, 6, 8, 8), "between": (1, 8, 8, 8), "again": (3, 8, 8)}
    np.testing.assert_array_equal(found["same"], found["images"])  # type: ignore[arg-type]
    assert shapes == expected | {"score": (3,), "where": (3, 8, 8)}
    assert (np.asarray(found["score"]) > 3).all()
    assert (np.asarray(found["where"])[:, :2, :2].mean((1, 2)) > 3).all()
    assert 0.5 < float(found["accuracy"]) < 1  # type: ignore[arg-type]


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_the_examples_in_python_run(number: int, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PYTHON[number]], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_quickstart_of_images_runs(tmp_path: Path) -> None:
    play(page("quickstart_images"), tmp_path)
    assert {"summary.json", "samples.png", "levels.png"} <= {file.name for file in (tmp_path / "demo").iterdir()}
    for name in ("my-samples", "my-threes", "first-digits", "first-clothes", "two-calls"):
        assert (tmp_path / name / "samples.png").is_file()
    assert (tmp_path / "any-run" / "plan.png").is_file()
    assert (tmp_path / "my-comparison" / "compare.html").is_file()
    assert (tmp_path / "my-study" / "index.html").is_file()


@pytest.mark.parametrize(
    "command", [line for block in blocks("bash", page("quickstart_images")) for line in block.splitlines() if "make" in line]
)
def test_make_targets_are_there(command: str) -> None:
    """A dry run: the tests cannot run `make test`, and `make demo` is the demo that the quickstart runs."""
    done = subprocess.run(["make", "--dry-run", *shlex.split(command)[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_quickstart_of_tables_runs(tmp_path: Path) -> None:
    play(page("quickstart_tables"), tmp_path)
    table, whole = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("my-table", "whole"))
    assert table["carat"].isna().any()
    assert not whole["carat"].isna().any()
    assert len(pd.read_csv(tmp_path / "scores.csv")) == len(table)
    assert (tmp_path / "my-table.html").is_file()


def test_own_images_are_learned(tmp_path: Path) -> None:
    """Of two classes, in three sizes."""
    rng = np.random.default_rng(0)
    for name, side in (("left", 0), ("right", 1)):
        (tmp_path / "my-images" / name).mkdir(parents=True)
        for number in range(60):
            size = 18 + 2 * (number % 3)
            pixels = rng.integers(0, 60, (size, 20), dtype=np.uint8)
            pixels[:, 10 * side : 10 * side + 10] += 120
            Image.fromarray(pixels).save(tmp_path / "my-images" / name / f"{number}.png")
    text = page("own_images").replace("saltus data my-images --out first-look.png\n", "")
    play(text, tmp_path)
    assert (tmp_path / "only-left" / "samples.png").is_file()


def test_own_tables_are_learned(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    columns = {"zone": rng.integers(1, 4, ROWS), "age": rng.integers(18, 80, ROWS), "grade": rng.choice(["poor", "fair", "good"], ROWS)}
    pd.DataFrame(columns).to_csv(tmp_path / "my-table.csv", index=False)
    (said,) = blocks("toml", page("own_table"))
    (tmp_path / "said.toml").write_text(said)
    printed = play(page("own_table") + "```bash\nsaltus data my-table.csv --columns said.toml\n```", tmp_path)
    assert "ordinal" in printed
    assert (tmp_path / "report.html").is_file()


def originals(folder: Path) -> dict[str, np.ndarray]:
    """Small files in the formats that data.md starts from; the images of MNIST among them."""
    rng = np.random.default_rng(0)
    for name in ("mnist", "fashion_mnist"):
        (folder / name).mkdir()
        found = {}
        for part, n in (("train", 6), ("t10k", 4)):
            found[part] = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
            for kind, array in (("images-idx3", found[part]), ("labels-idx1", np.arange(n, dtype=np.uint8))):
                header = bytes((0, 0, 8, array.ndim)) + b"".join(length.to_bytes(4, "big") for length in array.shape)
                (folder / name / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes()))
        if name == "mnist":
            kept = found
    (folder / "cifar-10-batches-py").mkdir()
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        batch = {b"data": rng.integers(0, 256, (40, 3072), dtype=np.uint8), b"labels": [i % 10 for i in range(40)]}
        (folder / "cifar-10-batches-py" / name).write_bytes(pickle.dumps(batch))
    houses = pd.DataFrame({"longitude": rng.normal(size=50), "rooms": [np.nan, *rng.normal(size=49)], "ocean_proximity": "INLAND"})
    for name in ("housing", "diamonds-original", "credit_data", "penguins"):
        houses.to_csv(folder / f"{name}.csv", index=False)
    return kept


def test_data_are_made_of_the_originals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    images = originals(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        pd, "read_excel", lambda *_, **__: pd.DataFrame(np.random.default_rng(1).normal(5, 2, (100, 5)), columns=[*"abcde"])
    )
    found: dict[str, object] = {}
    for example in blocks("python", page("data")):
        exec(compile(example, "docs/data.md", "exec"), found)
    with np.load("mnist.npz") as mnist:
        np.testing.assert_array_equal(mnist["train_images"], images["train"])
        np.testing.assert_array_equal(mnist["test_labels"], np.arange(4))
    with np.load("cifar10_small.npz") as cifar:
        assert cifar["train_images"].shape == (50, 32, 32, 3)
        assert (np.bincount(cifar["train_labels"]) == 5).all()
    with np.load("tabular_ccpp.npz") as plant:
        assert [len(plant[part]) for part in ("train", "validation", "test")] == [80, 10, 10]
        np.testing.assert_allclose(plant["train"].std(0), 1, rtol=1e-5)
    with np.load("tabular_california.npz") as houses:
        assert sum(len(houses[part]) for part in ("train", "validation", "test")) == 49
    assert "mixed_credit (50, 3) missing: 1" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resume", "evaluate"])
def test_a_how_to_page_runs(name: str, tmp_path: Path) -> None:
    play(page(name), tmp_path)
    assert (tmp_path / "my-run" / "chain.json").is_file()

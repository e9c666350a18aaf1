"""Every example of docs/tables.md runs, in its order, on small tables of the same kind with a second of training; those of images too."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "tables.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
ROWS = 300


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


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with tables like the two."""
    for name, made in (("diamonds", diamonds), ("credit", credit)):
        made().to_csv(tmp_path / f"{name}.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(example: str, tables: Path) -> None:
    found: dict[str, object] = {}
    exec(compile(example.replace('"60s"', '"1s"'), "docs/tables.md", "exec"), found)
    if "ideal" in found:
        ideal = found["ideal"]
        assert isinstance(ideal, pd.DataFrame)
        assert set(ideal["cut"]) == {"Ideal"}
        assert ideal["price"].min() >= 5000
        shutil.rmtree(tables / "diamonds-model")
    if "whole" in found:
        whole = found["whole"]
        assert isinstance(whole, pd.DataFrame)
        assert not whole["Income"].isna().any()
    if "score" in found:
        score = found["score"]
        assert isinstance(score, np.ndarray)
        assert (score >= 0).all()
        assert np.isfinite(score).all()


def test_the_page_has_an_example_of_each() -> None:
    assert [next(name for name in ("sample", "impute", "anomaly_score") if f"model.{name}(" in example) for example in EXAMPLES] == [
        "sample",
        "impute",
        "anomaly_score",
    ]


def test_the_examples_of_images_run() -> None:
    """Those of docs/images.md, one after the other: they go on from each other."""
    page = (ROOT / "docs" / "images.md").read_text()
    found: dict[str, object] = {}
    for example in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(compile(example, "docs/images.md", "exec"), found)
    shapes = {name: np.shape(found[name]) for name in ("drawn", "large", "varied", "between", "again", "score", "where")}  # type: ignore[arg-type]
    expected = {"drawn": (3, 4, 8, 8), "large": (3, 4, 8, 8), "varied": (3, 6, 8, 8), "between": (1, 8, 8, 8), "again": (3, 8, 8)}
    np.testing.assert_array_equal(found["same"], found["images"])  # type: ignore[arg-type]
    assert shapes == expected | {"score": (3,), "where": (3, 8, 8)}
    assert (np.asarray(found["score"]) > 3).all()
    assert (np.asarray(found["where"])[:, :2, :2].mean((1, 2)) > 3).all()
    assert 0.5 < float(found["accuracy"]) < 1  # type: ignore[arg-type]

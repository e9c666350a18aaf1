"""Table models in folders: of `save`, of a run, damaged, and none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from saltus import Config, Model, SaltusError, TableModel, load
from tests.helpers.checks import assert_one_sentence


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a table, a run on it, and a model that was fitted to it and saved."""
    folder, rng = tmp_path_factory.mktemp("kept"), np.random.default_rng(0)
    frame = pd.DataFrame({"kind": rng.choice(["u", "v"], 120), "size": rng.normal(size=120).round(2), "same": 1})
    frame.to_csv(folder / "table.csv", index=False)
    Model.train(load(folder / "table.csv"), Config(updates=3, seed=5), folder / "run", quiet=True)
    TableModel(updates=3, random_state=5).fit(frame).save(folder / "saved")
    return folder


def test_a_run_is_a_table_model(home: Path) -> None:
    run, saved = TableModel.load(home / "run"), TableModel.load(home / "saved")
    assert run.get_params() == saved.get_params() == {"time": "60s", "updates": 3, "random_state": 5, "verbose": False, "columns": None}
    rows = pd.read_csv(home / "table.csv")
    run.save(home / "again")
    again = TableModel.load(home / "again")
    np.testing.assert_allclose(run.score_samples(rows), again.score_samples(rows))
    np.testing.assert_allclose(run.anomaly_score(rows), again.anomaly_score(rows), atol=1e-3)
    assert np.corrcoef(run.score_samples(rows), saved.score_samples(rows))[0, 1] > 0.5  # which learned the run's test rows too
    drawn = run.sample(4)
    assert isinstance(drawn, pa.Table)
    assert drawn.column_names == ["kind", "size"]
    assert list(saved.sample(4).columns) == ["kind", "size", "same"]
    assert run.n_features_in_ == 2
    assert run.impute(rows).equals(rows)
    timed = json.loads((home / "run" / "config.json").read_text()) | {"time": 9.0, "updates": 5000}
    (home / "timed").mkdir()
    for file in ("chain.json", "chain.safetensors", "source.json"):
        (home / "timed" / file).write_bytes((home / "run" / file).read_bytes())
    (home / "timed" / "config.json").write_text(json.dumps(timed))
    assert TableModel.load(home / "timed").get_params() == {
        "time": 9.0,
        "updates": None,
        "random_state": 5,
        "verbose": False,
        "columns": None,
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"params": {"random_state": "x"}}, "table.json is damaged"),
        ({"params": {"nonsense": 1}}, "was saved by another version of saltus"),
        ({"params": 3}, "table.json is damaged"),
        ({"ordinary": [[1.0]]}, "the columns are of another model than the chain"),
        ({"ordinary": "x"}, "table.json is damaged"),
        ({"dtypes": ["text", "object"]}, "the columns are of another model than the chain"),
        ({"columns": ["kind"]}, "the columns are of another model than the chain"),
        ({"frame": None}, "table.json is damaged"),
    ],
)
def test_what_is_damaged_is_told_with_its_place(change: dict[str, Any], words: str, home: Path, tmp_path: Path) -> None:
    for file in (home / "saved").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    kept = json.loads((tmp_path / "table.json").read_text())
    (tmp_path / "table.json").write_text(json.dumps(kept | change))
    with pytest.raises(SaltusError) as caught:
        TableModel.load(tmp_path)
    assert_one_sentence(caught.value, str(tmp_path), words)


def test_what_is_no_table_model_is_told(home: Path) -> None:
    for place, words in ((home, "holds no table model"), ("digits", "is of images of 8x8 pixels"), (home / "none", "holds no table model")):
        with pytest.raises(SaltusError) as caught:
            TableModel.load(place)
        assert_one_sentence(caught.value, words)

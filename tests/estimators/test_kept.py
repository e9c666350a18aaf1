"""What a table model keeps beside its chain is read as it was written; what is none, or another model's, is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from saltus.data import Columns, NumberColumn
from saltus.errors import SaltusError
from saltus.estimators.anomaly import Ordinary
from saltus.estimators.frames import Frame, to_arrow
from saltus.estimators.kept import KEPT, kept_of, read_kept
from saltus.files import to_json
from saltus.likelihoods import Number
from tests.helpers.checks import assert_one_sentence

ORDINARY = Ordinary(np.random.default_rng(0).exponential(size=(50, 2)))
FRAME = pd.DataFrame({"a": [1.5, 2.5], 7: pd.array([1, 2], dtype="Int8"), "day": pd.to_datetime(["2024-01-05"] * 2)})


def written(folder: Path, **changes: Any) -> Path:
    _, frame = to_arrow(FRAME)
    kept = kept_of(frame, ["a", "7"], ("float64", "int8"), {"day": FRAME["day"][0].to_pydatetime(), "none": None}, ORDINARY)
    (folder / KEPT).write_text(to_json(kept | {"time": "5s", "random_state": 3} | changes))
    return folder


def encoding(columns: int) -> Columns:
    return Columns([NumberColumn(Number(0.0, 1.0))] * columns, "float64")


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    kept = read_kept(written(tmp_path))
    assert (kept.columns, kept.dtypes, kept.time, kept.random_state) == (["a", "7"], ("float64", "int8"), "5s", 3)
    assert kept.frame.library == "pandas"
    assert tuple(kept.frame.names) == ("a", "7", "day")
    costs = np.random.default_rng(1).exponential(size=(20, 2))
    np.testing.assert_array_equal(kept.ordinary.score(costs), ORDINARY.score(costs))
    kept.check(encoding(2))
    plain, _ = to_arrow(pd.DataFrame({"a": [0.5], "7": [1], "day": [kept.constants["day"]]}))
    rows = kept.frame.of(plain, range(3))
    assert rows.dtypes.tolist() == FRAME.dtypes.tolist()
    assert rows["day"][0] == FRAME["day"][0]
    assert kept.constants["none"] is None


def test_tables_of_polars_come_back_as_those_of_pyarrow(tmp_path: Path) -> None:
    kept = kept_of(Frame("polars", ("a",), ("Int16",)), ["a"], ("int16",), {}, ORDINARY)
    (tmp_path / KEPT).write_text(to_json(kept | {"time": 5, "random_state": None}))
    assert read_kept(tmp_path).frame.library == "pyarrow"


@pytest.mark.parametrize("columns", [1, 3])
def test_that_of_another_model_is_told(tmp_path: Path, columns: int) -> None:
    with pytest.raises(SaltusError) as caught:
        read_kept(written(tmp_path)).check(encoding(columns))
    assert_one_sentence(caught.value, str(tmp_path / KEPT), "of another model")


@pytest.mark.parametrize(
    "changes",
    [
        {"frame": None},
        {"frame": {"library": "pandas"}},
        {"ordinary": [[1.0], [None]]},
        {"ordinary": []},
        {"constants": 3},
        {"columns": 3},
        {"dtypes": None},
    ],
)
def test_what_is_damaged_is_told(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(SaltusError) as caught:
        read_kept(written(tmp_path, **changes))
    assert_one_sentence(caught.value, str(tmp_path / KEPT), "is damaged")
    kept = json.loads((tmp_path / KEPT).read_text())
    (tmp_path / KEPT).write_text(json.dumps({name: value for name, value in kept.items() if name not in changes}))
    with pytest.raises(SaltusError, match="is damaged"):
        read_kept(tmp_path)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SaltusError) as caught:
        read_kept(tmp_path)
    assert_one_sentence(caught.value, str(tmp_path), "holds no table model")
    (tmp_path / KEPT).write_text("no json")
    with pytest.raises(SaltusError) as caught:
        read_kept(tmp_path)
    assert_one_sentence(caught.value, str(tmp_path / KEPT))

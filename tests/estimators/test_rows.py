"""A trained table for pyarrow tables: cells are filled in the types of their columns, and rows under a condition do not share noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from saltus import SaltusError, TableModel
from saltus.estimators.rows import TrainedTable
from tests.helpers.checks import assert_one_sentence


def frame(n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "half": rng.integers(0, 9, n) / 2,
            "kind": rng.choice(["u", "v", "w"], n),
            "always": "same",
            "free": [f"text {k}" for k in range(n)],
        },
        index=np.arange(n)[::-1],
    )


@pytest.fixture(scope="module")
def model() -> TableModel:
    return TableModel(updates=20, random_state=0).fit(frame())


@pytest.fixture(scope="module")
def trained(model: TableModel) -> TrainedTable:
    return model._trained


def test_what_is_there_stays_and_keeps_its_index(model: TableModel) -> None:
    data = frame(40)
    holes = data.mask(np.random.default_rng(1).random(data.shape) < 0.3)
    one, other = model.impute(holes, n_draws=2)
    for filled in (one, other, model.transform(holes)):
        assert filled.index.equals(holes.index)
        assert (filled.dtypes == holes.dtypes).all()
        assert not filled[["half", "kind", "always"]].isna().any().any()
        assert (filled["always"] == "same").all()  # a constant is what it was
        assert filled["free"].equals(holes["free"])
        there = holes.notna()
        assert filled.where(there).equals(holes.where(there))
    assert not one.equals(other)
    assert holes.equals(data.mask(np.random.default_rng(1).random(data.shape) < 0.3))  # it is not written into


def test_cells_that_a_type_cannot_hold_widen_it(trained: TrainedTable, model: TableModel) -> None:
    """Halves were learned, and the rows to fill hold whole numbers alone."""
    columns = {"half": pa.array([1, None] * 30, pa.int64()), "kind": pa.array(["u"] * 60)}
    for given in (pa.table(columns), pl.DataFrame({"half": [1, None] * 30, "kind": ["u"] * 60})):
        filled = model.impute(given)
        values = filled.column("half").to_pylist() if isinstance(filled, pa.Table) else filled["half"].to_list()
        assert values[::2] == [1.0] * 30
        assert any(value % 1 for value in values)
    nothing = pa.table({"half": pa.nulls(5), "kind": pa.array(["u", None] * 2 + ["v"]).dictionary_encode()})
    (filled,) = trained.filled(nothing, 1, 0)
    assert filled.schema.types == [pa.float64(), nothing.schema.types[1]]
    assert sum(column.null_count for column in filled.columns) == 0


def test_rows_under_a_condition_are_the_same_however_many_there_are(trained: TrainedTable) -> None:
    asked = trained.asked({"kind": "u", "half": (None, 3)})
    whole = trained.drawn(asked, 0, 600, seed=3)
    for start, stop in ((0, 5), (250, 260), (511, 600)):
        np.testing.assert_array_equal(trained.drawn(asked, start, stop, seed=3), whole[start:stop])
    blocks = whole[:256], whole[256:512]
    assert not np.array_equal(*blocks)
    assert not np.array_equal(trained.drawn(asked, 0, 256, seed=4), blocks[0])


def test_rows_that_are_few_are_all_learned_with_a_word() -> None:
    model = TableModel(updates=2, random_state=0).fit(frame(30))
    assert model.notes_[-1].startswith("no row is held out, as 30 rows are too few or too similar")
    assert np.isfinite(model.score_samples(frame(30))).all()
    assert not TableModel(updates=2).fit(frame()).notes_[-1].startswith("no row")
    with pytest.raises(SaltusError) as caught:
        TableModel(updates=2).fit(frame(9))
    assert_one_sentence(caught.value, "9 samples are too few to learn from; expected at least 10")


def test_columns_of_another_model_are_told(trained: TrainedTable) -> None:
    for change in ({"columns": ("half",)}, {"dtypes": ("text", "text")}, {"dtypes": ("float64", "object")}):
        with pytest.raises(SaltusError) as caught:
            replace(trained, **change)  # type: ignore[arg-type]
        assert_one_sentence(caught.value, "the columns are of another model than the chain")


def test_objects_in_arrays_are_a_table_too() -> None:
    array = np.array([["a", 1.5, None], ["b", 2, 3.0]] * 40, dtype=object)
    model = TableModel(updates=2, random_state=0).fit(array)
    rows = model.sample(30)
    assert (rows.shape, rows.dtype) == ((30, 3), object)
    assert set(rows[:, 0]) <= {"a", "b"}
    array[0, 0] = None
    assert model.impute(array[:2])[:, 0].tolist()[1] == "b"
    assert model.impute(array[:2])[0, 0] in ("a", "b")

"""A trained table for pyarrow tables: cells are filled in the types of their columns, and rows under a condition do not share noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from saltus import SaltusError, TableModel
from saltus.data.parts import Parts
from saltus.data.split import places
from saltus.estimators.anomaly import Ordinary
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


def test_rows_that_nobody_tests_on_are_learned() -> None:
    """A model reports nothing of held-out rows, so a tenth is held out to choose by, and no second one to report."""
    x = np.random.default_rng(0).normal(size=(1200, 1))
    model = TableModel(updates=2, random_state=0).fit(x)
    held = len(model._trained.ordinary.costs)
    assert abs(held - 120) < 4 * np.sqrt(1200 * 0.1 * 0.9)
    assert len(places(Parts(x)).test) == 1200  # the twin: the split that a run has
    assert abs(int(places(Parts(x)).train.sum()) - 972) < 4 * np.sqrt(1200 * 0.19 * 0.81)


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


def test_units_of_times_and_kinds_of_numbers_are_those_that_were_learned() -> None:
    """Files tell seconds and days where pandas has microseconds."""
    rng, n = np.random.default_rng(0), 80
    days = pd.Timestamp("2024-03-01") + pd.to_timedelta(rng.integers(0, 30, n), "D")
    data = pd.DataFrame({"sold": days, "size": rng.integers(0, 5, n)})
    model = TableModel(updates=1, random_state=0).fit(data)
    nats = model.score_samples(data)
    for kind in (pa.timestamp("s"), pa.timestamp("ns"), pa.date32()):
        other = pa.table({"sold": pa.array(days).cast(kind), "size": pa.array(data["size"], pa.float32())})
        np.testing.assert_array_equal(model.score_samples(other), nats)
        holes = other.set_column(0, "sold", pa.array([None, *other.column("sold").to_pylist()[1:]], kind))
        filled = model.impute(holes)
        assert filled.schema.types == other.schema.types
        assert filled.column("sold").null_count == 0
    for wrong, words in (("x", 'holds "x" in row 0 where numbers were expected'), (None, "holds a missing cell in row 0")):
        with pytest.raises(SaltusError) as caught:
            model.score_samples(pa.table({"sold": pa.array(days), "size": pa.array([wrong] * n)}))
        assert_one_sentence(caught.value, words)


def test_what_never_came_is_infinitely_strange(model: TableModel) -> None:
    data = frame(6).assign(kind=["u", "x", "v", "w", "u", "v"], half=[0.5, 1.0, 0.3, 1.5, 2.0, np.nan])
    rows, cells = model.anomaly_score(data), model.anomaly_columns(data)
    assert np.isfinite(rows).all()
    assert np.isinf(cells["kind"]).tolist() == [False, True, False, False, False, False]
    assert np.isinf(cells["half"]).tolist() == [False, False, True, False, False, True]
    fine = frame(6).assign(kind=["u", "w", "v", "w", "u", "v"], half=[0.5, 1.0, 0.5, 1.5, 2.0, 1.0])
    np.testing.assert_allclose(rows[0], model.anomaly_score(fine)[0], atol=1e-6)


def test_a_row_whose_cells_are_missing_is_a_row() -> None:
    data = pd.DataFrame({"a": [1.5, np.nan] * 60, "b": np.arange(120) % 7})
    model = TableModel(updates=1, random_state=0).fit(data)
    alone = model.score_samples(data[1:2])
    np.testing.assert_allclose(alone, model.score_samples(pd.DataFrame({"a": [None], "b": [1]})))
    assert np.isfinite([*alone, *model.anomaly_score(data[1:2])]).all()
    filled = model.impute(data[1:2])
    assert filled["a"].tolist() == [1.5]


def test_few_held_out_rows_do_not_make_ordinary_ones_strange() -> None:
    """Costs that hardly differ, as of a column that no other tells: a nat more is no more than two nats stranger beyond the dearest."""
    rng = np.random.default_rng(0)
    held, fresh = (1.1 + 0.01 * rng.normal(size=(n, 1)) for n in (20, 4000))
    ordinary = Ordinary(held)
    assert ordinary.by_column(fresh).mean() == pytest.approx(1, abs=0.25)
    one, two = ordinary.by_column(np.array([[1.6], [2.6]]))[:, 0]
    assert np.log(10) < one < np.log(21) + 1
    assert two - one == pytest.approx(2, abs=0.1)
    wide = Ordinary(10 * rng.exponential(size=(400, 1)))  # the twin: where costs do differ, their own excess tells
    one, two = wide.by_column(np.array([[60.0], [70.0]]))[:, 0]
    assert two - one == pytest.approx(1, abs=0.5)

"""A model of a table gives rows as it was given them: names, order, types, categories, missing cells; and tells their nats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone

from saltus import SaltusError, TableModel
from tests.helpers.checks import assert_one_sentence


def frame(n: int = 300, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    cut = rng.choice(["Fair", "Good", "Ideal"], n, p=[0.2, 0.3, 0.5])
    price = np.where(cut == "Ideal", 5000, 500) + 50 * rng.integers(0, 20, n)
    return pd.DataFrame(
        {
            "cut": pd.Categorical(cut, ["Fair", "Good", "Ideal"], ordered=True),
            "price": price.astype("int32"),
            "carat": np.where(rng.random(n) < 0.2, np.nan, rng.normal(1, 0.2, n)),
            "sold": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 90, n), "D"),
            "kept": rng.random(n) < 0.5,
            "shop": "one",
            7: rng.choice(["x", None], n),
        }
    )


@pytest.fixture(scope="module")
def model() -> TableModel:
    return TableModel(time="6s", random_state=0).fit(frame())


def test_rows_come_back_as_they_were(model: TableModel) -> None:
    data, rows = frame(), model.sample(200)
    assert list(rows.columns) == list(data.columns)
    assert (rows.dtypes == data.dtypes).all()
    assert len(rows) == 200
    assert rows["cut"].cat.categories.tolist() == ["Fair", "Good", "Ideal"]
    assert set(rows["price"]) <= set(range(500, 6000, 50))
    assert 0.02 < rows["carat"].isna().mean() < 0.6
    assert rows["sold"].between("2024-01-01", "2024-03-30").all()
    assert (rows["shop"] == "one").all()
    assert set(rows[7].dropna()) == {"x"}
    assert model.columns_ == ["cut", "price", "carat", "sold", "kept", "7"]
    assert model.notes_ == ("1 of 7 columns is left out: 1 constant (shop)",)
    assert not model.sample(200).equals(rows)  # other ones at every call


def test_likely_rows_have_more_nats_than_unlikely_ones(model: TableModel) -> None:
    likely = frame(80, seed=1)
    unlikely = likely.assign(price=np.random.default_rng(0).permutation(likely["price"].to_numpy()))
    scores = model.score_samples(likely)
    assert scores.shape == (80,)
    assert model.score(likely) == pytest.approx(scores.mean())
    assert model.score(likely) > model.score(unlikely)


def test_a_saved_model_is_the_same(model: TableModel, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    again = TableModel.load(tmp_path / "m")
    np.testing.assert_array_equal(again.score_samples(frame(20, 2)), model.score_samples(frame(20, 2)))
    rows = again.sample(30)
    assert list(rows.columns) == list(frame().columns)
    assert (rows.dtypes == frame().dtypes).all()
    assert str(rows["price"].dtype) == "int32"
    (tmp_path / "m" / "table.json").write_text("{}")
    for place, words in ((tmp_path / "m", "table.json is damaged"), (tmp_path, "holds no table model")):
        with pytest.raises(SaltusError) as caught:
            TableModel.load(place)
        assert_one_sentence(caught.value, words)


def test_arrays_and_pyarrow_tables_come_back_too() -> None:
    rng = np.random.default_rng(0)
    array = rng.normal(size=(120, 3)).astype(np.float32)
    array[::5, 1] = np.nan
    made = TableModel(time=0.5, random_state=1).fit(array)
    drawn = made.sample(50)
    assert (drawn.shape, drawn.dtype) == ((50, 3), np.float32)
    assert np.isnan(drawn).any(0).tolist() == [False, True, False]
    assert np.array_equal(TableModel(time=0.5, random_state=1).fit(array).sample(50).shape, (50, 3))
    plain = pl.DataFrame({"a": rng.integers(0, 9, 120), "b": rng.choice(["u", "v"], 120), "c": [None, 0.5, 1.5] * 40})
    plain = plain.with_columns(pl.col("b").cast(pl.Categorical), pl.col("a").cast(pl.Int16))
    rows = TableModel(time=0.5).fit(plain).sample(40)
    assert rows.schema == plain.schema
    assert rows["c"].null_count() > 0
    table = pa.table({"a": rng.integers(0, 9, 120), "b": rng.choice(["u", "v"], 120)})
    assert TableModel(time=0.5).fit(table).sample(4).schema.equals(table.schema)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (np.zeros(5), "an array of shape (5,)"),
        ([["a", "b"]] * 60, "type <U1"),
        (pd.DataFrame({"a": [1, "x"] * 40}), "the column a holds values of different types, 1 in row 0 and 'x' in row 1"),
        (pd.DataFrame(np.zeros((60, 2)), columns=["a", "a"]), "two columns of the table have one name, a"),
        (pd.DataFrame({"a": [1.0, 2.0]}), "2 samples are too few"),
        (pd.DataFrame({"a": ["x"] * 60}), "there is no column to learn from"),
    ],
)
def test_what_is_no_table_is_told_in_one_sentence(table: Any, words: str) -> None:
    with pytest.raises(SaltusError) as caught:
        TableModel(time=0.1).fit(table)
    assert_one_sentence(caught.value, words)


def test_rows_of_another_kind_are_told_in_one_sentence(model: TableModel) -> None:
    data = frame(5)
    for rows, words in (
        (data.drop(columns="price"), "there is no column price"),
        (data.assign(cut="Superb"), 'the column cut holds "Superb" in row 0'),
        (data.assign(kept=0.5), "the column kept holds 0.5 in row 0"),
    ):
        with pytest.raises(SaltusError) as caught:
            model.score_samples(rows)
        assert_one_sentence(caught.value, words)
    with pytest.raises(SaltusError, match="has not been fitted"):
        TableModel().sample(3)


def test_columns_that_follow_from_others_do_so_in_every_row() -> None:
    rng = np.random.default_rng(0)
    city = rng.integers(0, 8, 400)
    data = pd.DataFrame({"city": [f"city {k}" for k in city], "seats": rng.integers(0, 9, 400), "miles": 120.5 * ((3 * city) % 8)})
    model = TableModel(time="2s", random_state=0).fit(data)
    assert "miles is determined by city" in model.notes_[-1]
    rows = model.sample(300)
    known = dict(zip(data["city"], data["miles"], strict=True))
    assert rows["city"].map(known).equals(rows["miles"])
    wrong = data[:50].assign(miles=np.roll(data["miles"], 1)[:50])
    cost = model.score_samples(data[:50]) - model.score_samples(wrong)
    changed = (wrong["miles"] != data["miles"][:50]).to_numpy()
    assert 0 < changed.sum() < 50
    assert (cost[changed] > np.log(300)).all()
    np.testing.assert_allclose(cost[~changed], 0, atol=1e-9)


def test_what_is_said_of_columns_is_kept_by_clones_and_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grades = pd.DataFrame({"grade": rng.choice(["lo", "mid", "hi"], 90), "code": rng.integers(0, 4, 90), "x": rng.normal(size=90)})
    said = {"grade": {"kind": "ordinal", "order": ["lo", "mid", "hi"]}, "code": "category"}
    made = clone(TableModel(updates=2, random_state=0, columns=said)).fit(grades)
    assert made.get_params()["columns"] == said
    rows = made.sample(20, condition={"grade": ("mid", None), "code": 2})
    assert set(rows["grade"]) <= {"mid", "hi"}
    assert set(rows["code"]) == {2}
    made.save(tmp_path / "m")
    again = TableModel.load(tmp_path / "m")
    assert again.get_params()["columns"] == {**said, "code": {"kind": "category"}}
    np.testing.assert_array_equal(again.score_samples(grades), made.score_samples(grades))
    odd = grades.assign(code=7).head(1)  # costs what nothing else does
    assert np.isinf(made._trained.costs(pa.Table.from_pandas(odd, preserve_index=False))[0, 1])
    with pytest.raises(SaltusError, match="a range was given, and it holds categories"):
        made.sample(1, condition={"code": (0, 2)})


def test_imputed_tables_keep_what_was_there_and_how() -> None:
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_tuples([("a", "x"), ("a", "y"), ("b", "x")])
    given = pd.DataFrame({0: rng.normal(size=90), 1: pd.PeriodIndex(["2024-01", "2024-03"] * 45, freq="M"), 2: rng.choice(["u", "v"], 90)})
    given.columns = index
    given.loc[3:5, ("a", "y")] = pd.NaT
    given.loc[4:6, ("b", "x")] = None
    given.index = given.index + 7
    full = TableModel(updates=2, random_state=0).fit(given).impute(given)
    assert full.index.equals(given.index)
    assert full.columns.equals(index)
    assert (full.dtypes == given.dtypes).all()
    assert not full.isna().any(axis=None)
    there = given.notna()
    assert full.where(there).equals(given.where(there))

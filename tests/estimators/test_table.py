"""A model of a table gives rows as it was given them: names, order, types, categories, missing cells; and tells their nats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from saltus import SaltusError, TableModel
from saltus.training import Config
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


def fitted(data: Any, updates: int = 20, **options: Any) -> TableModel:
    """A model after so many updates, whatever the machine takes for them."""
    kept = {"kernel": "autoregressive", "levels": 1, "prior": "normal", "width": 64, "batch": 256, "updates": updates} | options
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TableModel, "_config", lambda self, _: setattr(self, "_first", 0) or Config(seed=0, **kept))
        return TableModel(random_state=0).fit(data)


@pytest.fixture(scope="module")
def model() -> TableModel:
    return fitted(frame(1200), 150, learning_rate=5e-3)


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


CONDITIONS: dict[str, dict[Any, Any]] = {
    "values": {"cut": "Ideal", "kept": True},
    "a range of each kind": {"price": (5000, 5400), "carat": (0.9, 1.1), "sold": ("2024-02-01", None)},
    "sets": {"cut": ["Fair", "Good"], "price": {500, 550, 600}},
    "missing cells": {"carat": None, 7: None},
    "a number to the last digit": {"carat": 0.123456789012345 + 0.9, 7: "x"},
    "nothing": {},
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_rows_are_as_they_were_asked_for(model: TableModel, name: str) -> None:
    """And have the types, and where nothing was asked for the missing cells, of all rows."""
    condition = CONDITIONS[name]
    rows, n = model.sample(150, condition=condition), 150
    assert (rows.dtypes == frame().dtypes).all()
    assert len(rows) == n
    for column, value in condition.items():
        values = rows[column]
        if value is None:
            assert values.isna().all()
        elif isinstance(value, tuple):
            low, high = (pd.Timestamp(end) if column == "sold" and end is not None else end for end in value)
            assert (values >= low).all()
            assert high is None or (values <= high).all()
            assert values.nunique() > 3
        else:
            assert set(values) <= (set(value) if isinstance(value, list | set) else {value})
            assert values.nunique() == (len(value) if isinstance(value, list | set) else 1)
    for column in ("carat", 7):
        assert column in condition or 0 < rows[column].isna().mean() < 1


def test_rows_under_a_condition_are_all_different(model: TableModel) -> None:
    """Of more than are drawn from the same proposals, no number comes twice."""
    carat = model.sample(400, condition={"cut": "Good"})["carat"].dropna()
    assert len(carat) > 200
    assert carat.is_unique


def test_more_rows_under_a_condition_begin_with_the_same_ones(model: TableModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    few, many = (TableModel.load(tmp_path).sample(n, condition={"cut": "Good", "carat": (0.5, None)}) for n in (10, 130))
    pd.testing.assert_frame_equal(few, many[:10])
    assert not model.sample(10, condition={"cut": "Good"}).equals(model.sample(10, condition={"cut": "Good"}))


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda model: model.sample(0), "n was given as 0"),
        (lambda model: model.sample(0, condition={"cut": "Good"}), "n was given as 0"),
        (lambda model: model.sample(5, condition={"cut": "Superb"}), "cut = Superb was asked for"),
        (lambda model: model.sample(5, condition={"shop": "one"}), "a condition on shop was given"),
        (lambda model: model.impute(frame(5), n_draws=0), "n_draws was given as 0"),
        (lambda model: model.impute(frame(5).drop(columns="price")), "there is no column price"),
        (lambda model: model.impute(frame(5).assign(cut="Superb")), 'the column cut holds "Superb" in row 0'),
        (lambda model: model.impute(frame(5).assign(price="much")), 'the column price holds "much" in row 0 where numbers were expected'),
        (lambda model: model.impute(frame(5).assign(sold=1.5)), "the column sold holds numbers where times were expected"),
        (lambda model: model.impute(np.zeros((5, 7))), "there is no column cut"),
        (lambda model: model.anomaly_score(frame(5).drop(columns="price")), "there is no column price"),
        (lambda _: TableModel().impute(frame(5)), "has not been fitted"),
        (lambda _: TableModel().anomaly_score(frame(5)), "has not been fitted"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_sentence(model: TableModel, ask: Any, words: str) -> None:
    with pytest.raises(SaltusError) as caught:
        ask(model)
    assert_one_sentence(caught.value, words)


def holed(seed: int = 3) -> pd.DataFrame:
    """Rows with other columns, of which cells of every column are missing; one row has none, one lacks all."""
    data, rng = frame(60, seed).sample(frac=1, random_state=0), np.random.default_rng(seed)
    for column in ("cut", "price", "carat", "sold", "kept", 7):
        missing = rng.random(60) < 0.3
        missing[0], missing[1] = False, True
        data[column] = data[column].astype(object if column == "kept" else data[column].dtype).mask(missing)
    data.loc[data.index[0], ["carat", 7]] = [1.25, "x"]
    return data.assign(price=data["price"].astype("Int32"), note=[[k] for k in range(60)])


def test_imputed_rows_are_as_they_were_where_they_were(model: TableModel) -> None:
    data = holed()
    before = data.copy(deep=True)
    (one, other), third = model.impute(data, n_draws=2), model.impute(data)
    pd.testing.assert_frame_equal(data, before)
    known = ["cut", "price", "carat", "sold", "kept", 7]
    for found in (one, other, third):
        assert not found[known].isna().any().any()
        assert (found.dtypes == data.dtypes).all()
        assert list(found.columns) == list(data.columns)
        pd.testing.assert_index_equal(found.index, data.index)
        for column in known:
            pd.testing.assert_series_equal(found[column][data[column].notna()], data[column].dropna())
        pd.testing.assert_series_equal(found["note"], data["note"])
        assert set(found["price"]) <= set(range(500, 6000, 50))
    assert not one.equals(other)
    assert not one.equals(third)
    assert one.iloc[1]["carat"] != other.iloc[1]["carat"]  # of the row that lacks all
    whole = frame(20, 4).dropna()
    pd.testing.assert_frame_equal(model.impute(whole), whole)
    assert isinstance(model.impute(whole, n_draws=1), list)


def test_columns_of_nothing_are_imputed(model: TableModel) -> None:
    found = model.impute(frame(30).assign(cut=None, price=np.nan, sold=pd.NaT))
    assert set(found["cut"]) <= {"Fair", "Good", "Ideal"}
    assert set(found["price"]) <= set(range(500, 6000, 50))
    assert found["sold"].between("2024-01-01", "2024-03-30").all()


def test_imputed_cells_go_with_the_rest_of_their_rows(model: TableModel) -> None:
    """The price tells the cut, and the cut the price: the twin takes cuts of other rows."""
    data = frame(200, 5)
    found = model.impute(
        data.assign(cut=data["cut"].mask(data.index % 2 == 0), price=data["price"].astype("Int32").mask(data.index % 2 == 1))
    )
    agree = (found["cut"] == "Ideal") == (found["price"] >= 5000)
    others = (data["cut"] == "Ideal").sample(frac=1, random_state=0).to_numpy() == (data["price"] >= 5000)
    assert agree.mean() > 0.9 > others.mean() + 0.2


def test_tables_of_other_libraries_are_imputed_in_kind(model: TableModel) -> None:
    """In units of time that others have, and with NaN for what is missing; by the same numbers."""
    data = holed().drop(columns="note")
    data.columns = [str(name) for name in data.columns]
    table = pa.Table.from_pandas(data, preserve_index=False)
    k = table.column_names.index("carat")
    nan = table.set_column(k, "carat", table["carat"].fill_null(np.nan))
    k = table.column_names.index("sold")
    nan = nan.set_column(k, "sold", nan["sold"].cast(pa.timestamp("s")))
    found = model.impute(nan)
    assert found.schema.equals(nan.schema.remove_metadata()) or found.schema.equals(nan.schema)
    for name in ("cut", "price", "carat", "sold", "kept", "7"):
        old, new = table[name].to_pylist(), found[name].to_pylist()
        assert None not in new
        assert not any(value != value for value in new)
        assert all(a == b for a, b in zip(old, new, strict=True) if a is not None)
    frames = pl.from_arrow(table)
    assert isinstance(frames, pl.DataFrame)
    filled = model.impute(frames)
    assert filled.schema == frames.schema
    assert filled.select(pl.all().null_count()).sum_horizontal()[0] == 0
    assert filled["shop"].equals(frames["shop"])


def test_arrays_are_imputed() -> None:
    rng = np.random.default_rng(0)
    array = rng.normal(size=(120, 3)).astype(np.float32)
    array[:, 2] = rng.integers(-4, 9, 120)
    made = fitted(array)
    holes = rng.random(array.shape) < 0.2
    holes[:2] = [[True] * 3, [False] * 3]
    found = made.impute(np.where(holes, np.nan, array).astype(np.float32))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[~holes], array[~holes])
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[:, 2], np.rint(found[:, 2]))
    assert np.isfinite(made.sample(5, condition={"column 2": (0, 3)})).all()


def test_strange_rows_have_high_scores(model: TableModel) -> None:
    """A price that does not go with its cut, and a cut that never was."""
    data, n = frame(100, 6), 100
    score, columns = model.anomaly_score(data), model.anomaly_columns(data)
    assert list(columns) == model.columns_
    assert score.shape == columns["price"].shape == (n,)
    assert (score >= 0).all()
    assert 0.6 < score.mean() < 1.7  # as ordinary as some hundred rows that it was not fitted to
    wrong = data.assign(price=np.where(data["cut"] == "Ideal", 600, 5600).astype("int32"))
    strange, why = model.anomaly_score(wrong), model.anomaly_columns(wrong)
    assert np.median(strange) > 3 > np.median(score)
    assert np.median(np.maximum(why["price"], why["cut"])) > 3
    assert why["kept"].mean() < 2
    never = data.assign(cut="Superb")
    assert model.anomaly_columns(never)["cut"].min() == pytest.approx(model.anomaly_columns(never)["cut"].max())
    assert model.anomaly_columns(never)["cut"].min() > 3


def test_a_model_that_was_saved_answers_the_same(model: TableModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    one, other = TableModel.load(tmp_path), TableModel.load(tmp_path)
    data = frame(40, 8)
    np.testing.assert_array_equal(one.anomaly_score(data), model.anomaly_score(data))
    for name, values in one.anomaly_columns(data).items():
        np.testing.assert_array_equal(values, model.anomaly_columns(data)[name])
    pd.testing.assert_frame_equal(one.impute(holed()), other.impute(holed()))
    condition = {"cut": ["Fair", "Ideal"], "carat": (None, 1.0)}
    rows = one.sample(30, condition=condition)
    pd.testing.assert_frame_equal(rows, other.sample(30, condition=condition))
    assert set(rows["cut"]) == {"Fair", "Ideal"}
    assert rows["carat"].max() <= 1.0


def test_constants_of_every_kind_are_kept(tmp_path: Path) -> None:
    rng, day = np.random.default_rng(0), pd.Timestamp("2024-01-05")
    data = pd.DataFrame({"a": rng.normal(size=80), "day": day, "none": None, "small": np.int8(3), "word": pd.Categorical(["u"] * 80)})
    made = fitted(data)
    made.save(tmp_path)
    for rows in (made.sample(4), TableModel.load(tmp_path).sample(4), made.sample(4, condition={"a": (0, None)})):
        assert list(rows.columns) == list(data.columns)
        assert rows["day"].tolist() == [day] * 4
        assert rows["none"].isna().all()
        assert rows["small"].tolist() == [3] * 4
        assert rows["word"].tolist() == ["u"] * 4
    table = pa.table({"a": data["a"], "day": pa.array([day.date()] * 80), "small": pa.array([3] * 80, pa.int8())})
    made = fitted(table)
    made.save(tmp_path)
    for rows in (made.sample(4), TableModel.load(tmp_path).sample(4)):
        assert rows.schema.equals(table.schema)


def test_what_others_determine_is_strange_where_it_is_not_so() -> None:
    rng = np.random.default_rng(0)
    city = rng.integers(0, 8, 400)
    data = pd.DataFrame({"city": [f"city {k}" for k in city], "seats": rng.integers(0, 9, 400), "miles": 120.5 * ((3 * city) % 8)})
    made = fitted(data)
    wrong = data[:50].assign(miles=np.roll(data["miles"], 1)[:50])
    changed = (wrong["miles"] != data["miles"][:50]).to_numpy()
    strange = made.anomaly_columns(wrong)["miles"]
    assert (strange[changed] > 3).all()
    assert not strange[~changed].any()
    rows = made.sample(40, condition={"miles": [120.5, 241.0]})
    assert set(rows["miles"]) == {120.5, 241.0}
    holes = made.impute(data[:50].assign(miles=data["miles"][:50].mask(changed)))
    pd.testing.assert_frame_equal(holes, data[:50])

"""Rows of a fitted table: types come back, rows of another kind are one sentence with column and row, and those of the same kind are scored
however they are held."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from saltus import SaltusError, TableModel
from tests.helpers.checks import assert_one_sentence

N = 80
X = np.random.default_rng(0).normal(size=N)
SEVEN = np.arange(N) % 7
K = SEVEN.tolist()
WITH_ZONE = pd.Timestamp("2024-01-01", tz="UTC")


def rich() -> pd.DataFrame:
    """A column of every type that has its own way back."""
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "zone": (pd.Timestamp("2024-01-01", tz="Europe/Berlin") + pd.to_timedelta(rng.integers(0, 7, N), "D")).as_unit("ns"),
            "sum": [Decimal(k) / 4 for k in K],
            "grade": pd.Categorical(1 + SEVEN % 3),
            "bin": pd.cut(pd.Series(X), 2),
            "month": pd.PeriodIndex(pd.period_range("2024-01", periods=N, freq="M"))[SEVEN],
            "spent": pd.to_timedelta(SEVEN, "h"),
            "told": pd.Series(rng.choice([True, False, None], N), dtype=object),
            "kept": pd.array(rng.choice([True, False, None], N), dtype="boolean"),
            "spare": pd.arrays.SparseArray(np.where(SEVEN > 4, 1.5, 0.0)),
            "text": [f"1,00{k}" for k in K],
            "same": [Decimal("1.5")] * N,
            "none": [None] * N,
        }
    )


@pytest.fixture(scope="module")
def model() -> TableModel:
    return TableModel(time=0.3, random_state=0, columns={"text": "number"}).fit(rich())


def test_types_come_back_from_a_fit_and_from_a_file(model: TableModel, tmp_path: Path) -> None:
    given, drawn = rich(), model.sample(30)
    assert drawn.columns.equals(given.columns)
    assert (drawn.dtypes == given.dtypes).all()
    assert {type(value) for value in drawn["sum"]} == {Decimal} == {type(value) for value in drawn["same"]}
    assert set(drawn["sum"]) <= set(given["sum"])
    assert set(drawn["month"]) <= set(pd.period_range("2024-01", periods=7, freq="M"))
    assert set(drawn["told"]) <= {True, False, None}
    assert {type(value) for value in drawn["text"]} == {str}
    assert drawn["none"].isna().all()
    model.save(tmp_path / "m")
    again = TableModel.load(tmp_path / "m")
    np.testing.assert_array_equal(again.score_samples(given.head(5)), model.score_samples(given.head(5)))
    back = again.sample(5)
    assert (back.drop(columns="bin").dtypes == given.drop(columns="bin").dtypes).all()
    assert back["bin"].cat.categories.tolist() == list(map(str, given["bin"].cat.categories))


SCORED: dict[str, tuple[Callable[[pd.DataFrame], Any], tuple[str, ...]]] = {
    "no rows": (lambda rows: rows.head(0), ("there are no rows",)),
    "a column is gone": (lambda rows: rows.drop(columns="sum"), ("there is no column sum",)),
    "an array": (lambda _: np.zeros((3, 9)), ("9 features, but TableModel is expecting 12",)),
    "a new category": (lambda rows: rows.assign(bin="(9, 10]"), ('column bin holds "(9, 10]" in row 0',)),
    "a new code": (lambda rows: rows.assign(grade=[1, 2, 9, 1, 1]), ("column grade holds 9 in row 2",)),
    "text for numbers": (lambda rows: rows.assign(spare="x"), ('column spare holds "x" in row 0 where numbers were expected',)),
    "text that is no number": (lambda rows: rows.assign(text="x"), ('column text holds "x" in row 0',)),
    "dates for numbers": (lambda rows: rows.assign(spare=rows["zone"]), ("column spare holds times with a time zone where numbers",)),
    "numbers for text": (lambda rows: rows.assign(bin=3), ("column bin holds int64 where text was expected",)),
    "numbers for times": (lambda rows: rows.assign(zone=5), ("column zone holds numbers where times with a time zone",)),
    "times without their zone": (lambda rows: rows.assign(zone=rows["zone"].dt.tz_localize(None)), ("column zone holds times where",)),
    "a time between": (lambda rows: rows.assign(zone=WITH_ZONE), ("column zone holds 2024-01-01 01:00:00+01:00 in row 0",)),
    "other periods": (lambda rows: rows.assign(month=pd.Period("2024", "Y")), ("column month is of the type period[Y-DEC]",)),
    "a number for truth": (lambda rows: rows.assign(kept=2), ("column kept holds 2 in row 0 where true and false",)),
    "a missing cell": (lambda rows: rows.assign(sum=[None, *rows["sum"][1:]]), ("column sum holds a missing cell in row 0",)),
    "all cells of a column missing": (lambda rows: rows.assign(sum=None), ("column sum holds a missing cell in row 0",)),
    "an infinite value": (lambda rows: rows.assign(spare=[0, np.inf, 0, 0, 0]), ("column spare holds inf in row 1",)),
    "a huge integer": (lambda rows: rows.assign(sum=2**60), (f"column sum holds {2**60} in row 0",)),
    "values of several types": (lambda rows: rows.assign(sum=[1, "x", 1, 1, 1]), ("column sum", "'x' in row 1")),
    "complex numbers": (lambda rows: rows.assign(spare=1j), ("column spare holds complex numbers",)),
}


@pytest.mark.parametrize("name", SCORED)
def test_rows_of_another_kind_are_one_sentence(name: str, model: TableModel) -> None:
    make, words = SCORED[name]
    with pytest.raises(SaltusError) as caught:
        model.score_samples(make(rich().head(5)))
    assert_one_sentence(caught.value, *words)


def test_rows_of_the_same_kind_are_scored_however_they_are_held(model: TableModel) -> None:
    rows = rich().head(5)
    scores = model.score_samples(rows)
    others = {
        "more columns": rows.assign(more="x"),
        "in another order": rows[rows.columns[::-1]],
        "without the constants": rows.drop(columns=["same", "none"]),
        "in another unit": rows.assign(zone=rows["zone"].dt.as_unit("s").dt.tz_convert("UTC"), spent=rows["spent"].dt.as_unit("ms")),
        "as other types": rows.assign(grade=rows["grade"].astype("int8"), sum=rows["sum"].astype(float), bin=rows["bin"].astype(str)),
    }
    for held, table in others.items():
        np.testing.assert_array_equal(model.score_samples(table), scores, err_msg=held)
    one = model.score_samples(rows.head(1).assign(told=None, kept=pd.NA))  # missing in all rows, as cells of theirs can be
    assert one.shape == (1,)
    assert np.isfinite(one).all()


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "3", None])
def test_rows_that_cannot_be_counted_are_not_drawn(n: Any, model: TableModel) -> None:
    with pytest.raises(SaltusError) as caught:
        model.sample(n)
    assert_one_sentence(caught.value, f"n was given as {n!r}; expected a whole number from 1 up")
    assert len(model.sample(np.int64(2))) == 2


def test_what_comes_too_early_is_one_sentence_and_writes_nothing(tmp_path: Path) -> None:
    early = TableModel()
    too_early: list[Callable[[], Any]] = [
        early.sample,
        lambda: early.score(rich()),
        lambda: early.score_samples(rich()),
        lambda: early.save(tmp_path / "m"),
    ]
    for call in too_early:
        with pytest.raises(SaltusError) as caught:
            call()
        assert_one_sentence(caught.value, "this model has not been fitted")
    assert not (tmp_path / "m").exists()
    (tmp_path / "a.csv").write_text("a\n1\n")
    for place in (tmp_path, tmp_path / "a.csv", tmp_path / "none", "digits"):
        with pytest.raises(SaltusError) as caught:
            TableModel.load(place)
        assert_one_sentence(caught.value, "were not read from a table" if place == "digits" else "holds no table model")

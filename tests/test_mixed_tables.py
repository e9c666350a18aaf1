"""What figures of `benchmarks/mixed_tables.py` rest on: cells of rounded columns, nats of masses, scores of draws, missing cells."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mixed_tables_cells import Array, Cells, cells_of
from mixed_tables_data import TABLES, Table, bounds, frame, matrix, split
from mixed_tables_densities import Gaussian
from mixed_tables_figures import TWO_SAMPLE, UTILITY, Runs
from mixed_tables_imputation import COVERING, brier, covered, crps, masks
from mixed_tables_metrics import areas, density, planted, privacy, two_sample
from mixed_tables_models import Completed, Model, Saltus, TrainRows
from mixed_tables_report import report
from mixed_tables_run import file_of, keep

RNG = np.random.default_rng(0)


def small(n: int = 400) -> Table:
    """Numbers, tens that follow them, and a class."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    return Table(
        "penguins", pd.DataFrame({"x": x, "tens": 10 * np.rint(5 * x + rng.normal(size=n)), "target": np.where(x > 0, "b", "a")}), "target"
    )


def gappy() -> Table:
    rows = small(300).rows
    rows.loc[::7, "x"] = np.nan
    rows.loc[::5, "target"] = None
    return Table("penguins", rows, "target")


@pytest.mark.parametrize(
    ("values", "step"),
    [
        (np.arange(0, 30, 2.5), 2.5),
        (np.array([0.1, 0.2, 0.5, 0.9, 3.0]), 0.1),
        (((np.arange(900) - 450) / 123.4).astype(np.float32), 1 / 123.4),
        (np.array([0.0, 1.0, 2.5, 6.1]), 0.0),
    ],
    ids=["even", "with gaps", "standardised in single precision", "uneven"],
)
def test_the_step_of_a_grid_is_found(values: Array, step: float) -> None:
    cells = cells_of(np.repeat(values, 2))
    assert cells.rounded
    assert cells.step == pytest.approx(step, rel=1e-4)
    lower, width = cells.bounds(values.astype(np.float64))
    noisy = lower + width * RNG.random(len(values))
    np.testing.assert_allclose(cells.settled(noisy), values, atol=1e-5)  # noise stays in the cell
    if not step:
        np.testing.assert_allclose(lower[1:], (lower + width)[:-1])  # which leave no gap
        np.testing.assert_allclose(width[1:-1], (values[2:] - values[:-2]) / 2)


def test_a_column_of_single_values_is_continuous() -> None:
    cells = cells_of(RNG.normal(size=100))
    assert not cells.rounded
    assert cells.bounds(np.ones(2))[1].tolist() == [0, 0]


def test_rows_become_numbers_and_rows_again() -> None:
    table = small()
    schema, numbers = table.schema, matrix(table.schema, table.rows)
    lower, width = bounds(schema, numbers)
    assert width[0].tolist() == pytest.approx([0, 10, 1])
    pd.testing.assert_frame_equal(frame(schema, lower + width * 0.9, schema.cells), table.rows, check_dtype=False)


def test_tables_without_gaps_come_back_with_them() -> None:
    table = gappy()
    completed = Completed(table.schema, table.rows)
    whole = completed.forward(table.rows)
    assert not whole.isna().any().any()
    assert len(completed.discrete) == 2
    pd.testing.assert_frame_equal(completed.backward(whole), table.rows)


def test_splits_share_no_row_and_change_with_the_seed() -> None:
    table = small()
    parts = split(table, 0)
    assert len(parts.train) == 320
    assert not set(parts.train.x) & set(parts.test.x)
    assert set(split(table, 1).test.x) != set(parts.test.x)


def test_nats_of_a_gaussian_are_those_of_its_distribution() -> None:
    rng = np.random.default_rng(1)
    table = Table("ccpp", pd.DataFrame({"a": 3 * rng.normal(size=4000), "b": rng.normal(size=4000)}), "")
    parts, model = split(table, 0), Gaussian(table.schema)
    model.fit(parts.train, 1.0, 0)
    truth = -1 - math.log(2 * math.pi) - math.log(3)
    found = density(model, parts.test, 0)
    assert abs(found["nats"] - truth) < 4 * found["standard error"]
    assert abs(found["nats"] - math.log(3) - truth) > 4 * found["standard error"]  # without the units


class _Told:
    """A fitted TableModel of known columns: a mass of 1/8 for every cell that is counted."""

    columns_ = ("tens", "x")

    def __init__(self, columns: list[object]) -> None:
        self.model_ = type("Fitted", (), {"encoding": type("Encoding", (), {"columns": columns})})

    def score_samples(self, rows: pd.DataFrame) -> Array:
        from saltus.errors import SaltusError

        if (rows.tens > 90).any():
            raise SaltusError("column tens holds what it never did")
        return np.full(len(rows), math.log(1 / 8)) - rows.x.to_numpy() ** 2


def test_masses_become_densities_by_their_cells_and_refused_rows_are_counted() -> None:
    from saltus.data.columns import NumberColumn
    from saltus.likelihoods import Number

    rows = pd.DataFrame({"tens": [10.0, 20.0, 20.0, 10.0, 100.0, 100.0], "x": [0.5, 1.0, 2.0, 3.0, 4.0, 4.5]})
    model = Saltus(Table("wine", rows, "").schema)
    model.model = _Told([NumberColumn(Number(10, 100, step=10.0)), NumberColumn(Number(0, 9))])  # type: ignore[assignment]
    found = model.log_density(rows, np.stack([np.full(6, 7.0), rows.x + 0.25], axis=1))
    expected = -math.log(8) - (rows.x[:4] + 0.25) ** 2 - math.log(10)
    np.testing.assert_allclose(found[:4], expected)
    assert np.isneginf(found[4:]).all()
    measured = density(model, rows, 0)
    assert (measured["rows"], measured["refused"]) == (4, 2)


def test_scores_of_draws_do_not_depend_on_their_number() -> None:
    rng = np.random.default_rng(2)
    truth, n = rng.normal(size=20000), 20000
    exact = 1 / math.sqrt(math.pi)  # of a normal distribution's draws: E|X - Y| / 2
    for m in (2, 20):
        assert crps(rng.normal(size=(m, n)), truth) == pytest.approx(exact, abs=0.02)
    assert crps(rng.normal(size=(20, n)) + 0.5, truth) > exact + 0.05
    places = rng.integers(4, size=n).astype(np.float64)
    for m in (2, 20):
        assert brier(rng.integers(4, size=(m, n)), places, 4) == pytest.approx(0.75, abs=0.02)
    assert brier(places[None], places, 4) == 0
    assert covered(rng.normal(size=(COVERING, n)), truth) == pytest.approx(0.9, abs=0.01)
    assert covered(0.5 * rng.normal(size=(COVERING, n)), truth) < 0.8


def test_a_fifth_of_the_cells_goes_missing() -> None:
    table = small(4000)
    by_chance = masks(table.schema, table.rows, "at random", 0)
    assert by_chance.mean() == pytest.approx(0.2, abs=4 * math.sqrt(0.16 / by_chance.size))
    by_rule = masks(table.schema, table.rows, "by a rule", 0)
    assert (by_rule.mean(0) == 0).sum() == 1  # of three columns
    assert by_rule.mean(0).max() == pytest.approx(0.2, abs=0.03)
    (stays,) = np.flatnonzero(by_rule.mean(0) == 0)
    numbers = matrix(table.schema, table.rows)[:, stays]
    gone = by_rule.any(1)
    assert numbers[gone].mean() > numbers[~gone].mean()


def test_real_rows_are_not_told_apart_and_copies_are_seen() -> None:
    table = small(1500)
    parts = split(table, 0)
    model = TrainRows(table.schema)
    model.fit(parts.train, 1.0, 0)
    real = two_sample(table.schema, model.sample(len(parts.train)), parts.test, 0)
    assert abs(real["accuracy"] - 0.5) < 4 * math.sqrt(0.25 / (2 * real["rows"]))
    torn = model.sample(len(parts.train)).assign(x=lambda rows: rows.x.sample(frac=1, random_state=0).to_numpy())
    found = two_sample(table.schema, torn, parts.test, 0)
    assert found["accuracy"] > 0.7
    assert found["columns"]["x"] < 0.6  # one column alone says nothing
    assert privacy(table.schema, model.sample(300), parts)["copies"] == 1
    assert privacy(table.schema, parts.test, parts)["copies"] == 0


class _Distance(Model):
    """Rows are strange that are off the line of two columns."""

    def anomaly(self, rows: pd.DataFrame) -> dict[str, Array]:
        return {"score": (rows.tens / 50 - rows.x).abs().to_numpy(), "chance": RNG.random(len(rows))}


def test_planted_anomalies_are_found_by_what_they_break() -> None:
    table = small(2000)
    found = planted(_Distance(table.schema), table.rows, 0)
    assert found["score"] > 0.7
    assert found["chance"] == pytest.approx(0.5, abs=0.05)
    assert areas(_Distance(table.schema), table.rows, table.rows.assign(tens=1e6))["score"] == 1


def record(model: str, table: str, seed: int, **measures: object) -> dict[str, object]:
    return {"table": table, "model": model, "seed": seed, "budget": "60s", "machine": "one", "measures": measures, "fit": {"cpu": 1.0}}


def test_the_page_says_where_saltus_is_behind(tmp_path: Path) -> None:
    kept, page = tmp_path / "kept", tmp_path / "page.md"
    for seed in (0, 1):
        for model, accuracy, r2 in (("saltus", 0.6, 0.7), ("TVAE", 0.55 + 0.02 * seed, 0.5)):
            columns = {"AT": 0.59 if model == "TVAE" else 0.5}
            sample = {"accuracy": accuracy, "columns": columns, "rows": 2000}
            keep(record(model, "ccpp", seed, two_sample=sample, utility={"r2": r2}, privacy={"failed": "it broke"}), kept)
    assert file_of(kept, "ccpp", "TVAE", 0, "60s").is_file()
    runs = Runs(kept, "60s")
    assert runs.mean(TWO_SAMPLE, "TVAE", "ccpp") == pytest.approx(0.56)
    assert runs.mean(UTILITY, "saltus", "wine") is None
    report(kept, page)
    said = page.read_text()
    assert "two-sample accuracy on 0 of 1 tables; utility on 1 of 1 tables" in said
    assert "ccpp: TVAE 0.560 (saltus 0.600)" in said
    assert "0.560 ± 0.014" in said
    assert "| TVAE | ccpp | AT 0.59 |" in said
    assert "| saltus | ccpp | 1 | 60s | privacy | it broke |" in said


def test_every_table_has_a_name_of_its_own() -> None:
    for name in ("wine", "diabetes", "breast_cancer", "breast_cancer_benign"):
        table = TABLES[name](Path())
        assert table.name == name
        assert table.is_numeric
        assert Cells(np.arange(2.0), 1.0, True).rounded
    assert len(TABLES["breast_cancer_benign"](Path()).anomalies) == 212

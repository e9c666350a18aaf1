"""What is planted in synthetic rows is in the figures, and rows of the same distribution have those of real rows."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from saltus.files import to_json
from saltus.studies.quality.measure import Pair, Quality, measured
from saltus.studies.quality.words import as_json, caution, finding, telling, tiles
from tests.helpers.compared import as_compared, cells


def test_rows_of_the_same_distribution_are_not_told_and_are_no_copies(same: Quality) -> None:
    assert telling(same) == []
    told, given_away, copies = finding(same)
    assert "may be chance" in told
    assert given_away == "No column gives them away."
    assert copies == "None of 60 synthetic rows is a copy of a training row; of 60 held-out rows none is."
    assert caution(same) == ""
    assert same.prediction is not None
    assert same.prediction.synthetic.score > 0.5
    assert (same.bound, same.unbounded) == (None, "there is no model")


def test_what_is_planted_is_told(planted: Quality) -> None:
    assert planted.order[0] == 3
    assert telling(planted) == [3]
    told, given_away, copies = finding(planted)
    assert "chance" not in told
    assert given_away.startswith("The column that gives them away alone: day (")
    assert copies.startswith("6 of 60 synthetic rows (10.0%) are copies of training rows;")
    first = planted.pairs[0]
    assert {first.i, first.j} == {0, 1}
    assert first.real > 0.8 > 0.4 > first.synthetic
    assert first.train > 0.8
    assert planted.prediction is not None
    assert planted.prediction.synthetic.score < planted.prediction.real.score - 0.3
    assert [tile.figure for tile in tiles(planted)][1] == "6 of 60"


def test_figures_are_json(planted: Quality) -> None:
    found = json.loads(to_json(as_json(planted)))
    assert found["columns"][0]["name"] == "day"
    assert found["privacy"]["copies"] == 6
    assert found["utility"]["target"] == "count"
    assert found["bound"] == {"refused": "there is no model"}
    assert found["rows"] == {"synthetic": 60, "held_out": 60, "training": 150, "part": "all rows of other.csv"}
    assert len(found["pairs"]) == 10


def test_of_many_columns_those_that_tell_most_are_shown(planted: Quality, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(planted.shown) == len(planted.alone_train) == len(planted.real_pairs) == 5
    monkeypatch.setattr("saltus.studies.quality.measure.MOST_COLUMNS", 2)
    assert planted.shown == planted.order[:2]
    assert {pair.i for pair in planted.pairs} | {pair.j for pair in planted.pairs} == set(planted.shown)


def test_pairs_come_by_what_they_differ_more_than_those_of_training_rows() -> None:
    assert Pair(0, 1, real=0.5, synthetic=0.1, train=0.2).excess == pytest.approx(0.1)
    assert Pair(0, 1, real=0.5, synthetic=0.3, train=0.5).excess == pytest.approx(0.2)
    assert Pair(0, 1, real=0.5, synthetic=0.3, train=math.nan).excess == pytest.approx(0.2)


def test_a_column_that_does_not_vary_is_in_no_pair() -> None:
    rows = as_compared(cells(60, 0)[:, :3], target=0)
    small = replace(rows, columns=rows.columns[:3], held_out=rows.held_out[:, :3].copy(), train=rows.train[:, :3])
    small.held_out[:, 0] = 1
    found = measured(small)
    assert found.prediction is None
    assert "the same in all rows" in found.unpredicted
    assert [{pair.i, pair.j} for pair in found.pairs] == [{1, 2}]

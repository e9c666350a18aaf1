"""Sentences about figures that are given, at the borders between them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from saltus.evaluation.quality import Nearest, Privacy, TwoSample
from saltus.studies.quality.measure import Quality
from saltus.studies.quality.words import caution, finding, number, ratio, telling, tiles
from tests.helpers.compared import as_compared, cells

EQUAL, NONE = TwoSample(0.5, 0.01, 1000, 1, (0.0,) * 5), np.zeros((5, 5))


def quality(**changes: Any) -> Quality:
    """Rows that are not told apart, but for what is changed."""
    near = Nearest(1.0, 0.9, 1.1)
    private = Privacy(0, 0, 0, 1000, 500, 2000, near, near, np.ones(3), np.ones(3), 100)
    made = Quality(
        as_compared(cells(60, 0)),
        EQUAL,
        EQUAL,
        (EQUAL,) * 5,
        (EQUAL,) * 5,
        (np.zeros(5), np.zeros(5)),
        (0, 1, 2, 3, 4),
        NONE,
        NONE,
        NONE,
        (NONE, NONE),
        private,
        None,
        "",
        None,
        "",
    )
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("synthetic", "train", "told"),
    [(0.52, 0.5, False), (0.54, 0.5, True), (0.54, 0.53, False), (0.52, 0.48, False), (0.46, 0.4, False)],
    ids=["within two errors", "beyond", "as training rows", "above a floor below guessing", "below guessing"],
)
def test_rows_are_told_where_they_are_above_training_rows_and_above_guessing(synthetic: float, train: float, told: bool) -> None:
    found = quality(synthetic=replace(EQUAL, accuracy=synthetic), train=replace(EQUAL, accuracy=train))
    assert ("may be chance" not in finding(found)[0]) == told
    assert (finding(found)[1] == "No column gives them away.") != told


def test_columns_are_named_alone_or_together() -> None:
    told = replace(EQUAL, accuracy=0.6)
    alone = (EQUAL, told, EQUAL, replace(EQUAL, accuracy=0.7), replace(EQUAL, accuracy=0.53))
    found = quality(synthetic=told, alone=alone, order=(3, 1, 4, 0, 2))
    assert telling(found) == [3, 1]
    assert finding(found)[1] == "Columns that give them away alone: day (70.0%), count (60.0%)."
    more = quality(synthetic=replace(told, accuracy=0.9, importance=(0.2, 0.0, 0.0, 0.3, 0.05)), alone=alone, order=(3, 1, 4, 0, 2))
    assert finding(more)[1].endswith("count (60.0%); together with others it is most day, size.")
    as_real = quality(synthetic=told, alone=alone, order=(3, 1, 4, 0, 2), alone_train=(told, told, EQUAL, EQUAL, EQUAL))
    assert telling(as_real) == [3]
    together = quality(synthetic=replace(told, importance=(0.0, 0.05, 0.0, 0.03, 0.001)))
    assert finding(together)[1] == "No column gives them away alone; together with others it is most count, day."
    many = quality(synthetic=replace(told, importance=(0.01,) * 5))
    assert finding(many)[1] == "No column gives them away alone; it is how many of them go together."


def test_copies_are_counted_and_many_in_held_out_rows_are_told() -> None:
    private = quality().privacy
    one = quality(privacy=replace(private, copies=1, held_out_copies=1))
    assert finding(one)[2] == "1 of 1,000 synthetic rows (0.1%) is a copy of a training row; of 500 held-out rows 1 is."
    assert caution(one) == ""
    lumps = quality(privacy=replace(private, copies=500, repeated=780))
    assert (
        finding(lumps)[2]
        == "500 of 1,000 synthetic rows (50.0%) are copies of training rows; 39.0% of training rows equal another one too."
    )
    assert caution(quality(privacy=replace(private, held_out_copies=50))) == ""
    assert caution(quality(privacy=replace(private, held_out_copies=51))).startswith("51 of 500 held-out rows")


def test_numbers_have_a_minus_unless_they_are_nothing() -> None:
    assert [number(value) for value in (-0.004, -0.006, 1.234)] == ["0.00", "\N{MINUS SIGN}0.01", "1.23"]


def test_a_ratio_that_is_not_defined_says_so() -> None:
    assert ratio(Nearest(1.0, 0.9, 1.123)) == "1.00 (0.90 to 1.12)"
    nan = float("nan")
    assert "not defined" in ratio(Nearest(nan, nan, nan))
    found = quality(privacy=replace(quality().privacy, median=Nearest(nan, nan, nan)))
    assert tiles(found)[2].figure == "not defined"
    assert cast(str, finding(found)[2])

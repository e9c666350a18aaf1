"""Columns that follow from two others are found where both are needed."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from saltus.data import PairedColumn
from saltus.data.detect import columns_of
from saltus.registry import build, describe

N = 3000
NAMES = {0: list("abc"), 1: [f"to {k}" for k in range(30)]}


def flights(n: int = N, seed: int = 0) -> np.ndarray:
    """Two places, their distance, what a mile of it costs, and seats of their own."""
    rng, fixed = np.random.default_rng(seed), np.random.default_rng(9)
    origin, destination = rng.integers(0, 3, n), np.minimum(rng.geometric(0.15, n) - 1, 29)
    miles = fixed.integers(10, 70, (3, 30))[origin, destination] * 13
    return np.stack([origin, destination, miles, miles // 300, rng.integers(0, 9, n)], 1).astype(np.float64)


def sources_in(rows: np.ndarray, names: dict[int, list[str]] | None = None) -> dict[int, tuple[int, ...]]:
    found = columns_of([rows], rows, categories=names).determined
    return {j: tuple(sorted(column.sources)) for j, column in found.items()}


def test_a_distance_follows_from_both_places() -> None:
    rows = flights()
    encoding = columns_of([rows], rows, categories=NAMES)
    assert {j: column.sources for j, column in encoding.determined.items()} == {2: (1, 0), 3: (1, 0)}  # the destination tells more
    assert encoding.event_shape == (3,)
    np.testing.assert_array_equal(encoding.decode(encoding.encode(rows)), rows)
    drawn = encoding.decode(2 * torch.randn(4000, 3, generator=torch.Generator().manual_seed(0)))
    came = {tuple(row[:2]): tuple(row[2:4]) for row in rows}
    known = [tuple(row[:2]) in came for row in drawn]
    assert 0 < sum(known) < len(drawn)
    assert all(tuple(row[2:4]) == came[tuple(row[:2])] for row, is_known in zip(drawn, known, strict=True) if is_known)
    for row in drawn[~np.array(known)]:  # what came most often with the destination
        values, counts = np.unique(rows[rows[:, 1] == row[1], 2], return_counts=True)
        assert not len(values) or counts[values == row[2]].tolist() == [counts.max()]
    assert (drawn[:, 3] == drawn[:, 2] // 300).all()
    column = encoding.determined[2]
    for cell in np.unique(rows[:, 2]):
        np.testing.assert_array_equal(column.sources_of(cell), np.unique(rows[rows[:, 2] == cell][:, [1, 0]], axis=0))


def test_one_row_that_disagrees_is_enough() -> None:
    rows = flights()
    rows[0, 2] += 1
    assert sources_in(rows, NAMES) == {3: (2,)}  # as before, by the distance


def test_it_is_written_down_and_made_again() -> None:
    rows = flights()
    rows[rows[:, 0] == 2, 3] = np.nan
    encoding = columns_of([rows], rows, categories=NAMES)
    assert isinstance(encoding.determined[3], PairedColumn)
    description, tensors = describe(encoding)
    again = build(json.loads(json.dumps(description)), tensors)
    y = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(again.decode(y), encoding.decode(y))
    fresh = flights(500, 1)
    np.testing.assert_array_equal(again.surprise(fresh), encoding.surprise(fresh))


def test_a_sum_follows_from_its_summands_wherever_it_stands() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 9, N), rng.integers(0, 7, N)
    for columns in ([one, other, one + other], [one + other, one, other], [one, one + other, other]):
        rows = np.stack(columns, 1)
        (target, sources) = next(iter(sources_in(rows).items()))
        assert rows[:, target].max() == 14
        np.testing.assert_array_equal(rows[:, list(sources)].sum(1), rows[:, target])


@pytest.mark.parametrize(("exceptions", "found"), [(0, {2: (0,)}), (3, {})])
def test_a_second_column_does_not_hide_exceptions_by_accident(exceptions: int, found: dict[int, tuple[int, ...]]) -> None:
    """Three rows contradict what the first column says; with the second one, which has nothing to do with it, none is left."""
    rng = np.random.default_rng(0)
    kind, number = rng.integers(0, 5, 600), rng.permutation(600) % 100
    value = kind % 3
    value[:exceptions] = (value[:exceptions] + 1) % 3
    alone = [k for k in range(600) if not ((kind == kind[k]) & (number == number[k]) & (value != value[k])).any()]
    assert len(alone) > 590
    rows = np.stack([kind, number, value, rng.normal(size=600)], 1)[alone]
    assert sources_in(rows) == found


def test_pairs_of_too_many_values_are_not_looked_at() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 200, 40_000), rng.integers(0, 80, 40_000)
    assert 2 in sources_in(np.stack([one, other, (7 * one + other) % 50], 1))
    assert 2 not in sources_in(np.stack([one, np.minimum(other, 60) * 3 + rng.integers(0, 3, 40_000), (7 * one + other) % 50], 1))

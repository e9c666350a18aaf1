"""Columns that follow from others are found where they do, and only there."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saltus.data import Columns, DataSet, ListedColumn, MappedColumn, MissingColumn, NumberColumn
from saltus.data.detect import columns_of
from saltus.data.determined import CHANCE, with_determined
from saltus.likelihoods import Number
from saltus.registry import build, describe
from tests.helpers.checks import STANDARD_ERRORS

N = 2000
CITIES, STATES = 40, 6
KIND = NumberColumn(Number(0, 9, step=1.0))


def places(n: int = N, seed: int = 0) -> tuple[np.ndarray, dict[int, list[str]]]:
    """A time with its hour and minute, a city with its state and its distance, and numbers of their own."""
    rng = np.random.default_rng(seed)
    fixed = np.random.default_rng(9)
    hour, minute, city = rng.integers(5, 23, n), 5 * rng.integers(0, 12, n), rng.integers(0, CITIES, n)
    state, distance = fixed.integers(0, STATES, CITIES), fixed.permutation(CITIES) * 17.25
    columns = [100 * hour + minute, hour, minute, city, state[city], distance[city], rng.normal(size=n)]
    return np.stack(columns, 1).astype(np.float64), {3: [f"city {k}" for k in range(CITIES)], 4: [f"state {k}" for k in range(STATES)]}


def found_in(rows: np.ndarray, categories: dict[int, list[str]] | None = None) -> dict[int, tuple[int, ...]]:
    encoding = columns_of([rows], rows, categories=categories)
    return {j: column.sources for j, column in encoding.determined.items()}


def test_what_follows_is_found_and_written_exactly() -> None:
    rows, categories = places()
    encoding = columns_of([rows], rows, categories=categories)
    assert {j: column.sources for j, column in encoding.determined.items()} == {1: (0,), 2: (0,), 4: (3,), 5: (3,)}
    assert encoding.event_shape == (3,)
    assert encoding.categories[4] == tuple(categories[4])
    assert encoding.summary() == "rows of 7 columns: 1 categorical, 1 continuous, 1 counted, 4 determined"
    np.testing.assert_allclose(encoding.decode(encoding.encode(rows)), rows, rtol=1e-5, atol=1e-5)
    drawn = encoding.decode(2 * torch.randn(4000, 3, generator=torch.Generator().manual_seed(0)))
    known = {tuple(row) for row in rows[:, 3:6]}
    assert {tuple(row) for row in drawn[:, 3:6]} <= known
    np.testing.assert_array_equal(drawn[:, 0], 100 * drawn[:, 1] + drawn[:, 2])  # times that came: minutes are guessed from none
    assert not encoding.disagreeing(drawn).any()


@pytest.mark.parametrize("column", [1, 2, 4, 5])
def test_one_row_that_disagrees_is_enough_for_a_column_to_be_modelled(column: int) -> None:
    rows, categories = places()
    repeated = np.flatnonzero(rows[:, [0 if column < 3 else 3]][:, 0] == rows[0, 0 if column < 3 else 3])
    assert len(repeated) > 1
    rows[0, column] = np.setdiff1d(np.unique(rows[:, column]), rows[0, column])[0]
    assert set(found_in(rows, categories)) == {1, 2, 4, 5} - {column}


def test_chains_end_at_their_root_and_of_equals_the_first_is_kept() -> None:
    """A code for each street, the street, its city and its state."""
    rng, fixed = np.random.default_rng(0), np.random.default_rng(1)
    street = rng.integers(0, 100, N)
    city = fixed.integers(0, 20, 100)
    state = fixed.integers(0, 4, 20)
    rows = np.stack([state[city][street], street, 1000 - street, city[street], rng.integers(0, 5, N)], 1)
    assert found_in(rows) == {0: (1,), 2: (1,), 3: (1,)}
    np.testing.assert_array_equal(columns_of([rows], rows).decode(columns_of([rows], rows).encode(rows)), rows)


def test_a_source_is_listed_where_neighbours_guess_wrong() -> None:
    rows, _ = places()
    hours = columns_of([rows[:, [0, 1, 6]]], rows[:, [0, 1, 6]])
    minutes = columns_of([rows[:, [0, 2, 6]]], rows[:, [0, 2, 6]])
    assert [encoding.columns[0].kind for encoding in (hours, minutes)] == ["counted", "counted"]
    assert not isinstance(hours.columns[0], ListedColumn)
    assert isinstance(minutes.columns[0], ListedColumn)
    assert minutes.columns[0].listed.tolist() == np.unique(rows[:, 0]).tolist()
    rows[rows[:, 0] == rows[0, 0], 0] = np.nan
    found = columns_of([rows[:, [0, 2, 6]]], rows[:, [0, 2, 6]])
    assert isinstance(found.columns[0], MissingColumn)
    assert isinstance(found.columns[0].column, ListedColumn)
    np.testing.assert_allclose(found.decode(found.encode(rows[:, [0, 2, 6]])), rows[:, [0, 2, 6]], rtol=1e-5, atol=1e-5)


def test_missing_is_a_value_like_others() -> None:
    rows, categories = places()
    gone = rows[:, 3] == rows[0, 3]
    rows[gone, 4] = np.nan
    rows[:, 6] = rows[:, 3] % 3
    rows[rows[:, 0] == rows[0, 0], 0] = np.nan  # some times, whose hours differ from each other no more than before
    assert found_in(rows, categories) == {1: (0,), 2: (0,), 4: (3,), 5: (3,), 6: (3,)}
    encoding = columns_of([rows], rows, categories=categories)
    np.testing.assert_array_equal(encoding.decode(encoding.encode(rows)), rows)
    some = np.flatnonzero(gone)[0]
    rows[some, 4] = 2  # the twin: one of these cells is there
    assert 4 not in found_in(rows, categories)


def test_the_numbers_of_a_column_that_is_not_counted_determine_nothing() -> None:
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 50, N)
    rows = np.stack([rng.normal(size=50)[kind] * math.pi + 0 * rng.normal(size=N), kind, rng.normal(size=N)], 1)
    assert found_in(np.stack([rng.normal(size=N), kind, rng.normal(size=N)], 1)) == {}
    assert found_in(rows).keys() <= {0, 1}  # one of the two is kept
    assert len(found_in(rows)) == 1


@pytest.mark.parametrize(("copies", "found"), [(0.3, False), (0.0, False)])
def test_by_copies_of_rows_nothing_follows(copies: float, found: bool) -> None:
    """Ids that come once, but for copies of whole rows; where most rows are of few kinds, copies are as they should be."""
    rng = np.random.default_rng(0)
    rows = np.stack([rng.permutation(N), rng.integers(0, 2, N), rng.integers(0, 9, N)], 1)
    rows = np.concatenate([rows, rows[: int(copies * N)]])
    assert bool(found_in(rows)) == found


def test_of_few_kinds_of_rows_copies_count() -> None:
    city = np.random.default_rng(0).integers(0, 12, N)
    assert found_in(np.stack([city, city % 3], 1)) == {1: (0,)}


def test_ids_that_seldom_repeat_are_no_sources_unless_neighbours_tell() -> None:
    """A customer comes about twice: whose sex no fresh customer's number tells, while it tells the year of the first order."""
    rng = np.random.default_rng(0)
    customers = rng.integers(0, N, N)
    sex, year = rng.integers(0, 2, N)[customers], customers // 250
    assert found_in(np.stack([customers, sex, rng.integers(0, 9, N)], 1)) == {}
    assert found_in(np.stack([customers, year, rng.integers(0, 9, N)], 1)) == {1: (0,)}


def accidents(chance: float, tables: int) -> int:
    """Of small tables whose columns have nothing to do with each other, those in which one is found to follow from another."""
    found = 0
    for seed in range(tables):
        rng = np.random.default_rng(seed)
        rows = np.stack([np.arange(8) // 2, rng.random(8) < 0.5, rng.random(8)], 1)
        kinds = [KIND, KIND, NumberColumn(Number(0, 1))]
        found += any(column.sources for column in with_determined(kinds, [rows], rows, chance=chance))
    return found


def test_accidents_are_as_rare_as_is_said() -> None:
    """Four pairs of rows, and a coin for each row: all pairs agree, two in one way and two in the other, in 2.3% of the tables."""
    tables, chance = 400, 0.5
    limit = chance * tables + STANDARD_ERRORS * math.sqrt(tables * chance * (1 - chance))
    assert 0.01 * tables < accidents(chance, tables) <= limit
    assert accidents(0.05, tables) == accidents(CHANCE, tables) == 0


def test_the_probabilities_of_all_rows_sum_to_one() -> None:
    """Two modelled columns under N(0, 1), and two that follow, of all rows that there can be."""
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 4, N), rng.integers(0, 3, N)
    rows = np.stack([first, second, first // 2, (2 - second) % 2], 1).astype(np.float64)
    names = {0: list("abcd"), 1: list("efg"), 2: list("hij"), 3: list("kl")}
    encoding = columns_of([rows], rows, categories=names)
    assert set(encoding.determined) == {2, 3}
    everything = np.array([*itertools.product(range(4), range(3), range(3), range(2))], dtype=np.float64)
    y = encoding.encode(everything)
    zeros = torch.zeros_like(y).double()
    nats = encoding.log_jacobian(y) - encoding.head().log_prob(y.double(), zeros, torch.ones_like(zeros))
    total = np.exp(-nats.numpy() - encoding.surprise(everything)).sum()
    assert abs(total - 1) < 1e-9
    assert np.exp(-nats.numpy()).sum() > 5.9  # of y alone: each row is counted for all that follow
    by_column = encoding.surprise_by_column(everything)
    assert by_column.shape == everything.shape
    assert not by_column[:, :2].any()
    np.testing.assert_allclose(by_column.sum(1), encoding.surprise(everything))
    assert (by_column[:, 2:] > 1).tolist() == encoding.disagreeing(everything)[:, 2:].tolist()


def test_it_is_written_down_and_made_again() -> None:
    rows, categories = places()
    rows[rows[:, 3] == rows[0, 3], 4] = np.nan
    encoding = columns_of([rows], rows, categories=categories)
    description, tensors = describe(encoding)
    again = build(json.loads(json.dumps(description)), tensors)
    assert isinstance(again, Columns)
    assert again.key == encoding.key
    assert torch.equal(again.encode(rows), encoding.encode(rows))
    y = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(again.decode(y), encoding.decode(y))
    np.testing.assert_array_equal(again.surprise(rows), encoding.surprise(rows))


def test_held_out_rows_that_disagree_are_told_and_cost_nats() -> None:
    rows, categories = places()
    held_out = places(200, 1)[0]
    off = held_out.copy()
    off[7, 4] = (off[7, 4] + 1) % STATES

    def made(test: np.ndarray) -> DataSet:
        parts = [rows, held_out, test]
        one, two, three = (encoding.encode(part) for part in parts)
        return DataSet("the table", encoding, one, two, three)

    encoding = columns_of([rows, held_out], rows, categories=categories)
    assert made(off).fingerprint == made(held_out).fingerprint  # y alone does not tell
    one, other = (DataSet.from_arrays(rows, held_out, test, columns=list("abcdefg")) for test in (held_out, off))
    assert one.notes == (
        "what others determine is not modelled but written from them: b is determined by a, c is determined by a, e is determined by d, "
        "f is determined by d",
    )
    assert other.notes[1:] == ("of the test items 1 of 200 disagree with what determines them, e in row 7 first",)
    assert one.fingerprint != other.fingerprint
    assert one.surprise is not None
    assert other.surprise is not None
    more = other.surprise.test - one.surprise.test
    assert more[7] > math.log(N)
    assert not more[torch.arange(200) != 7].any()
    assert torch.equal(one.surprise.validation, one.surprise.test)
    assert DataSet.from_arrays(rows[:, [0, 3, 6]]).surprise is None


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(-3, 3) | st.sampled_from([0.5, 1e9]), min_size=5, max_size=5),
    st.sampled_from([0.0, math.nan]),
    st.booleans(),
)
def test_rows_come_back_whatever_follows(seed: int, table: Sequence[float], last: float, first: bool) -> None:
    roots = np.random.default_rng(seed).integers(0, 6, (90, 2))
    followers = np.array([*table, last], dtype=np.float64)[roots[:, 0]]
    rows = np.stack([followers, roots[:, 0], roots[:, 1]] if first else [roots[:, 0], roots[:, 1], followers], 1).astype(np.float64)
    encoding = columns_of([rows], rows)
    y = encoding.encode(rows)
    np.testing.assert_allclose(encoding.decode(y), rows, rtol=1e-5, atol=1e-5)
    for j, column in encoding.determined.items():
        sources = rows[:, list(column.sources)]
        np.testing.assert_array_equal(column.written(sources), rows[:, j])
        assert isinstance(column, MappedColumn)
        for cell in np.unique(rows[:, j]):
            came = rows[:, j] == cell if cell == cell else np.isnan(rows[:, j])
            np.testing.assert_array_equal(column.sources_of(cell), np.unique(sources[came]))

"""Columns that others follow from lie on their axis as what follows lies, where other columns go along with that."""

from __future__ import annotations

import numpy as np
import pytest

from saltus.data import CategoryColumn, MissingColumn
from saltus.data.detect import columns_of
from saltus.data.ordering import ordered

N = 4000
NAMES = {0: [f"to {k}" for k in range(40)]}


def table(missing: bool = False) -> np.ndarray:
    """A place, its distance and a time that goes with that; and ten columns that go with another thing that the place tells."""
    rng = np.random.default_rng(0)
    place = rng.integers(0, 40, N)
    distance, other = 10.0 * rng.permutation(40)[place], rng.normal(size=40)[place]
    columns = [place, distance, distance / 7 + rng.normal(0, 2, N), *(other + rng.normal(0, 0.7, (10, N)))]
    rows = np.stack(columns, 1)
    if missing:
        rows[rng.random(N) < 0.1, 0] = np.nan
        rows[np.isnan(rows[:, 0]), 1] = -30
    return rows


@pytest.mark.parametrize("missing", [False, True], ids=["all there", "some missing"])
@pytest.mark.parametrize("weight", [1, 10], ids=["one column", "ten columns"])
def test_places_are_in_the_order_that_tells_most(missing: bool, weight: int) -> None:
    """By their distance where one column goes with the other thing, and not where ten do."""
    rows = table(missing)[:, : 3 + weight]
    encoding = columns_of([rows], rows, categories=NAMES)
    assert set(encoding.determined) == {1}
    column = encoding.columns[0]
    assert isinstance(column, MissingColumn) == missing
    plain = column.column if isinstance(column, MissingColumn) else column
    assert isinstance(plain, CategoryColumn)
    there = ~np.isnan(rows[:, 0])
    distance = np.zeros(40)
    distance[rows[there, 0].astype(int)] = rows[there, 1]
    if weight == 1:
        assert plain.order == np.argsort(distance).tolist()
    else:
        assert plain.order == ordered(rows, NAMES)[0] != np.argsort(distance).tolist()
    np.testing.assert_allclose(encoding.decode(encoding.encode(rows)), rows, rtol=1e-5, atol=1e-5)
    shares = np.bincount(np.argsort(plain.order)[rows[there, 0].astype(int)]) / there.sum()
    np.testing.assert_allclose(plain.number.shares, shares, atol=0.001)

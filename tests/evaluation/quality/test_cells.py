"""Categories of several tables get the same few codes, by how often they come; drawn rows are some of the rows."""

from __future__ import annotations

import numpy as np

from saltus.evaluation.quality import few_categories, some_rows

NAN = np.nan


def test_categories_are_numbered_by_their_frequency_and_rare_ones_are_one() -> None:
    one = np.array([[7.0, 7.0], [7.0, 1.5], [3.0, NAN], [NAN, 2.0]])
    other = np.array([[3.0, 0.0], [7.0, 0.0], [9.0, 0.0], [4.0, 0.0]])
    categorical = np.array([True, False])
    a, b = few_categories([one, other], categorical, 3)
    np.testing.assert_array_equal(a[:, 0], [0, 0, 1, NAN])
    np.testing.assert_array_equal(b[:, 0], [1, 0, 2, 2])
    np.testing.assert_array_equal(a[:, 1], one[:, 1])
    assert one[0, 0] == 7  # what was given is as it was
    whole, _ = few_categories([one, other], categorical)
    assert len(set(whole[~np.isnan(whole[:, 0]), 0])) == 2
    np.testing.assert_array_equal(few_categories([np.array([[NAN], [NAN]])], np.array([True]))[0], [[NAN], [NAN]])


def test_rows_are_drawn_without_replacement_by_their_seed() -> None:
    table = np.arange(20.0).reshape(10, 2)
    found = some_rows(table, 4, seed=3)
    assert len({tuple(row) for row in found}) == 4
    assert {tuple(row) for row in found} <= {tuple(row) for row in table}
    np.testing.assert_array_equal(found, some_rows(table, 4, seed=3))
    assert not np.array_equal(found, some_rows(table, 4, seed=4))
    assert some_rows(table, 10) is table

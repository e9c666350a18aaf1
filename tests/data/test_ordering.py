"""Categories that are alike lie beside each other, whatever their names."""

from __future__ import annotations

import numpy as np

from saltus.data.ordering import ordered


def rows(n: int = 2000) -> np.ndarray:
    """A hidden number, a category by its size under shuffled names, another that follows the first, and noise."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=n)
    first = np.array([3, 0, 4, 1, 2])[np.digitize(hidden, [-1, -0.3, 0.3, 1])].astype(float)
    second = np.array([1, 2, 0])[np.digitize(hidden + 0.3 * rng.normal(size=n), [-0.5, 0.5])].astype(float)
    return np.stack([first, hidden + 0.1 * rng.normal(size=n), second, rng.normal(size=n)], 1)


def test_the_order_is_that_of_what_comes_with_them() -> None:
    found = ordered(rows(), {0: tuple("abcde"), 2: tuple("xyz")})
    assert found[0] in ([3, 0, 4, 1, 2], [2, 1, 4, 0, 3])
    assert found[2] in ([1, 2, 0], [0, 2, 1])
    assert (found[0][0] == 3) == (found[2][0] == 1)  # both along one axis


def test_two_columns_of_categories_alone_are_enough() -> None:
    found = ordered(rows()[:, [0, 2]], {0: tuple("abcde"), 1: tuple("xyz")})
    assert found[0] in ([3, 0, 4, 1, 2], [2, 1, 4, 0, 3])


def test_missing_cells_and_categories_without_rows_are_no_obstacle() -> None:
    cells = rows()
    cells[::7, 0] = np.nan
    cells[::5, 1] = np.nan
    found = ordered(cells, {0: tuple("abcdef"), 2: tuple("xyz")})
    assert found[0][-1] == 5
    assert sorted(found[0]) == list(range(6))
    assert ordered(cells, {}) == {}

"""What users read of rows where columns do not follow from what determines them."""

from __future__ import annotations

import numpy as np

from saltus.data.surprise import disagreement


def test_rows_that_disagree_are_counted_and_the_first_is_named() -> None:
    off = np.zeros((50, 3), dtype=bool)
    assert disagreement(off, ["a", "b", "c"]) == ""
    off[[7, 9], [2, 1]] = True
    assert disagreement(off, ["a", "b", "\x1bc"]) == "2 of 50 disagree with what determines them, \\x1bc in row 7 first"
    assert disagreement(off, [], 10 * np.arange(50)) == "2 of 50 disagree with what determines them, column 2 in row 70 first"

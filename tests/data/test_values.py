"""Numbers on their way back into the types and the values that files have."""

from __future__ import annotations

import numpy as np
import pytest

from saltus.data.values import EXACT, NONE, KnownCells, as_integers, between_steps, nearest


def test_the_last_exact_integer() -> None:
    assert float(EXACT) - 1 != float(EXACT)
    assert float(EXACT) + 1 == float(EXACT)


def test_nearest() -> None:
    values, items = np.array([-1.0, 0.0, 4.0]), np.random.default_rng(0).uniform(-3, 6, (50, 2))
    assert (nearest(values, items) == abs(items[..., None] - values).argmin(-1)).all()


def test_values_between_steps_are_told_from_rounded_ones() -> None:
    rounded = np.round(np.arange(50) * 0.1 - 2, 1).astype(np.float32)
    assert not between_steps(rounded, -2.0, 0.1).any()
    assert between_steps(np.array([0.02, 0.05, 0.3]), 0.0, 0.1).tolist() == [True, True, False]
    day, hour = 86_400 * 10**6, 3_600 * 10**6
    assert between_steps(np.array([0, 5 * day, day + hour, 20_000 * day + 1]), 0.0, day).tolist() == [False, False, True, False]


@pytest.mark.parametrize("name", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_integers_stay_within_their_type(name: str) -> None:
    dtype = np.dtype(name)
    limits, values = np.iinfo(dtype), np.array([-1e30, -0.6, 0.4, 99.5, 1e30])
    back = as_integers(values, dtype).astype(dtype).tolist()
    assert back[0] == limits.min
    assert back[1:4] == [max(-1, limits.min), 0, 100]
    assert limits.max * (1 - 2.0**-52) <= back[4] <= limits.max


def test_known_cells_are_told_from_others_and_from_missing_ones() -> None:
    known = KnownCells([-1.0, 0.5, 4.0, None])
    cells = np.array([4.0, -1.0, 0.5 + 1e-9, 0.501, 3.0, 99.0, np.nan])
    assert known.places(cells).tolist() == [2, 0, 1, NONE, NONE, NONE, 3]
    assert known.nearest(cells).tolist() == [2, 0, 1, 1, 2, 2, 3]
    np.testing.assert_array_equal(known.cells, [-1, 0.5, 4, np.nan])
    assert len(known) == 4
    large = KnownCells([2.0**31, 2.0**31 + 60])
    assert large.places(2.0**31 + np.array([0.0, 0.1, 1.0, 59.0, 60.0])).tolist() == [0, 0, NONE, NONE, 1]
    assert KnownCells([1e-9, 2e-9]).places(np.array([1e-9, 1.5e-9, np.float32(2e-9)])).tolist() == [0, NONE, 1]
    whole = KnownCells([2.0])
    assert whole.places(np.array([2.0, 2.5, np.nan])).tolist() == [0, NONE, NONE]
    assert whole.nearest(np.array([-9.0, np.nan])).tolist() == [0, NONE]
    assert KnownCells([None]).nearest(np.array([1.0, np.nan])).tolist() == [NONE, 0]
    for wrong in ([1.0, 1.0], [2.0, 1.0]):
        with pytest.raises(ValueError, match="do not increase"):
            KnownCells(wrong)

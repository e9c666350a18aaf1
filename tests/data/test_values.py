"""Numbers on their way back into the types and the values that files have."""

from __future__ import annotations

import numpy as np
import pytest

from saltus.data.values import EXACT, as_integers, between_steps, nearest


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

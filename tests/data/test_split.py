"""Splits depend on nothing but the item."""

from __future__ import annotations

import math

import numpy as np
import pytest

from saltus.data.parts import Parts
from saltus.data.split import places, split
from saltus.errors import SaltusError
from tests.helpers.raw import floats, integers


def rows(parts: tuple[np.ndarray, ...]) -> list[set[bytes]]:
    return [{item.tobytes() for item in part} for part in parts]


def test_the_split_does_not_depend_on_order_company_or_copies() -> None:
    raw = floats("vector", 2000)
    parts = rows(split(Parts(raw)))
    shuffled = np.random.default_rng(1).permutation(np.concatenate([raw, raw[:300], floats("vector", 500, seed=9)]))
    for part, larger in zip(parts, rows(split(Parts(shuffled))), strict=True):
        assert part <= larger
    assert sum(map(len, rows(split(Parts(shuffled))))) == 2500  # copies fell together


def test_the_split_is_a_partition_into_about_tenths() -> None:
    raw = integers(20_000, (8,))
    train, validation, test = split(Parts(raw))
    assert len(train) + len(validation) + len(test) == 20_000
    assert not set.intersection(*rows((train, validation))) | set.intersection(*rows((train, test)))
    for part, share in [(train, 0.81), (validation, 0.09), (test, 0.1)]:
        assert abs(len(part) / 20_000 - share) < 5 * math.sqrt(share * (1 - share) / 20_000)


def test_equal_items_of_unequal_bytes_fall_together() -> None:
    raw = floats("vector", 400)
    raw[:, 0] = 0
    negative = raw.copy()
    negative[:, 0] = -0.0
    for part, other in zip(split(Parts(raw)), split(Parts(negative.astype(">f4"))), strict=True):
        np.testing.assert_array_equal(part, other)


def test_parts_that_are_given_are_kept() -> None:
    raw, own = integers(300), integers(7, seed=1)
    train, validation, test = split(Parts(raw, test=own))
    assert test is own
    assert len(train) + len(validation) == 300
    assert 10 < len(validation) < 60
    assert split(Parts(raw, own, own))[0] is raw
    with pytest.raises(SaltusError, match="all items are equal"):
        split(Parts(np.repeat(integers(1), 100, axis=0)))


def test_where_many_rows_are_equal_the_split_goes_by_row_and_says_so() -> None:
    """Parts are of the asked sizes and of one distribution, and the same again."""
    n, chance = 20_000, np.random.default_rng(0)
    raw = np.stack([chance.poisson(1.0, n), chance.integers(0, 2, n)], 1)
    assert "items are copies of others" in places(Parts(raw)).notes[0]
    parts = split(Parts(raw))
    for part, share in zip(parts, (0.81, 0.09, 0.1), strict=True):
        assert abs(len(part) / n - share) < 5 * math.sqrt(share * (1 - share) / n)
        assert abs(part[:, 0].mean() - 1) < 5 / math.sqrt(len(part))
    for one, other in zip(parts, split(Parts(raw)), strict=True):
        np.testing.assert_array_equal(one, other)
    few = floats("vector", 2000)
    assert places(Parts(np.concatenate([few, few[:100]]))).notes == ()

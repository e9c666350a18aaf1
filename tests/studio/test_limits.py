"""Bounds are from 1 up, and what is beyond them is refused in a sentence."""

from __future__ import annotations

import math
from typing import Any

import pytest

from saltus.errors import SaltusError
from saltus.studio.limits import Limits, check_whole, number, whole
from tests.helpers.checks import assert_one_sentence


def test_bounds_are_positive() -> None:
    with pytest.raises(SaltusError) as caught:
        Limits(waiting=0)
    assert_one_sentence(caught.value, "waiting")


@pytest.mark.parametrize("value", [0, 17, 2.0, True, "3", None])
def test_what_is_beyond_a_bound_is_refused(value: Any) -> None:
    Limits().check_items(1)
    Limits().check_items(16)
    with pytest.raises(SaltusError) as caught:
        Limits().check_items(value)
    assert_one_sentence(caught.value, "from 1 to 16")
    check_whole(0, "it", 3, 0)


@pytest.mark.parametrize("value", [None, "3", math.nan, math.inf, True, 2.5])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(SaltusError) as caught:
        whole(value, "the seed")
    assert_one_sentence(caught.value, "the seed", "expected a")
    assert whole(3.0, "it") == number(3, "it") == 3

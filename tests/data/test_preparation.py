"""How items are made alike: what may be asked for, and how a run keeps it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from saltus.data.preparation import AS_GIVEN, Preparation
from saltus.errors import SaltusError
from tests.helpers.checks import assert_one_sentence


@pytest.mark.parametrize(("given", "size"), [(None, None), (32, (32, 32)), ("32", (32, 32)), ("48x32", (48, 32)), ([48, 32], (48, 32))])
def test_sizes(given: Any, size: tuple[int, int] | None) -> None:
    assert Preparation(size=given).size == size


@pytest.mark.parametrize("given", [AS_GIVEN, Preparation(size=(48, 32), crop=True, channels=3, recursive=True, array="data")])
def test_it_survives_json(given: Preparation) -> None:
    assert Preparation.of(json.loads(json.dumps(given.changed))) == given
    assert AS_GIVEN.changed == {}


@pytest.mark.parametrize(
    "given",
    [
        {"size": 0},
        {"size": 10**9},
        {"size": "32x"},
        {"size": "1x2x3"},
        {"size": [1.5j]},
        {"size": True},
        {"channels": 2},
        {"channels": True},
        {"crop": True},
        {"crop": 1, "size": 3},
        {"array": 3},
        {"more": 1},
        [1],
        None,
    ],
)
def test_what_it_is_not_is_told_in_one_sentence(given: Any) -> None:
    with pytest.raises(SaltusError) as caught:
        Preparation.of(given)
    assert_one_sentence(caught.value)

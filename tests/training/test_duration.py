"""Times as people write them."""

from __future__ import annotations

import pytest

from saltus import SaltusError
from saltus.training import Config
from saltus.training.duration import in_seconds, in_words
from tests.helpers.checks import assert_one_sentence


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5 m", 90), ("20min", 1200), ("2h", 7200), (".5H", 1800), ("1d", 86400)]
)
def test_seconds_of_a_text(text: str, seconds: float) -> None:
    assert in_seconds(text) == seconds
    assert Config(time=text).time == seconds


@pytest.mark.parametrize("given", ["soon", "", "-5m", "5 weeks", "1e400", "nan", 0, -1, float("inf"), "99999d"])
def test_what_is_no_time_is_told_in_a_sentence(given: object) -> None:
    with pytest.raises(SaltusError, match="time") as error:
        Config(time=given)
    assert_one_sentence(error)


def test_a_time_and_a_number_of_updates_exclude_each_other() -> None:
    with pytest.raises(SaltusError, match="updates = 7 and time = 60 seconds") as error:
        Config(updates=7, time="1m")
    assert_one_sentence(error)


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 s"), (59.6, "1 min"), (95, "1 min 35 s"), (3600, "60 min")])
def test_words_of_seconds(seconds: float, words: str) -> None:
    assert in_words(seconds) == words

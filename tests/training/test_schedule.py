"""Where a training is by its updates and by the clock, and what follows from that."""

from __future__ import annotations

import math
import time

import pytest

from saltus.data import digits
from saltus.training import VALIDATIONS, Config, Trainer, build_chain
from saltus.training.schedule import ByTime, ByUpdates, Steady, schedule_of


class Clock:
    """A clock that is set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_the_learning_rate_rises_and_falls_along_updates() -> None:
    schedule = ByUpdates(100)
    rates = [schedule.learning_rate(done, warm_up=0.1) for done in range(100)]
    assert rates[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert rates[50] == pytest.approx(0.5)
    assert rates[99] == pytest.approx((1 - math.cos(math.pi / 100)) / 2)


def test_the_clock_gives_the_same_curve_as_updates(clock: Clock) -> None:
    schedule, likewise = ByTime(50.0), ByUpdates(1000)
    for done in range(1, 1000):
        clock.now += 0.05
        schedule.tick()
        assert schedule.share(done) == pytest.approx(likewise.share(done))
        assert schedule.learning_rate(done, 0.1) == pytest.approx(likewise.learning_rate(done, 0.1), abs=0.011)  # one update of the rise
        assert not schedule.over(done)
    clock.now += 0.051
    schedule.tick()
    assert schedule.over(1000)


def test_validations_are_even_and_the_last_comes_at_the_end(clock: Clock) -> None:
    schedule, at = ByTime(10.0), []
    for update in range(1, 1000):
        clock.now += 0.03
        schedule.tick()
        if schedule.validates(update):
            at.append(schedule.seconds)
        if schedule.over(update):
            break
    assert at == pytest.approx([10 * part / VALIDATIONS for part in range(1, VALIDATIONS + 1)], abs=0.03)


def test_a_training_goes_on_after_the_seconds_that_it_has_had(clock: Clock) -> None:
    schedule = ByTime(60.0)
    schedule.resume(45.0)
    clock.now += 5
    schedule.tick()
    assert schedule.seconds == 50
    assert schedule.reached(1234) == "update 1,234, 50 s of 1 min"
    assert not schedule.over(1234)
    late = ByTime(60.0)
    late.resume(61.0)
    assert late.over(7)
    assert not late.over(0)  # at least one update
    assert late.learning_rate(0, 0.05) == 0


def test_a_training_of_a_time_ends_by_the_clock(clock: Clock) -> None:
    data = digits()
    config = Config(time="10s", batch=8, width=8, levels=2, kl_warm_up=0.5, prior="normal")
    trainer, weights = Trainer(build_chain(config, data), data, config), []
    for told in trainer:
        last = told
        clock.now += 1.0
        weights.append(trainer._batch(0).weights["kl"])
    assert last.update == 11  # the clock of the first update stood still
    assert weights == pytest.approx([0, 0.2, 0.4, 0.6, 0.8] + [1.0] * 6)
    assert last.validation.bits_per_dim is not None
    other = Trainer(build_chain(config, data), data, config)
    other.restore(trainer.checkpoint())
    assert other.schedule.seconds == trainer.schedule.seconds == 10
    assert list(other) == []


def test_a_training_of_few_rows_begins_as_a_longer_one() -> None:
    """What cross-validation found at an update holds for a training that ends there; along a half cosine it would not."""
    short, long = (schedule_of(5000, 60.0, last) for last in (30, 900))
    assert isinstance(short, Steady)
    assert [short.learning_rate(done, 0.1) for done in range(30)] == [long.learning_rate(done, 0.1) for done in range(30)]
    assert short.over(30)
    assert not long.over(30)
    assert [done for done in range(1, 31) if short.validates(done)] == [30]
    assert ByUpdates(30).learning_rate(20, 0.1) != ByUpdates(900).learning_rate(20, 0.1)

r"""How far a training is, as a share x of the way from 0 to 1: by its updates, or by the clock.

The learning rate rises along the first part of the way, and falls to 0 along a half cosine:

.. math:: \mathrm{rate}(x) = \mathrm{rate} \cdot \min(x / x_\mathrm{rise}, (1 + \cos \pi x) / 2)

So a training of 20 minutes has the schedule of one of as many updates as fit into 20 minutes, which nobody has to know beforehand.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from saltus.training.duration import in_words

__all__ = ["VALIDATIONS", "ByTime", "ByUpdates", "Schedule", "Steady", "schedule_of"]

VALIDATIONS = 20
"""Of a run, at most, evenly spread over the way."""
_STEADY, _RISE = 0.25, 10  # a rate that stays, as a share of the greatest, and the updates in which it rises: few rows are learned in 20


class Schedule(ABC):
    """Where a training is after `done` updates; the clock is read in `tick` alone.

    Attributes:
        seconds: that the training has run, over all its processes, at the last tick.
    """

    def __init__(self) -> None:
        self.resume(0.0)

    def resume(self, seconds: float) -> None:
        """Go on after so many seconds."""
        self.seconds = self._earlier = seconds
        self._read = time.monotonic()

    def tick(self, agreed: Callable[[float], float] = float) -> None:
        """Read the clock; to be called once after each update, with what makes of the seconds of one process those of all."""
        now, self._earlier = time.monotonic(), self.seconds
        self.seconds, self._read = agreed(self.seconds + now - self._read), now

    @abstractmethod
    def share(self, done: int) -> float:
        """Of the way, from 0 to 1."""

    @abstractmethod
    def reached(self, done: int) -> str:
        """How far that is, in words: "update 30 of 100"."""

    @abstractmethod
    def over(self, done: int) -> bool:
        """Whether no update is left."""

    @abstractmethod
    def validates(self, done: int) -> bool:
        """Whether it is time for figures."""

    def learning_rate(self, done: int, warm_up: float) -> float:
        """Of the next update, as a share of the greatest, where it rises along a share `warm_up` of the way."""
        return min(self._risen(done, warm_up), 0.5 * (1 + math.cos(math.pi * self.share(done))))

    @abstractmethod
    def _risen(self, done: int, warm_up: float) -> float:
        """1 or more once it has risen."""


class ByUpdates(Schedule):
    """So many updates in all."""

    def __init__(self, updates: int) -> None:
        super().__init__()
        self._updates, self._interval = updates, math.ceil(updates / VALIDATIONS)

    def share(self, done: int) -> float:
        return done / self._updates

    def reached(self, done: int) -> str:
        return f"update {done:,} of {self._updates:,}"

    def over(self, done: int) -> bool:
        return done >= self._updates

    def validates(self, done: int) -> bool:
        return done % self._interval == 0 or done == self._updates

    def _risen(self, done: int, warm_up: float) -> float:
        return (done + 1) / max(1, round(warm_up * self._updates))


class Steady(ByUpdates):
    """So many updates at one learning rate, so that fewer of them are the beginning of more; averaged weights do without its fall."""

    def learning_rate(self, done: int, warm_up: float) -> float:
        return _STEADY * min(1.0, (done + 1) / _RISE)

    def validates(self, done: int) -> bool:
        return self.over(done)  # a validation chooses nothing here


class ByTime(Schedule):
    """As many updates as fit into so many seconds, and at least one."""

    def __init__(self, limit: float) -> None:
        super().__init__()
        self._limit = limit

    def share(self, done: int) -> float:
        return min(1.0, self.seconds / self._limit)

    def reached(self, done: int) -> str:
        return f"update {done:,}, {in_words(self.seconds)} of {in_words(self._limit)}"

    def over(self, done: int) -> bool:
        return done > 0 and self.seconds >= self._limit

    def validates(self, done: int) -> bool:
        before, now = (math.floor(seconds / self._limit * VALIDATIONS) for seconds in (self._earlier, self.seconds))
        return now > before or self.over(done)

    def _risen(self, done: int, warm_up: float) -> float:
        return self.share(done) / warm_up if warm_up else 1.0


def schedule_of(updates: int, limit: float | None, last_update: int | None) -> Schedule:
    """That of a training that ends after `last_update`, of a number of seconds, or of a number of updates."""
    if last_update is not None:
        return Steady(last_update)
    return ByUpdates(updates) if limit is None else ByTime(limit)

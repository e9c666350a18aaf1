"""Work on one thing at a time, while others work on other things."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

__all__ = ["Turns"]


class Turns:
    """A lock for each thing that somebody works on or waits for."""

    def __init__(self) -> None:
        self._guard, self._locks, self._waiting = (
            threading.Lock(),
            defaultdict[Hashable, threading.Lock](threading.Lock),
            dict[Hashable, int](),
        )

    @contextmanager
    def of(self, thing: Hashable) -> Iterator[None]:
        """Wait until nobody else works on this."""
        with self._guard:
            lock = self._locks[thing]
            self._waiting[thing] = self._waiting.get(thing, 0) + 1
        try:
            with lock:
                yield
        finally:
            with self._guard:
                self._waiting[thing] -= 1
                if not self._waiting[thing]:
                    del self._waiting[thing], self._locks[thing]

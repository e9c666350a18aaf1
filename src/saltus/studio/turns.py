"""Work on one thing at a time, while others work on other things."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary

__all__ = ["Turns"]


class Turns:
    """A lock for each thing, which is there as long as somebody works on it or waits for it."""

    def __init__(self) -> None:
        self._guard, self._locks = threading.Lock(), WeakValueDictionary[Hashable, threading.Lock]()

    @contextmanager
    def of(self, thing: Hashable) -> Iterator[None]:
        """Wait until nobody else works on this."""
        with self._guard:
            lock = self._locks.setdefault(thing, threading.Lock())
        with lock:
            yield

"""Turns: one at a time on one thing, and nobody waits for another thing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from saltus.studio.turns import Turns


def test_one_at_a_time_works_on_a_thing_and_others_do_not_wait() -> None:
    turns, inside, most = Turns(), 0, 0
    both = threading.Barrier(2, timeout=60)

    def work(_: int) -> None:
        nonlocal inside, most
        with turns.of("a"):
            inside += 1
            most = max(most, inside)
            inside -= 1

    def meet(thing: str) -> None:
        with turns.of(thing):
            both.wait()

    with ThreadPoolExecutor(8) as threads:
        assert [*threads.map(work, range(400))] == [None] * 400
        assert [*threads.map(meet, ["a", "b"])] == [None] * 2
    assert most == 1
    assert not turns._locks

"""What one page may ask of the machine: every job, every upload and every queue has an end."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from saltus.errors import SaltusError

__all__ = ["Limits", "check_whole", "number", "whole"]


@dataclass(frozen=True)
class Limits:
    """Bounds of a studio.

    Attributes:
        at_once: jobs that run at a time.
        waiting: jobs that may wait; more are refused.
        upload_bytes: of one file.
        unpacked_bytes: that an archive or a gzipped table may unpack to.
        files: in an archive.
        items: images of one sampling.
        calls: network calls of one sample.
        models: that are held in memory.
        minutes: that a training may be given.
        seconds: that any other command of the page may take.
        command_bytes: of memory that a command of the page may take, where the system can tell it.
        workspace_bytes: of all that is kept for readers.
        rows: of a table that may be drawn at a time.

    Raises:
        SaltusError: for a bound below 1.
    """

    at_once: int = 2
    waiting: int = 64
    upload_bytes: int = 2**26
    unpacked_bytes: int = 2**28
    files: int = 20_000
    items: int = 16
    calls: int = 64
    models: int = 8
    minutes: int = 30
    seconds: int = 600
    command_bytes: int = 2**33
    workspace_bytes: int = 2**32
    rows: int = 10_000

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise SaltusError(f"{field.name} = {getattr(self, field.name)} was given; expected a bound from 1 up: correct it")

    def check_items(self, n: int) -> None:
        """Raise SaltusError for fewer items than 1, or more than `items`."""
        check_whole(n, "images", self.items)

    def check_calls(self, calls: int) -> None:
        """Raise SaltusError for fewer calls than 1, or more than `calls`."""
        check_whole(calls, "network calls", self.calls)


def check_whole(value: int, what: str, most: int, least: int = 1) -> None:
    """Raise SaltusError unless a whole number lies in a range."""
    if type(value) is not int or not least <= value <= most:
        raise SaltusError(f"{what}: {value!r:.40} was given; expected a whole number from {least:,} to {most:,}: choose another")


def number(value: object, what: str) -> float:
    """What a field of the page holds; raises SaltusError if that is no finite number, as where it was emptied."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise SaltusError(f"{what}: {'nothing' if value is None else f'{value!r:.40}'} was given; expected a number: fill it in")
    return value


def whole(value: object, what: str) -> int:
    """What a field of the page holds; raises SaltusError if that is no whole number."""
    if (found := number(value, what)) != int(found):
        raise SaltusError(f"{what}: {found:g} was given; expected a whole number: correct it")
    return int(found)

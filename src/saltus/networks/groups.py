"""Sizes of networks: how many channels are normalised together, and checks that a size can be made."""

from __future__ import annotations

from collections.abc import Sequence

from saltus.errors import SaltusError

__all__ = ["GROUPS", "MOST_BLOCKS", "MOST_WIDTH", "check_channels", "check_size"]

GROUPS = 8
MOST_BLOCKS, MOST_WIDTH = 1000, 2**20
"""Sizes beyond which a file is damaged, or an option mistyped."""


def check_channels(channels: Sequence[int]) -> None:
    """Raise SaltusError unless there is a multiple of `GROUPS` for each of one or more resolutions."""
    if not channels or any(c < 1 or c % GROUPS for c in channels):
        raise SaltusError(f"channels are {tuple(channels)}; expected multiples of {GROUPS}, one for each resolution")


def check_size(name: str, size: int, most: int) -> None:
    """Raise SaltusError unless a size is from 1 to the most that makes sense."""
    if not isinstance(size, int) or not 1 <= size <= most:
        raise SaltusError(f"{name} is {size!r}; expected a number from 1 to {most}: correct it")

"""How many channels are normalised together, and the check that a network's channels can be."""

from __future__ import annotations

from collections.abc import Sequence

from saltus.errors import SaltusError

__all__ = ["GROUPS", "check_channels"]

GROUPS = 8


def check_channels(channels: Sequence[int]) -> None:
    """Raise SaltusError unless there is a multiple of `GROUPS` for each of one or more resolutions."""
    if not channels or any(c < 1 or c % GROUPS for c in channels):
        raise SaltusError(f"channels are {tuple(channels)}; expected multiples of {GROUPS}, one for each resolution")

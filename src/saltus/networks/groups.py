"""Sizes of networks: how many channels are normalised together, and checks that a size can be made."""

from __future__ import annotations

from collections.abc import Sequence

from saltus.errors import SaltusError

__all__ = ["GROUPS", "MOST_BLOCKS", "MOST_WIDTH", "check_channels", "check_image", "check_shape", "check_size"]

GROUPS = 8
MOST_BLOCKS, MOST_WIDTH = 1000, 2**20
"""Sizes beyond which a file is damaged, or an option mistyped."""

_MOST_AXES, _LONGEST = 4, 2**31  # of an item


def check_shape(event_shape: Sequence[int]) -> None:
    """Raise SaltusError unless it is the shape of an item: a few axes, none without length."""
    if not 1 <= len(event_shape) <= _MOST_AXES or not all(1 <= n < _LONGEST for n in event_shape):
        shown = ", ".join(map(str, event_shape[: 2 * _MOST_AXES]))
        raise SaltusError(f"items have shape ({shown}) and {len(event_shape)} axes; expected 1 to {_MOST_AXES} axes of length 1 or more")


def check_image(event_shape: Sequence[int], what: str) -> None:
    """Raise SaltusError unless it is the shape of an image that a backbone takes; `what` begins the sentence, "a U-Net takes images"."""
    if len(event_shape) != 3 or not 1 <= event_shape[0] <= 4 or min(event_shape[1:]) < 8:
        raise SaltusError(f"items have shape {tuple(event_shape)}; {what} (C, H, W) with 1 to 4 channels, from 8 x 8 up")


def check_channels(channels: Sequence[int]) -> None:
    """Raise SaltusError unless there is a multiple of `GROUPS` for each of one or more resolutions."""
    if not channels or any(c < 1 or c % GROUPS for c in channels):
        raise SaltusError(f"channels are {tuple(channels)}; expected multiples of {GROUPS}, one for each resolution")


def check_size(name: str, size: int, most: int) -> None:
    """Raise SaltusError unless a size is from 1 to the most that makes sense."""
    if not isinstance(size, int) or not 1 <= size <= most:
        raise SaltusError(f"{name} is {size!r}; expected a number from 1 to {most}: correct it")

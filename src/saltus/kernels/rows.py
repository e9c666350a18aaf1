"""What kernels of the rows of a table share: which items they take, and what they are built with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from saltus.errors import SaltusError
from saltus.kernels.setup import Setup
from saltus.likelihoods import ColumnsHead
from saltus.networks import Condition, ImageCondition, Preset

__all__ = ["MOST_WIDTH", "check_rows", "row_options"]

MOST_WIDTH = 2**13
"""Neurons of a layer: the masks of a flow alone are then half a gigabyte."""
_WIDTHS = {Preset.TINY: 128, Preset.SMALL: 256}


def check_rows(event_shape: Sequence[int], variance: float, condition: Condition | None, kernel: str) -> None:
    """Raise for what a kernel of rows does not take; `kernel` begins the sentence, "a flow takes rows".

    Raises:
        SaltusError: for items that are no vectors, or a condition on images.
        ValueError: if the variance is not positive.
    """
    if not 0 < variance < math.inf:
        raise ValueError(f"variance = {variance}; expected a positive number")
    if len(event_shape) != 1:
        raise SaltusError(f"items have shape {tuple(event_shape)}; {kernel} takes rows of a table: take the vae kernel")
    if isinstance(condition, ImageCondition):
        raise SaltusError(f"rows are conditioned on images, and {kernel} takes classes or vectors; take the vae kernel")


def row_options(setup: Setup, takes: str) -> dict[str, Any]:
    """The width, the condition and the numbers of the columns, as a training is configured; `takes` is what the kernel does, for a message.

    Raises:
        SaltusError: for values that are counted otherwise than those of a table's columns.
    """
    numbers = setup.head.numbers if isinstance(setup.head, ColumnsHead) else []
    if setup.head.discrete and not numbers:
        raise SaltusError(f"the items hold counted values on one scale, and {takes}; take the vae kernel")
    width = setup.options["width"] or _WIDTHS[setup.options["preset"]]
    return {"width": width, "condition": setup.condition, "numbers": numbers}

"""Rows of a small table, each of which can be counted: a category, a cell with four values that may be missing, and seventy values."""

from __future__ import annotations

import torch
from torch import Tensor

from saltus.likelihoods import Number, Numbers

__all__ = ["EVERY", "NUMBERS", "rows_of"]

NUMBERS = [
    Number(0, 2, step=1.0, shares=(0.2, 0.5, 0.3)),
    Number(0, 1, step=1.0, shares=(0.4, 0.6)),
    Number(0, 3, step=1.0, mean=1.5, std=1.1, optional=True),
    Number(0, 69, step=1.0, mean=30.0, std=17.0),
]
"""Of the category, whether the cell is there, what it holds, and of a number with a mixture."""

EVERY = torch.tensor(
    [
        [category, there, value, number]
        for category in range(3)
        for there, value in [(0, torch.nan), *((1, value) for value in range(4))]
        for number in range(70)
    ],
    dtype=torch.float64,
)
"""Every row that there is, (1050, 4)."""


def rows_of(x: Tensor) -> Tensor:
    """y of rows of such numbers, (n, 4) float64."""
    return Numbers(NUMBERS).forward(x)

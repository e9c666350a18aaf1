"""Rows of a table of every kind of column, to be compared without a run that made them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from saltus.studies.quality.rows import Column, Compared

CATEGORIES = ("low", "middle", "high")


def cells(n: int, seed: int) -> np.ndarray:
    """A category, a number that goes with it, one that is missing in a fifth of the rows, a day, and yes or no."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    found = np.column_stack(
        [kind, 10 * kind + rng.integers(0, 12, n), rng.normal(size=n), 19_700 + rng.integers(0, 60, n), rng.integers(0, 2, n)]
    )
    found[rng.random(n) < 0.2, 2] = np.nan
    return found


def columns(
    names: Sequence[str] = ("size", "count", "weight", "day", "kept"), categories: Sequence[str] = CATEGORIES
) -> tuple[Column, ...]:
    """The columns of these rows."""
    types = ("text", "int64", "float64", "date32[day]", "bool")
    known = (tuple(categories), (), (), (), ("false", "true"))
    return tuple(Column(*each) for each in zip(names, types, known, strict=True))


def as_compared(synthetic: np.ndarray, *, of: tuple[Column, ...] | None = None, n: int = 60, target: int = 1) -> Compared:
    """Synthetic rows (m, d) beside n held-out and 150 training rows; there is no model, and so no bound."""
    none = cast(Any, None)
    return Compared(
        of or columns(), synthetic, cells(n, 1), cells(150, 2), "all rows of other.csv", none, none, None, "there is no model", None, target
    )


def write_csv(file: Path, rows: np.ndarray, names: Sequence[str] = ("size", "count", "weight", "day", "kept")) -> Path:
    """The rows as a file."""
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(names)
        for kind, count, weight, day, kept in rows:
            date = str(np.datetime64(int(day), "D"))
            writer.writerow([CATEGORIES[int(kind)], int(count), "" if np.isnan(weight) else f"{weight:.4f}", date, str(bool(kept)).lower()])
    return file

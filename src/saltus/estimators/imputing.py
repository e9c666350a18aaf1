"""Missing cells of rows, drawn given all cells that are there: those of columns that follow from others too."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from saltus.chain import Chain, complete, like
from saltus.data import Columns
from saltus.data.layout import Array
from saltus.likelihoods import Within

__all__ = ["imputed"]

_Sets = tuple[tuple[int, tuple[float, ...]], ...]
"""Columns by their places, and the cells that each of them can have."""


def imputed(chain: Chain, encoding: Columns, cells: Array, draws: int, seed: int) -> Array:
    """Rows of which no cell is missing, (n, draws, d) float64; what is there stays as it is.

    Args:
        chain: of the table.
        encoding: its columns.
        cells: (n, d) float64, NaN where missing.
        draws: of each row.
        seed: of the noise.

    Raises:
        SaltusError: for a cell that its column never holds.
    """
    told, sets = _told(encoding, cells)
    device, groups = like(chain), defaultdict(list)
    for row in range(len(cells)):
        groups[sets.get(row, ())].append(row)
    found, first = np.empty((len(cells), draws, cells.shape[1])), 0
    for allowed, rows in groups.items():
        y, known = encoding.partial(told[rows])
        y, known = y.to(device), known.to(device.device)
        drawn = complete(chain, y, known, draws=draws, within=_within(encoding, allowed), seed=seed, first_item=first)
        found[rows] = encoding.decode(drawn.flatten(0, 1)).astype(np.float64).reshape(len(rows), draws, -1)
        first += len(rows)
    found = np.where(np.isnan(told)[:, None], found, told[:, None])
    encoding.write_determined(flat := found.reshape(-1, cells.shape[1]))
    return np.where(np.isnan(cells)[:, None], flat.reshape(found.shape), cells[:, None])


def _told(encoding: Columns, cells: Array) -> tuple[Array, dict[int, _Sets]]:
    """Cells with those that tell what is there, since it follows from them; and of rows where several could, the columns and these."""
    told, several = cells.copy(), dict[int, dict[int, frozenset[float]]]()
    for j, column in reversed(encoding.determined.items()):
        if len(column.sources) > 1:
            continue
        (source,) = column.sources
        rows = np.flatnonzero(np.isnan(told[:, source]) & ~np.isnan(told[:, j]))
        came = {cell: _held(encoding, source, column.sources_of(cell)) for cell in np.unique(told[rows, j]).tolist()}
        for row in rows.tolist():
            own = several.setdefault(row, {})
            found = came[told[row, j]] & own.get(source, came[told[row, j]])
            if len(found) == 1:
                (told[row, source],) = found
            elif found and source not in encoding.determined:
                own[source] = found
    return told, {row: _key(told[row], own) for row, own in several.items()}


def _held(encoding: Columns, source: int, cells: Array) -> frozenset[float]:
    """Those of cells that a column holds."""
    found = (encoding.ends(source, cell, cell) for cell in cells[~np.isnan(cells)].tolist())
    return frozenset(first for first, _ in filter(None, found))


def _key(told: Array, several: dict[int, frozenset[float]]) -> _Sets:
    """The columns of a row that are still missing, with the cells that each can have."""
    return tuple((j, tuple(sorted(cells))) for j, cells in sorted(several.items()) if np.isnan(told[j]))


def _within(encoding: Columns, sets: _Sets) -> dict[int, Within]:
    """Where the numbers of y of such cells are; of what is not counted nothing is told."""
    found = dict[int, Within]()
    for j, cells in sets:
        own = [each for cell in cells if (each := encoding.interval(j, cell, cell))]
        if all(low < high for _, (low, high) in own):
            found[own[0][0]] = [interval for _, interval in own]
    return found

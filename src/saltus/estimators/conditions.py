"""What is asked of new rows, by the names of columns: values, ranges and sets of them, as a chain takes them."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from saltus.data import TEXT, Columns, DeterminedColumn, Expected, as_arrow, type_of
from saltus.data.cells import cells_of
from saltus.data.layout import Array
from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.likelihoods import Within
from saltus.terminal import in_one_line
from saltus.words import listed

__all__ = ["Asked", "asked"]

_SHOWN, _LETTERS = 10, 50  # categories that a message names, letters of a value
_KINDS = {
    "bool": "True or False",
    "date32": "a date such as 2024-01-31",
    "timestamp, zoned": "a time with its zone such as 2024-01-31 12:00:00+01:00",
    "timestamp": "a time such as 2024-01-31 12:00:00",
    "time32": "a time of day such as 12:00:00",
    "time64": "a time of day such as 12:00:00",
    "duration": "a datetime.timedelta",
}


@dataclass(frozen=True, eq=False)
class Asked:
    """Of one row.

    Attributes:
        y, known: y and which of its numbers are known, (1, E).
        within: where others may be.
        encoding: of the table.
        ends: of columns that are modelled, by their places, the first and the last cell of each interval that cells are to be in, (k, 2).
    """

    y: Tensor
    known: Tensor
    within: dict[int, Within]
    encoding: Columns
    ends: dict[int, Array]

    def kept_to(self, cells: Array) -> Array:
        """Cells of rows (n, d), float64, as they were asked for to the last digit: y in float32 has fewer."""
        found = cells.astype(np.float64)
        for j, ends in self.ends.items():
            near = found[:, j, None].clip(ends[:, 0], ends[:, 1])
            nearest = np.abs(near - found[:, j, None]).argmin(1)
            found[:, j] = near[np.arange(len(found)), nearest]
        self.encoding.write_determined(found)
        return found


def asked(encoding: Columns, names: Sequence[str], dtypes: Sequence[str], condition: Mapping[Any, Any]) -> Asked:
    """What a condition asks for.

    Args:
        encoding: of the table.
        names, dtypes: of its columns.
        condition: for a column a value, a pair (low, high) with None for an open end, a list or a set of values, or None for a
            missing cell.

    Raises:
        SaltusError: for an unknown column, a value that the column cannot have, or a range without values.
    """
    if not isinstance(condition, Mapping):
        raise SaltusError(f"a condition was given as a {type(condition).__name__}; expected values by the names of columns: give a dict")
    ends: dict[int, Array] = {}
    for name, value in condition.items():
        if str(name) not in names:
            raise SaltusError(
                f"a condition on {in_one_line(str(name))} was given; expected one on {in_one_line(listed(list(names), _SHOWN))}"
            )
        j = list(names).index(str(name))
        found = _Reader(encoding, j, str(name), dtypes[j]).intervals(value)
        while isinstance(column := encoding.columns[j], DeterminedColumn):
            found = _of_source(encoding, column, found, [in_one_line(name) for name in (names[j], *(names[k] for k in column.sources))])
            (j,) = column.sources
        ends[j] = _both(ends[j], found) if j in ends else found
    if not all(map(len, ends.values())):
        named = in_one_line(listed([*map(str, condition)], _SHOWN))
        raise SaltusError(f"no row can be as it was asked for ({named}); give other conditions")
    return _asked(encoding, names, ends)


def _asked(encoding: Columns, names: Sequence[str], ends: dict[int, Array]) -> Asked:
    """What intervals of the cells of modelled columns ask for."""
    cells, within = np.full((1, len(names)), np.nan), dict[int, Within]()
    for j, own in ends.items():
        if (own == own[0, 0]).all():
            cells[0, j] = own[0, 0]
        elif not np.isnan(own).any():
            found = [interval for each in own.tolist() if (interval := encoding.interval(j, *each))]
            within[found[0][0]] = [interval for _, interval in found]
            if any(low == high for _, (low, high) in found):
                raise SaltusError(f"a list was given for {in_one_line(names[j])}, whose values are not counted; give one, or a range")
    y, known = encoding.partial(cells)
    for j, places in enumerate(encoding.places):
        if j not in ends:
            known[0, list(places)] = False  # not even whether it is there
        elif np.isnan(ends[j]).any():
            y[0, list(places)], known[0, list(places)] = encoding.missing(j, in_one_line(names[j])), True
    return Asked(y, known, within, encoding, {j: own for j, own in ends.items() if not np.isnan(own).any()})


def _of_source(encoding: Columns, column: DeterminedColumn, ends: Array, names: Sequence[str]) -> Array:
    """The intervals of the one column that another one follows from, which go with those of the other; `names` are its own and theirs."""
    if len(column.sources) > 1:
        raise SaltusError(f"a condition on {names[0]} was given, which follows from {listed(names[1:], _SHOWN)}; give conditions on these")
    try:
        came = [column.sources_between(*each) if each[0] < each[1] else column.sources_of(each[0]) for each in ends.tolist()]
    except SaltusError as error:
        raise SaltusError(f"{names[0]}: {error}") from error
    cells = np.unique(np.concatenate(came))
    if not len(cells):
        raise SaltusError(f"what was asked for of {names[0]} never came; give what it holds: {column.describe()}")
    if np.isnan(cells).all():
        return np.full((1, 2), np.nan)
    (source,) = column.sources
    found = [encoding.ends(source, cell, cell) for cell in cells[~np.isnan(cells)].tolist()]
    return np.array(list(filter(None, found))).reshape(-1, 2)


def _both(one: Array, other: Array) -> Array:
    """What intervals (k, 2) and others share; NaN, of a missing cell, only itself."""
    if np.isnan(one).any() or np.isnan(other).any():
        return one if np.isnan(one).any() and np.isnan(other).any() else np.empty((0, 2))
    shared = np.stack([np.maximum.outer(one[:, 0], other[:, 0]), np.minimum.outer(one[:, 1], other[:, 1])], 2).reshape(-1, 2)
    found: Array = shared[shared[:, 0] <= shared[:, 1]]
    return found


class _Reader:
    """Values of one column."""

    def __init__(self, encoding: Columns, j: int, name: str, dtype: str) -> None:
        self.encoding, self.j, self.name, self.dtype = encoding, j, in_one_line(name), dtype
        self.categories = encoding.categories[j]

    def intervals(self, value: Any) -> Array:
        """The first and the last cell of each interval that is asked for, (k, 2), increasing; NaN for a missing cell."""
        if isinstance(value, tuple):
            return np.array([self._range(value)])
        if isinstance(value, np.ndarray) and not value.ndim:
            value = value[()]
        if isinstance(value, Iterable) and not isinstance(value, str | bytes | np.generic):
            return self._set(list(value))
        cell = self._cell(value)
        return np.full((1, 2), np.nan) if math.isnan(cell) else np.array([self._held(cell, cell, f"= {_shown(value)}")])

    def _range(self, value: tuple[Any, ...]) -> tuple[float, float]:
        if len(value) != 2:
            raise SaltusError(f"a range of {len(value)} values was given for {self.name}; expected (low, high), None for an open end")
        low, high = (
            end if not math.isnan(end := self._cell(side)) else open_ for side, open_ in zip(value, (-math.inf, math.inf), strict=True)
        )
        words = [f"{word} {_shown(side)}" for word, side in zip(("from", "to"), value, strict=True) if side is not None]
        return self._held(low, high, " ".join(words))

    def _set(self, values: list[Any]) -> Array:
        cells = [self._cell(value) for value in values]
        if not cells or any(map(math.isnan, cells)):
            what = "an empty list" if not cells else "a list with a missing cell"
            raise SaltusError(f"{what} was given for {self.name}; expected values, or None alone for a missing cell")
        found: Array = np.unique([self._held(cell, cell, f"= {_shown(value)}") for cell, value in zip(cells, values, strict=True)], axis=0)
        return found

    def _held(self, low: float, high: float, words: str) -> tuple[float, float]:
        """The first and the last cell from `low` to `high`, which `words` ask for."""
        try:
            found = self.encoding.ends(self.j, low, high)
        except SaltusError as error:
            raise SaltusError(f"{self.name}: {error}") from error
        if found is None:
            raise SaltusError(f"{self.name} {words} was asked for, and it holds {self._holds()}; give what it holds")
        return found

    def _holds(self) -> str:
        """What the column holds, in words."""
        if self.dtype == TEXT:
            return f"the categories {in_one_line(listed(list(self.categories), _SHOWN))}"
        if "[" in self.dtype and (ends := self.encoding.ends(self.j, -math.inf, math.inf)):
            first, last = as_arrow(np.array(ends), self.dtype).to_pylist()
            return f"{first} to {last}"
        return self.encoding.columns[self.j].describe()

    def _cell(self, value: Any) -> float:
        """A value as a cell, NaN for a missing one."""
        arrow = needs("pyarrow", extra="tables")
        kind = self.dtype.partition("[")[0]
        try:
            if kind in ("time32", "time64") and isinstance(value, str):
                value = datetime.time.fromisoformat(value)
            if isinstance(value, np.datetime64 | np.timedelta64):  # whose units pyarrow knows some of
                value = value.astype(f"{type(value).__name__}[us]").item()
            made = arrow.array([value], from_pandas=True)  # of pandas NaN, NaT and NA are missing
            if made.null_count:
                return math.nan
            if self.dtype == TEXT:
                return float(self.categories.index(str(value)))
            if "[" in self.dtype:
                made = arrow.chunked_array([made.cast(type_of(self.dtype))])
                return float(cells_of([made], self.name, expected=Expected(self.dtype)).parts[0][0])
            with np.errstate(over="ignore"):
                return float(np.dtype(self.dtype).type(float(value))) if kind.startswith("float") else float(value)
        except (arrow.ArrowException, TypeError, ValueError, OverflowError) as error:
            held = self._holds() if self.dtype == TEXT else _KINDS.get(f"{kind}, zoned" if "tz=" in self.dtype else kind, "a number")
            raise SaltusError(f"{self.name} = {_shown(value)} was asked for, and it holds {held}; give such a value") from error


def _shown(value: Any) -> str:
    return in_one_line(str(value)[:_LETTERS])

"""What is asked of new rows, by the names of columns: values, ranges and sets of them, as a chain takes them."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from saltus.data import Columns
from saltus.data.cells import TEXT, as_arrow, cells_of
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
        ends: of columns by their places, the first and the last cell of each interval that cells are to be in, (k, 2).
    """

    y: Tensor
    known: Tensor
    within: dict[int, Within]
    ends: dict[int, Array]

    def kept_to(self, cells: Array) -> Array:
        """Cells of rows (n, d) as they were asked for to the last digit: y in float32 has fewer."""
        for j, ends in self.ends.items():
            near = cells[:, j, None].clip(ends[:, 0], ends[:, 1])
            nearest = np.abs(near - cells[:, j, None]).argmin(1)
            cells[:, j] = near[np.arange(len(cells)), nearest]
        return cells


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
    cells, within, ends = np.full((1, len(names)), np.nan), {}, {}
    free, missing = set(range(len(names))), []
    for name, value in condition.items():
        if str(name) not in names:
            raise SaltusError(
                f"a condition on {in_one_line(str(name))} was given; expected one on {in_one_line(listed(list(names), _SHOWN))}"
            )
        j = list(names).index(str(name))
        read = _Reader(encoding, j, str(name), dtypes[j])
        found = read.intervals(value)
        free.discard(j)
        if found is None:
            missing.append(j)
            continue
        ends[j] = found
        if (found == found[0, 0]).all():
            cells[0, j] = found[0, 0]
        else:
            place, within[place] = read.within(found)
    y, known = encoding.partial(cells)
    for j in free:
        known[0, list(encoding.places[j])] = False  # not even whether it is there
    for j in missing:
        own = list(encoding.places[j])
        y[0, own], known[0, own] = encoding.missing(j, in_one_line(names[j])), True
    return Asked(y, known, within, ends)


class _Reader:
    """Values of one column."""

    def __init__(self, encoding: Columns, j: int, name: str, dtype: str) -> None:
        self.encoding, self.j, self.name, self.dtype = encoding, j, in_one_line(name), dtype
        self.categories = encoding.categories[j]

    def intervals(self, value: Any) -> Array | None:
        """The first and the last cell of each interval that is asked for, (k, 2), increasing; None for a missing cell."""
        if isinstance(value, tuple):
            return np.array([self._range(value)])
        if isinstance(value, np.ndarray) and not value.ndim:
            value = value[()]
        if isinstance(value, Iterable) and not isinstance(value, str | bytes | np.generic):
            return self._set(list(value))
        cell = self._cell(value)
        return None if math.isnan(cell) else np.array([self._held(cell, cell, f"= {_shown(value)}")])

    def within(self, ends: Array) -> tuple[int, Within]:
        """The number of y that says which of such intervals a cell is in, and where it is then."""
        found = [self.encoding.interval(self.j, low, high) for low, high in ends.tolist()]
        return self.encoding.places[self.j][-1], [interval for _, interval in filter(None, found)]

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
        found = np.unique([self._held(cell, cell, f"= {_shown(value)}") for cell, value in zip(cells, values, strict=True)], axis=0)
        _, intervals = self.within(found)
        if len(found) > 1 and any(low == high for low, high in intervals):
            raise SaltusError(f"a list was given for {self.name}, whose values are not counted; give one value, or a range (low, high)")
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
            made = arrow.array(np.asarray([value]) if isinstance(value, np.generic) else [value], from_pandas=True)
            if made.null_count:
                return math.nan
            if self.dtype == TEXT:
                return float(self.categories.index(str(value)))
            if "[" in self.dtype:
                made = made.cast(arrow.type_for_alias(self.dtype))
                return float(cells_of([arrow.chunked_array([made])], self.name, any_values=True).parts[0][0])
            with np.errstate(over="ignore"):
                return float(np.dtype(self.dtype).type(float(value))) if kind.startswith("float") else float(value)
        except (arrow.ArrowException, TypeError, ValueError, OverflowError) as error:
            held = self._holds() if self.dtype == TEXT else _KINDS.get(kind, "a number")
            raise SaltusError(f"{self.name} = {_shown(value)} was asked for, and it holds {held}; give such a value") from error


def _shown(value: Any) -> str:
    return in_one_line(str(value)[:_LETTERS])

"""What is asked of new rows, by the names of columns: values, ranges and sets of them, as a chain takes them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from saltus.data import Columns
from saltus.data.cells import TEXT, cells_of
from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.likelihoods import Within
from saltus.terminal import in_one_line
from saltus.words import in_brief, listed

__all__ = ["Asked", "asked"]

_SHOWN = 10  # categories that a message names


@dataclass(frozen=True, eq=False)
class Asked:
    """Of one row: y and which of its numbers are known, (1, E), and where others may be."""

    y: Tensor
    known: Tensor
    within: dict[int, Within]


def asked(encoding: Columns, names: Sequence[str], dtypes: Sequence[str], condition: Mapping[str, Any]) -> Asked:
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
        raise SaltusError(f"a condition of type {type(condition).__name__} was given; expected values by the names of columns: give a dict")
    cells, fixed = np.full((1, len(names)), np.nan), np.zeros(len(names), dtype=bool)
    within: dict[int, Within] = {}
    for name, value in condition.items():
        if name not in names:
            raise SaltusError(
                f"a condition on {in_one_line(str(name))} was given; expected one on {in_one_line(listed(list(names), _SHOWN))}"
            )
        j = list(names).index(name)
        read = _Reader(encoding, j, name, dtypes[j])
        if isinstance(value, tuple):
            place, interval = read.range(value)
            within[place] = [interval]
        elif isinstance(value, list | set | frozenset | np.ndarray):
            place, intervals = read.set(list(value))
            within[place] = intervals
        else:
            cells[0, j], fixed[j] = read.cell(value), True
    y, known = encoding.partial(cells)
    for missing in np.flatnonzero(fixed & np.isnan(cells[0])).tolist():
        own = list(encoding.places[missing])
        y[0, own], known[0, own] = encoding.missing(missing, names[missing]), True
    return Asked(y, known, within)


class _Reader:
    """Values of one column."""

    def __init__(self, encoding: Columns, j: int, name: str, dtype: str) -> None:
        self.encoding, self.j, self.name, self.dtype = encoding, j, in_one_line(name), dtype
        self.categories = encoding.categories[j]

    def cell(self, value: Any) -> float:
        """A value as a cell, NaN for a missing one."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return math.nan
        if self.dtype == TEXT:
            if str(value) not in self.categories:
                held = in_one_line(listed(list(self.categories), _SHOWN))
                raise SaltusError(
                    f"{self.name} = {in_one_line(str(value))} was asked for, and its categories are {held}; give one of these"
                )
            return float(self.categories.index(str(value)))
        arrow = needs("pyarrow", extra="tables")
        try:
            if "[" in self.dtype:
                made = arrow.array([value]).cast(arrow.type_for_alias(self.dtype))
                return float(cells_of([arrow.chunked_array([made])], self.name, any_values=True).parts[0][0])
            return float(value)
        except (arrow.ArrowException, TypeError, ValueError) as error:
            raise SaltusError(f"{self.name} = {in_brief(error)}: {self.dtype} was expected; give such a value") from error

    def range(self, value: tuple[Any, ...]) -> tuple[int, tuple[float, float]]:
        """The number of a range (low, high), and the interval of y."""
        if len(value) != 2:
            raise SaltusError(f"a range of {len(value)} values was given for {self.name}; expected (low, high), None for an open end")
        low, high = (
            end if not math.isnan(end := self.cell(side)) else open_ for side, open_ in zip(value, (-math.inf, math.inf), strict=True)
        )
        try:
            found = self.encoding.interval(self.j, low, high)
        except SaltusError as error:
            raise SaltusError(f"{self.name}: {error}") from error
        if found is None:
            held = "no such value" if "[" in self.dtype else self.encoding.columns[self.j].describe()  # which has dates as counts
            asked = " to ".join("any" if side is None else in_one_line(str(side)) for side in value)
            raise SaltusError(f"{self.name} from {asked} was asked for, and it holds {held}; give a range with values of it")
        return found

    def set(self, values: list[Any]) -> tuple[int, Within]:
        """The number of a set of values, and the intervals of y that these own."""
        if not values:
            raise SaltusError(f"an empty list was given for {self.name}; expected values, or leave it out")
        found = [self.encoding.owned(self.j, self.cell(value), self.name) for value in dict.fromkeys(values)]
        return found[0][0], sorted(interval for _, interval in found)

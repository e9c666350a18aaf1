"""What is asked of new rows, by the names of columns: values, ranges and sets of them, as a chain takes them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from saltus.data import Columns, DeterminedColumn
from saltus.data.cells import TEXT, cells_of
from saltus.data.layout import Array
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
    wanted: list[tuple[int, float]] = []
    within: dict[int, Within] = {}
    for name, value in condition.items():
        if name not in names:
            raise SaltusError(
                f"a condition on {in_one_line(str(name))} was given; expected one on {in_one_line(listed(list(names), _SHOWN))}"
            )
        j = list(names).index(name)
        read = _Reader(encoding, j, name, dtypes[j])
        if isinstance(encoding.columns[j], DeterminedColumn):
            source, came = read.sources(value, names)
            if len(came) == 1:
                wanted.append((source, float(came[0])))
                continue
            place, intervals = read.owned(source, came)
        elif isinstance(value, tuple):
            place, intervals = read.range(value)
        elif isinstance(value, list | set | frozenset | np.ndarray):
            place, intervals = read.set(list(value))
        else:
            wanted.append((j, read.cell(value)))
            continue
        within[place] = _both(within[place], intervals) if place in within else intervals
    cells, unmet = np.full((1, len(names)), np.nan), len(dict(wanted)) < len(set(wanted))  # two values of one column
    cells[0, [j for j, _ in wanted]] = [cell for _, cell in wanted]
    y, known = encoding.partial(cells)
    for missing in (j for j, cell in wanted if math.isnan(cell)):
        own = list(encoding.places[missing])
        y[0, own], known[0, own] = encoding.missing(missing, names[missing]), True
    for place, intervals in within.items():
        unmet |= not intervals or (bool(known[0, place]) and not any(low <= float(y[0, place]) <= high for low, high in intervals))
    if unmet:
        raise SaltusError(f"no row can be as it was asked for ({in_one_line(listed(list(condition), _SHOWN))}); give other conditions")
    return Asked(y, known, {place: intervals for place, intervals in within.items() if not known[0, place]})


def _both(one: Within, other: Within) -> Within:
    """What two lists of intervals share."""
    shared = ((max(a, c), min(b, d)) for a, b in one for c, d in other)
    return [(low, high) for low, high in shared if low < high]


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

    def range(self, value: tuple[Any, ...]) -> tuple[int, Within]:
        """The number of a range (low, high), and the interval of y."""
        low, high = self.ends(value)
        with self._named():
            found = self.encoding.interval(self.j, low, high)
        if found is None:
            held = self.encoding.columns[self.j].describe()
            raise SaltusError(f"{self.name} from {low:g} to {high:g} was asked for, and it holds {held}; give a range with values of it")
        return found[0], [found[1]]

    def ends(self, value: tuple[Any, ...]) -> tuple[float, float]:
        """Of a range; infinite where it is open."""
        if len(value) != 2:
            raise SaltusError(f"a range of {len(value)} values was given for {self.name}; expected (low, high), None for an open end")
        low, high = (self.cell(side) for side in value)
        return -math.inf if math.isnan(low) else low, math.inf if math.isnan(high) else high

    def set(self, values: list[Any]) -> tuple[int, Within]:
        """The number of a set of values, and the intervals of y that these own."""
        if not values:
            raise SaltusError(f"an empty list was given for {self.name}; expected values, or leave it out")
        return self.owned(self.j, np.unique([self.cell(value) for value in values]))

    def sources(self, value: Any, names: Sequence[str]) -> tuple[int, Array]:
        """The column that this one follows from, and the cells of it that came with what is asked for."""
        column = self.encoding.columns[self.j]
        assert isinstance(column, DeterminedColumn)
        if len(column.sources) > 1:
            given = listed([names[source] for source in column.sources], _SHOWN)
            raise SaltusError(f"a condition on {self.name} was given, which follows from {in_one_line(given)}; give conditions on these")
        if isinstance(value, tuple):
            with self._named():
                found = column.sources_between(*self.ends(value))
        else:
            several = list(value) if isinstance(value, list | set | frozenset | np.ndarray) else [value]
            found = np.concatenate([np.empty(0), *(column.sources_of(self.cell(each)) for each in several)])
        if not len(found):
            asked_for = in_one_line(str(value))
            raise SaltusError(f"{self.name} = {asked_for} was asked for, and it never came; give what it holds: {column.describe()}")
        return column.sources[0], np.unique(found)

    def owned(self, source: int, cells: Array) -> tuple[int, Within]:
        """The number of several cells of a column, and the intervals of y that these own."""
        found = [self.encoding.owned(source, float(cell), self.name) for cell in cells[~np.isnan(cells)]]
        return found[0][0], sorted(interval for _, interval in found)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """What a column says of what is asked, with its name."""
        try:
            yield
        except SaltusError as error:
            raise SaltusError(f"{self.name}: {error}") from error

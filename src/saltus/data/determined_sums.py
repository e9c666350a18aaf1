r"""Columns of numbers that are weighted sums of others: a total, a yearly and a monthly amount, another unit.

.. math::
    b = \operatorname{round}\Bigl(c_0 + \sum_i c_i a_i\Bigr)

in all training rows, with at most three summands, whose weights are fractions of small numbers or have six digits.  Least squares on a few
rows tell whether a column is a sum of all others at all; those that are not needed are dropped one by one, and all rows are asked.
A sum of plain summands comes before differences, which would have draws below zero, and of columns that are equal in this the last follows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from saltus.data.category_columns import CategoryColumn, CodeColumn
from saltus.data.coded import CodedRows
from saltus.data.columns import Column, MissingColumn
from saltus.data.determined_columns import DeterminedColumn
from saltus.data.layout import Array
from saltus.errors import SaltusError

__all__ = ["Sum", "SummedColumn", "chosen_sums"]

_MOST = 3  # summands
_ROWS = 1000  # looked at first
_DIGITS = 6  # decimal places that are looked for, and digits of a weight
_DENOMINATOR = 120
_WEIGHTS = math.log(1e6)  # nats that choosing a weight takes from what speaks against an accident
_HALF, _NEAR = 0.5, 0.25  # of the last decimal place: what rounding takes, and less than another value
_PRECISION = {"float16": 1e-2, "float32": 1e-6}
"""Of numbers of a type, relative to the summands."""
_EXACT = 1e-11  # the same of others


class SummedColumn(DeterminedColumn):
    """A column of numbers that is a weighted sum of others.

    Args:
        column: its kind, as it would be on its own.
        sources: the places of the summands.
        weights: of each of them.
        constant: c_0.
        digits: decimal places that it is rounded to; None for all.
        precision: of what is not rounded, relative to the summands.
        others: m, its cells besides the one that agrees.
        repeats: r, training rows that agree beyond those that tell the weights.

    Raises:
        ValueError: if there is no weight for each source, no source, or no other cells.
    """

    def __init__(
        self,
        column: Column,
        sources: Sequence[int],
        weights: Sequence[float],
        constant: float,
        digits: int | None,
        precision: float,
        others: int,
        repeats: int,
    ) -> None:
        if not sources or len(sources) != len(weights) or others < 1 or repeats < 0:
            raise ValueError(f"{len(sources)} sources and {len(weights)} weights; expected a weight for each source, at least one")
        self.column, self.sources = column, tuple(sources)
        self._sum, self._others, self._repeats = Sum(tuple(sources), tuple(weights), constant, digits, precision), others, repeats

    def said(self, names: Sequence[str]) -> str:
        found = self._sum
        terms = [_term(weight, names[j]) for weight, j in zip(found.weights, found.sources, strict=True)]
        words = " ".join(terms) + (f" {_signed(found.constant)}" if found.constant else "")
        return f"by {words.removeprefix('+ ')}"

    def written(self, sources: Array) -> Array:
        return self._sum.of(sources)

    def agrees(self, cells: Array, sources: Array) -> Array:
        return self._sum.agrees(cells, sources)

    def known(self, sources: Array) -> Array:
        return np.ones(len(sources), dtype=bool)

    def surprise(self, cells: Array, sources: Array) -> Array:
        chance = 1 / (self._repeats + 2)
        found: Array = -np.log(np.where(self.agrees(cells, sources), 1 - chance, chance / self._others))
        return found

    def sources_of(self, cell: float) -> Array:
        """Of one source its cell, (1,); of several, which cannot be told, none: (0, s)."""
        if len(self.sources) > 1:
            return np.empty((0, len(self.sources)))
        return np.array([(cell - self._sum.constant) / self._sum.weights[0]])

    def sources_between(self, low: float, high: float) -> Array:
        raise SaltusError("a range was given for a column that is a multiple of another; give the range of that one")


@dataclass(frozen=True)
class Sum:
    """A weighted sum of columns; the attributes are the arguments of `SummedColumn`."""

    sources: tuple[int, ...]
    weights: tuple[float, ...]
    constant: float
    digits: int | None
    precision: float

    def of(self, cells: Array) -> Array:
        """Of cells of the sources (n, s)."""
        parts = [cells[:, k] * top / bottom for k, (top, bottom) in enumerate(map(_ratio, self.weights))]
        found: Array = np.sum(parts, axis=0) + self.constant
        return found if self.digits is None else np.round(found, self.digits)

    def agrees(self, cells: Array, sources: Array) -> Array:
        """Which cells (n,) it is, of cells of the sources (n, s)."""
        size = np.abs(sources) @ np.abs(self.weights) + abs(self.constant)
        near = 0.0 if self.digits is None else _NEAR * 10.0**-self.digits
        found: Array = np.abs(self.of(sources) - cells) <= near + self.precision * size
        return found


def chosen_sums(table: CodedRows, columns: Sequence[int], needed: float) -> dict[int, Sum]:
    """For each of some columns that is a sum of others the sum, none of whose summands is one.

    Args:
        table: the training rows.
        columns: those that do not follow from one other by a table.
        needed: nats against an accident.
    """
    numbers = [j for j in columns if not isinstance(table.columns[j], CategoryColumn | CodeColumn | MissingColumn)]
    some = table.train[np.random.default_rng(0).permutation(len(table.train))[:_ROWS]].astype(np.float64)
    numbers = [j for j in numbers if some[:, j].min() < some[:, j].max()]
    found = []
    for target in numbers:
        others = [j for j in numbers if j != target]
        if others and (made := _sum_of(table, some, target, others, needed)):
            negative = len(made.sources) > 1 and min(made.weights) < 0
            found.append(((len(made.sources), negative, -target), made))
    chosen: dict[int, Sum] = {}
    used: set[int] = set()
    for (*_, minus), made in sorted(found, key=lambda each: each[0]):
        if -minus not in used and not chosen.keys() & set(made.sources):
            chosen[-minus] = made
            used |= set(made.sources)
    return chosen


def _sum_of(table: CodedRows, some: Array, target: int, others: list[int], needed: float) -> Sum | None:
    digits = next((d for d in range(_DIGITS + 1) if _rounded(some[:, target], d)), None)
    precision = _PRECISION.get(table.train.dtype.name, _EXACT)
    left, fit = others, _Fit.of(some, target, others, digits, precision)
    if not fit.exact:
        return None
    for j in sorted(others, key=lambda j: fit.share[others.index(j)]):
        fewer = [k for k in left if k != j]
        if fewer and (without := _Fit.of(some, target, fewer, digits, precision)).exact:
            left, fit = fewer, without
    if len(left) > _MOST:
        return None
    cells, sources = (table.train[:, each].astype(np.float64) for each in (target, left))
    n = len(table.different)
    most = np.unique(cells[table.different], return_counts=True)[1].max()
    if (n - len(left) - 1) * math.log((most + 1) / (n + 1)) > -needed - (len(left) + 1) * _WEIGHTS:
        return None
    for weights, constant in _plain(fit, some[:, target], some[:, left]):
        made = Sum(tuple(left), weights, constant, digits, precision)
        if made.agrees(cells[:_ROWS], sources[:_ROWS]).all() and made.agrees(cells, sources).all():
            return made
    return None


@dataclass(frozen=True, eq=False)
class _Fit:
    """Least squares: weights, how much of the target's deviation each makes, and whether what is left is rounding."""

    weights: Array
    share: Array
    exact: bool

    @classmethod
    def of(cls, rows: Array, target: int, sources: list[int], digits: int | None, precision: float) -> _Fit:
        x, b = rows[:, sources] - rows[:, sources].mean(0), rows[:, target] - rows[:, target].mean()
        spread = x.std(0)
        scaled = np.linalg.lstsq(x / spread, b, rcond=None)[0]
        rounding = 0.0 if digits is None else _HALF * 10.0**-digits
        limit = 2 * rounding + precision * (np.abs(rows[:, sources]) @ np.abs(scaled / spread) + np.abs(rows[:, target]))
        return cls(scaled / spread, np.abs(scaled), bool((np.abs(x / spread @ scaled - b) <= limit).all()))


def _plain(fit: _Fit, cells: Array, sources: Array) -> Iterator[tuple[tuple[float, ...], float]]:
    """Weights and a constant that are near those of a fit: fractions, and numbers of a few digits."""
    for rounded in (_fraction, _decimal):
        weights = tuple(rounded(weight) for weight in fit.weights.tolist())
        if all(weights):
            rest = cells - sources @ np.array(weights)
            yield weights, 0.0
            yield weights, rounded(float((rest.min() + rest.max()) / 2))
            yield weights, rounded(float(np.median(rest)))


def _ratio(weight: float) -> tuple[float, int]:
    """A weight as a quotient: a twelfth is divided by 12, as the data are, which rounds otherwise than a product."""
    fraction = Fraction(weight).limit_denominator(_DENOMINATOR)
    return (fraction.numerator, fraction.denominator) if float(fraction) == weight else (weight, 1)


def _fraction(number: float) -> float:
    return float(Fraction(number).limit_denominator(_DENOMINATOR))


def _decimal(number: float) -> float:
    return float(f"{number:.{_DIGITS}g}")


def _rounded(cells: Array, digits: int) -> bool:
    return bool((np.round(cells, digits) == cells).all())


def _term(weight: float, name: str) -> str:
    return f"{'-' if weight < 0 else '+'} {name if abs(weight) == 1 else f'{_number(abs(weight))} {name}'}"


def _signed(number: float) -> str:
    return f"{'-' if number < 0 else '+'} {_number(abs(number))}"


def _number(number: float) -> str:
    short, fraction = f"{number:g}", str(Fraction(number).limit_denominator(_DENOMINATOR))
    return short if float(short) == number and len(short) <= len(fraction) else fraction if _fraction(number) == number else short

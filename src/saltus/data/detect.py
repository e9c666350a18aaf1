"""Which kind each column of a table is, from its values.

| the values of a column | become |
|---|---|
| places in a list of categories, or codes said to be categories | categorical, similar ones beside each other; ordinal if ordered |
| one value | counted, and always that |
| at most 1,024, nearly all of them repeated, where more than half of the places between them never occur | `ListedColumn` |
| whole numbers, in whatever type; decimals or evenly spaced values, if half of the rows share theirs with another | counted, in steps |
| others | continuous |

Counted values whose shares an even axis cannot tell are placed by these (`saltus.data.shares`).  Where cells are missing, one more
number tells so.  Counted and continuous axes are bent where tails are long (`saltus.data.bending`).
A value that comes far more often than a Gaussian would let it gets room of its own.  What a user says of a column, its step and its range,
is taken as it is (`saltus.data.declared`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from saltus.data.bending import bend
from saltus.data.category_columns import CategoryColumn, CodeColumn, OrdinalColumn
from saltus.data.columns import Column, ListedColumn, MissingColumn, NumberColumn, StepColumn
from saltus.data.declared import Declared
from saltus.data.determined import with_determined
from saltus.data.layout import Array
from saltus.data.ordering import ordered
from saltus.data.shares import gain_of_shares, shared
from saltus.data.table import Columns
from saltus.data.values import EXACT, nearest
from saltus.errors import SaltusError
from saltus.likelihoods import GaussianHead, Number, Numbers

__all__ = ["MOST_COLUMNS", "check_width", "columns_of"]

MOST_COLUMNS = 10_000  # whose axes take minutes to find
_MOST_LISTED = 1024
_RARE, _RARE_ROWS = 5, 0.05  # values that come less often than this many times, and the share of rows that may have one in a list
_DIGITS = 6  # decimal places that are looked for
_EVEN = 0.01  # of a step: how far off a multiple rounding may move a value
_ROUNDING, _CLOSE = 8.0, 1e-6  # how many times it may happen, as where values were standardised; and what is always forgiven, of a step
_MOST_PLACES = 2**16  # of evenly spaced values that are no decimals: rounding hides more
_SPIKE, _SPIKE_ROWS = 0.05, 10  # the share and the number of rows of a value with room of its own
_OFTEN = 4.0  # times as often as a Gaussian would let it
_MOST_ATOMS = 8
_MOST_PLACED = 2**14  # evenly spaced values whose shares are kept
_GAIN = 0.01  # nats a row that shares must save


def check_width(d: int) -> None:
    """Raise SaltusError for more columns than are looked at."""
    if d > MOST_COLUMNS:
        raise SaltusError(f"the table has {d:,} columns; expected at most {MOST_COLUMNS:,}: leave out those that tell least")


def columns_of(
    parts: Sequence[Array],
    train: Array,
    names: Sequence[str] = (),
    categories: Mapping[int, Sequence[str]] | None = None,
    declared: Mapping[int, Declared] | None = None,
) -> Columns:
    """The encoding of a table.

    Args:
        parts: all rows, (n, d) each: they tell which values there are, and their range.
        train: the rows to train on, which alone set axes.
        names: of columns, for messages.
        categories: of the columns whose cells are places in these lists.
        declared: what is said of columns, in the units of their cells.

    Raises:
        SaltusError: if the values of a column are too huge to be standardised.
    """
    check_width(train.shape[1])
    columns, categories, declared = [], categories or {}, declared or {}
    codes = {j: np.sort(said.order).astype(np.float64) for j, said in declared.items() if said.categorical and j not in categories}
    orders = _orders(train, categories, codes, declared)
    for j in range(train.shape[1]):
        said = declared.get(j)
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # Number refuses what is not finite
                cells = np.concatenate([part[:, j] for part in parts])
                there, learned = cells[~np.isnan(cells)] if cells.dtype.kind == "f" else cells, train[:, j].astype(np.float64)
                whole, present = len(there) == len(cells), learned[~np.isnan(learned)]
                if j in categories:
                    made: Column = _categorical(categories[j], orders[j], present, ordinal=said is not None and said.kind == "ordinal")
                elif j in codes:
                    made = _coded(codes[j], orders[j], present, ordinal=said is not None and said.kind == "ordinal")
                else:
                    made = _column(there, present, said or Declared("number"))
                columns.append(made if whole else _with_missing(made, learned))
        except (ValueError, OverflowError) as error:
            name = names[j] if names else j
            raise SaltusError(f"the values of column {name} are too huge for a standard deviation; drop or rescale what is huge") from error
    fixed = [j for j, said in declared.items() if (said.step, said.low, said.high) != (None, None, None)]
    return Columns(with_determined(columns, parts, train, fixed), train.dtype.name)


def _orders(
    train: Array, categories: Mapping[int, Sequence[str]], codes: Mapping[int, Array], declared: Mapping[int, Declared]
) -> dict[int, list[int]]:
    """The places of categories along their axes, by column: as they are given, or similar ones beside each other."""
    lists = {**categories, **{j: list(map(str, values)) for j, values in codes.items()}}
    given = {j: said.order for j, said in declared.items() if said.kind == "ordinal"}
    if len(given) == len(lists):
        found = {}
    elif codes:
        as_places = train.astype(np.float64)
        for j, values in codes.items():
            there = ~np.isnan(as_places[:, j])
            as_places[there, j] = np.searchsorted(values, as_places[there, j])
        found = ordered(as_places, lists)
    else:
        found = ordered(train, lists)
    for j, order in given.items():
        found[j] = list(range(len(order))) if j in categories else np.argsort(np.argsort(order)).tolist()
    return found


def _with_missing(column: Column, train: Array) -> MissingColumn:
    """A column some of whose cells are missing."""
    there = shared(2, (~np.isnan(train)).astype(np.int64))
    for number in column.axes:
        number.optional = True
    return MissingColumn(column, there)


def _categorical(categories: Sequence[str], order: Sequence[int], train: Array, *, ordinal: bool) -> CategoryColumn:
    number = shared(len(categories), np.argsort(order)[train.astype(np.int64)])
    return (OrdinalColumn if ordinal else CategoryColumn)(categories, order, number)


def _coded(codes: Array, order: Sequence[int], train: Array, *, ordinal: bool) -> CodeColumn:
    number = shared(len(codes), np.argsort(order)[np.searchsorted(codes, train)])
    return CodeColumn(codes.tolist(), order, number, ordinal=ordinal)


def _column(everything: Array, train: Array, said: Declared) -> Column:
    values, counts = np.unique(everything, return_counts=True)
    eps = float(np.finfo(everything.dtype).eps) if everything.dtype.kind == "f" else 0.0
    values = values.astype(np.float64)
    for end in (said.low, said.high):
        if end is not None and end not in values:  # a value that may come
            place = int(np.searchsorted(values, end))
            values, counts = np.insert(values, place, end), np.insert(counts, place, 0)
    low, high = float(values[0]), float(values[-1])
    if said.step is not None:
        step, digits = said.step, _digits_of(said.step, low)
    else:
        step, digits = (1.0, None) if len(values) == 1 else _steps(values, counts, eps)
    rare = counts[counts < _RARE].sum() <= _RARE_ROWS * counts.sum()
    places = (high - low) / step + 1 if step else math.inf
    if said.step is None and len(values) <= _MOST_LISTED and rare and places > 2 * len(values):
        return ListedColumn(values.tolist(), shared(len(values), nearest(values, train)))
    number, came = _number(low, high, step, train), values.tolist() if step and digits is None and len(values) <= _MOST_PLACED else []
    if 1 < places <= _MOST_PLACED:
        found = np.rint((train - low) / step).astype(np.int64)
        if gain_of_shares(number, round(places), found) >= _GAIN:
            return StepColumn(low, step, shared(round(places), found, smooth=True), digits, came)
    return NumberColumn(number, digits, came)


def _digits_of(step: float, low: float) -> int | None:
    """The decimal places of the multiples of a step that is given; None where they have no end."""
    if not step:
        return None
    return next((digits for digits in range(_DIGITS + 1) if round(step, digits) == step and round(low, digits) == low), None)


def _steps(values: Array, counts: Array, eps: float) -> tuple[float, int | None]:
    """The distance of neighbouring values and their decimal places; 0 for continuous ones."""
    largest = np.abs(values).max()
    if largest < EXACT and (values == np.rint(values)).all():
        return float(_common(values)), 0
    if 2 * counts[counts > 1].sum() < counts.sum():
        return 0.0, None
    for digits in range(1, _DIGITS + 1):
        scaled = values * 10.0**digits
        rounding = eps * largest * 10**digits
        if rounding > _EVEN:
            break
        if (np.abs(scaled - np.rint(scaled)) <= rounding).all():
            return _common(np.rint(scaled)) / 10**digits, digits
    return _spacing(values, eps), None


def _common(whole: Array) -> int:
    """The greatest common divisor of the distances of whole numbers."""
    return int(np.gcd.reduce(np.diff(whole).astype(np.int64)))


def _spacing(values: Array, eps: float) -> float:
    """The distance of evenly spaced values of a relative precision, of which some may be missing; 0 if they are not, or lie too far apart
    to tell."""
    gaps = np.diff(values)
    multiples = np.rint(gaps / gaps.min())
    places = multiples.sum()
    if not places < _MOST_PLACES:
        return 0.0
    step = float((values[-1] - values[0]) / places)
    off = (values - values[0]) / step
    rounding = max(_ROUNDING * eps * np.abs(values).max() / step, _CLOSE)
    return step if rounding <= _EVEN and np.abs(off - np.rint(off)).max() <= rounding else 0.0


def _number(low: float, high: float, step: float, train: Array) -> Number:
    """The axis of numbers from low to high."""
    plain = _standardised(Number(low, high, step=step, centre=low), train)
    spikes = _spikes(plain, train)
    centre, scale = bend(train[~np.isin(train, spikes)], plain)
    bent: dict[str, Any] = {"step": step, "centre": centre, "bend": scale}
    straightened = _standardised(Number(low, high, **bent), train)
    spikes = sorted(set(spikes) & set(_spikes(straightened, train)))  # on a bent axis, values near the centre have room enough
    if not spikes:
        return straightened
    rest = train[~np.isin(train, spikes)]
    gap = float(_forward(Number(low, high, **bent), rest).std()) if len(rest) else 0.0
    return _standardised(Number(low, high, **bent, atoms=spikes, gap=gap or straightened.std), train)


def _spikes(number: Number, train: Array) -> list[float]:
    """Values that come often, and far more so than N(0, 1) lets them."""
    values, counts = np.unique(train, return_counts=True)
    often = (counts >= _SPIKE_ROWS) & (counts >= _SPIKE * len(train))
    values, counts = values[often], counts[often]
    if not len(values):
        return []
    if number.step:
        numbers = Numbers([number])
        y = numbers.forward(torch.from_numpy(values)[:, None])
        cells = numbers.cells(y, closed=True)
        mass = GaussianHead(1.0).log_mass(cells.below, cells.above, torch.zeros_like(y), torch.ones_like(y)).exp().numpy()[:, 0]
        more = counts > _OFTEN * mass * len(train)
        values, counts = values[more], counts[more]
    most = np.argsort(-counts, kind="stable")[:_MOST_ATOMS]
    return sorted(values[most].tolist())


def _standardised(number: Number, train: Array) -> Number:
    """The same with the mean and the deviation of the training numbers; with steps, or the range, for a deviation where there is none."""
    options = {name: getattr(number, name) for name in ("step", "centre", "bend", "atoms", "gap")}
    u = _forward(Number(number.low, number.high, **options), train)
    std = float(u.std()) or number.step or (number.high - number.low)
    return Number(number.low, number.high, **options, mean=float(u.mean()), std=std)


def _forward(number: Number, x: Array) -> Array:
    found: Array = Numbers([number]).forward(torch.from_numpy(x)[:, None]).numpy()[:, 0]
    return found

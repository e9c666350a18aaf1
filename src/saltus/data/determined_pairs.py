"""Columns that follow from a pair of others, as a distance does from two places.

What came most often with one of the two, the one that tells more, is the guess where a pair never came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from saltus.data.coded import MOST_KEYS, Coded, CodedRows
from saltus.data.layout import Array
from saltus.data.values import NONE

__all__ = ["Pair", "chosen_pairs"]


@dataclass(frozen=True, eq=False)
class Pair:
    """Two columns that others follow from.

    Attributes:
        sources: their places; the first tells more.
        places: of the pairs that came, increasing: that of the first cell times the number of second ones, and that of the second.
        rows: a training row of each of these pairs.
        guesses: a training row for each cell of the first that has what came most often with it.
        usual: one that has what came most often.
        repeats: training rows that repeat a pair.
        guessed: the share of pairs that are guessed right from the others, by the rule of succession.
    """

    sources: tuple[int, int]
    places: Array
    rows: Array
    guesses: Array
    usual: int
    repeats: int
    guessed: float


def chosen_pairs(table: CodedRows, columns: Sequence[int], needed: float, wrong: float) -> dict[int, Pair]:
    """For each of some columns that is taken to follow from two others the pair, of which neither follows.

    Columns of many values come first.  Of several pairs the one that came in the fewest ways is taken, and of equal ones that whose columns
    could come in the fewest, as the summands and not the sum and a summand; of columns that are still equal the last one follows.

    Args:
        table: the training rows.
        columns: those that do not follow from one other.
        needed: nats against an accident.
        wrong: share of fresh rows that may be guessed wrong.
    """
    found: list[tuple[tuple[int, ...], Pair]] = []
    for one, other in combinations([j for j in columns if j in table.keyed], 2):
        if table.coded[one].size * table.coded[other].size > MOST_KEYS:
            continue
        keys = _together(table.coded[one], table.coded[other])
        for target in table.agreeing(keys, [j for j in columns if j not in (one, other)]):
            if pair := _taken(table, (one, other), keys, target, needed, wrong):
                found.append(((-table.coded[target].size, len(pair.places), keys.size, -target), pair))
    chosen: dict[int, Pair] = {}
    used: set[int] = set()
    for (*_, negative), pair in sorted(found, key=lambda each: each[0]):
        target = -negative
        if target not in chosen and target not in used and not chosen.keys() & set(pair.sources):
            chosen[target] = pair
            used |= set(pair.sources)
    return chosen


def _together(one: Coded, other: Coded) -> Coded:
    """Pairs of cells, those that never came among them."""
    return Coded(one.size * other.size, one.codes * other.size + other.codes, np.empty(0))


@dataclass(frozen=True, eq=False)
class _Most:
    """For each key the value that comes most often with it, of the rows that are evidence: which, how often, and how often the next one."""

    value: Array
    count: Array
    second: Array
    total: Array

    @classmethod
    def of(cls, keys: Coded, values: Coded, rows: Array) -> _Most:
        n, codes = values.size, keys.codes[rows].astype(np.int64)
        together, counts = np.unique(codes * n + values.codes[rows], return_counts=True)
        order = np.lexsort((-counts, together // n))  # the most common of each key first
        key, value, count = together[order] // n, together[order] % n, counts[order]
        first = np.flatnonzero(np.diff(key, prepend=-1))
        made = np.zeros((4, keys.size), dtype=np.int64)
        made[0, key[first]], made[1, key[first]] = value[first], count[first]
        after = first[np.append(key, NONE)[first + 1] == key[first]] + 1
        made[2, key[after]] = count[after]
        made[3] = np.bincount(codes, minlength=keys.size)
        return cls(*made)


def _taken(table: CodedRows, sources: tuple[int, int], keys: Coded, target: int, needed: float, wrong: float) -> Pair | None:
    """The pair that a column follows from with which it agrees; None if that may be an accident, or is too seldom known."""
    values, rows, counts = table.coded[target], table.different, table.counts(keys)
    came = np.flatnonzero(np.bincount(keys.codes, minlength=keys.size))
    first = table.first(keys)[came]
    mosts = {source: _Most.of(table.coded[source], values, rows) for source in sources}
    repeats = np.maximum(counts[came] - 1, 0)
    for source, most in mosts.items():
        which = table.coded[source].codes[first]
        if (repeats * np.log((most.count[which] + 1) / (most.total[which] + 1))).sum() > -needed:
            return None
    source, other = sorted(sources, key=lambda j: -mosts[j].count.sum())
    most, which = mosts[source], table.coded[source].codes[first]
    right = (values.codes[first] == most.value[which]) & (most.count[which] - counts[came] > most.second[which])
    guessed = float(right.sum() + 1) / (len(right) + 2)
    if (counts == 1).sum() / len(rows) * (1 - guessed) > wrong:
        return None
    return _made(table, (source, other), target, most, int(repeats.sum()), guessed)


def _made(table: CodedRows, sources: tuple[int, int], target: int, most: _Most, repeats: int, guessed: float) -> Pair:
    one, other, values = (table.coded[j] for j in (*sources, target))
    keys = _together(one, other)
    places = np.flatnonzero(np.bincount(keys.codes, minlength=keys.size))
    of_value = table.first(values)
    usual = int(of_value[table.counts(values).argmax()])
    guesses = np.where(most.total > 0, of_value[most.value], usual)
    return Pair(sources, places, table.first(keys)[places], guesses, usual, repeats, guessed)

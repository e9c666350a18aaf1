"""The one rule that splits data.

An item's part is a function of its own bytes: the same item is always in the same part, in whatever order and
company it comes, and copies of it never straddle two parts.  A tenth is test and a tenth of the rest validation.

Where more than half of the items are copies of others, as rows of small integers are, parts without common items would be
of different distributions.  There the k-th copy of an item has a part of its own, and the user is told.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from saltus.data.layout import Array
from saltus.data.parts import Parts
from saltus.errors import SaltusError

__all__ = ["FEWEST", "Places", "item_bytes", "places", "split"]

FEWEST = 50
"""Items that can be split: of fewer, a tenth is too often nothing."""
_TENTH = 2**64 // 10
_MANY = 0.5  # of the items that are copies: more than a file that was joined to itself has
_AT_ONCE = 2**22  # numbers copied at a time


@dataclass(frozen=True, eq=False)
class Places:
    """The part that each of N items goes to: three masks (N,), of which a part that is given has none of the items; and what a user
    should know about that."""

    train: Array
    validation: Array
    test: Array
    notes: tuple[str, ...] = ()

    def divide(self, parts: Parts) -> tuple[Array, Array, Array]:
        """Items, or what belongs to them, as (train, validation, test); parts that are given are kept as they are."""
        raw, validation, test = parts.each
        return (
            raw if self.train.all() else raw[self.train],
            raw[self.validation] if validation is None else validation,
            raw[self.test] if test is None else test,
        )

    def rows(self, parts: Parts) -> list[tuple[Array, Array]]:
        """For training, validation and test items the array that holds them, and their places there (n,)."""
        found = [(parts.train, np.flatnonzero(self.train))]
        for part, mask in zip(parts.each[1:], (self.validation, self.test), strict=True):
            found.append((parts.train, np.flatnonzero(mask)) if part is None else (part, np.arange(len(part))))
        return found


def places(parts: Parts) -> Places:
    """The split of raw items (N, ...): validation and test items are taken from the training items, if they are not given.

    Raises:
        SaltusError: for fewer than 50 items to split, or so few different ones that a part stays empty.
    """
    raw, validation, test = parts.train, parts.validation is None, parts.test is None
    nowhere = np.zeros(len(raw), dtype=np.bool_)
    if not (validation or test):
        return Places(~nowhere, nowhere, nowhere)
    if len(raw) < FEWEST:
        few = f"{len(raw)} items are" if len(raw) > 1 else "one item is"
        raise SaltusError(f"{few} too few to split; expected at least {FEWEST}: give more, or give all three parts")
    drawn_test, drawn_validation, copies = _draws(raw)
    for_test = drawn_test if test else nowhere
    for_validation = drawn_validation & ~for_test if validation else nowhere
    for_train = ~(for_test | for_validation)
    wanted = [for_train, *[for_validation] * validation, *[for_test] * test]
    if not all(mask.any() for mask in wanted):
        raise SaltusError("so few items differ that a part of the split stays empty; give more, or give all three parts")
    notes = (f"{copies:,} of {len(raw):,} items are copies of others, so that equal items may be in different parts",) if copies else ()
    return Places(for_train, for_validation, for_test, notes)


def split(parts: Parts) -> tuple[Array, Array, Array]:
    """Raw items (N, ...) as (train, validation, test); parts that are given are kept as they are.

    Raises:
        SaltusError: as `places`.
    """
    return places(parts).divide(parts)


def _draws(raw: Array) -> tuple[Array, Array, int]:
    """Two draws of a tenth for each item, of independent bits of its hash, (N,) booleans; and the number of copies, if they are many."""
    hashes = [hashlib.blake2b(item, digest_size=16).digest() for item in item_bytes(raw)]
    copies = len(hashes) - len(set(hashes))
    if copies == len(hashes) - 1:
        raise SaltusError("all items are equal; expected items that differ: give others")
    if many := copies > _MANY * len(hashes):
        seen: Counter[bytes] = Counter()
        for place, found in enumerate(hashes):
            if number := seen[found]:
                hashes[place] = hashlib.blake2b(found, digest_size=16, salt=number.to_bytes(16, "little")).digest()
            seen[found] += 1
    numbers = np.frombuffer(b"".join(hashes), dtype="<u8").reshape(-1, 2)
    return numbers[:, 0] < _TENTH, numbers[:, 1] < _TENTH, copies if many else 0


def item_bytes(raw: Array) -> Iterator[bytes]:
    """The bytes of each item (N, ...), equal for equal items on every machine."""
    little, rows = raw.dtype.newbyteorder("<"), max(1, _AT_ONCE // max(1, raw[:1].size))
    for start in range(0, len(raw), rows):
        chunk = raw[start : start + rows].astype(little)
        if chunk.dtype.kind == "f":
            chunk += 0  # makes 0.0 of -0.0
        yield from (item.tobytes() for item in chunk)

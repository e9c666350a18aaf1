"""What cells cost that y does not hold: of columns that follow from others, and those that a column has no number for; nats, and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from saltus.data.drawn import Drawn
from saltus.data.encoding import Encoding
from saltus.data.layout import Array
from saltus.data.parts import PARTS
from saltus.data.table import Columns
from saltus.terminal import in_one_line
from saltus.words import listed

__all__ = ["Surprise", "disagreement", "surprise_of"]

_AT_ONCE = 2**22  # numbers looked at in one go
_SHOWN = 10  # columns that are named


@dataclass(frozen=True, eq=False)
class Surprise:
    """What -ln p of raw items has more than y can tell: nats (N,), float64, of validation and of test items."""

    validation: Tensor
    test: Tensor


def surprise_of(encoding: Encoding, drawn: Drawn, names: Sequence[str]) -> tuple[Surprise | None, tuple[str, ...]]:
    """That of the items of a data set, None where y tells all; and what a user should know about it, one sentence each.

    Args:
        encoding: of the items.
        drawn: the items of the parts.
        names: of a table's columns, if they have names.
    """
    if not isinstance(encoding, Columns) or encoding.tells_all:
        return None, ()
    names = [in_one_line(name) for name in names] or _numbered(len(encoding.columns))
    said = [f"{names[j]} is determined {column.said(names)}" for j, column in encoding.determined.items()]
    notes = [f"what others determine is not modelled but written from them: {listed(said, _SHOWN)}"] * bool(said)
    found = []
    for part, (raw, rows) in zip(PARTS, drawn.rows, strict=True):
        if part == PARTS[0] and not drawn.held:
            continue
        pieces = np.array_split(rows, max(1, len(rows) * len(encoding.columns) // _AT_ONCE))
        found.append(torch.from_numpy(np.concatenate([encoding.surprise(np.asarray(raw[piece])) for piece in pieces])))
        off = np.concatenate([encoding.disagreeing(np.asarray(raw[piece])) for piece in pieces])
        if words := disagreement(off, names, rows):
            notes.append(f"of the {part} items {words}")
    validation, test = found[-2:]
    told = bool(encoding.determined) or bool(validation.any()) or bool(test.any())
    return Surprise(validation, test) if told else None, tuple(notes)


def disagreement(off: Array, names: Sequence[str], rows: Array | None = None) -> str:
    """How many rows disagree with what determines their columns, and where the first one does; "" if none does.

    Args:
        off: which cells do, (n, d) bool.
        names: of the columns, if they have names.
        rows: the numbers of the rows, (n,); from 0 on unless given.
    """
    wrong = np.flatnonzero(off.any(1))
    if not len(wrong):
        return ""
    row = int(wrong[0] if rows is None else rows[wrong[0]])
    name = in_one_line((names or _numbered(off.shape[1]))[int(off[wrong[0]].argmax())])
    return f"{len(wrong):,} of {len(off):,} disagree with what determines them, {name} in row {row} first"


def _numbered(d: int) -> list[str]:
    return [f"column {j}" for j in range(d)]

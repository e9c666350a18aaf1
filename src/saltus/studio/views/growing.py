"""Samples of a run as it grows: the chain in its folder is written at each checkpoint, and each one draws from the same noise."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from saltus.data.dtypes import as_arrow
from saltus.errors import SaltusError
from saltus.estimators import Model
from saltus.estimators.kept import kind_of
from saltus.studio.html import heading, images, side, table
from saltus.studio.sheet import Sheet
from saltus.studio.turns import Turns
from saltus.training.folder import CHECKPOINTS

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["Growing", "Snapshot", "shown", "snapshot", "table_texts"]

_IMAGES, _ROWS = 16, 8
_COLUMNS, _LETTERS = 12, 40  # of a table that is shown
_KEPT, _RUNS = 6, 16  # snapshots of a run, and runs that have some
_DIGEST = 16


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What a run draws.

    Attributes:
        label: after how many updates.
        sheet: of images; None for rows.
        black_and_white: the values that are black and white.
        headings, rows: of a table.
        chain: a digest of the chain that drew it.
    """

    label: str
    sheet: Sheet | None
    black_and_white: tuple[float, float]
    headings: list[str]
    rows: list[list[str]]
    chain: str


def snapshot(folder: Path, seed: int = 0) -> Snapshot:
    """16 images or 8 rows of the chain that is in a folder now.

    Raises:
        SaltusError: if there is none, or it is being written.
    """
    chain, model = _digest(folder), Model.load(folder)
    model.chain.eval()
    label, shown = _label(folder), model.encoding.shown
    with torch.no_grad():
        y = model.chain.sample(_IMAGES if model.encoding.layout.is_image else _ROWS, seed=seed)
    cells = model.encoding.decode(y)
    if model.encoding.layout.is_image:
        return Snapshot(label, Sheet(model.encoding.encode(cells), f"{len(y)} samples {label}"), shown, [], [], chain)
    kind = kind_of(folder, model.encoding)
    flat = np.asarray(cells).reshape(len(y), -1)
    if kind is None:
        texts = [[f"{value:.4g}" for value in row] for row in flat.tolist()]
        return Snapshot(label, None, shown, *table_texts([f"column {j}" for j in range(flat.shape[1])], texts), chain)
    categories = kind.categories or [()] * len(kind.dtypes)
    columns = [as_arrow(*column).to_pylist() for column in zip(flat.T, kind.dtypes, categories, strict=True)]
    names = [*kind.names] or [f"column {j}" for j in range(len(columns))]
    return Snapshot(label, None, shown, *table_texts(names, zip(*columns, strict=True)), chain)


def table_texts(names: Sequence[str], rows: Iterable[Sequence[object]]) -> tuple[list[str], list[list[str]]]:
    """Rows of a table as texts to look at: of many columns the first ones, long cells cut, missing ones empty."""
    left_out = len(names) - _COLUMNS
    more = [f"{left_out} columns more"] if left_out > 0 else []
    found = [[*(_text(cell) for cell in row[:_COLUMNS]), *["..."] * len(more)] for row in rows]
    return [*(_text(name) for name in names[:_COLUMNS]), *more], found


def _text(cell: object) -> str:
    text = "" if cell is None else f"{cell:.6g}" if isinstance(cell, float) else str(cell)
    return text if len(text) <= _LETTERS else f"{text[:_LETTERS]}..."


def shown(grown: Sequence[Snapshot]) -> list[Markup]:
    """Snapshots as markup: images side by side, the latest rows as a table."""
    pictures = [images(one.sheet, shown=one.black_and_white, file=one.label.replace(" ", "_")) for one in grown if one.sheet is not None]
    if pictures:
        return [side(pictures)]
    last = grown[-1]
    return [heading(f"Rows {last.label}"), table(last.headings, last.rows, f"rows {last.label}")]


def _label(folder: Path) -> str:
    home = folder / CHECKPOINTS
    done = [int(file.stem) for file in home.glob("*.json") if file.stem.isdecimal()]
    return f"after {max(done):,} updates" if done else "before the first update" if home.is_dir() else "of the model"


def _digest(folder: Path) -> str:
    """Which chain is in a folder: its file holds digests of all others."""
    try:
        return hashlib.blake2b((folder / "chain.json").read_bytes(), digest_size=_DIGEST).hexdigest()
    except OSError:
        raise SaltusError(f"{folder.name} holds no model yet; wait until the training has begun") from None


class Growing:
    """The latest snapshots of runs, for all readers of the page."""

    def __init__(self) -> None:
        self._lock, self._turns, self._of = threading.Lock(), Turns(), OrderedDict[Path, list[Snapshot]]()

    def look(self, folder: Path) -> list[Snapshot]:
        """The snapshots of a run, oldest first, with one of the chain that is there now; what cannot be read now is left for later."""
        with self._turns.of(folder):
            with self._lock:
                found = self._of.setdefault(folder, [])
                self._of.move_to_end(folder)
                while len(self._of) > _RUNS:
                    self._of.popitem(last=False)
            try:
                if not found or found[-1].chain != _digest(folder):
                    found.append(snapshot(folder))
                    del found[:-_KEPT]
            except SaltusError:  # it is written right now
                pass
            return [*found]

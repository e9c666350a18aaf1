"""`saltus evaluate --by-level`: what each step adds to every distance, in words and as a picture."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saltus.cli.floors import drawn
from saltus.terminal import tell

if TYPE_CHECKING:
    from saltus.chain import Chain
    from saltus.data import DataSet
    from saltus.kernels import Sampling

__all__ = ["PICTURE", "measured_by_level"]

PICTURE = "by_level.png"
_MOST = 1000  # items of each set


def measured_by_level(
    chain: Chain, items: DataSet, n: int | None, sampling: Sampling, out: Path | None
) -> tuple[list[dict[str, Any]], str]:
    """The figures from real z_l for each l, as JSON and in words, with a picture if there is a folder for it."""
    from rich.table import Table

    from saltus.evaluation import METRICS, by_level, draw_by_level

    most = min(_MOST, len(items.validation), len(items.train))
    rows = by_level(chain, items, min(n or most, most), sampling=sampling, progress=tell)
    table = Table(
        caption="the chain started from real z of each level, and what the last step taken adds; real items are validation items",
        caption_style="",
    )
    table.add_column("samples from")
    for name in rows[0].metrics:
        table.add_column(METRICS[name].title, justify="right")
        table.add_column("added", justify="right")
    for row in rows:
        added = row.added or {}
        figures = ((f"{value:.3g}", f"{added[name]:+.2g}" if name in added else "") for name, value in row.metrics.items())
        table.add_row(row.start, *(text for pair in figures for text in pair))
    words = drawn(table)
    if out is not None:
        draw_by_level(rows, out / PICTURE)
        words += f"\nThe picture is {out / PICTURE}"
    return [asdict(row) for row in rows], words

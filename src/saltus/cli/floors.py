"""What closed forms would have, in words beside what a chain has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from saltus.chain import Chain
    from saltus.evaluation import ClosedForm, Likelihood

__all__ = ["drawn", "floor_words"]


def floor_words(chain: Chain, bound: Likelihood | None, floors: Mapping[str, ClosedForm]) -> list[str]:
    """Nats of the chain and of closed forms, step by step."""
    from rich.table import Table

    from saltus.evaluation import remarks

    if bound is None or not floors:
        return []
    table = Table(caption=f"nats an item; closed forms: {', '.join(floor.what for floor in floors.values())}", caption_style="")
    for heading in ("", "this chain", *floors):
        table.add_column(heading, justify="right")
    pairs = list(chain.levels.pairs())
    for level in reversed(range(chain.levels.L)):
        s, t = pairs[level]
        each = (bound.per_level[level], *(floor.per_level[level] for floor in floors.values()))
        table.add_row(f"step {level + 1}, t {t:.3g} to {s:.3g}", *(f"{nats:.4g}" for nats in each))
    table.add_row("start", *(f"{nats:.4g}" for nats in (bound.nats["prior"], *(floor.prior for floor in floors.values()))))
    table.add_row("total", *(f"{nats:.5g}" for nats in (bound.total, *(floor.total for floor in floors.values()))))
    table.add_row("bits/dim", *(f"{bits:.4f}" for bits in (bound.bits_per_dim, *(floor.bits_per_dim for floor in floors.values()))))
    return [drawn(table), *remarks(bound.per_level, floors)]


def drawn(table: Table) -> str:
    """A table as text."""
    from rich.console import Console

    console = Console(width=140)
    with console.capture() as text:
        console.print(table)
    return text.get().rstrip()

"""What closed forms would have, in words beside what a chain has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table
    from torch import Tensor

    from saltus.chain import Chain
    from saltus.evaluation import ClosedForm

__all__ = ["drawn", "few_of", "floor_words"]

_SHOWN = 8  # steps of a long chain, at each end


def floor_words(chain: Chain, y: Tensor, floors: Mapping[str, ClosedForm], condition: Tensor | None = None) -> list[str]:
    """Nats of the chain and of closed forms on the same items (N, *E) and their conditions, step by step."""
    from rich.table import Table

    from saltus.evaluation import bound_beside, remarks

    if not floors:
        return []
    bound = bound_beside(chain, y, condition)
    own = bound.per_level.double().mean(1).tolist()
    caption = f"nats an item, of {len(bound.prior)} items; closed forms: {', '.join(floor.what for floor in floors.values())}"
    table = Table(caption=caption, caption_style="")
    for heading in ("", "this chain", *floors):
        table.add_column(heading, justify="right")
    pairs = list(chain.levels.pairs())
    left_out = range(_SHOWN, chain.levels.L - _SHOWN)
    for level in reversed(range(chain.levels.L)):
        if level in left_out:
            if level == left_out[-1]:
                table.add_row(f"{len(left_out)} steps more")
            continue
        s, t = pairs[level]
        each = (own[level], *(floor.per_level[level] for floor in floors.values()))
        table.add_row(f"step {level + 1}, t {t:.3g} to {s:.3g}", *(f"{nats:.4g}" for nats in each))
    table.add_row("start", *(f"{nats:.4g}" for nats in (float(bound.prior.mean()), *(floor.prior for floor in floors.values()))))
    if float(added := bound.log_jacobian.double().mean()):
        table.add_row("units of the data", *[f"{float(added):.4g}"] * (1 + len(floors)))
    table.add_row("total", *(f"{nats:.5g}" for nats in (float(bound.total.mean()), *(floor.total for floor in floors.values()))))
    if len(chain.event_shape) > 1:  # of images
        each = (float(bound.bits_per_dim.mean()), *(floor.bits_per_dim for floor in floors.values()))
        table.add_row("bits/dim", *(f"{bits:.4f}" for bits in each))
    return [drawn(table), *few_of(remarks(own, floors))]


def few_of(lines: Sequence[str]) -> list[str]:
    """The first and the last of many lines, one for each step, and how many are left out."""
    if len(lines) <= 2 * _SHOWN:
        return list(lines)
    return [*lines[:_SHOWN], f"{len(lines) - 2 * _SHOWN} lines more", *lines[-_SHOWN:]]


def drawn(table: Table) -> str:
    """A table as text."""
    from rich.console import Console

    console = Console(width=140, markup=False, emoji=False)
    with console.capture() as text:
        console.print(table)
    return text.get().rstrip()

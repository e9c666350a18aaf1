r"""The processes that work on one thing together: which one this is, what its share is, and what all of them agree on.

torchrun and `accelerate launch` start one command several times, and tell each process its number.  All that a process has to know of the
others goes through here, on Hugging Face accelerate; a process alone asks nobody, and imports nothing for it.

A batch of B items is dealt out like cards: process r of W takes the items r, r + W, r + 2W, ...  Levels ascend along a batch, so that each
has as many of every level.  The gradient of the batch's mean loss is the mean over processes of

.. math:: \frac{W}{B} \sum_{i \text{ of the process}} \nabla \mathrm{loss}_i

whether W divides B or not.  What follows an order, items of a sample or of an evaluation, is cut into runs of neighbours.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TypeVar

from saltus.errors import SaltusError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = ["Elsewhere", "Lost", "Processes", "alone", "is_main", "run_of"]

T = TypeVar("T")
_TOLD = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun and accelerate tell each process."""


class Elsewhere(SaltusError):
    """Another process failed, and tells why."""


class Lost(SaltusError):
    """Another process is gone, and can tell nothing."""


class Processes:
    """One process, alone.

    Attributes:
        rank: its number, from 0.
        world: how many there are.
        sharded: whether each holds a part of every parameter alone, so that all are needed for the whole.
    """

    rank, world, sharded = 0, 1, False

    @property
    def is_main(self) -> bool:
        """Whether it is the one that writes and speaks."""
        return self.rank == 0

    def dealt(self, n: int) -> slice:
        """Its share of a batch of n items.

        Raises:
            SaltusError: if a process would get none.
        """
        if n < self.world:
            raise SaltusError(f"a batch of {n} items is too small for {self.world} processes; take a larger batch, or fewer processes")
        return slice(self.rank, n, self.world)

    def run(self, n: int, unit: int) -> range:
        """Its share of n items in their order, see `run_of`."""
        return run_of(n, self.rank, self.world, unit)

    def device(self, asked: torch.device) -> torch.device:
        """Where this one computes."""
        return asked

    def prepare(self, loss: nn.Module, optimiser: torch.optim.Optimizer, *, uneven: bool) -> nn.Module:
        """A module that is called as `loss` is, and whose gradients are means over processes; the optimiser steps its parameters.

        Args:
            loss: a module on this one's device; its parameters become those of the main process, or parts of them.
            optimiser: of its parameters.
            uneven: whether a share may leave out parameters that another has.

        Raises:
            SaltusError: if parameters are sharded, and a share may leave out some.
        """
        return loss

    def on_its_own(self, loss: nn.Module) -> AbstractContextManager[object]:
        """A context whose backward passes add up gradients here, and leave the means to a later one."""
        return contextlib.nullcontext()

    def whole(self, tensor: Tensor) -> Tensor:
        """What all processes hold of a tensor."""
        return tensor

    def fill(self, slot: Tensor, whole: Tensor) -> None:
        """Set what this one holds of a tensor, which is `slot`, in place."""
        slot.copy_(whole)

    def summed(self, numbers: Tensor) -> Tensor:
        """Sums over processes, the same for all."""
        return numbers

    def any(self, *here: bool) -> Sequence[bool]:
        """Of each question whether it is so in any process."""
        return here

    def mains(self, number: float) -> float:
        """A number of the main process, for all."""
        return number

    def is_time(self, here: bool) -> bool:
        """Whether it is so in the main process, where all are needed for what it does then; if not, no other is asked."""
        return here

    def agreed(self, make: Callable[[], T]) -> T:
        """What the main process makes, for all.

        Raises:
            Elsewhere: if that fails; the main process raises what it failed with.
        """
        return make()

    def everyones(self, thing: T) -> list[T]:
        """The things of all processes, in their order."""
        return [thing]

    def meet(self) -> None:
        """Wait until all are here."""

    def minding(self) -> AbstractContextManager[object]:
        """A context that raises Lost where another process is gone, and in all but two of those that are left Elsewhere."""
        return contextlib.nullcontext()


def run_of(n: int, rank: int, world: int, unit: int = 1) -> range:
    """The rank-th of `world` runs of n items, as equal as whole units are; of single items where there are too few units.

    >>> [run_of(10, rank, 3, unit=3) for rank in range(3)]
    [range(0, 3), range(3, 6), range(6, 10)]
    """
    each = unit if n >= unit * world else 1
    units = -(-n // each)
    start, stop = (min(n, each * (units * number // world)) for number in (rank, rank + 1))
    return range(start, stop)


def is_main() -> bool:
    """Whether this process is the one that speaks; it asks the environment alone."""
    return alone() or os.environ["RANK"] == "0"


def alone() -> bool:
    """Whether this process was not started with others; it asks the environment alone."""
    return not all(name in os.environ for name in _TOLD) or os.environ["WORLD_SIZE"] == "1"

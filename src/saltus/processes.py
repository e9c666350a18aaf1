r"""The processes that work on one thing together: which one this is, what its share is, and what all of them agree on.

torchrun and `accelerate launch` start one command several times, and tell each process its number.  All that a process has to know of the
others goes through here, on Hugging Face accelerate; a process alone asks nobody, and imports nothing for it.

A batch of B items is dealt out like cards: process r of W takes the items r, r + W, r + 2W, ...  Levels ascend along a batch, so that each
has as many of every level.  The gradient of the batch's mean loss is the mean over processes of

.. math:: \frac{W}{B} \sum_{i \text{ of the process}} \nabla \mathrm{loss}_i

whether W divides B or not.  What follows an order, items of a sample or of an evaluation, is cut into runs of neighbours.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from saltus.errors import SaltusError
from saltus.extras import needs

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = ["Elsewhere", "Lost", "Processes", "alone", "is_main", "run_of", "together"]

T = TypeVar("T")
_TOLD = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun and accelerate tell each process."""
_LONGEST = timedelta(hours=2)  # that processes wait for one, which fits a mixture or measures
_LOST = ("gloo", "Connection closed", "Connection reset", "Broken pipe", "NCCL")
"""Words of an error of communication, where it has no class of its own."""


class Elsewhere(SaltusError):
    """Another process failed, and tells why."""


class Lost(SaltusError):
    """Another process is gone, and can tell nothing."""


class Processes:
    """One process, alone.

    Attributes:
        rank: its number, from 0.
        world: how many there are.
    """

    rank, world = 0, 1

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
        """Where this one computes.

        Raises:
            SaltusError: if that cannot be by itself.
        """
        return asked

    def prepare(self, loss: nn.Module, optimiser: torch.optim.Optimizer, *, uneven: bool) -> nn.Module:
        """A module that is called as `loss` is, and whose gradients are means over processes; the optimiser steps its parameters.

        Args:
            loss: a module on this one's device; its parameters and buffers become those of the main process.
            optimiser: of its parameters.
            uneven: whether a share may leave out parameters that another has.
        """
        return loss

    def on_its_own(self, loss: nn.Module) -> AbstractContextManager[object]:
        """A context whose backward passes add up gradients here, and leave the means to a later one."""
        return contextlib.nullcontext()

    def summed(self, numbers: Tensor) -> Tensor:
        """Sums over processes, the same for all."""
        return numbers

    def any(self, *here: bool) -> Sequence[bool]:
        """Of each question whether it is so in any process."""
        return here

    def mains(self, number: float) -> float:
        """A number of the main process, for all."""
        return number

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


def together(device: torch.device) -> Processes:
    """The processes that were started with this one, each of which computes on a device of this kind.

    Raises:
        SaltusError: if there are several, and accelerate is missing or cannot join them.
    """
    return Processes() if alone() else _joined(device.type)


def alone() -> bool:
    """Whether this process was not started with others; it asks the environment alone."""
    return not all(name in os.environ for name in _TOLD) or os.environ["WORLD_SIZE"] == "1"


@functools.cache
def _joined(kind: str) -> Processes:
    joined = _Joined(kind)
    atexit.register(joined.part)
    return joined


class _Joined(Processes):
    """Several processes, each of which runs this program."""

    def __init__(self, kind: str) -> None:
        accelerate = needs("accelerate", extra="scale")
        options = [accelerate.InitProcessGroupKwargs(timeout=_LONGEST)]
        self._accelerator = accelerate.Accelerator(cpu=kind == "cpu", mixed_precision="no", kwargs_handlers=options)
        self._ddp = accelerate.DistributedDataParallelKwargs
        self.rank, self.world = self._accelerator.process_index, self._accelerator.num_processes
        if self.world != int(os.environ["WORLD_SIZE"]) or self._accelerator.device.type != kind:
            raise SaltusError(f"{os.environ['WORLD_SIZE']} processes cannot work on device {kind} together; give cpu or cuda")
        if os.environ.get("ACCELERATE_USE_FSDP") == "true" and not self._shards:
            raise SaltusError("accelerate shards parameters on GPUs alone, and the device is cpu; leave FSDP out, or give --device cuda")

    @property
    def _shards(self) -> bool:
        return bool(self._accelerator.is_fsdp2)

    def part(self) -> None:
        """Leave the others."""
        self._accelerator.state.destroy_process_group()

    def device(self, asked: torch.device) -> torch.device:
        own: torch.device = self._accelerator.device
        return own

    def prepare(self, loss: nn.Module, optimiser: torch.optim.Optimizer, *, uneven: bool) -> nn.Module:
        self._accelerator.ddp_handler = self._ddp(find_unused_parameters=uneven, gradient_as_bucket_view=True)
        prepared: nn.Module
        prepared, _ = self._accelerator.prepare(loss, optimiser)
        if hasattr(prepared, "broadcast_buffers"):  # which training leaves as they are
            setattr(prepared, "broadcast_buffers", False)  # noqa: B010 - of DDP alone
        return prepared

    def on_its_own(self, loss: nn.Module) -> AbstractContextManager[object]:
        context: AbstractContextManager[object] = self._accelerator.no_sync(loss)
        return context

    def summed(self, numbers: Tensor) -> Tensor:
        total: Tensor = self._accelerator.reduce(numbers.to(self._accelerator.device), "sum").to(numbers.device)
        return total

    def any(self, *here: bool) -> Sequence[bool]:
        import torch

        return [count > 0 for count in self.summed(torch.tensor(here, dtype=torch.float32)).tolist()]

    def mains(self, number: float) -> float:
        import torch

        return float(self.summed(torch.tensor(number if self.is_main else 0.0, dtype=torch.float64)))

    def agreed(self, make: Callable[[], T]) -> T:
        made: list[Any] = [None]
        if not self.is_main:
            (made,) = self._from_main([made])
            if not made:
                raise Elsewhere("the main process failed, and tells why")
            return made[0]  # type: ignore[no-any-return]
        try:
            made = [make()]
        except BaseException:
            self._from_main([[]])
            raise
        self._from_main([made])
        return made[0]  # type: ignore[no-any-return]

    def _from_main(self, things: list[Any]) -> list[Any]:
        told: list[Any] = needs("accelerate.utils", extra="scale").broadcast_object_list(things)
        return told

    def everyones(self, thing: T) -> list[T]:
        things: list[T] = needs("accelerate.utils", extra="scale").gather_object([thing])
        return things

    def meet(self) -> None:
        self._accelerator.wait_for_everyone()

    @contextlib.contextmanager
    def minding(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            if not type(error).__name__.startswith("Dist") and not any(sign in str(error) for sign in _LOST):
                raise
            if self.rank > 1:
                raise Elsewhere("another process is gone, and others tell so") from error
            raise Lost(
                f"another of the {self.world} processes ended; to go on from what is kept, give the same command again, "
                "with any number of them"
            ) from error

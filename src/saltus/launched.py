"""Processes that torchrun or `accelerate launch` started together, on Hugging Face accelerate, which is imported for them alone."""

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
from saltus.processes import Elsewhere, Lost, Processes, alone

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = ["Launched", "own_device", "together"]

T = TypeVar("T")
_LONGEST = timedelta(hours=2)  # that processes wait for one, which fits a mixture or measures
_LOST = ("gloo", "Connection closed", "Connection reset", "Broken pipe", "NCCL")
"""Words of an error of communication, where it has no class of its own."""


def own_device(name: str) -> str:
    """The device of this process, of several that each have one of a machine's.

    Raises:
        SaltusError: if one was named for all.
    """
    import torch

    if alone() or name == "cpu":
        return name
    if ":" in name:
        raise SaltusError(f"the device {name} was given to several processes, which take one each; give {name.partition(':')[0]}")
    devices = max(1, torch.get_device_module(name).device_count())
    return f"{name}:{int(os.environ['LOCAL_RANK']) % devices}"


def together(device: torch.device) -> Processes:
    """The processes that were started with this one, each of which computes on a device of this kind.

    Raises:
        SaltusError: if there are several, and accelerate is missing or cannot join them.
    """
    return Processes() if alone() else _launched(device.type)


@functools.cache
def _launched(kind: str) -> Processes:
    launched = Launched(kind)
    atexit.register(launched.part)
    return launched


class Launched(Processes):
    """Several processes, each of which runs this program."""

    def __init__(self, kind: str) -> None:
        accelerate = needs("accelerate", extra="scale")
        options = [accelerate.InitProcessGroupKwargs(timeout=_LONGEST)]
        self._accelerator = accelerate.Accelerator(cpu=kind == "cpu", mixed_precision="no", kwargs_handlers=options)
        self._ddp = accelerate.DistributedDataParallelKwargs
        self.rank, self.world = self._accelerator.process_index, self._accelerator.num_processes
        if self.world != int(os.environ["WORLD_SIZE"]) or self._accelerator.device.type != kind:
            raise SaltusError(f"{os.environ['WORLD_SIZE']} processes cannot work on device {kind} together; give cpu or cuda")
        self.sharded = bool(self._accelerator.is_fsdp2)
        if os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true" and not self.sharded:
            raise SaltusError("parameters are sharded by version 2 of FSDP, on GPUs; give --fsdp_version 2 and --device cuda, or no FSDP")

    def part(self) -> None:
        """Leave the others."""
        self._accelerator.state.destroy_process_group()

    def device(self, asked: torch.device) -> torch.device:
        own: torch.device = self._accelerator.device
        return own

    def prepare(self, loss: nn.Module, optimiser: torch.optim.Optimizer, *, uneven: bool) -> nn.Module:
        if uneven and self.sharded:
            raise SaltusError(f"a share of {self.world} may be without items of a level, whose parameters FSDP needs; take a larger batch")
        self._accelerator.ddp_handler = self._ddp(find_unused_parameters=uneven, gradient_as_bucket_view=True)
        prepared: nn.Module
        prepared, _ = self._accelerator.prepare(loss, optimiser)
        if hasattr(prepared, "broadcast_buffers"):  # which training leaves as they are
            setattr(prepared, "broadcast_buffers", False)  # noqa: B010 - of DDP alone
        return prepared

    def on_its_own(self, loss: nn.Module) -> AbstractContextManager[object]:
        context: AbstractContextManager[object] = self._accelerator.no_sync(loss)
        return context

    def whole(self, tensor: Tensor) -> Tensor:
        if not self.sharded:
            return tensor
        from torch.distributed.tensor import DTensor

        return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor

    def fill(self, slot: Tensor, whole: Tensor) -> None:
        if not self.sharded:
            return super().fill(slot, whole)
        from torch.distributed.tensor import DTensor, distribute_tensor

        if isinstance(slot, DTensor):
            whole = distribute_tensor(whole.to(slot.device), slot.device_mesh, slot.placements, src_data_rank=None)
        slot.copy_(whole)
        return None

    def summed(self, numbers: Tensor) -> Tensor:
        total: Tensor = self._accelerator.reduce(numbers.to(self._accelerator.device), "sum").to(numbers.device)
        return total

    def any(self, *here: bool) -> Sequence[bool]:
        import torch

        return [count > 0 for count in self.summed(torch.tensor(here, dtype=torch.float32)).tolist()]

    def mains(self, number: float) -> float:
        import torch

        return float(self.summed(torch.tensor(number if self.is_main else 0.0, dtype=torch.float64)))

    def is_time(self, here: bool) -> bool:
        return any(self.any(here and self.is_main)) if self.sharded else here

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

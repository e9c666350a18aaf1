"""The tensors that a training carries from one update to the next, by name: what a checkpoint is written from and read into."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from saltus.errors import SaltusError
from saltus.processes import Processes
from saltus.registry import Tensors
from saltus.training.level_sampling import LevelSampling

__all__ = ["State"]

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # of AdamW, for each parameter
_LEVELS = "level_sampling"


class State:
    """Weights, their averages, buffers, moments and level sampling of a training, which go on being its own.

    Args:
        parameters, averages: in the same order.
        buffers: pairs of the averaged chain's and the trained chain's.
        optimiser: AdamW of the parameters.
        level_sampling: None for none.
        processes: each of which may hold parts of the tensors alone.

    Attributes:
        best: averages of the best validation; none before it.
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        averages: Sequence[Tensor],
        buffers: Sequence[tuple[Tensor, Tensor]],
        optimiser: torch.optim.Optimizer,
        level_sampling: LevelSampling | None,
        processes: Processes,
    ) -> None:
        self._processes = processes
        self._parameters, self._averages, self._buffers = parameters, averages, buffers
        self._optimiser, self._level_sampling = optimiser, level_sampling
        self.best: list[Tensor] = []

    def tensors(self) -> Tensors:
        """All of them as they are now, whole; they change with the next update."""
        return {name: self._processes.whole(tensor) for name, tensor in self._slots().items()}

    def _slots(self) -> Tensors:
        """What this process holds of them."""
        named: Tensors = {f"chain.{place}": tensor.detach() for place, tensor in enumerate(self._parameters)}
        named |= {f"average.{place}": tensor.detach() for place, tensor in enumerate(self._averages)}
        named |= {f"best.{place}": tensor for place, tensor in enumerate(self.best)}
        named |= {f"buffer.{place}": current for place, (_, current) in enumerate(self._buffers)}
        for place, parameter in enumerate(self._parameters):
            state = self._optimiser.state.get(parameter, {})
            named |= {f"optimiser.{place}.{name}": state[name] for name in _MOMENTS if name in state}
        if self._level_sampling:
            named[_LEVELS] = torch.from_numpy(self._level_sampling.squares)
        return named

    @torch.no_grad()
    def fill(self, found: Tensors, best: bool) -> None:
        """Take over the tensors of a checkpoint.

        Raises:
            SaltusError: if they are of another chain or configuration.
        """
        self.best = [torch.empty_like(average) for average in self._averages] if best else []
        for place, parameter in enumerate(self._parameters):  # the optimiser makes its own at its first step
            names = [name for name in _MOMENTS if f"optimiser.{place}.{name}" in found]
            made = {name: torch.zeros_like(parameter) for name in names if name != _MOMENTS[0]}
            steps = {name: torch.zeros((), dtype=torch.float32, device=parameter.device) for name in names if name == _MOMENTS[0]}
            self._optimiser.state[parameter] = steps | made
        slots = self._slots()
        one, other = ({name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()} for tensors in (slots, found))
        if one != other:
            raise SaltusError("the checkpoint is of another chain or configuration; give its own, or train anew")
        for name, slot in slots.items():
            if name != _LEVELS:
                self._processes.fill(slot, found[name])
        for averaged, current in self._buffers:
            averaged.copy_(current)
        if self._level_sampling:
            self._level_sampling.follow(found[_LEVELS].numpy().copy())

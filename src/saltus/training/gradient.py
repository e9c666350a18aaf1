r"""The gradient of a batch, computed of as many items at once as fit into memory.

The loss of a batch is a mean over items, so its gradient is the sum of those of its pieces, each times its share of the items.  Items keep
their noise and their levels, so that the pieces change the sum by rounding alone.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import torch
from torch import nn

from saltus.chain import Batch, Loss
from saltus.errors import SaltusError
from saltus.machine import memory_ran_out
from saltus.processes import Processes
from saltus.words import in_brief

__all__ = ["GRADIENT", "Gradient", "fault_of"]

GRADIENT = "the gradient"
"""Where a fault is that no term has."""


class Gradient:
    """Adds up gradients of a loss.

    Args:
        loss: of a batch; usually a `ChainLoss`.
        micro_batch: items computed at once; None for whole batches, and for halves, quarters, ... of them once memory runs out.
        precision: what the loss is computed in.
        processes: each of which has a share of every batch, and of the loss what `Processes.prepare` made of it.
    """

    def __init__(
        self,
        loss: nn.Module,
        micro_batch: int | None,
        precision: Callable[[], AbstractContextManager[object]],
        processes: Processes | None = None,
    ) -> None:
        self._parameters = list(loss.parameters())
        self._loss, self._at_once, self._precision, self._processes = loss, micro_batch, precision, processes or Processes()
        self._may_halve = micro_batch is None and self._processes.world == 1  # or others would wait for the first try

    def add(self, batch: Batch, factors: Sequence[float] | None) -> Loss:
        """Set the parameters' gradients to those of the mean loss over all shares of a batch, per dimension of an item.

        Args:
            batch: of items that are on the device.
            factors: what the loss of each level is multiplied by; None for 1.

        Returns:
            The loss of each item of this share, before factors, detached.

        Raises:
            SaltusError: if memory does not do.
        """
        n = len(batch.y)
        while True:
            at_once = min(n, self._at_once or n)
            for parameter in self._parameters:  # as the module's zero_grad would, which asks every module first
                parameter.grad = None
            try:
                return Loss.joined([self._piece(batch, slice(start, start + at_once), factors) for start in range(0, n, at_once)])
            except (RuntimeError, MemoryError) as error:
                if not memory_ran_out(error):
                    raise
                said = in_brief(error)
            self._at_once = self._halved(at_once, n, said)  # outside of the except clause, whose traceback holds what was computed

    def _piece(self, batch: Batch, rows: slice, factors: Sequence[float] | None) -> Loss:
        piece, last, (_, whole) = batch.part(rows), rows.stop >= len(batch.y), batch.place or (0, len(batch.y))
        share = self._processes.world * len(piece.y) / whole  # gradients are means over processes
        with contextlib.nullcontext() if last else self._processes.on_its_own(self._loss):
            with self._precision():
                loss: Loss = self._loss(piece)
            total = loss.total
            if factors:
                total = total * total.new_tensor(factors)[loss.level - 1]
            (total.mean() * share / piece.y[0].numel()).backward()
        return Loss(loss.level, {name: value.detach() for name, value in loss.terms.items()}, loss.weight)

    def _halved(self, at_once: int, n: int, said: str) -> int:
        if not self._may_halve or at_once == 1:
            given = "leave micro_batch out, or give a smaller one" if self._processes.world == 1 else f"give micro_batch {-(-at_once // 2)}"
            remedy = given if not self._may_halve and at_once > 1 else "take a smaller network or smaller items"
            raise SaltusError(f"memory ran out with {at_once} of the {n} items of an update at once ({said}); {remedy}")
        half = -(-at_once // 2)
        warnings.warn(f"memory ran out with {at_once} items at once; the updates of {n} items go on with {half} at once", stacklevel=3)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return half


def fault_of(loss: Loss) -> str:
    """Where a loss is not finite, in words."""
    for name, value in loss.terms.items():
        if (broken := ~value.detach().isfinite().cpu()).any():
            return f"the term {name} of level {int(loss.level[broken][0])}"
    return GRADIENT

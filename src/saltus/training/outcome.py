"""Whether a training ended with a model: where its weights or its bound are not finite, it failed, and its folder says so."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

from saltus import storage
from saltus.chain import Chain
from saltus.errors import SaltusError
from saltus.training.trainer import Trainer

__all__ = ["REMEDY", "failing", "finite"]

REMEDY = "train again with a smaller learning rate, in a new folder"
_SAMPLES = 4


@contextlib.contextmanager
def failing(home: Path | None) -> Iterator[None]:
    """Mark the chain in a folder where a training fails in what is done within."""
    try:
        yield
    except SaltusError as error:
        if home is not None:
            with contextlib.suppress(OSError, SaltusError):  # the error is what is told
                storage.mark_failed(home, "chain", str(error))
        raise


def finite(trainer: Trainer) -> Chain:
    """The chain that a training keeps, on the CPU.

    Raises:
        SaltusError: if its weights are not finite, or its bound, or what it samples where it has none.
    """
    bits, chain = trainer.bits_per_dim, trainer.best().cpu()
    fault = "" if bits is None or math.isfinite(bits) else f"the bound on validation items is {bits}"
    if not all(bool(parameter.isfinite().all()) for parameter in chain.parameters()):
        fault = "weights are not finite"
    elif bits is None and not bool(chain.sample(_SAMPLES, seed=trainer.config.seed).isfinite().all()):
        fault = "samples are not finite"
    if fault:
        raise SaltusError(f"the training diverged: {fault} after update {trainer.done:,}; {REMEDY}")
    return chain

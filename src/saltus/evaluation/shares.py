"""Samples and bounds by several processes: each makes those of neighbouring items, and all of them get all.

An item has the noise of its number, so that its figures are those that one process finds, within rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from saltus.chain import Bound, Chain
from saltus.kernels import Sampling
from saltus.processes import Processes

__all__ = ["shared_bound", "shared_samples"]

_BATCH = 256  # items that a chain takes at once: in whole batches they are computed as by one process


def shared_samples(chain: Chain, n: int, processes: Processes, *, seed: int, sampling: Sampling, condition: Tensor | None) -> Tensor:
    """Items 0 ... n - 1 of a seed (n, *E), see `Chain.sample`; the same in every process."""
    items = processes.run(n, _BATCH)
    given = None if condition is None else condition[items.start : items.stop]
    made = chain.sample(len(items), seed=seed, first_item=items.start, sampling=sampling, condition=given) if items else None
    return torch.cat([part for part in processes.everyones(made) if part is not None])


def shared_bound(chain: Chain, y: Tensor, processes: Processes, *, condition: Tensor | None, **options: Any) -> Bound:
    """The bound of items (N, *E), see `Chain.bound`; the same in every process."""
    items = processes.run(len(y), _BATCH)
    rows = slice(items.start, items.stop)
    given = None if condition is None else condition[rows]
    found = chain.bound(y[rows], condition=given, first_item=items.start, **options) if items else None
    return Bound.joined([part for part in processes.everyones(found) if part is not None])

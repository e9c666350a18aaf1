"""Where is the loss?  A chain is started from real z_l at each level l, and its samples are measured.

Real z_0 are real items: the floor.  What the figures gain from real z_{l-1} to real z_l is what step l adds, and what they gain from
real z_L to the chain's own start is what the start adds.  Real items are validation items, which training never saw and which the
figures do not compare with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from saltus.chain import Chain, like
from saltus.data import DataSet, subsample
from saltus.errors import SaltusError
from saltus.evaluation.evaluator import Evaluator
from saltus.evaluation.pictures import draw_steps
from saltus.kernels import DEFAULT, Sampling

__all__ = ["LEVEL_METRICS", "LevelFigures", "by_level", "draw_by_level"]

LEVEL_METRICS = ("frechet", "kernel_mmd", "sliced_wasserstein", "energy")
"""The distances that are followed from level to level."""
_BATCH = 256


@dataclass(frozen=True)
class LevelFigures:
    """Distances of samples that start from real z_l.

    Attributes:
        start: "real items", "real z at t = ..." or "the chain's start".
        level: l; 0 for real items, and L + 1 for the chain's own start.
        metrics: figures by name.
        added: what is added to each since the row before; None for real items.
    """

    start: str
    level: int
    metrics: dict[str, float]
    added: dict[str, float] | None


def by_level(
    chain: Chain, data: DataSet, n: int, *, seed: int = 0, sampling: Sampling = DEFAULT, progress: Callable[[str], object] = lambda _: None
) -> list[LevelFigures]:
    """Figures of real items, of real z_1 ... z_L and of the chain's own start, against test items.

    Args:
        chain: without a condition.
        data: of the chain.
        n: items of each set, at most as many as there are validation items.
        seed: of the subset, of the noise and of the samples.
        sampling: how steps are sampled.
        progress: receives a few words about the next piece of work.

    Raises:
        SaltusError: for more items, or a chain with a condition.
    """
    if n > len(data.validation):
        raise SaltusError(f"{n} items for each level, and there are {len(data.validation)} validation items; ask for fewer with --n")
    if chain.condition is not None:
        raise SaltusError("steps are measured one by one for models without a condition, and this one has one; leave --by-level out")
    evaluator = Evaluator(data, n, metrics=LEVEL_METRICS, progress=progress)
    real = subsample(data.validation, n, seed=seed).to(like(chain))
    found: list[LevelFigures] = []
    for level in range(chain.levels.L + 2):
        words = _words(chain, level)
        progress(f"from {words}")
        metrics = evaluator.measure(_samples(chain, real, level, seed, sampling).cpu().float())
        before = found[-1].metrics if found else None
        added = None if before is None else {name: value - before[name] for name, value in metrics.items()}
        found.append(LevelFigures(words, level, metrics, added))
    return found


def _words(chain: Chain, level: int) -> str:
    if level == 0:
        return "real items"
    return "the chain's start" if level > chain.levels.L else f"real z at t = {float(chain.levels.times[level]):.3g}"


def _samples(chain: Chain, real: Tensor, level: int, seed: int, sampling: Sampling) -> Tensor:
    if level == 0:
        return real
    if level > chain.levels.L:
        return chain.sample(len(real), seed=seed, sampling=sampling)
    starts = range(0, len(real), _BATCH)
    return torch.cat([chain.vary(real[i : i + _BATCH], level, seed=seed, first_item=i, sampling=sampling) for i in starts])


def draw_by_level(figures: Sequence[LevelFigures], file: Path) -> None:
    """Each distance from level to level, as one PNG."""
    names = list(figures[0].metrics)
    draw_steps([row.start for row in figures], {name: [row.metrics[name] for row in figures] for name in names}, file)

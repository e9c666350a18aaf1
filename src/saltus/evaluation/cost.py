"""What a sample costs: multiply-adds of all its network calls.  Calls of a small network are not calls of a large one."""

from __future__ import annotations

from torch.utils.flop_counter import FlopCounterMode

from saltus.evaluation.report import Sampler

__all__ = ["multiply_adds"]


def multiply_adds(sampler: Sampler) -> int:
    """Multiply-adds of matrix products and convolutions for one sample, by torch's counter; 0 where there is no network."""
    with FlopCounterMode(display=False) as counter:
        sampler.sample(1, seed=0)
    return int(counter.get_total_flops()) // 2

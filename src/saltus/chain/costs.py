"""What each step of a kernel for any step costs: the table that grids are planned from (`saltus.levels.PairCosts`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from saltus.chain.chain import Chain
from saltus.chain.modes import evaluating, like
from saltus.levels import Levels, PairCosts

__all__ = ["pair_costs"]


@torch.no_grad()
def pair_costs(
    chain: Chain,
    y: Tensor,
    n: int,
    *,
    condition: Any = None,
    seed: int = 0,
    progress: Callable[[str], object] = lambda _: None,
) -> PairCosts:
    """The mean bound of every step between n times, even along the cosine schedule up to the chain's last, and of the prior at each.

    Args:
        chain: with a kernel for any step that has a bound.
        y: items that were not trained on, (N, *E), N >= 2.
        n: how many times, 0 left out; n (n + 1) / 2 steps are measured.
        condition: of the items.
        seed: of the noise.
        progress: told in words how far it is.
    """
    times = tuple(Levels.cosine(n, chain.levels.last))
    nats, error = (torch.full((n + 1, n + 1), torch.nan, dtype=torch.float64) for _ in range(2))
    prior = torch.full((n + 1,), torch.nan, dtype=torch.float64)
    y, given, k = y.to(like(chain)), chain.given_condition(condition, len(y)), chain.importance_samples
    noise, kernel = chain.noise(seed, 0, len(y)), chain.kernel(1)
    with evaluating(chain):
        for j in range(1, n + 1):
            progress(f"steps from t = {times[j]:.3g}, time {j} of {n}")
            for i in range(j):
                grid = Levels([0.0, times[j]] if i == 0 else [0.0, times[i], times[j]])
                *_, (level, pair) = chain.forward_path(y, noise, given, levels=grid)
                cost = torch.stack(list(kernel.explain(pair, noise.at(level), k).terms.values())).sum(0).double()
                nats[i, j], error[i, j] = cost.mean(), cost.std() / math.sqrt(len(y))
            prior[j] = chain.prior.cost(y, pair.z_t, times[j], given).double().mean()
    return PairCosts(times, nats, prior, error)

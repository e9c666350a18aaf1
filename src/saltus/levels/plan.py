r"""The best grid of L steps, from the cost of every step that a kernel could take.

The bound of a chain on the grid $0 = t_{i_0} < t_{i_1} < \dots < t_{i_L}$ is a sum over its steps and the prior,

$$\mathrm{bound} = \pi(t_{i_L}) + \sum_{l=1}^{L} C(t_{i_{l-1}}, t_{i_l}),$$

where $C(s, t)$ is the mean cost of the step from $t$ to $s$ in nats, $\mathbb E\,\mathrm{KL}(q(z_s \mid z_t, y) \,\|\, p(z_s \mid z_t))$
for $s > 0$ and $-\mathbb E \ln p(y \mid z_t)$ for $s = 0$, and $\pi(t) = \mathbb E\,\mathrm{KL}(q(z_t \mid y) \,\|\, p(z_t))$.  A kernel
that serves every pair of times has a table of these, and the best of all grids is found exactly by dynamic programming (Watson et
al. 2021, https://arxiv.org/abs/2106.03802):

$$D_0(0) = 0, \qquad D_l(t) = \min_{s < t}\, [D_{l-1}(s) + C(s, t)], \qquad \min_t\, [D_L(t) + \pi(t)].$$

With the exact reverse kernel a step costs the mutual information that it wins back, $C(s, t) = I(y; z_s) - I(y; z_t)$ for $s > 0$, and
every grid that ends at the same time costs the same.  So the excess $C(s, t) - C(s, u) - C(u, t)$ is what a kernel loses by leaving out
a time $u$ between $s$ and $t$.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saltus.errors import SaltusError

__all__ = ["PairCosts", "Plan"]


@dataclass(frozen=True)
class Plan:
    """A grid with what each part of its bound costs.

    Attributes:
        times: 0 = t_0 < ... < t_L; `Levels(plan.times)` is the grid.
        steps: mean nats of each of the L steps, cleanest first.
        prior: mean nats of the prior at t_L.
    """

    times: tuple[float, ...]
    steps: tuple[float, ...]
    prior: float

    @property
    def total(self) -> float:
        """The mean bound in nats: that of the steps and the prior together."""
        return math.fsum(self.steps) + self.prior


@dataclass(frozen=True, eq=False)
class PairCosts:
    """What each step between n + 1 times costs, and the prior at each.

    Args:
        times: 0 = t_0 < ... < t_n, n >= 1, finite.
        nats: (n + 1, n + 1) float64; [i, j] is C(t_i, t_j) in mean nats for i < j, NaN elsewhere.
        prior: (n + 1,) float64; the mean nats of the prior at t_j, of which the first, at t_0 = 0, may be NaN or infinite.
        error: the standard errors of `nats`, of the same shape, NaN where those are; None if they are not known.

    Raises:
        SaltusError: if the times do not increase from 0, a shape is another one, or a number is missing or in the wrong place.

    >>> nan = float("nan")
    >>> nats = torch.tensor([[nan, 3.0, 9.0], [nan, nan, 2.0], [nan, nan, nan]], dtype=torch.float64)
    >>> costs = PairCosts((0.0, 0.5, 3.0), nats, torch.tensor([nan, 5.0, 1.0], dtype=torch.float64))
    >>> costs.plan(2)
    Plan(times=(0.0, 0.5, 3.0), steps=(3.0, 2.0), prior=1.0)
    >>> costs.plan(1).times
    (0.0, 0.5)
    """

    times: tuple[float, ...]
    nats: Tensor
    prior: Tensor
    error: Tensor | None = None

    def __post_init__(self) -> None:
        if len(self.times) < 2 or self.times[0] != 0 or not all(s < t < math.inf for s, t in pairwise(self.times)):
            raise SaltusError(f"times {list(self.times)}; expected finite times that increase from 0, at least one after it")
        size = len(self.times)
        if self.prior.shape != (size,) or self.prior.dtype != torch.float64 or not bool(torch.isfinite(self.prior[1:]).all()):
            raise SaltusError(f"prior is {_named(self.prior)}; expected float64 ({size},), finite after the first")
        for name, table in {"nats": self.nats, "error": self.error}.items():
            if table is not None and (table.shape != (size, size) or table.dtype != torch.float64 or not _is_upper(table)):
                raise SaltusError(
                    f"{name} is {_named(table)}; expected float64 ({size}, {size}), finite at [i, j] for i < j and NaN elsewhere"
                )
        if self.error is not None and bool((self.error < 0).any()):
            raise SaltusError(f"error has {float(self.error.nan_to_num(0).min())}; expected standard errors >= 0")

    def plan(self, L: int, last: float | None = None) -> Plan:
        """The grid of L steps with the least total; of equal ones, one that reaches each time by the cleanest time before.

        Args:
            L: how many steps, 1 <= L <= n.
            last: t_L, one of the times; None to choose it as well.

        Raises:
            SaltusError: if `last` is none of the times after 0, or there are fewer than L times up to it.
        """
        end = len(self.times) - 1 if last is None else self._index(last)
        if not 1 <= L <= end:
            raise SaltusError(f"L = {L} steps; expected 1 to {end}, for there are {end} times after 0 up to {self.times[end]:g}")
        table = torch.where(self.nats.isnan(), torch.inf, self.nats).numpy()
        least = np.where(np.arange(len(self.times)) == 0, 0.0, np.inf)  # D_0
        before = []  # for each number of steps, the index of the time before each time
        for _ in range(L):
            through = least[:, None] + table
            before.append(through.argmin(0))
            least = through.min(0)
        index = int((least[1:] + self.prior[1:].numpy()).argmin()) + 1 if last is None else end
        path = [index]
        for previous in reversed(before):
            path.append(int(previous[path[-1]]))
        path.reverse()
        steps = tuple(float(self.nats[i, j]) for i, j in pairwise(path))
        return Plan(tuple(self.times[i] for i in path), steps, float(self.prior[index]))

    def excess(self) -> Tensor:
        """C(s, t) - C(s, u) - C(u, t) at [s, u, t], the nats that a stop at u saves; (n + 1, n + 1, n + 1), NaN unless s < u < t."""
        return self.nats[:, None, :] - self.nats[:, :, None] - self.nats

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON, with None for numbers that are not finite."""
        found = {"times": list(self.times), "nats": _plain(self.nats), "prior": _plain(self.prior)}
        return found if self.error is None else {**found, "error": _plain(self.error)}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> PairCosts:
        """The inverse of `as_dict`; of what was not finite, it makes NaN.

        Raises:
            SaltusError: if a part is missing or is no table of numbers.
        """
        try:
            tables = {name: _table(plain[name]) for name in ("nats", "prior", "error") if name in plain or name != "error"}
            times = tuple(float(t) for t in plain["times"])
        except (KeyError, TypeError, ValueError) as error:
            raise SaltusError("these are no pair costs; expected what as_dict gives: times, nats and prior as lists of numbers") from error
        return cls(times, **tables)

    def _index(self, last: float) -> int:
        for index, time in enumerate(self.times[1:], 1):
            if math.isclose(time, last, rel_tol=1e-9):
                return index
        raise SaltusError(f"last = {last}; expected one of the times {[float(f'{t:g}') for t in self.times[1:]]}")


def _is_upper(table: Tensor) -> bool:
    above = torch.ones_like(table, dtype=torch.bool).triu(1)
    return bool(torch.isfinite(table[above]).all() and table[~above].isnan().all())


def _named(table: Tensor) -> str:
    dtype = str(table.dtype).removeprefix("torch.")
    return f"{dtype} {tuple(table.shape)} with {int(torch.isfinite(table).sum())} finite numbers"


def _plain(table: Tensor) -> Any:
    if table.ndim > 1:
        return [_plain(row) for row in table]
    return [value if math.isfinite(value) else None for value in table.tolist()]


def _table(rows: Sequence[Any]) -> Tensor:
    return torch.tensor(np.array(rows, dtype=np.float64))  # None becomes NaN

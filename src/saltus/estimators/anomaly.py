r"""How strange rows are, beside rows that a model did not learn from.

A column's cost is $c_j = -\ln p(y_j \mid \text{all other columns})$ on the axis of y.  What is dear in one column is ordinary in another,
so each is held against the costs of the same column in held-out rows: $-\ln P(C_j \ge c_j)$, which is 1 on average for an ordinary row.
The score of a row is calibrated in the same way once more: $-\ln$ of the share of ordinary rows that are at least as strange, in nats.
Images have other columns (`saltus.estimators.strange_images`) and the same score.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor

from saltus.chain import Chain, given_others, like
from saltus.data import Columns, DataSet
from saltus.data.layout import Array
from saltus.training import Folds

__all__ = ["Ordinary", "costs_of"]

_KEPT = 1000  # held-out rows that are kept
_TAIL = 0.05  # of the rows, above which costs are taken to fall off exponentially
_EXCESS = 1.0  # nats within which they fall by 1/e, as far as no row tells, as costs of a true model do or faster; it counts as one row
_DIGITS = 5


class Ordinary:
    """What ordinary rows cost.

    Args:
        costs: of held-out rows and their columns, (n, d) nats.
    """

    def __init__(self, costs: Array) -> None:
        self.costs = np.asarray(costs, dtype=np.float64)[:_KEPT].round(_DIGITS)
        self._totals = _statistic(self.by_column(self.costs))

    def by_column(self, costs: Array) -> Array:
        """How strange each cell is, (n, d) nats, from its cost; one that is infinite, of what its column never held, is rarer than any."""
        costs = costs.round(_DIGITS)  # as they are kept: equal ones stay equal
        found = np.stack([_tail(costs[:, j], self.costs[:, j]) for j in range(costs.shape[1])], axis=1)
        return np.where(np.isinf(costs), math.log(len(self.costs) + 1), found)

    def score(self, costs: Array) -> Array:
        """How strange each row is, (n,) nats."""
        return _tail(_statistic(self.by_column(costs)), self._totals)

    def to_json(self) -> list[list[float]]:
        """What makes the same again."""
        found: list[list[float]] = self.costs.tolist()
        return found

    @classmethod
    def from_json(cls, found: Any) -> Ordinary:
        """That of `to_json`.

        Raises:
            ValueError: for what is none.
        """
        costs = np.asarray(found, dtype=np.float64)
        if costs.ndim != 2 or not costs.size or not np.isfinite(costs).all():
            raise ValueError("costs of ordinary rows are not finite numbers (n, d)")
        return cls(costs)

    @classmethod
    def of(cls, chain: Chain, data: DataSet, folds: Folds | None = None) -> Ordinary:
        """That of a table's validation rows; or of all rows by the chains that did not learn them."""
        encoding = data.encoding
        assert isinstance(encoding, Columns)
        found = []
        for each, y in zip(folds.chains, folds.held, strict=True) if folds else [(chain, data.validation[:_KEPT])]:
            cells = np.asarray(encoding.decode(y), dtype=np.float64)
            found.append(costs_of(each, encoding, y) + encoding.surprise_by_column(cells))
        return cls(np.concatenate(found))


def costs_of(chain: Chain, encoding: Columns, y: Tensor, known: Tensor | None = None, *, seed: int = 0) -> Array:
    """-ln p of each column of rows y (n, E) given the others that are known, (n, d) nats."""
    device = like(chain)
    told = None if known is None else known.to(device.device)
    each = given_others(chain, y.to(device), told, seed=seed).double().cpu().numpy()
    return np.stack([each[:, list(places)].sum(1) for places in encoding.places], axis=1)


def _statistic(strange: Array) -> Array:
    found: Array = strange.sum(1)
    return found


def _tail(costs: Array, held: Array) -> Array:
    """-ln of the share of held-out costs that are at least as large, (n,), which goes on beyond the largest."""
    ordered = np.sort(held)
    above = len(ordered) - np.searchsorted(ordered, costs, side="left")
    share = (above + 1) / (len(ordered) + 1)
    border = float(np.quantile(ordered, 1 - _TAIL))
    beyond = ordered[ordered > border] - border
    excess = (float(beyond.sum()) + _EXCESS) / (len(beyond) + 1)
    start = (1 + len(beyond)) / (len(ordered) + 1)
    found: Array = np.where(costs > border, -np.log(start) + (costs - border) / excess, -np.log(share))
    return found

"""Everything that a report says of synthetic rows, measured: each figure beside that of training rows in their place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from saltus.data import subsample
from saltus.data.layout import Array
from saltus.errors import SaltusError
from saltus.evaluation import ClosedForm, Likelihood, closed_forms, likelihood
from saltus.evaluation.evaluator import Progress, silent
from saltus.evaluation.quality import (
    Privacy,
    TwoSample,
    Utility,
    association,
    by_column,
    privacy,
    some_rows,
    told_apart,
    utility,
)
from saltus.studies.quality.rows import MOST_ROWS, Compared
from saltus.words import in_brief

__all__ = ["MOST_COLUMNS", "Bound", "Pair", "Prediction", "Quality", "measured"]

MOST_COLUMNS = 40
"""Columns that are shown: those that tell synthetic rows most."""
_MOST_CELLS = 2_000_000  # of each set, told apart by boosting: 20,000 rows of 100 columns
_BOUND_ROWS = 1000  # whose nats are measured, of closed forms too


@dataclass(frozen=True)
class Pair:
    """Two columns and how they go together in held-out, synthetic and training rows."""

    i: int
    j: int
    real: float
    synthetic: float
    train: float

    @property
    def excess(self) -> float:
        """How much larger the difference to held-out rows is than that of training rows."""
        floor = abs(self.train - self.real)
        return abs(self.synthetic - self.real) - (floor if math.isfinite(floor) else 0.0)


@dataclass(frozen=True)
class Prediction:
    """The target that was predicted, from synthetic rows and from as many real ones."""

    target: int
    synthetic: Utility
    real: Utility


@dataclass(frozen=True)
class Bound:
    """The bound on -ln p of held-out rows, and closed forms on the same rows."""

    own: Likelihood
    floors: dict[str, ClosedForm]


@dataclass(frozen=True, eq=False)
class Quality:
    """What was measured.

    Attributes:
        compared: the rows.
        synthetic, train: how often these are told from held-out rows; the latter is the floor.
        alone: how often synthetic rows are, by each column alone, (d,).
        alone_train: how often training rows are, by each of the columns that are shown, in their order.
        missing: the share of missing cells of each column, in held-out and in synthetic rows.
        order: the columns by `alone`, that which tells most first.
        real_pairs, synthetic_pairs, train_pairs: how the first `MOST_COLUMNS` of them go together, in that order, (k, k).
        linear_pairs: Pearson's correlations in place of ranks, in held-out and synthetic rows.
        privacy: copies and distances.
        prediction: what the rows are worth; None where `unpredicted` says why not.
        bound: in nats; None where `unbounded` says why not.
    """

    compared: Compared
    synthetic: TwoSample
    train: TwoSample
    alone: tuple[TwoSample, ...]
    alone_train: tuple[TwoSample, ...]
    missing: tuple[Array, Array]
    order: tuple[int, ...]
    real_pairs: Array
    synthetic_pairs: Array
    train_pairs: Array
    linear_pairs: tuple[Array, Array]
    privacy: Privacy
    prediction: Prediction | None
    unpredicted: str
    bound: Bound | None
    unbounded: str

    @property
    def shown(self) -> tuple[int, ...]:
        """The columns that are shown, that which tells most first."""
        return self.order[:MOST_COLUMNS]

    @property
    def pairs(self) -> list[Pair]:
        """The pairs of these columns, those that are not known left out: first that whose difference to held-out rows is most above the one
        that training rows have, so that few held-out rows do not choose by chance."""
        found = []
        for i in range(len(self.shown)):
            for j in range(i):
                figures = (float(each[i, j]) for each in (self.real_pairs, self.synthetic_pairs, self.train_pairs))
                found.append(Pair(self.shown[j], self.shown[i], *figures))
        known = [pair for pair in found if np.isfinite(pair.synthetic - pair.real)]
        return sorted(known, key=lambda pair: -pair.excess)


def measured(rows: Compared, *, seed: int = 0, progress: Progress = silent) -> Quality:
    """Measure the rows.

    Args:
        rows: what is compared.
        seed: of all choices of rows, folds and models.
        progress: receives a few words about the next piece of work.
    """
    kinds = rows.categorical
    train, most = some_rows(rows.train, MOST_ROWS, seed=seed), max(1, _MOST_CELLS // len(kinds))
    synthetic, real, floor = (some_rows(table, most, seed=seed) for table in (rows.synthetic, rows.held_out, train))
    progress("telling synthetic rows, and training rows, from held-out rows")
    told = told_apart(synthetic, real, kinds, seed=seed, importance=True)
    told_train = told_apart(floor, real, kinds, seed=seed)
    progress("the same by each column alone")
    alone = by_column(synthetic, real, kinds, seed=seed)
    order = sorted(range(len(kinds)), key=lambda j: (-alone[j].accuracy, j))
    shown = order[:MOST_COLUMNS]
    alone_train = by_column(floor[:, shown], real[:, shown], kinds[shown], seed=seed)
    progress("how columns go together")
    real_pairs, synthetic_pairs, train_pairs = (
        association(table[:, shown], kinds[shown]) for table in (rows.held_out, rows.synthetic, train)
    )
    linear = tuple(association(table[:, shown], kinds[shown], ranks=False) for table in (rows.held_out, rows.synthetic))
    progress("copies and distances")
    private = privacy(rows.synthetic, rows.held_out, rows.train, kinds, seed=seed)
    progress("what the rows are worth for a prediction")
    prediction, unpredicted = _prediction(rows, train, seed)
    progress("the bound on -ln p, and closed forms")
    bound, unbounded = _bound(rows, seed)
    return Quality(
        compared=rows,
        synthetic=told,
        train=told_train,
        alone=tuple(alone),
        alone_train=tuple(alone_train),
        missing=(np.isnan(rows.held_out).mean(0), np.isnan(rows.synthetic).mean(0)),
        order=tuple(order),
        real_pairs=real_pairs,
        synthetic_pairs=synthetic_pairs,
        train_pairs=train_pairs,
        linear_pairs=(linear[0], linear[1]),
        privacy=private,
        prediction=prediction,
        unpredicted=unpredicted,
        bound=bound,
        unbounded=unbounded,
    )


def _prediction(rows: Compared, train: Array, seed: int) -> tuple[Prediction | None, str]:
    n = min(len(rows.synthetic), len(train))
    most = max(1, _MOST_CELLS // len(rows.columns))
    sets = [some_rows(table, min(n, most), seed=seed) for table in (rows.synthetic, train)]
    try:
        synthetic, real = utility(sets, rows.held_out, rows.categorical, rows.target, seed=seed)
    except SaltusError as error:
        return None, in_brief(error)
    return Prediction(rows.target, synthetic, real), ""


def _bound(rows: Compared, seed: int) -> tuple[Bound | None, str]:
    if rows.y is None:
        return None, rows.refused
    chain, y = rows.chain, subsample(rows.y, _BOUND_ROWS, seed=seed)
    condition = None if rows.condition is None else subsample(rows.condition, _BOUND_ROWS, seed=seed)
    options: dict[str, Any] = {"condition": condition, "seed": seed}
    eta = chain.sampling.eta if chain.has_bound_at(chain.sampling.eta) else 1.0
    own = likelihood(chain, y, rows.data.encoding, eta=eta, **options)
    if own is None:
        return None, "this kind of model has no bound"
    return Bound(own, closed_forms(chain, rows.data, y, **options)), ""

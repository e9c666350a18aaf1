r"""Missing cells of test rows and how well draws fill them: the second half of what `mixed_tables.py` measures.

Of m draws x_1, ..., x_m of a number y, in standard deviations of the column, the continuous ranked probability score is

    mean |x_i - y|  -  sum over i < j of |x_i - x_j| / (m (m - 1)),

whose mean does not depend on m (Ferro 2014, https://doi.org/10.1002/qj.2270); of one guess it is the absolute error.  The Brier score
of a category is the sum of (p_k - [y = k])^2 over categories, p_k the share of draws, less its excess for few draws,
sum p_k (1 - p_k) / (m - 1).  The range of 19 exchangeable draws covers the truth in 18 of 20 cases: intervals of 90 %.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd

from mixed_tables_cells import Array
from mixed_tables_data import Schema, Split, matrix
from mixed_tables_models import Model

DRAWS, COVERING = 20, 19
SHARE, MOST = 0.2, 2_000  # of cells that go missing; test rows
KINDS = ("at random", "by a rule")


def masks(schema: Schema, test: Any, kind: str, seed: int) -> Array:
    """Cells (n, d) that go missing, of those that are there.

    By a rule: half of the columns stay; each of the others goes missing with a chance that grows from 0 to 40 % with the rank of another
    column that stays.
    """
    rng, numbers = np.random.default_rng((seed, KINDS.index(kind))), matrix(schema, test)
    chance = np.full(numbers.shape, SHARE)
    if kind == "by a rule":
        order = rng.permutation(numbers.shape[1])
        half = len(order) // 2
        chance[:, order[:half]] = 0.0
        for k, j in enumerate(order[half:]):
            ranks = pd.Series(numbers[:, order[k % half]]).rank(pct=True).fillna(0.5).to_numpy()
            chance[:, j] = 2 * SHARE * ranks
    found: Array = (rng.random(numbers.shape) < chance) & ~np.isnan(numbers)
    return found


def with_holes(schema: Schema, test: Any, mask: Array) -> Any:
    """The rows without these cells; numbers as float64."""
    columns: dict[str, Any] = {}
    for name, gone in zip(schema.names, mask.T, strict=True):
        column = test[name].astype(object if name in schema.categories else np.float64)
        columns[name] = column.mask(gone, None if name in schema.categories else np.nan)
    return pd.DataFrame(columns)


def imputation(model: Model, parts: Split, seed: int) -> dict[str, Any]:
    """Scores for both kinds of missing cells."""
    return {kind: scores(model, parts.train, parts.test[:MOST], kind, seed) for kind in KINDS}


def scores(model: Model, train: Any, test: Any, kind: str, seed: int) -> dict[str, Any]:
    """Means over columns, each of its cells."""
    schema, mask = model.schema, masks(model.schema, test, kind, seed)
    begun = time.perf_counter(), time.process_time()
    tables = model.impute(with_holes(schema, test, mask), DRAWS)
    wall, cpu = time.perf_counter() - begun[0], time.process_time() - begun[1]
    draws, truth = np.stack([matrix(schema, table) for table in tables]), matrix(schema, test)
    deviations = np.nanstd(matrix(schema, train), axis=0)
    found: dict[str, dict[str, float]] = {"crps": {}, "brier": {}, "coverage": {}}
    for j, name in enumerate(schema.names):
        gone = mask[:, j]
        if not gone.any():
            continue
        if name in schema.categories:
            found["brier"][name] = brier(draws[:, gone, j], truth[gone, j], len(schema.categories[name]))
        else:
            found["crps"][name] = crps(draws[:, gone, j], truth[gone, j]) / float(deviations[j])
            if len(draws) >= COVERING:
                found["coverage"][name] = covered(draws[:COVERING, gone, j], truth[gone, j])
    means = {score: float(np.mean([*columns.values()])) for score, columns in found.items() if columns}
    return means | {"cells": int(mask.sum()), "draws": len(draws), "wall": wall, "cpu": cpu, "columns": found}


def crps(draws: Array, truth: Array) -> float:
    """The mean continuous ranked probability score of draws (m, n) of numbers (n,)."""
    error, m = float(np.abs(draws - truth).mean()), len(draws)
    if m == 1:
        return error
    weights = 2 * np.arange(m) - m + 1  # sum over i < j of |x_i - x_j|, from the order of the draws
    spread = (np.sort(draws, axis=0) * weights[:, None]).sum(0) / (m * (m - 1))
    return error - float(spread.mean())


def brier(draws: Array, truth: Array, k: int) -> float:
    """The mean Brier score of draws (m, n) of the places (n,) of k categories."""
    p, m = np.stack([(draws == place).mean(0) for place in range(k)]), len(draws)
    error = ((p - (truth == np.arange(k)[:, None])) ** 2).sum(0)
    excess = (p * (1 - p)).sum(0) / (m - 1) if m > 1 else 0.0
    return float((error - excess).mean())


def covered(draws: Array, truth: Array) -> float:
    """How often numbers (n,) are in the range of draws (m, n)."""
    return float(((draws.min(0) <= truth) & (truth <= draws.max(0))).mean())

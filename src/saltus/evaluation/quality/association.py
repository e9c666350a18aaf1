r"""How columns go together, whatever their types: one number for each pair, 0 for independent columns and 1 for a copy.

| pair | measure | range |
|---|---|---|
| two columns of numbers | Spearman's rank correlation, or Pearson's | -1 to 1 |
| two of categories | Cramer's V, less its bias (Bergsma 2013, https://doi.org/10.1016/j.jkss.2012.10.002) | 0 to 1 |
| numbers and categories | the correlation ratio, less its bias (Kelley 1935, https://doi.org/10.1073/pnas.21.9.554) | 0 to 1 |

Of a table of counts with n rows, r times c cells and $\phi^2 = \chi^2/n$,

    V^2 = max(0, phi^2 - (r-1)(c-1)/(n-1)) / min(r~ - 1, c~ - 1),    k~ = k - (k-1)^2/(n-1).

Of numbers in k groups, with the sums of squares within the groups and in all,

    eta^2 = max(0, 1 - [within / (n-k)] / [all / (n-1)]).

Without these corrections columns of many categories seem to go together in few rows.  Each pair is measured in the rows where neither cell
is missing; it is NaN where fewer than 3 such rows are left, or one of the columns does not vary in them.
"""

from __future__ import annotations

import math

import numpy as np

from saltus.data.layout import Array

__all__ = ["association", "correlation_ratio", "cramers_v", "pearson", "spearman"]

_FEWEST = 3  # rows


def association(rows: Array, categorical: Array, *, ranks: bool = True) -> Array:
    """The measure of each pair of the columns of rows (n, d): (d, d), symmetric, with ones on the diagonal.

    Args:
        rows: cells, see `saltus.evaluation.quality.cells`.
        categorical: which columns hold categories, (d,) bool.
        ranks: whether numbers are measured by Spearman's correlation, not by Pearson's.
    """
    d = rows.shape[1]
    found, there = np.eye(d), ~np.isnan(rows)
    for i in range(d):
        for j in range(i):
            both = there[:, i] & there[:, j]
            found[i, j] = found[j, i] = _pair(rows[both, i], rows[both, j], bool(categorical[i]), bool(categorical[j]), ranks)
    return found


def _pair(x: Array, y: Array, x_categorical: bool, y_categorical: bool, ranks: bool) -> float:
    if x_categorical and y_categorical:
        return cramers_v(x, y)
    if x_categorical or y_categorical:
        return correlation_ratio(*((x, y) if x_categorical else (y, x)))
    return spearman(x, y) if ranks else pearson(x, y)


def pearson(x: Array, y: Array) -> float:
    """The correlation of numbers (n,) and (n,)."""
    if not _varying(x, y):
        return math.nan
    a, b = (values - values.mean() for values in (x / np.abs(x).max(), y / np.abs(y).max()))  # huge ones have no finite squares
    return float(np.clip(a @ b / math.sqrt((a @ a) * (b @ b)), -1, 1))


def spearman(x: Array, y: Array) -> float:
    """The correlation of the ranks of numbers (n,) and (n,); ties get their mean rank."""
    from scipy.stats import rankdata

    return pearson(rankdata(x), rankdata(y)) if _varying(x, y) else math.nan


def cramers_v(x: Array, y: Array) -> float:
    """Of categories (n,) and (n,)."""
    if not _varying(x, y):
        return math.nan
    counts, n = _counts(x, y), len(x)
    expected = np.outer(counts.sum(1), counts.sum(0)) / n
    r, c = counts.shape
    phi = float((counts**2 / expected).sum()) / n - 1
    freed = max(0.0, phi - (r - 1) * (c - 1) / (n - 1))
    least = min(k - (k - 1) ** 2 / (n - 1) for k in (r, c)) - 1
    return math.sqrt(min(1.0, freed / least)) if least > 0 else math.nan


def correlation_ratio(groups: Array, numbers: Array) -> float:
    """How far the groups (n,) tell the numbers (n,): the root of the share of their variance that is between groups."""
    if not _varying(groups, numbers):
        return math.nan
    _, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    n, k = len(groups), len(sizes)
    if n <= k:
        return math.nan
    scaled = numbers / np.abs(numbers).max()
    means = np.bincount(place, weights=scaled) / sizes
    within, whole = float(((scaled - means[place]) ** 2).sum()), float(((scaled - scaled.mean()) ** 2).sum())
    return math.sqrt(max(0.0, 1 - within / (n - k) / (whole / (n - 1))))


def _varying(x: Array, y: Array) -> bool:
    return len(x) >= _FEWEST and all(values.min() < values.max() for values in (x, y))


def _counts(x: Array, y: Array) -> Array:
    """How often each pair of categories comes, (r, c)."""
    (rows, i), (columns, j) = (np.unique(values, return_inverse=True) for values in (x, y))
    counts: Array = np.bincount(i * len(columns) + j, minlength=len(rows) * len(columns)).reshape(len(rows), -1).astype(np.float64)
    return counts

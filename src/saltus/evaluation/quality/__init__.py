"""Rows of mixed types against real ones: told apart by boosting, how columns go together, copies and distances, worth for a prediction.

All take rows of cells as `saltus.data.cells` has them, float64 (n, d): numbers as they are, categories by their place in a list, NaN for a
missing cell; and which columns hold categories, (d,) bool.
"""

from saltus.evaluation.quality.association import association, correlation_ratio, cramers_v, pearson, spearman
from saltus.evaluation.quality.boosting import TwoSample, by_column, told_apart
from saltus.evaluation.quality.cells import few_categories, some_rows
from saltus.evaluation.quality.privacy import NEAR, Nearest, Privacy, copied, nearest_rows, privacy
from saltus.evaluation.quality.utility import MOST_CLASSES, Utility, difference, utility

__all__ = [
    "MOST_CLASSES",
    "NEAR",
    "Nearest",
    "Privacy",
    "TwoSample",
    "Utility",
    "association",
    "by_column",
    "copied",
    "correlation_ratio",
    "cramers_v",
    "difference",
    "few_categories",
    "nearest_rows",
    "pearson",
    "privacy",
    "some_rows",
    "spearman",
    "told_apart",
    "utility",
]

"""What many tests check in the same way: that an error is one sentence, and statistics.

A statistical tolerance is a number of standard errors, and every such check has a twin that must fail.  Seeds are
fixed, so that a test that has passed passes again; the chance only matters when code or seeds change.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from saltus.chain import Chain
from saltus.errors import SaltusError

STANDARD_ERRORS = 5.0
"""A right value is rejected with probability 6e-7 (two-sided Gaussian tail at five standard errors)."""
LEAST_P = 2 * stats.norm.sf(STANDARD_ERRORS)
"""The same chance, for tests that give a p-value."""
FEWEST = 5.0
"""Items that are expected of a place, below which the chi-square distribution is none of the statistic."""

Cdf = Callable[[np.ndarray], np.ndarray]


def standard_error(values: Tensor) -> float:
    """Of the mean of `values`."""
    return float(values.double().std()) / math.sqrt(values.numel())


def mean_is(values: Tensor, expected: float) -> bool:
    """Whether the mean of `values` is `expected` within the standard errors."""
    return abs(float(values.double().mean()) - expected) <= STANDARD_ERRORS * standard_error(values)


def same_mean(one: Tensor, other: Tensor) -> bool:
    """Whether two independent samples have the same mean within the standard errors."""
    error = math.hypot(standard_error(one), standard_error(other))
    return abs(float(one.double().mean() - other.double().mean())) <= STANDARD_ERRORS * error


def follows(sample: Tensor, cdf: Cdf) -> bool:
    """Whether a sample (n,) follows a distribution, by Kolmogorov and Smirnov."""
    return bool(stats.kstest(sample.double().numpy(), cdf).pvalue > LEAST_P)


def has_frequencies(places: Tensor, chances: Tensor) -> bool:
    """Whether places (n,) come as often as their chances (K,) say, by Pearson's chi-square; rare places are taken together."""
    expected = chances.double() * len(places)
    counts, rare = places.bincount(minlength=len(chances)).double(), expected < FEWEST
    parts = [torch.cat([value[~rare], value[rare].sum()[None]]) for value in (counts, expected)]
    there = parts[1] > 0
    if bool(parts[0][~there].any()):
        return False
    statistic = float(((parts[0] - parts[1]).square() / parts[1].clamp_min(1.0))[there].sum())
    return bool(stats.chi2.sf(statistic, max(1, int(there.sum()) - 1)) > LEAST_P)


def normal_cdf(mean: float = 0.0, variance: float = 1.0) -> Cdf:
    """Of N(mean, variance)."""
    return lambda x: stats.norm.cdf(x, mean, math.sqrt(variance))


def mixture_cdf(weights: Tensor, means: Tensor, variances: Tensor) -> Cdf:
    """Of a one-dimensional Gaussian mixture, (K,) each."""
    parts = list(zip(weights.tolist(), means.tolist(), variances.tolist(), strict=True))
    return lambda x: sum(w * stats.norm.cdf(x, m, math.sqrt(v)) for w, m, v in parts)


def gauss_hermite(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for expectations over N(0, 1), exact for polynomials of degree below 2 `nodes`."""
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    return x, w / w.sum()


def assert_one_sentence(error: SaltusError, *names: str) -> None:
    """Said in one sentence, which has these words in it."""
    text = str(error)
    assert "\n" not in text
    assert ". " not in text.replace(". ...", "")
    assert not text.endswith(".")
    assert "; " in text or ": " in text
    for name in names:
        assert name in text, text


def refused(folder: Path, *names: str) -> None:
    """A folder's chain is not loaded, and one sentence says why."""
    with pytest.raises(SaltusError) as caught:
        Chain.load(folder)
    assert_one_sentence(caught.value, *names)

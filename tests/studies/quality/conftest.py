"""Rows that are measured once for several tests, by small classifiers."""

from __future__ import annotations

import numpy as np
import pytest

from saltus.evaluation.quality.boosting import Effort
from saltus.studies.quality.measure import Quality, measured
from tests.helpers.compared import as_compared, cells


def quickly(synthetic: np.ndarray) -> Quality:
    """The quality of rows, measured with little effort."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_WHOLE", "_ALONE"):
            patch.setattr(f"saltus.evaluation.quality.boosting.{name}", Effort(trees=6, leaves=4, draws=1))
        return measured(as_compared(synthetic))


@pytest.fixture(scope="package")
def same() -> Quality:
    """Rows of the distribution of the real ones."""
    return quickly(cells(60, 0))


@pytest.fixture(scope="package")
def planted() -> Quality:
    """The number no longer goes with the category, the days are later, and 6 of 60 rows are training rows."""
    rows = cells(60, 0)
    rows[:, 1] = np.random.default_rng(0).permutation(rows[:, 1])
    rows[:, 3] += 50
    rows[:6] = as_compared(rows).train[:6]
    return quickly(rows)

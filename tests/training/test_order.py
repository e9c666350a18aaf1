"""Every item is seen once an epoch, in an order that looks random, whatever their number."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from saltus.training import order
from saltus.training.order import items_after
from tests.helpers.checks import LEAST_P, STANDARD_ERRORS

SCATTERED = pytest.param(0, id="not written down")
WRITTEN = pytest.param(2**24, id="written down")


@pytest.fixture(params=[SCATTERED, WRITTEN])
def _limit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "_WRITTEN_DOWN", request.param)


@pytest.mark.usefixtures("_limit")
@pytest.mark.parametrize("n", [1, 2, 3, 5, 16, 17, 1000, 4097])
def test_an_epoch_has_every_item_once_and_batches_may_straddle_epochs(n: int) -> None:
    whole = items_after(n, 0, 3 * n, seed=4)
    for epoch in whole.split(n):
        assert torch.equal(epoch.sort().values, torch.arange(n))
    assert torch.equal(torch.cat([items_after(n, first, 7, seed=4) for first in range(0, 21, 7)]), items_after(n, 0, 21, seed=4))
    if n >= 1000:
        assert not torch.equal(whole[:n], whole[n : 2 * n])
        assert not torch.equal(whole[:n], items_after(n, 0, n, seed=5))


@pytest.mark.usefixtures("_limit")
def test_places_and_neighbours_are_unrelated() -> None:
    """Correlations of n pairs of ranks have the standard error 1 / sqrt(n)."""
    n = 5000
    x = items_after(n, 0, n, seed=1).double().numpy()
    ranks = np.arange(n)
    for one, other in ((x, ranks), (x[1:], x[:-1]), (x[2:], x[:-2]), (x, items_after(n, n, n, seed=1).numpy())):
        assert abs(np.corrcoef(one, other)[0, 1]) < STANDARD_ERRORS / n**0.5
    assert abs(np.corrcoef(ranks[1:], ranks[:-1])[0, 1]) > STANDARD_ERRORS / n**0.5  # the twin: no permutation at all
    counts = np.histogram2d(x, ranks, bins=10)[0]
    assert _chance(counts) > LEAST_P
    assert _chance(np.histogram2d(np.sort(x), ranks, bins=10)[0]) < LEAST_P


def _chance(counts: np.ndarray) -> float:
    from scipy import stats

    expected = counts.sum() / counts.size
    return float(stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), (counts.shape[0] - 1) * (counts.shape[1] - 1)))


def test_the_order_of_a_thousand_million_items_takes_no_memory() -> None:
    n = 10**9 + 7
    found = items_after(n, n - 3, 1000, seed=0)
    assert (len(found), int(found.min()) >= 0, int(found.max()) < n) == (1000, True, True)
    assert len(found.unique()) >= 999  # the last 3 of one epoch may come in the next
    assert float(found.double().mean()) / n == pytest.approx(0.5, abs=STANDARD_ERRORS / (12 * 1000) ** 0.5)

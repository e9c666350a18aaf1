"""Planted copies are found, near copies show in the distances, and new rows have the distances of held-out rows."""

from __future__ import annotations

import importlib
import math

import numpy as np
import pytest

from saltus.evaluation.quality import copied, nearest_rows, privacy

KINDS = np.array([False, True, False])
NAN = np.nan


def rows(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = np.column_stack([rng.normal(3, 2, n), rng.integers(0, 4, n), rng.normal(size=n)])
    found[rng.random(n) < 0.2, 2] = np.nan
    return found


def test_planted_copies_are_found() -> None:
    train, new = rows(500, 0), rows(300, 1)
    assert not copied(new, train).any()
    planted = [3, 50, 299]
    new[planted] = train[[0, 0, 7]]
    np.testing.assert_array_equal(np.flatnonzero(copied(new, train)), planted)
    new[3, 0] = np.nextafter(np.float32(new[3, 0]), np.float32(0)) * (1 - 1e-6)
    assert not copied(new, train)[3]
    np.testing.assert_array_equal(copied(np.array([[-0.0, NAN]]), np.array([[0.0, NAN]])), [True])
    np.testing.assert_array_equal(copied(np.array([[1.0, NAN]]), np.array([[1.0, 0.0]])), [False])


def test_repeated_training_rows_foretell_copies_among_new_rows() -> None:
    """Of 12 values that are equally likely, within five standard errors; distinct rows repeat nothing."""
    rng, n = np.random.default_rng(0), 40
    many = [privacy(*(rng.integers(0, 12, (n, 1)).astype(float) for _ in range(3)), np.array([True])) for _ in range(200)]
    shares = [(found.repeated / n, found.held_out_copies / n) for found in many]
    (one, other), error = np.mean(shares, 0), np.std(shares) / math.sqrt(len(many))
    assert abs(one - (1 - (11 / 12) ** (n - 1))) < 5 * error
    assert abs(one - other) < 5 * error * math.sqrt(2)
    distinct = privacy(rows(20, 1), rows(20, 2), rows(50, 3), KINDS)
    assert (distinct.repeated, distinct.trained) == (0, 50)


def test_distances_by_hand() -> None:
    """Numbers 0 and 2 have standard deviation 1; a missing one stands at the mean, 1."""
    train = np.array([[0.0, 5.0], [2.0, 5.0]])
    kinds = np.array([False, True])
    asked = np.array([[0.0, 5.0], [3.0, 5.0], [0.0, 6.0], [0.0, NAN], [NAN, 5.0]])
    np.testing.assert_allclose(nearest_rows(asked, train, kinds), [0, 1, 1, 1, math.sqrt(2)])
    both = np.array([[NAN, 1.0], [4.0, 1.0], [4.0, 2.0]])
    np.testing.assert_allclose(nearest_rows(both, both, kinds), 0)


def test_distances_are_those_of_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    train, asked = rows(60, 0), rows(40, 1)
    whole = nearest_rows(asked, train, KINDS)
    monkeypatch.setattr(importlib.import_module("saltus.evaluation.quality.privacy"), "_AT_ONCE", 130)
    np.testing.assert_array_equal(nearest_rows(asked, train, KINDS), whole)
    mean, std = np.nanmean(train, 0), np.nanstd(train, 0)
    for row, found in zip(asked, whole, strict=True):
        squares = []
        for other in train:
            total = float(row[1] != other[1])
            for j in (0, 2):
                x, y = ((cells[j] - mean[j]) / std[j] if not np.isnan(cells[j]) else 0.0 for cells in (row, other))
                total += (x - y) ** 2 + float(np.isnan(row[j]) != np.isnan(other[j]))
            squares.append(total)
        assert found == pytest.approx(math.sqrt(min(squares)))


def test_new_rows_have_ratios_of_1_and_near_copies_less() -> None:
    train, held_out = rows(600, 0), rows(400, 1)
    found = privacy(rows(400, 2), held_out, train, KINDS)
    assert (found.copies, found.held_out_copies, found.rows, found.held_out, found.searched) == (0, 0, 400, 400, 600)
    for each in (found.median, found.near):
        assert each.low < 1 < each.high
        assert each.low < each.ratio < each.high
    noisy = train[:400] + np.array([0.001, 0, 0.001])
    twin = privacy(noisy, held_out, train, KINDS)
    assert twin.copies == 0
    assert twin.median.high < 0.1
    assert twin.near.high < 0.1
    some = np.concatenate([rows(360, 2), train[:40]])
    part = privacy(some, held_out, train, KINDS)
    assert part.copies == 40
    assert part.near.ratio == 0
    assert part.median.high > 0.8


def test_where_held_out_rows_are_copies_there_is_no_ratio() -> None:
    train = rows(100, 0)
    found = privacy(rows(50, 1), train[:50], train, KINDS)
    assert found.held_out_copies == 50
    assert math.isnan(found.median.ratio)

"""Bars are shares of the cells that are there, bins follow the grid of the values, and names are as long as there is room."""

from __future__ import annotations

import numpy as np
import pytest

from saltus.studies.quality.figures import column, few_names, label, number_words
from saltus.studies.quality.rows import Column

NAN = np.nan


def heights(of: Column, real: np.ndarray, synthetic: np.ndarray) -> list[float]:
    axes = column(of, real, synthetic).axes[0]
    return [round(float(max(patch.get_width(), patch.get_height()) if of.categorical else patch.get_height()), 6) for patch in axes.patches]


def test_bars_are_shares_of_the_cells_that_are_there() -> None:
    of = Column("x", "int64")
    assert heights(of, np.array([1.0, 1, 2, NAN]), np.array([2.0, 2, 2, 3])) == pytest.approx([2 / 3, 1 / 3, 0, 0, 0.75, 0.25], abs=1e-5)
    names, real, synthetic = few_names(Column("c", "text", tuple("abcdef")), np.array([0.0, 0, 5, 4]), np.array([1.0, 0, 0, 0]), 3)
    assert names == ["a", "b", "2 others"]
    np.testing.assert_allclose(real, [0.5, 0, 0.5])
    np.testing.assert_allclose(synthetic, [0.75, 0.25, 0])


def test_bins_are_whole_steps_of_the_grid() -> None:
    """Uniform values on a grid fill all bins alike, which bins of any width would not."""
    values = np.repeat(np.arange(0, 50) * 0.1, 20)
    stairs = column(Column("x", "float64"), values, values).axes[0].patches[0].get_data()
    inner = stairs.values[1:-1]
    assert inner.max() == pytest.approx(inner.min())
    np.testing.assert_allclose(np.diff(stairs.edges) / 0.1, np.rint(np.diff(stairs.edges) / 0.1), atol=1e-9)
    assert stairs.values.sum() == pytest.approx(1)
    plain, _ = np.histogram(values, 32)
    assert plain.max() > 1.5 * plain.min()  # the twin


def test_a_column_without_cells_or_with_one_value_has_a_picture() -> None:
    for of in (Column("x", "float64"), Column("c", "text", ("a",))):
        for real in (np.full(3, NAN), np.zeros(3)):
            assert column(of, real, np.zeros(2)).axes


def test_numbers_and_names_are_written_as_there_is_room() -> None:
    assert [number_words(Column("x", "int64"))(value) for value in (2007, 12345, 0.5)] == ["2007", "12,345", "0.5"]
    assert number_words(Column("x", "int64"), 20_000)(5000) == "5,000"
    assert number_words(Column("x", "date32[day]"))(19_700.4) == "2023-12-09"
    assert number_words(Column("x", "timestamp[ms]"))(86_400_000.0) == "1970-01-02"
    assert label("a" * 30) == "a" * 15 + "…"
    assert label("a\nb") == r"a\nb"

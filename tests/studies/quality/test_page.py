"""The page needs nothing else, is well formed, shows every name as it is, and says what was left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saltus.studies.quality.measure import Quality
from saltus.studies.quality.page import page, write_page
from saltus.studies.quality.rows import Column
from tests.helpers.compared import columns
from tests.helpers.html import HOSTILE, Page, check

MADE: dict[str, Any] = {"seed": 0, "seconds": 1.0, "version": "0", "calls": 1, "sampling": ""}


def renamed(quality: Quality, of: tuple[Column, ...]) -> Quality:
    return replace(quality, compared=replace(quality.compared, columns=of))


def test_the_page_is_whole(same: Quality, tmp_path: Path) -> None:
    write_page(same, tmp_path / "a.html", title="Rows", made=MADE)
    text = (tmp_path / "a.html").read_text()
    found = check(text)
    assert "prefers-color-scheme: dark" in text
    assert found.count("details") == found.count("summary") == 7
    assert found.count("svg") == 5 + 1 + 3 + 6 + 1
    for words in ("size", "weight", "held-out rows", "2024-01", "not measured: there is no model", "20,000", "all rows of other.csv"):
        assert words in found.text
    assert "left out" not in found.text
    assert found.text.index("Boosted trees tell") < found.text.index("Columns")


@pytest.mark.parametrize("start", range(0, len(HOSTILE), 5))
def test_hostile_names_of_columns_categories_and_files_are_texts(same: Quality, start: int) -> None:
    names = [f"{HOSTILE[(start + k) % len(HOSTILE)]}{' ' * k}" for k in range(5)]
    text = page(
        renamed(same, columns(names, [*HOSTILE[start : start + 2], "", "plain"][:3])), title=names[0], made={**MADE, "sampling": names[1]}
    )
    found = check(text)
    assert found.count("script") == 0
    for name in names:
        assert name in found.text
    cards = [attributes for tag, attributes in found.elements if tag == "b"]
    assert len(cards) == 5 + 3 + 6  # no name made one


def test_equal_columns_have_figures_of_their_own_names(same: Quality) -> None:
    rows = same.compared
    equal = [np.column_stack([table[:, [0]], *[np.nan_to_num(table[:, 2])] * 2, table[:, 3:]]) for table in (rows.synthetic, rows.held_out)]
    of = (rows.columns[0], Column("a", "float64"), Column("b", "float64"), *rows.columns[3:])
    check(page(replace(same, compared=replace(rows, synthetic=equal[0], held_out=equal[1], columns=of)), title="equal", made=MADE))


def test_columns_that_are_left_out_are_counted(same: Quality, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saltus.studies.quality.measure.MOST_COLUMNS", 3)
    monkeypatch.setattr("saltus.studies.quality.pairs.NAMED", 2)
    fewer = {name: getattr(same, name)[:3, :3] for name in ("real_pairs", "synthetic_pairs", "train_pairs")}
    found = Page(page(replace(same, alone_train=same.alone_train[:3], **fewer), title="three", made=MADE))
    assert "2 columns that tell less are left out here." in found.text
    assert found.count("ol") == 1  # the names beside matrices of many columns
    assert found.count("svg") == 3 + 1 + 3 + 3 + 1


def test_what_could_not_be_measured_and_what_to_beware_of_is_said(same: Quality) -> None:
    private = replace(same.privacy, held_out_copies=30)
    found = check(page(replace(same, prediction=None, unpredicted="the target is the same", privacy=private), title="none", made=MADE))
    assert "not measured: the target is the same" in found.text
    assert "30 of 60 held-out rows are equal to training rows" in found.text

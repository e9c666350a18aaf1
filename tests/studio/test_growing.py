"""Samples of a run as it grows: one snapshot of each chain, from the same noise."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from saltus.chain import Chain
from saltus.errors import SaltusError
from saltus.estimators import Model
from saltus.pretrained import run_folder
from saltus.studio.views.growing import Growing, shown, snapshot, table_texts
from tests.helpers.markup import pictures
from tests.helpers.watched import HOSTILE, trained_rows


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(run_folder("digits"), tmp_path / "run"))


def test_images_are_those_that_a_model_draws(run: Path) -> None:
    found = snapshot(run)
    assert found.sheet is not None
    model = Model.load(run)
    assert torch.equal(found.sheet.y, model.chain.sample(16, seed=0))
    assert found.label == "of the model"
    assert len(pictures("".join(shown([found, found])))) == 2


def test_each_chain_has_one_snapshot_and_the_last_six_are_kept(run: Path) -> None:
    growing, chain = Growing(), Chain.load(run)
    assert len(growing.look(run)) == len(growing.look(run)) == 1
    (run / "checkpoints").mkdir()
    for update in range(1, 9):
        (run / "checkpoints" / f"{update:09}.json").write_text("{}")
        with torch.no_grad():
            next(chain.parameters()).mul_(1.01)
        chain.save(run)
        found = growing.look(run)
    assert [one.label for one in found] == [f"after {update} updates" for update in range(3, 9)]


def test_what_is_being_written_is_left_for_later(run: Path) -> None:
    growing, whole = Growing(), (run / "chain.json").read_text()
    before = growing.look(run)
    (run / "chain.json").write_text(whole[: len(whole) // 2])
    assert growing.look(run) == before
    (run / "chain.json").unlink()
    assert growing.look(run) == before
    with pytest.raises(SaltusError):
        snapshot(run)


def test_rows_are_texts_and_no_markup(tmp_path: Path) -> None:
    found = snapshot(trained_rows(tmp_path))
    assert found.sheet is None
    assert found.headings == ["age", *HOSTILE[:2]]
    assert len(found.rows) == 8
    assert {row[2] for row in found.rows} <= {HOSTILE[2], "Bern"}
    markup = "".join(shown([found]))
    assert "&lt;b&gt;city&lt;/b&gt;" in markup
    assert "<script" not in markup
    assert "<b>" not in markup


def test_of_a_wide_table_the_first_columns_are_shown() -> None:
    headings, rows = table_texts([f"{k}" * 50 for k in range(30)], [[None, 1.0, "x" * 99, *range(27)]])
    assert len(headings) == len(rows[0]) == 13
    assert headings[-1] == "18 columns more"
    assert rows[0][:3] == ["", "1", f"{'x' * 40}..."]

"""The runs of a studio: named, loaded once, the last few kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from saltus.errors import SaltusError
from saltus.estimators import Model
from saltus.pretrained import PRETRAINED, run_folder
from saltus.studio.runs import EXAMPLES, Runs
from tests.helpers.checks import assert_one_sentence


def test_without_a_run_those_that_come_along_are_shown() -> None:
    runs = Runs()
    assert runs.names == [*PRETRAINED]
    assert runs.images == runs.names
    assert all(runs[name].describe() for name in runs.names)


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    shutil.copytree(run_folder("digits"), tmp_path / "digits")
    runs = Runs(["digits", tmp_path / "digits"])
    assert runs.names == ["digits", str(tmp_path / "digits")]


@pytest.mark.parametrize("places", [["digits", "digits"], ["nothing"]])
def test_what_is_no_run_is_refused(places: list[str]) -> None:
    with pytest.raises(SaltusError) as caught:
        Runs(places)
    assert_one_sentence(caught.value, places[0])
    with pytest.raises(SaltusError, match="no run named"):
        Runs(["digits"])["mnist"]


def test_a_run_is_loaded_once_and_the_last_few_are_kept() -> None:
    runs = Runs(most=2)
    first = runs["digits"]
    assert runs["digits"] is first
    assert runs["mnist"] is runs["mnist"]
    assert runs["digits"] is first
    assert runs["fashion-mnist"] is not None  # mnist goes
    assert runs["digits"] is first
    before = runs["fashion-mnist"]
    assert runs["mnist"] is not None
    assert runs["digits"] is not None
    assert runs["fashion-mnist"] is not before


def test_examples_are_held_out_items_or_draws() -> None:
    runs = Runs(["digits", "mnist"])
    digits, mnist = runs["digits"], runs["mnist"]
    assert digits.data is not None
    assert torch.equal(digits.examples, digits.data.test[:EXAMPLES])
    assert mnist.data is None
    assert torch.equal(mnist.item(3), Model.load("mnist").chain.sample(EXAMPLES, seed=0)[3:4])
    for number in (-1, EXAMPLES):
        with pytest.raises(SaltusError, match="expected a whole number from 0 to 15"):
            digits.item(number)

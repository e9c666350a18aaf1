"""What the benchmarks share runs from training to the page, in miniature."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ablation import ABLATED, free_nats, halves
from cases import RECIPES, TINY, Case, Work
from cases_report import write_report
from saltus.data import digits
from saltus.training import Config, Trainer, build_chain


@pytest.mark.slow
def test_a_case_is_trained_compared_and_reported(tmp_path: Path) -> None:
    case = Case("digits", "8", TINY | {"width": 48}, 0.5, (0,), (2,), samples=160, kernels=("gaussian", "vae-2"))
    work = Work(case, tmp_path, tmp_path, "small")
    work.train()
    trained = json.loads((tmp_path / "small" / "vae-2-0" / "time.json").read_text())
    assert trained["updates"] >= 1
    work.train()  # what is there is kept
    assert json.loads((tmp_path / "small" / "vae-2-0" / "time.json").read_text()) == trained
    work.compare()
    write_report(tmp_path, {"small": case}, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text()
    assert "VAE, 2 levels" in page
    assert "gaussian: UniPC" in page
    assert (tmp_path / "page_small_samples.png").is_file()


def test_halves_of_validation_items_are_two_data_sets() -> None:
    data = digits()
    one, other = halves(data)
    assert len(one.validation) + len(other.validation) == len(data.validation)
    assert one.labels is not None
    assert len(one.labels.validation) == len(one.validation)
    assert one.train is data.train


@pytest.mark.parametrize("name", [*RECIPES, *ABLATED])
def test_recipes_are_configurations(name: str) -> None:
    recipe = (RECIPES | ABLATED)[name]
    assert Config(**recipe.options).grid.L >= 1
    assert 0 <= recipe.start < 1


def test_free_nats_leave_no_gradient_below_the_first() -> None:
    data, config = digits(), Config(levels=2, steps=2, batch=8, width=16, kl_warm_up=0.0)
    with free_nats():
        (terms, *_) = [progress.terms for progress in Trainer(build_chain(config, data), data, config)]
    (plain, *_) = [progress.terms for progress in Trainer(build_chain(config, data), data, config)]
    assert terms["kl"] >= plain["kl"]
    assert terms["kl"] * data.train[0].numel() > 0.5

"""What the benchmarks share runs from training to the page, in miniature."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from ablation import ABLATED, FREE, free_nats, halves
from cases import RECIPES, TINY, Case, Pace, Work
from cases_report import write_report
from saltus.data import digits
from saltus.training import VALIDATIONS, Config, build_chain


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


def test_validations_are_training_time() -> None:
    assert Pace(update=0.5, validation=1.0).updates(seconds=100) == (100 - VALIDATIONS) * 2
    assert Pace(update=0.5, validation=10.0).updates(seconds=100) == 1


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


def test_the_first_nat_has_no_gradient() -> None:
    """The KL of an encoder that ends in small weights is far below a nat."""
    data, config = digits(), Config(levels=2, steps=2, width=16)
    chain = build_chain(config, data)
    encoder = chain.kernel(1).encoder
    with torch.no_grad():
        encoder.layers[-1].weight *= 0.01
        encoder.layers[-1].bias *= 0.01

    def gradient() -> float:
        kl = chain.loss(data.train[:64], seed=0).terms["kl"]
        assert bool((kl < FREE).all()) or bool((kl == FREE).all())
        (found,) = torch.autograd.grad(kl.sum(), [encoder.layers[-1].weight])
        return float(found.abs().sum())

    with free_nats():
        assert gradient() == 0
    assert gradient() > 0

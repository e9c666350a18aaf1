"""What the benchmarks share runs from training to the page, in miniature; the quick scripts run here, and all of them with `-m slow`."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ablation import ABLATED, FREE, EqualParts, FreeNatsKernel, halves, register_kernels
from any_step import CALLS, OnGrids, own
from cases import RECIPES, TINY, Case, Pace, Recipe, Work
from cases_report import write_report
from saltus.data import digits
from saltus.kernels import KERNELS, Sampling
from saltus.levels import Levels
from saltus.process import Noise
from saltus.studies.compare.models import Network
from saltus.studies.compare.samplers import of_chain
from saltus.training import VALIDATIONS, Config, LevelSampling, Trainer, build_chain
from update_speed import Bare, Drawn

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
QUICK = ("any_step", "kernels_on_digits", "update_speed")
SCRIPTS = sorted(script.stem for script in BENCHMARKS.glob("*.py") if "__main__" in script.read_text())


@pytest.fixture
def _kernels_of_the_ablation(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are registered for one test."""
    monkeypatch.setattr(KERNELS, "_things", dict(KERNELS._things))
    register_kernels()


@pytest.mark.parametrize("script", QUICK)
def test_a_quick_script_runs_and_leaves_nothing(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [script, "--smoke"])
    runpy.run_path(str(BENCHMARKS / f"{script}.py"), run_name="__main__")
    assert "| " in capsys.readouterr().out  # a table
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("script", [script for script in SCRIPTS if script not in QUICK])
def test_a_script_runs_and_leaves_nothing(script: str, tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / f"{script}.py"), "--smoke"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert list(tmp_path.iterdir()) == []


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
    assert "VAE, 2 levels: VAE step" in page
    assert "Gaussian, any step: UniPC" in page
    assert (tmp_path / "page_small_samples.png").is_file()


def test_validations_are_training_time() -> None:
    assert Pace(update=0.5, validation=1.0).updates(seconds=100) == (100 - VALIDATIONS) * 2
    assert Pace(update=0.5, validation=10.0).updates(seconds=100) == 1
    assert Pace(update=0.5, validation=10.0).updates(seconds=100, least=3) == 3


def test_rivals_are_as_large_as_the_decoder(tmp_path: Path) -> None:
    case = Case("digits", "8", TINY, 1, (0,), (2,), kernels=("gaussian", "vae-2"))
    work, data = Work(case, tmp_path, tmp_path, "small"), digits()
    vae, gaussian = (build_chain(work.config(name, data, 1), data).kernel(1) for name in ("vae-2", "gaussian"))
    goal, size = (sum(p.numel() for p in kernel.sampling_network.parameters()) for kernel in (vae, gaussian))
    assert goal <= size <= 1.05 * goal
    assert goal < sum(p.numel() for p in vae.parameters())  # the encoder comes on top


def test_halves_of_validation_items_are_two_data_sets() -> None:
    data = digits()
    one, other = halves(data)
    assert len(one.validation) + len(other.validation) == len(data.validation)
    assert one.labels is not None
    assert len(one.labels.validation) == len(one.validation)
    assert one.train is data.train


@pytest.mark.usefixtures("_kernels_of_the_ablation")
@pytest.mark.parametrize("name", [*RECIPES, *ABLATED])
def test_recipes_are_configurations(name: str) -> None:
    recipe = (RECIPES | ABLATED)[name]
    assert Config(**recipe.options).grid.L >= 1
    assert 0 <= recipe.start < 1


def gradient_of_kl(kernel: str) -> float:
    """Its size in the last layer of an encoder that ends in small weights, so that its KL is far below a nat."""
    data, config = digits(), Config(kernel=kernel, levels=2, updates=2, width=16)
    chain = build_chain(config, data)
    encoder = chain.kernel(1).encoder
    with torch.no_grad():
        encoder.layers[-1].weight *= 0.01
        encoder.layers[-1].bias *= 0.01
    kl = chain.loss(data.train[:64], seed=0).terms["kl"]
    (found,) = torch.autograd.grad(kl.sum(), [encoder.layers[-1].weight])
    return float(found.abs().sum())


@pytest.mark.usefixtures("_kernels_of_the_ablation")
def test_the_first_nat_has_no_gradient() -> None:
    assert isinstance(build_chain(Config(kernel="free nats", levels=2, width=16), digits()).kernel(1), FreeNatsKernel)
    assert gradient_of_kl("free nats") == 0
    assert gradient_of_kl("vae") > 0
    assert FREE == 1
    assert KERNELS.get("free nats").options == frozenset()


def test_equal_parts_stay_equal_where_others_follow_the_loss() -> None:
    data, config = digits(), Config(levels=4, updates=3, width=16)

    def after(recipe: Recipe) -> LevelSampling:
        trainer = Trainer(build_chain(config, data), data, config, level_sampling=recipe.sampling_of(config, data))
        assert [progress.update for progress in trainer] == [1, 2, 3]
        assert trainer.level_sampling is not None
        return trainer.level_sampling

    assert after(Recipe({}, level_sampling=EqualParts)).probabilities == [0.25] * 4
    assert max(after(Recipe({})).probabilities) > 0.26


def test_a_kernel_for_any_step_is_sampled_on_cosine_and_planned_grids(tmp_path: Path) -> None:
    data, config = digits(), Config(any_step=True, updates=1, width=16)
    chain = build_chain(config, data)
    network = Network(str(tmp_path), "hash", of_chain(chain, data.validation))
    cosine, planned = own(network, data)
    assert isinstance(cosine, OnGrids)
    (choice,) = cosine.choices(4, bound=True).values()
    assert choice.levels == Levels.cosine(4, chain.levels.last)
    assert choice.sampling is None
    assert Sampling() in [choice.sampling for choice in cosine.choices(4).values()]
    assert cosine.choices(3) == {}
    assert [next(iter(planned.choices(calls).values())).levels.L for calls in CALLS] == list(CALLS)
    before = (tmp_path / "grids.json").read_text()
    again = own(network, data)[1]  # what was planned is kept
    assert (tmp_path / "grids.json").read_text() == before
    assert list(again.choices(8)) == list(planned.choices(8))


def test_a_network_with_a_grid_of_its_own_stays_on_it(tmp_path: Path) -> None:
    chain = build_chain(Config(levels=2, width=16), digits())
    (only,) = own(Network(str(tmp_path), "hash", of_chain(chain, digits().validation)), digits())
    assert only.choices(2)
    assert only.choices(4) == {}
    assert list(tmp_path.iterdir()) == []


def test_the_bare_work_is_the_loss_of_the_same_draws() -> None:
    bare = Bare(digits(), [0.5, 0.3, 0.1, 0.1])
    drawn = bare.loss()
    terms = bare.kernel.loss(bare.pair, Noise(0, 0, len(bare.pair.y)), {})
    assert float(drawn.detach()) == pytest.approx(float(sum(terms.values()).mean().detach()) / 64, rel=1e-6)
    first = bare.parameters[0].detach().clone()
    bare.update()
    assert not torch.equal(bare.parameters[0], first)


def test_drawn_noise_is_drawn_once() -> None:
    drawn, fresh = Drawn(3, 0, 5), Noise(3, 0, 5)
    one = drawn.normal("role", (2,))
    assert drawn.normal("role", (2,)) is one
    assert torch.equal(one, fresh.normal("role", (2,)))
    assert fresh.normal("role", (2,)) is not fresh.normal("role", (2,))

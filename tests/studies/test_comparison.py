"""A comparison: the perfect kernel is at the floor, grids are chosen on validation items alone, and finished figures are kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from saltus.data import DataSet, load
from saltus.errors import SaltusError
from saltus.evaluation import Evaluator
from saltus.files import to_json
from saltus.levels import Levels
from saltus.studies.compare.comparison import Comparison, chosen_by
from saltus.studies.compare.models import Model, Network, load_models, perfect_model
from saltus.studies.compare.page import write_page
from saltus.studies.compare.samplers import NamedSampler
from tests.helpers.chains import MIXTURE
from tests.helpers.checks import assert_one_sentence

METRICS = ("sliced_wasserstein", "energy")


def comparison(models: list[Model], data: DataSet, folder: Path, n: int = 150, samplers: Sequence[str] = ()) -> Comparison:
    return Comparison(models, data, n=n, folder=folder, evaluator=Evaluator(data, n, metrics=METRICS), samplers=samplers)


def kept(folder: Path) -> list[dict[str, dict[str, object]]]:
    """What is kept of a comparison."""
    return [json.loads(file.read_text()) for file in folder.glob("*.json")]


def test_the_exact_kernel_is_at_the_floor_and_one_gaussian_step_is_not(data: DataSet, tmp_path: Path) -> None:
    found = {row["sampler"]: row for row in comparison([perfect_model(data, 3.0)], data, tmp_path).rows(1)}
    floor = Evaluator(data, 150, metrics=METRICS).floor["energy"]
    exact, gaussian = (found[name]["metrics"]["energy"] for name in ("exact kernel", "Gaussian step"))
    assert exact["mean"] < floor.mean + 5 * max(floor.spread, exact["spread"])
    assert gaussian["mean"] > floor.mean + 5 * max(floor.spread, gaussian["spread"])
    assert found["exact kernel"]["bound"]["unit"] == "nats an item"
    nats = found["exact kernel"]["bound"]["value"]["mean"]
    assert nats == pytest.approx(float(-MIXTURE.log_prob(data.test, 0.0).mean()), abs=1e-5)  # the data are float32
    assert found["Gaussian step"]["bound"]["value"]["mean"] > nats


def test_images_are_chosen_by_features_and_rows_by_their_numbers(data: DataSet) -> None:
    digits = load("digits")
    assert chosen_by(digits) == "frechet"
    assert chosen_by(data) == "sliced_wasserstein"
    assert chosen_by(replace(digits, validation=digits.validation[:100], labels=None)) == "sliced_wasserstein"  # too few for a covariance


def test_rows_are_of_runs_that_differ_in_their_seed(runs: list[Path], data: DataSet, tmp_path: Path) -> None:
    models = load_models(runs, data)
    assert [(model.name, len(model.networks)) for model in models] == [("Gaussian, any step", 2), ("VAE, 2 levels", 1)]
    assert len({network.hash for model in models for network in model.networks}) == 3
    rows = list(comparison(models, data, tmp_path).rows(2))
    around = ["Gaussian step", "DDPM", "DDIM", "DPM-Solver++ 2M", "UniPC", "Heun", "DEIS"]
    assert [row["sampler"] for row in rows] == [*around, *(f"{name}, mixture start" for name in around), "VAE step"]
    for row in rows:
        turns = [0, 1, 0] if row["model"] == "Gaussian, any step" else [2, 2, 2]
        assert row["figures"] == [{"run": str(runs[i]), "seed": seed} for seed, i in enumerate(turns)]
        assert row["network_calls"] == (1 if row["sampler"].startswith("Heun") else 2)
        assert len(row["metrics"]["energy"]["values"]) == len(turns)
        assert (row["bound"] is not None) is row["sampler"].startswith(("Gaussian step", "VAE step"))
        assert (row["bound"] or {}).get("importance_samples") == (1 if row["bound"] else None)
        assert row["multiply_adds"] > 0
    few = comparison(models, data, tmp_path, samplers=["DDIM", "VAE step"])
    assert [row["sampler"] for row in few.rows(3)] == ["DDIM"]  # the VAE's grid has two steps


def test_only_samplers_that_are_named_take_part(runs: list[Path], data: DataSet, tmp_path: Path) -> None:
    models = load_models(runs, data)
    assert {row["sampler"] for row in comparison(models, data, tmp_path, samplers=["DDIM"]).rows(2)} == {"DDIM"}
    with pytest.raises(SaltusError, match="no run has a sampler named DIM; expected names among: Gaussian step, DDPM, DDIM") as error:
        comparison(models, data, tmp_path, samplers=["DIM"])
    assert_one_sentence(error.value)


def test_figures_are_kept_and_test_items_choose_nothing(
    runs: list[Path], data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = load_models(runs[:1], data)

    def rows(data: DataSet, folder: str) -> list[dict[str, Any]]:
        return list(comparison(models, data, tmp_path / folder, samplers=["Gaussian step", "UniPC"]).rows(2))

    first = rows(data, "a")
    chosen = [row["grid"] for row in rows(replace(data, test=data.test + 3), "b")]
    assert chosen == [row["grid"] for row in first]
    rows(replace(data, validation=data.validation * 4), "c")
    judged = [[result["value"] for result in kept(tmp_path / folder) if "choice" in result["key"]] for folder in ("a", "b", "c")]
    assert sorted(map(str, judged[0])) == sorted(map(str, judged[1])) != sorted(map(str, judged[2]))
    for name in ("measure", "floor"):
        monkeypatch.setattr(Evaluator, name, property(lambda _: pytest.fail("measured again")))
    assert rows(data, "a") == first


def test_the_page_says_what_was_measured(runs: list[Path], data: DataSet, tmp_path: Path) -> None:
    models = [*load_models(runs, data), perfect_model(data, 3.0, calls=[1])]
    compared = comparison(models, data, tmp_path, samplers=["Gaussian step", "DDIM", "VAE step"])
    rows = [row for calls in (1, 2) for row in compared.rows(calls)]
    summary = json.loads(to_json(compared.summary(rows, 1.0)))
    write_page(summary, tmp_path / "compare.html", pictured=None, shown=(-1.0, 1.0))
    text = (tmp_path / "compare.html").read_text()
    assert text.count("<svg") == len(METRICS)
    assert "src=" not in text
    assert 'href="http' not in text.replace('xlink:href="http', "")
    for row in rows:
        assert f"{row['model']}: {row['sampler']}" in text
        assert f"{row['metrics']['energy']['mean']:#.4g} ± " in text
    assert [row for row in rows if row["calls"] == 2 and row["model"] == "perfect denoiser"] == []


class Diverging:
    """A sampler that is NaN for one seed, or for all."""

    def __init__(self, always: bool) -> None:
        self.always = always

    def sample(self, n: int, *, seed: int) -> torch.Tensor:
        return torch.full((n, 2), torch.nan if self.always or seed == 1 else 0.5)


def test_a_sampler_that_diverges_is_a_result_and_is_not_chosen(data: DataSet, tmp_path: Path) -> None:
    """One that has NaN on all grids but one is measured on that one; a row with any NaN has no mean."""
    tame = NamedSampler("tame", None, 3.0, lambda grid: Diverging(always=list(grid) != list(Levels.cosine(2, 3.0))))
    wild = NamedSampler("wild", None, 3.0, lambda _: Diverging(always=True))
    compared = comparison([Model("some", [Network("", "hash", [tame, wild])])], data, tmp_path)
    rows = {row["sampler"]: row for row in compared.rows(2)}
    assert rows["tame"]["grid"] == "cosine"
    for row in rows.values():
        assert row["metrics"]["energy"]["mean"] is row["metrics"]["energy"]["above_floor"] is None
    assert [value is None for value in rows["tame"]["metrics"]["energy"]["values"]] == [False, True, False]
    summary = json.loads(to_json(compared.summary(list(rows.values()), 1.0)))
    write_page(summary, tmp_path / "compare.html", pictured=None, shown=(-1.0, 1.0))
    assert "diverged" in (tmp_path / "compare.html").read_text()

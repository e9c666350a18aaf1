"""A comparison: the perfect kernel is at the floor, grids are chosen on validation items alone, and finished figures are kept."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from saltus.cli.common import Interrupted
from saltus.cli.main import cli
from saltus.data import DataSet, Standardised, digits
from saltus.errors import SaltusError
from saltus.evaluation import Evaluator
from saltus.levels import Levels
from saltus.storage import to_json
from saltus.studies.compare.comparison import CHOSEN_BY, Comparison
from saltus.studies.compare.models import Model, Network, load_models, perfect_model
from saltus.studies.compare.page import write_page
from saltus.studies.compare.samplers import Contender
from saltus.training import Config, train
from tests.helpers.chains import MIXTURE
from tests.helpers.checks import assert_one_sentence

METRICS = (CHOSEN_BY, "energy")
SIZES = {"train": 450, "validation": 150, "test": 150}


@pytest.fixture(scope="module")
def data() -> DataSet:
    plain = Standardised("vector", (2,), torch.zeros(2), torch.ones(2))
    parts = MIXTURE.sample(sum(SIZES.values()), seed=11).float().split(list(SIZES.values()))
    return DataSet("mixture", plain, *parts, law=MIXTURE)


@pytest.fixture(scope="module")
def runs(data: DataSet, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two Gaussian runs that differ in their seed, and a VAE of two levels."""
    folder = tmp_path_factory.mktemp("runs")
    options = [{"kernel": "gaussian", "seed": 0}, {"kernel": "gaussian", "seed": 1}, {"kernel": "vae", "levels": 2}]
    places = [folder / str(i) for i in range(len(options))]
    for place, option in zip(places, options, strict=True):
        train(data, Config(steps=15, width=16, **option), place, quiet=True)
    return places


def comparison(models: list[Model], data: DataSet, folder: Path, n: int = 150, ways: Sequence[str] = ()) -> Comparison:
    return Comparison(models, data, n=n, folder=folder, evaluator=Evaluator(data, n, metrics=METRICS), ways=ways)


def pieces(folder: Path) -> list[dict[str, dict[str, object]]]:
    """What is kept of a comparison."""
    return [json.loads(file.read_text()) for file in folder.glob("*.json")]


def test_the_exact_kernel_is_at_the_floor_and_one_gaussian_step_is_not(data: DataSet, tmp_path: Path) -> None:
    found = {row["way"]: row for row in comparison([perfect_model(data, 3.0)], data, tmp_path).rows(1)}
    floor = Evaluator(data, 150, metrics=METRICS).floor["energy"]
    exact, gaussian = (found[way]["metrics"]["energy"] for way in ("exact kernel", "Gaussian step"))
    assert exact["mean"] < floor.mean + 5 * max(floor.spread, exact["spread"])
    assert gaussian["mean"] > floor.mean + 5 * max(floor.spread, gaussian["spread"])
    assert found["exact kernel"]["bound"]["unit"] == "nats an item"
    nats = found["exact kernel"]["bound"]["value"]["mean"]
    assert nats == pytest.approx(float(-MIXTURE.log_prob(data.test, 0.0).mean()), abs=1e-5)  # the data are float32
    assert found["Gaussian step"]["bound"]["value"]["mean"] > nats


def test_models_that_words_do_not_tell_apart_are_named_by_their_runs(runs: list[Path], data: DataSet, tmp_path: Path) -> None:
    others = {"no latent": {"latent": 0}, "half the KL": {"weights": {"kl": 0.5}}}
    for name, options in others.items():
        train(data, Config(kernel="vae", levels=2, steps=2, width=16, **options), tmp_path / name, quiet=True)
    models = load_models([*runs, *(tmp_path / name for name in others)], data)
    assert [model.name for model in models] == [
        "gaussian",
        f"VAE, 2 levels, {runs[-1]}",
        "learned variance, 2 levels",
        f"VAE, 2 levels, {tmp_path / 'half the KL'}",
    ]
    assert [model.networks[0].contenders[0].way for model in models[1:3]] == ["VAE step", "Gaussian step, learned variance"]


def test_rows_are_of_runs_that_differ_in_their_seed(runs: list[Path], data: DataSet, tmp_path: Path) -> None:
    models = load_models(runs, data)
    assert [(model.name, len(model.networks)) for model in models] == [("gaussian", 2), ("VAE, 2 levels", 1)]
    assert len({network.hash for model in models for network in model.networks}) == 3
    rows = list(comparison(models, data, tmp_path).rows(2))
    assert [row["way"] for row in rows] == ["Gaussian step", "DDPM", "DDIM", "DPM-Solver++ 2M", "UniPC", "Heun", "DEIS", "VAE step"]
    for row in rows:
        turns = [0, 1, 0] if row["model"] == "gaussian" else [2, 2, 2]
        assert row["figures"] == [{"run": str(runs[i]), "seed": seed} for seed, i in enumerate(turns)]
        assert row["network_calls"] == (1 if row["way"] == "Heun" else 2)
        assert len(row["metrics"]["energy"]["values"]) == len(turns)
        assert (row["bound"] is not None) is (row["way"] in ("Gaussian step", "VAE step"))
    assert [row["way"] for row in comparison(models, data, tmp_path).rows(3)][-1] == "DEIS"


def test_only_ways_that_are_named_take_part(runs: list[Path], data: DataSet, tmp_path: Path) -> None:
    models = load_models(runs, data)
    assert {row["way"] for row in comparison(models, data, tmp_path, ways=["DDIM"]).rows(2)} == {"DDIM"}
    with pytest.raises(SaltusError, match="no run is sampled by a DIM; expected ways among: Gaussian step, DDPM, DDIM") as error:
        comparison(models, data, tmp_path, ways=["DIM"])
    assert_one_sentence(error.value)


def test_figures_are_kept_and_test_items_choose_nothing(
    runs: list[Path], data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = load_models(runs[:1], data)
    first = list(comparison(models, data, tmp_path / "a").rows(2))
    other_test = replace(data, test=data.test + 3)
    chosen = [row["grid"] for row in comparison(models, other_test, tmp_path / "b").rows(2)]
    assert chosen == [row["grid"] for row in first]
    other_validation = replace(data, validation=data.validation * 4)
    list(comparison(models, other_validation, tmp_path / "c").rows(2))
    judged = [[piece["value"] for piece in pieces(tmp_path / folder) if "choice" in piece["key"]] for folder in ("a", "b", "c")]
    assert sorted(map(str, judged[0])) == sorted(map(str, judged[1])) != sorted(map(str, judged[2]))
    for name in ("measure", "floor"):
        monkeypatch.setattr(Evaluator, name, property(lambda _: pytest.fail("measured again")))
    assert list(comparison(models, data, tmp_path / "a").rows(2)) == first


def test_the_page_says_what_was_measured(runs: list[Path], data: DataSet, tmp_path: Path) -> None:
    models = [*load_models(runs, data), perfect_model(data, 3.0, calls=[1])]
    compared = comparison(models, data, tmp_path)
    rows = [row for calls in (1, 2) for row in compared.rows(calls)]
    summary = json.loads(to_json(compared.summary(rows, 1.0)))
    write_page(summary, tmp_path / "compare.html", pictured=None, shown=(-1.0, 1.0))
    text = (tmp_path / "compare.html").read_text()
    assert text.count("<svg") == len(METRICS)
    assert "src=" not in text
    assert 'href="http' not in text.replace('xlink:href="http', "")
    for row in rows:
        assert f"{row['model']}: {row['way']}" in text
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
    tame = Contender("tame", None, 3.0, lambda grid: Diverging(always=list(grid) != list(Levels.cosine(2, 3.0))))
    wild = Contender("wild", None, 3.0, lambda _: Diverging(always=True))
    compared = comparison([Model("some", [Network("", "hash", [tame, wild])])], data, tmp_path)
    rows = {row["way"]: row for row in compared.rows(2)}
    assert rows["tame"]["grid"] == "cosine"
    for row in rows.values():
        assert row["metrics"]["energy"]["mean"] is row["metrics"]["energy"]["above_floor"] is None
    assert [value is None for value in rows["tame"]["metrics"]["energy"]["values"]] == [False, True, False]
    summary = json.loads(to_json(compared.summary(list(rows.values()), 1.0)))
    write_page(summary, tmp_path / "compare.html", pictured=None, shown=(-1.0, 1.0))
    assert "diverged" in (tmp_path / "compare.html").read_text()


def test_the_command_compares_continues_and_explains(tmp_path: Path) -> None:
    for seed in (0, 1):
        command = [
            "train",
            "--data",
            "digits",
            "--kernel",
            "gaussian",
            "--steps",
            "2",
            "--seed",
            str(seed),
            "--out",
            str(tmp_path / f"g{seed}"),
        ]
        assert CliRunner().invoke(cli, command).exit_code == 0
    out = tmp_path / "out"
    call = ["compare", str(tmp_path / "g0"), str(tmp_path / "g1"), "--calls", "1", "--n", "128", "--out", str(out), "--json"]
    first = CliRunner().invoke(cli, call)
    assert first.exit_code == 0, first.output
    kept = {file: file.stat().st_mtime_ns for file in (out / "figures").iterdir()}
    assert CliRunner().invoke(cli, [*call[:1], call[2], call[1], *call[3:]]).exit_code == 0  # the runs in another order: other pictures
    assert kept.items() <= {file: file.stat().st_mtime_ns for file in (out / "figures").iterdir()}.items()
    kept = {file: file.stat().st_mtime_ns for file in (out / "figures").iterdir()}
    assert CliRunner().invoke(cli, call).exit_code == 0
    assert kept == {file: file.stat().st_mtime_ns for file in (out / "figures").iterdir()}
    summary = json.loads((out / "compare.json").read_text())
    assert [len(networks) for networks in summary["models"].values()] == [2]
    assert {len(row["figures"]) for row in summary["rows"]} == {3}
    assert summary["n_generated"] == 128
    assert "img alt" in (out / "compare.html").read_text()


def test_a_stopped_comparison_shows_the_rows_that_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(digits(), Config(kernel="deterministic", steps=2), tmp_path / "run", quiet=True)
    whole = Comparison.rows

    def stopped(self: Comparison, calls: int) -> Iterator[dict[str, Any]]:
        yield from itertools.islice(whole(self, calls), 1)
        raise KeyboardInterrupt

    monkeypatch.setattr(Comparison, "rows", stopped)
    result = CliRunner().invoke(cli, ["compare", str(tmp_path / "run"), "--calls", "1,2", "--n", "128", "--out", str(tmp_path / "out")])
    assert isinstance(result.exception, Interrupted)
    assert "1 rows are kept" in str(result.exception)
    assert [row["way"] for row in json.loads((tmp_path / "out" / "compare.json").read_text())["rows"]] == ["equation (2)"]
    assert (tmp_path / "out" / "compare.html").exists()


def test_mistakes_are_one_sentence(runs: list[Path], tmp_path: Path) -> None:
    train(digits(), Config(kernel="gaussian", steps=2), tmp_path / "g", quiet=True)

    def said_of_digits(folder: Path, *runs: str) -> str:
        return said(*(str(folder / run) for run in runs))

    def said(*arguments: str) -> str:
        result = CliRunner().invoke(cli, ["compare", *arguments, "--out", str(tmp_path / "out")])
        assert result.exit_code != 0
        return f"{result.output} {result.exception}"

    assert "does not say where its data are" in said(str(runs[0]))
    assert "other data" in said(str(runs[0]), "--data", "digits")
    assert "the same network" in said_of_digits(tmp_path, "g", "g")
    assert "other data" in said_of_digits(tmp_path, "g", str(runs[0]))
    assert "is not among --calls 1,2" in said(str(runs[0]), "--calls", "1,2", "--oracle", "4")
    assert "numbers of calls from 1 up" in said(str(runs[0]), "--calls", "all")
    assert "numbers of calls from 1 up" in said(str(runs[0]), "--calls", "1,0")
    assert "numbers of calls from 1 up" in said(str(runs[0]), "--calls", "few")

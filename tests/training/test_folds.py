"""How long few rows are learned: what cross-validation finds, and where it is not asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from saltus import TableModel
from saltus.chain import bits_per_dim
from saltus.data import DataSet, digits
from saltus.training import Config, Folds, cross_validated, length_found
from saltus.training.folds import FEW_ROWS
from tests.helpers.terminal import saltus

COMMON: dict[str, Any] = {"seed": 1, "width": 16, "learning_rate": 4e-2}


def rows(n: int = 120, seed: int = 0) -> DataSet:
    """Numbers of which the second follows a curve of the first, and each row twice."""
    x = np.random.default_rng(seed).normal(size=(n // 2, 1))
    once = np.concatenate([x, x**2 + 0.5 * np.random.default_rng(seed + 1).normal(size=x.shape)], axis=1)
    return DataSet.from_arrays(np.repeat(once, 2, axis=0), once, once)


@pytest.fixture(scope="module")
def found() -> Folds:
    folds = cross_validated(rows(), Config(**COMMON))
    assert folds is not None
    return folds


def test_each_row_is_held_out_once_and_equal_rows_together(found: Folds) -> None:
    data = rows()
    held = torch.cat(found.held)
    assert sorted(held.tolist()) == sorted(data.train.tolist())
    parts = [{tuple(row) for row in part.tolist()} for part in found.held]
    assert sum(map(len, parts)) == len(set().union(*parts)) == 60


def test_the_figure_is_the_mean_over_rows_that_were_not_learned(found: Folds) -> None:
    """Derived again from the chains: the mean over all rows, not over parts, which differ in size."""
    nats = [chain.bound(y, seed=1).total.double() for chain, y in zip(found.chains, found.held, strict=True)]
    assert found.bits_per_dim == pytest.approx(float(bits_per_dim(torch.cat(nats).mean(), (2,))), rel=1e-4)
    learned = [chain.bound(y, seed=1).total.mean() for chain, y in zip(found.chains, reversed(found.held), strict=True)]
    assert torch.stack([part.mean() for part in nats]).mean() > torch.stack(learned).mean()  # the twin: rows that were learned are cheaper


def test_what_there_is_to_learn_takes_longer_than_nothing(found: Folds) -> None:
    noise = np.random.default_rng(3).normal(size=(120, 2))
    nothing = cross_validated(DataSet.from_arrays(noise, noise, noise), Config(**COMMON))
    assert nothing is not None
    assert nothing.update < found.update


def test_a_table_of_categories_is_learned() -> None:
    """Equal rows are no copies there: with each combination in one part alone, none would be foretold, and nothing be learned."""
    rng = np.random.default_rng(0)
    a = rng.choice(["u", "v", "w"], 400)
    frame = pd.DataFrame({"a": a, "b": np.where(rng.random(400) < 0.95, a, "u"), "c": rng.choice(["x", "y"], 400)})
    drawn = TableModel(time="60s", random_state=0).fit(frame).sample(400)
    real, apart = (frame.a == frame.b).mean(), (frame.a.sample(frac=1, random_state=0).to_numpy() == frame.b).mean()
    assert (drawn.a == drawn.b).mean() > (real + apart) / 2


def test_nothing_to_learn_is_said(found: Folds) -> None:
    nothing = replace(found, update=0)
    assert "no training is better than their closed form" in nothing.words
    assert nothing.config(Config()).last_update == 1
    assert found.config(Config()).last_update == found.update


@pytest.mark.parametrize("given", [{"updates": 30}, {"last_update": 7}, {"kernel": "vae"}, {"time": "0.01s"}])
def test_nothing_is_looked_for_where_the_length_is_given_or_too_short(given: dict[str, Any]) -> None:
    assert cross_validated(rows(), Config(**given)) is None


def test_many_rows_images_and_equal_rows_are_not_divided() -> None:
    assert cross_validated(digits(), Config()) is None
    assert cross_validated(rows(2 * FEW_ROWS), Config()) is None
    few = np.repeat(np.arange(6.0).reshape(3, 2), 20, axis=0)
    assert cross_validated(DataSet.from_arrays(few, few, few), Config()) is None


def test_several_processes_train_as_they_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    assert length_found(rows(), Config(**COMMON), tmp_path)[0] == Config(**COMMON)


def test_a_run_keeps_what_was_found_and_goes_on_with_it(tmp_path: Path) -> None:
    table, run = tmp_path / "few.csv", tmp_path / "run"
    values = np.random.default_rng(0).normal(size=(150, 2))
    table.write_text("\n".join(["a,b", *(f"{a},{b}" for a, b in values), ""]))
    command = ["train", "--data", "few.csv", "--out", "run", "--width", "16"]
    first = saltus(*command, cwd=tmp_path)
    assert first.code == 0, first.stderr
    assert "rows are few: by cross-validation" in first.stderr
    last = json.loads((run / "config.json").read_text())["last_update"]
    again = saltus(*command, cwd=tmp_path)
    assert again.code == 0, again.stderr
    assert "foretold" not in again.stderr
    assert json.loads((run / "config.json").read_text())["last_update"] == last > 0
    longer = saltus(*command, "--updates", "5010", "--extend", "--seed", "0", cwd=tmp_path)
    assert json.loads((run / "config.json").read_text())["last_update"] is None, longer.stderr


def test_a_model_of_few_rows_learns_all_and_tells_ordinary_ones_by_those_it_did_not() -> None:
    learned, fresh = (np.random.default_rng(seed).normal(size=(n, 2)) for seed, n in ((0, 150), (1, 2000)))
    model = TableModel(time="60s", random_state=0).fit(learned)
    assert model.notes_[-1].startswith("150 rows are few: by cross-validation ")
    costs = model._trained.ordinary.costs
    assert len(costs) == len(learned)
    score = model.anomaly_score(fresh)  # exponential of mean 1 where the 150 are as the others
    assert score.mean() == pytest.approx(1, abs=4 * np.sqrt(1 / 150 + 1 / 2000))
    assert model.anomaly_score(fresh + 3).mean() > 2  # the twin

"""The folder of a run: all that is needed to sample, what it remembers of its data, and the grids that were planned for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from saltus import Chain, SaltusError
from saltus.data import DataSet, digits
from saltus.levels import Levels
from saltus.training import (
    Config,
    Trainer,
    check_data,
    load_config,
    load_data,
    load_encoding,
    planned_levels,
    recipe,
    train,
    updates_done,
)
from tests.helpers.checks import assert_one_sentence

UPDATES = 40
SMALL = {"updates": 2, "batch": 16, "width": 16, "levels": 2}


@pytest.fixture(scope="module")
def data() -> DataSet:
    return digits()


def test_a_run_folder_is_all_that_is_needed_to_sample(tmp_path: Path, data: DataSet) -> None:
    home = tmp_path / "run"
    chain = train(data, Config(updates=UPDATES), home, quiet=True)
    files = {"config.json", "source.json", "metrics.jsonl", "chain.json", "chain.safetensors", "chain.arguments.safetensors"}
    assert {file.name for file in home.iterdir()} == files | {"checkpoints", ".lock"}
    again = Chain.load(home)
    assert torch.equal(again.sample(3, seed=1), chain.sample(3, seed=1))
    raw = load_encoding(home).decode(again.sample(3, seed=1))
    assert (raw.shape, raw.dtype.name) == ((3, 8, 8), "uint8")
    lines = [json.loads(line) for line in (home / "metrics.jsonl").read_text().splitlines()]
    assert (lines[0]["update"], lines[-1]["update"]) == (1, UPDATES)
    assert len(lines[-1]["validation"]["active_units"]) == 4
    assert updates_done(home) == UPDATES
    with pytest.raises(SaltusError, match="made otherwise: updates 1 instead of 40 is asked for now") as error:
        train(data, Config(updates=1), home, quiet=True)
    assert_one_sentence(error.value)


def test_a_folder_of_something_else_holds_no_run(tmp_path: Path) -> None:
    for read in (load_config, load_encoding, Chain.load):
        with pytest.raises(SaltusError) as error:
            read(tmp_path)
        assert_one_sentence(error.value)
    assert updates_done(tmp_path) == 0


def test_an_interrupted_run_keeps_what_it_reached(tmp_path: Path, data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    update = Trainer._update

    def interrupted(self: Trainer, number: int) -> tuple[dict[str, float], float, bool]:
        if number == 3:
            raise KeyboardInterrupt
        return update(self, number)

    monkeypatch.setattr(Trainer, "_update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(data, Config(updates=UPDATES), tmp_path / "run", quiet=True)
    assert Chain.load(tmp_path / "run").sample(1, seed=0).shape == (1, 1, 8, 8)
    assert updates_done(tmp_path / "run") == 3
    assert load_config(tmp_path / "run") == Config(updates=UPDATES, prior="mixture", bf16=False, channels_last=False)  # as was decided


def test_a_run_knows_its_data_and_tells_others(tmp_path: Path, data: DataSet) -> None:
    train(data, Config(**SMALL), tmp_path / "run", quiet=True)
    check_data(tmp_path / "run", data)
    other = replace(data, train=data.train.flip(0))
    with pytest.raises(SaltusError, match="other data than those"):
        check_data(tmp_path / "run", other)
    assert load_data(tmp_path / "run", "digits").fingerprint == load_data(tmp_path / "run").fingerprint == data.fingerprint
    for name in ("config.json", "source.json"):
        (tmp_path / "run" / name).write_text("{")
        with pytest.raises(SaltusError, match=f"{name} is damaged"):
            load_config(tmp_path / "run") if name == "config.json" else check_data(tmp_path / "run", data)
    (tmp_path / "run" / "source.json").unlink()
    check_data(tmp_path / "run", data)  # by its encoding
    with pytest.raises(SaltusError, match="does not say where its data are"):
        load_data(tmp_path / "run")


def test_a_run_without_a_source_is_known_by_its_encoding(tmp_path: Path, data: DataSet) -> None:
    train(data, Config(**SMALL), tmp_path / "run", quiet=True)
    (tmp_path / "run" / "source.json").unlink()
    table = DataSet.from_arrays(np.random.default_rng(0).normal(size=(300, 3)))
    with pytest.raises(SaltusError, match="other data than those"):
        check_data(tmp_path / "run", table)


def test_a_recipe_is_everything_but_the_seed(tmp_path: Path, data: DataSet) -> None:
    runs = {
        "one": SMALL,
        "other seed": SMALL | {"seed": 1},
        "longer": SMALL | {"updates": 3},
        "wider": SMALL | {"width": 32},
        "conditioned": SMALL | {"condition": "labels"},
    }
    for name, options in runs.items():
        train(digits("labels") if "condition" in options else data, Config(**options), tmp_path / name, quiet=True)
    assert recipe(tmp_path / "one") == recipe(tmp_path / "other seed")
    assert len({recipe(tmp_path / name) for name in runs}) == len(runs) - 1
    whole = (tmp_path / "other seed" / "metrics.jsonl").read_text().splitlines()
    (tmp_path / "other seed" / "metrics.jsonl").write_text(whole[0] + "\n")  # as if it had been stopped
    assert recipe(tmp_path / "one") != recipe(tmp_path / "other seed")


def test_recipes_of_runs_that_started_from_others_differ_in_those_but_not_in_their_seeds(tmp_path: Path, data: DataSet) -> None:
    for name, updates, seed in (("a", 2, 0), ("b", 2, 1), ("c", 3, 0)):
        source = tmp_path / f"source {name}"
        train(data, Config(kernel="gaussian", width=16, updates=updates, seed=seed), source, quiet=True)
        train(data, Config(**SMALL), tmp_path / name, start=source, quiet=True)
    assert recipe(tmp_path / "a") == recipe(tmp_path / "b") != recipe(tmp_path / "c")


@pytest.mark.parametrize("asked", ["labels", None])
def test_a_condition_comes_back_with_the_data(asked: str | None, tmp_path: Path) -> None:
    """Also where the data alone had said it."""
    labelled = digits("labels")
    chain = train(labelled, Config(**SMALL, condition=asked, closed_forms=False), tmp_path / "run", quiet=True)
    assert load_config(tmp_path / "run").condition == "labels"
    again, found = Chain.load(tmp_path / "run"), load_data(tmp_path / "run")
    assert again.condition is not None
    assert again.condition.summary() == chain.condition.summary() == "10 classes"
    assert found.conditions is not None
    assert torch.equal(found.conditions.train, labelled.conditions.train)
    y, given = found.test[:8], found.conditions.test[:8]
    assert torch.equal(again.bound(y, condition=given).total, chain.bound(y, condition=given).total)
    assert torch.equal(again.sample(4, seed=1, condition=3), chain.sample(4, seed=1, condition=[3] * 4))


def test_a_condition_that_is_not_in_the_data_is_said_before_anything_is_written(tmp_path: Path, data: DataSet) -> None:
    with pytest.raises(SaltusError, match="condition labels was asked for, and digits was loaded with none"):
        train(data, Config(**SMALL, condition="labels"), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_a_device_that_is_not_there_is_said_so_before_anything_is_written(tmp_path: Path, data: DataSet) -> None:
    with pytest.raises(SaltusError, match="device cuda:99 cannot be used here") as error:
        train(data, Config(updates=1), tmp_path / "run", device="cuda:99", quiet=True)
    assert_one_sentence(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("options", [{"kernel": "gaussian"}, {"kernel": "vae", "any_step": True}], ids=["gaussian", "vae"])
def test_a_run_for_any_step_takes_any_grid_and_planned_ones_first(options: dict[str, object], tmp_path: Path, data: DataSet) -> None:
    run = tmp_path / "run"
    chain = train(data, Config(**SMALL | options), run, quiet=True)
    assert chain.any_step
    assert planned_levels(run, chain, 3) == Levels.cosine(3, chain.levels.last)
    times = [0.0, 0.4, 1.3, 3.0]
    (run / "plan.json").write_text(json.dumps({"plans": {"3": {"times": times}}}))
    again = Chain.load(run)
    planned = planned_levels(run, again, 3)
    assert list(planned) == times
    assert planned_levels(run, again, 2) == Levels.cosine(2, chain.levels.last)
    for levels in (planned, Levels.cosine(5, chain.levels.last)):
        other = again.on(levels)
        assert bool(other.bound(data.test[:8]).total.isfinite().all())
        assert bool(other.sample(2, seed=0).isfinite().all())
        assert other.levels.L == levels.L
    (run / "plan.json").write_text("[]")
    with pytest.raises(SaltusError, match=r"plan\.json is damaged"):
        planned_levels(run, again, 3)


def test_a_run_for_its_own_grid_refuses_another(tmp_path: Path, data: DataSet) -> None:
    chain = train(data, Config(**SMALL), tmp_path / "run", quiet=True)
    assert planned_levels(tmp_path / "run", chain, 2) == chain.levels
    (tmp_path / "run" / "plan.json").write_text(json.dumps({"plans": {"3": {"times": [0.0, 0.4, 1.3, 3.0]}}}))
    with pytest.raises(SaltusError, match="3 calls on another grid were asked for") as error:
        chain.on(planned_levels(tmp_path / "run", chain, 3))
    assert_one_sentence(error.value)


def test_other_labels_are_other_data(tmp_path: Path) -> None:
    data = digits("labels")
    assert data.conditions is not None
    train(data, Config(**SMALL), tmp_path / "run", quiet=True)
    check_data(tmp_path / "run", data)
    moved = replace(data.conditions, train=data.conditions.train.roll(1))
    with pytest.raises(SaltusError) as caught:
        check_data(tmp_path / "run", replace(data, conditions=moved))
    assert_one_sentence(caught.value, "other conditions")


def test_a_damaged_plan_is_one_sentence(tmp_path: Path, data: DataSet) -> None:
    chain = train(data, Config(**SMALL, any_step=True), tmp_path / "run", quiet=True)
    for text in ('{"plans": {"2": {}}}', "{}", '{"plans": [1]}'):
        (tmp_path / "run" / "plan.json").write_text(text)
        with pytest.raises(SaltusError) as caught:
            planned_levels(tmp_path / "run", chain, 2)
        assert_one_sentence(caught.value, "plan.json")

"""Trackers are told what metrics.jsonl has, in the run's folder, and none is asked for unless one is named."""

from __future__ import annotations

import importlib.machinery
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from saltus.data import DataSet
from saltus.errors import SaltusError
from saltus.training import Config, train
from tests.helpers.checks import assert_one_sentence
from tests.helpers.hidden import hidden
from tests.helpers.sets import table

OPTIONS = {"updates": 6, "batch": 8, "width": 8, "latent": 2, "levels": 2, "prior": "normal"}


@pytest.fixture(scope="module")
def data() -> DataSet:
    return table(60, 30, 30)


def test_tensorboard_has_the_metrics_of_both_parts_of_a_training(tmp_path: Path, data: DataSet) -> None:
    home = tmp_path / "run"
    train(data, Config(**OPTIONS), home, quiet=True, track="tensorboard")
    train(data, Config(**(OPTIONS | {"updates": 9})), home, quiet=True, track="tensorboard", extend=True)
    found = EventAccumulator(str(home / "tensorboard"))
    found.Reload()
    lines = [json.loads(line) for line in (home / "metrics.jsonl").read_text().splitlines()]
    for name, path in {"loss": ["loss"], "terms/kl": ["terms", "kl"], "gradient_norm": ["gradient_norm"]}.items():
        told = {scalar.step: scalar.value for scalar in found.Scalars(name)}
        expected = {}
        for line in lines:
            value = line
            for key in path:
                value = value[key]
            expected[line["update"]] = pytest.approx(value, rel=1e-6)
        assert told == expected
    assert len(found.Scalars("validation/kl/2")) == len(lines)


def test_nothing_is_tracked_unless_it_is_asked_for(tmp_path: Path, data: DataSet) -> None:
    train(data, Config(**OPTIONS), tmp_path / "run", quiet=True)
    assert {"tensorboard", "trackio"}.isdisjoint(path.name for path in (tmp_path / "run").iterdir())


class Trackio(ModuleType):
    """The part of trackio that accelerate calls; it remembers what it is told."""

    def __init__(self) -> None:
        super().__init__("trackio")
        self.__spec__ = importlib.machinery.ModuleSpec("trackio", None)
        self.told, self.config = list[Any](), dict[str, Any]()

    def init(self, project: str, **options: Any) -> Trackio:
        self.told.append((project, options, os.environ["TRACKIO_DIR"]))
        self.config = type("Config", (dict,), {"update": lambda config, values, **_: dict.update(config, values)})()
        return self

    def log(self, values: dict[str, float], step: int) -> None:
        self.told.append((step, values["loss"]))

    def finish(self) -> None:
        self.told.append("finished")


def test_trackio_is_told_the_same_and_keeps_it_in_the_run(tmp_path: Path, data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a stand-in: the package itself wants another Pillow than this one is tested with."""
    trackio, home = Trackio(), tmp_path / "run"
    monkeypatch.setitem(sys.modules, "trackio", trackio)
    with mock.patch.dict(os.environ):
        os.environ.pop("TRACKIO_DIR", None)
        train(data, Config(**OPTIONS), home, quiet=True, track="trackio")
    lines = [json.loads(line) for line in (home / "metrics.jsonl").read_text().splitlines()]
    begun, *told, last = trackio.told
    assert begun == ("run", {"name": "run", "resume": "allow", "embed": False}, str(home / "trackio"))
    assert told == [(line["update"], line["loss"]) for line in lines]
    assert (last, trackio.config["batch"]) == ("finished", 8)


@pytest.mark.parametrize(
    ("track", "folder", "missing", "says"),
    [
        ("wandb", "run", "", "there is no tracker 'wandb'; give one of tensorboard, trackio"),
        ("tensorboard", None, "", "tensorboard keeps its files in the folder of the run, and there is none"),
        ("tensorboard", "run", "tensorboard", "this needs tensorboard, which is not installed"),
        ("tensorboard", "run", "accelerate", "this needs accelerate, which is not installed"),
        ("trackio", "run", "trackio", "this needs trackio, which is not installed; install it with: pip install trackio"),
    ],
)
def test_a_tracker_that_cannot_be_is_refused_first(
    track: str, folder: str | None, missing: str, says: str, tmp_path: Path, data: DataSet
) -> None:
    home = None if folder is None else tmp_path / folder
    with hidden(missing), pytest.raises(SaltusError, match=says) as error:
        train(data, Config(**OPTIONS), home, quiet=True, track=track)
    assert_one_sentence(error)
    assert not list(tmp_path.iterdir())

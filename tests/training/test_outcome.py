"""A training that does not end with a model fails, and its folder says so until a training there ends with one."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from saltus import SaltusError
from saltus.chain import Chain
from saltus.cli.common import chain_of
from saltus.data import DataSet, digits
from saltus.training import Config, Trainer, Validation, build_chain, train
from saltus.training import trainer as training
from saltus.training.outcome import finite
from tests.helpers.checks import assert_one_sentence
from tests.helpers.terminal import saltus

OPTIONS: dict[str, Any] = {"updates": 3, "batch": 8, "width": 8, "levels": 2, "latent": 1, "prior": "normal"}


@pytest.fixture(scope="module")
def data() -> DataSet:
    return digits()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"learning_rate": 1e6, "updates": 20}, "the bound on validation items is nan after update 20"),
        ({"weight_decay": 1e300, "updates": 10}, "weights are not finite after update 10"),
        ({"learning_rate": 1e30, "updates": 20}, "the loss was not finite for 5 updates in a row"),
    ],
    ids=["learning rate", "weight decay", "no update at all"],
)
def test_a_training_that_diverges_fails_and_marks_its_folder(
    options: dict[str, Any], says: str, tmp_path: Path, data: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "row" in says:
        monkeypatch.setattr(training, "_PATIENCE", 5)
    config, home = Config(**(OPTIONS | options)), tmp_path / "run"
    for _ in range(2):  # and again, from where it was
        with pytest.raises(SaltusError) as caught, warnings.catch_warnings(action="ignore"):  # of a checkpoint that is not written
            train(data, config, home, quiet=True)
        assert_one_sentence(caught.value, says)
        with pytest.raises(SaltusError) as caught:
            chain_of(home, None)
        assert_one_sentence(caught.value, "chain.json cannot be used", says, "smaller learning rate")
    for command in ("sample", "evaluate"):
        done = saltus(command, "run", *(["--n", "2", "--out", "out"] if command == "sample" else []), cwd=tmp_path)
        assert done.code == 1
        assert says in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_the_command_ends_with_a_failure(tmp_path: Path) -> None:
    options = "--updates 20 --batch 8 --width 8 --levels 2 --latent 1 --noisy-steps vae --no-closed-forms --learning-rate 1e6"
    done = saltus("train", "--data", "digits", "--out", "run", *options.split(), cwd=tmp_path)
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("saltus: the training diverged: ")


def test_what_a_kernel_without_a_bound_samples_is_finite(data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(kernel="deterministic", updates=1, batch=8, width=8)
    trainer = Trainer(build_chain(config, data), data, config)
    assert isinstance(finite(trainer), Chain)
    monkeypatch.setattr(Chain, "sample", lambda *_, **__: torch.full((4, 1), torch.inf))
    with pytest.raises(SaltusError) as caught:
        finite(trainer)
    assert_one_sentence(caught.value, "the training diverged: samples are not finite", "train again with a smaller learning rate")


def test_a_best_validation_before_it_diverged_is_kept(data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter([3.0, math.nan, math.nan])
    monkeypatch.setattr(Trainer, "validate", lambda _: Validation(next(told)))
    config = Config(**OPTIONS)
    trainer = Trainer(build_chain(config, data), data, config)
    for _ in trainer:
        pass
    assert trainer.bits_per_dim == 3.0
    assert isinstance(finite(trainer), Chain)


def test_a_training_that_ends_well_takes_the_mark_away(tmp_path: Path, data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    home, config = tmp_path / "run", Config(**OPTIONS)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "validate", lambda _: Validation(math.nan, [math.nan] * 2, [0.0] * 2, [0] * 2, [None] * 2))
        with pytest.raises(SaltusError, match="the bound on validation items is nan"):
            train(data, config, home, quiet=True)
    with pytest.raises(SaltusError, match="cannot be used: the training diverged"):
        Chain.load(home)
    train(data, config.model_copy(update={"updates": 4}), home, quiet=True, extend=True)
    assert Chain.load(home).levels.L == 2

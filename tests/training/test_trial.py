"""The trial takes what is faster by more than noise, where a training is long enough to repay it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from saltus.data import DataSet, digits
from saltus.training import Config, Trainer, build_chain, load_config, train, trial
from saltus.training.trial import choose_speed

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data() -> DataSet:
    return digits()


def paced(monkeypatch: pytest.MonkeyPatch, seconds: Callable[[Config], float]) -> list[Config]:
    """Updates that take as long as is said; the configurations that were tried."""
    clock, seen = [0.0], list[Config]()

    def update(trainer: Trainer) -> None:
        seen.append(trainer.config)
        clock[0] += seconds(trainer.config)

    monkeypatch.setattr(Trainer, "warm", update)
    monkeypatch.setattr(trial.time, "perf_counter", lambda: clock[0])
    return seen


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        (lambda config: 0.5 if config.bf16 else 1.0, {"bf16": True, "channels_last": False}),
        (lambda config: 0.3 if config.bf16 and config.channels_last else 1.0, {"bf16": True, "channels_last": True}),
        (lambda config: 1.0 if config.bf16 else 0.95, {"bf16": False, "channels_last": False}),  # noise
        (lambda config: 3.0 if config.bf16 else 1.5 if config.channels_last else 2.5, {"bf16": False, "channels_last": True}),
    ],
)
def test_the_fastest_is_taken_where_it_is_clear(
    seconds: Callable[[Config], float], chosen: dict[str, bool], data: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(updates=1000, width=8)
    chain = build_chain(config, data)
    before = [parameter.clone() for parameter in chain.parameters()]
    seen = paced(monkeypatch, seconds)
    found, words = choose_speed(chain, data, config, CPU)
    assert found == chosen
    assert bool(words) == any(chosen.values())
    assert len({(config.bf16, config.channels_last) for config in seen}) == 4
    assert all(torch.equal(one, other) for one, other in zip(before, chain.parameters(), strict=True))


def test_short_trainings_and_what_was_asked_for_are_left_alone(data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = paced(monkeypatch, lambda config: 0.01 if config.bf16 else 0.02)
    chain = build_chain(Config(width=8), data)
    assert choose_speed(chain, data, Config(updates=1000, width=8), CPU) == ({"bf16": False, "channels_last": False}, "")  # 20 s
    assert {config.bf16 for config in seen} == {False}
    assert choose_speed(chain, data, Config(time="10s", width=8), CPU)[0] == {"bf16": False, "channels_last": False}
    assert choose_speed(chain, data, Config(bf16=False, channels_last=True, time="1h", width=8), CPU) == ({}, "")
    found, words = choose_speed(chain, data, Config(channels_last=False, time="1h", width=8), CPU)
    assert found == {"bf16": True}
    assert words.startswith("computes with bfloat16: 2.0 times as fast here")


def test_nothing_is_compiled_for_a_trial(data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = paced(monkeypatch, lambda config: 0.5 if config.bf16 else 1.0)
    config = Config(updates=1000, width=8, compile=True)
    choose_speed(build_chain(config, data), data, config, CPU)
    assert seen
    assert not any(tried.compile for tried in seen)


def test_a_run_keeps_what_was_chosen(data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saltus.training.run.choose_speed", lambda *_: ({"bf16": True, "channels_last": False}, "in words"))
    config = Config(updates=2, batch=8, width=8, levels=1, prior="normal")
    train(data, config, tmp_path / "run", quiet=True)
    assert load_config(tmp_path / "run").bf16 is True
    train(data, config, tmp_path / "run", quiet=True)  # the same call goes on

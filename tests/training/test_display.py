"""The progress bar: every update passes through it, and its numbers are those of the progress."""

from __future__ import annotations

import re

import pytest

from saltus.data import DataSet, digits
from saltus.training import Config, Trainer, build_chain
from saltus.training.display import show


@pytest.fixture(scope="module")
def data() -> DataSet:
    return digits()


@pytest.mark.parametrize("kernel", ["vae", "gaussian", "deterministic"])
def test_the_bar_shows_what_the_trainer_gives(
    kernel: str, data: DataSet, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    config = Config(kernel=kernel, updates=3, batch=16, width=16, levels=2)
    shown = list(show(Trainer(build_chain(config, data), data, config), "a title"))
    assert shown == list(Trainer(build_chain(config, data), data, config))
    out, err = capsys.readouterr()
    assert out == ""
    assert "a title" in err
    assert "update 3 of 3" in err
    assert f"loss {shown[-1].loss:.3f}" in err
    assert "skipped" not in err
    bits = re.search(r"([0-9.]+) bits/dim", err)
    assert (bits is not None) == (kernel != "deterministic")
    if bits:
        assert float(bits[1]) == pytest.approx(shown[-1].validation.bits_per_dim, abs=0.006)
    assert ("KL " in err) == ("active " in err) == ("aggregate KL " in err) == (kernel == "vae")


def test_updates_that_were_skipped_are_counted(data: DataSet, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    config = Config(updates=2, batch=16, width=16, levels=2)
    chain = build_chain(config, data)
    next(iter(chain.parameters())).data[0] = float("nan")
    list(show(Trainer(chain, data, config), "a title"))
    assert "2 skipped" in capsys.readouterr().err

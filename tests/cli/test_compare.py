"""`saltus compare` as a user meets it: it continues, shows what it has when it is stopped, and says what is wrong in one sentence."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from filelock import FileLock

from saltus.chain import Chain
from saltus.cli.common import Interrupted
from saltus.cli.main import cli
from saltus.data import digits, load
from saltus.levels import Levels
from saltus.studies.compare.comparison import Comparison
from saltus.training import Config, train
from tests.helpers.checks import assert_one_sentence
from tests.helpers.terminal import saltus


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few metrics: the others are tested by themselves."""
    monkeypatch.setattr("saltus.studies.compare.comparison.COMPARED", ("sliced_wasserstein", "energy"))


def times(folder: Path) -> dict[Path, int]:
    """When each finished figure was written."""
    return {file: file.stat().st_mtime_ns for file in (folder / "figures").iterdir()}


def test_the_command_compares_continues_and_explains(tmp_path: Path) -> None:
    for seed in (0, 1):
        train(digits(), Config(kernel="gaussian", updates=2, seed=seed), tmp_path / f"g{seed}", quiet=True)
    out = tmp_path / "out"
    call = ["compare", str(tmp_path / "g0"), str(tmp_path / "g1"), "--calls", "1", "--n", "128", "--out", str(out), "--json"]
    call += ["--sampler", "Gaussian step", "--sampler", "DDIM"]
    first = CliRunner().invoke(cli, call)
    assert first.exit_code == 0, first.output
    kept = times(out)
    other = CliRunner().invoke(cli, [*call[:1], call[2], call[1], *call[3:]])  # the runs in another order: other pictures
    assert_one_sentence(other.exception, "was made by another call: runs", "g1", "instead of", "another folder with --out")
    with FileLock(out / ".lock"):
        assert_one_sentence(CliRunner().invoke(cli, call).exception, "another process works in", "wait for it")
    assert CliRunner().invoke(cli, call).exit_code == 0
    assert kept == times(out)
    summary = json.loads((out / "compare.json").read_text())
    assert summary == json.loads(first.stdout) | {"seconds": summary["seconds"]}
    assert [row["sampler"] for row in summary["rows"]] == ["Gaussian step", "DDIM"]
    assert [len(networks) for networks in summary["models"].values()] == [2, 1]  # and the closed forms
    assert {len(row["figures"]) for row in summary["rows"]} == {3}
    assert summary["n_generated"] == 128
    damaged, cut = sorted(file for file in kept if file.suffix == ".json")[:2]
    damaged.write_bytes(damaged.read_bytes().replace(b"0.", b"1."))
    cut.write_bytes(cut.read_bytes()[:-9])
    (out / "figures" / ".x.0.partial").touch()
    assert CliRunner().invoke(cli, call).exit_code == 0
    assert {file for file, time in times(out).items() if time != kept.get(file)} == {damaged, cut}  # made anew
    again = json.loads((out / "compare.json").read_text())
    assert [row["metrics"] for row in again["rows"]] == [row["metrics"] for row in summary["rows"]]
    assert "img alt" in (out / "compare.html").read_text()


def test_a_run_of_classes_is_told_them_whatever_stands_first(home: Path, tmp_path: Path) -> None:
    """The bound is that of ln p(y | c), with the c of each test item."""
    train(digits(), Config(kernel="gaussian", updates=2), tmp_path / "g", quiet=True)
    call = ["compare", str(tmp_path / "g"), str(home / "any"), "--calls", "1", "--n", "128", "--sampler", "VAE step"]
    done = CliRunner().invoke(cli, [*call, "--out", str(tmp_path / "out"), "--json"])
    assert done.exit_code == 0, done.output
    (row,) = json.loads(done.stdout)["rows"]
    chain, data = Chain.load(home / "any"), digits("labels")
    assert data.conditions is not None
    chain = chain.on(Levels.cosine(1, chain.levels.last))
    expected = [float(chain.bound(data.test, condition=data.conditions.test, seed=seed).bits_per_dim.double().mean()) for seed in range(3)]
    assert row["bound"]["value"]["values"] == pytest.approx(expected, rel=1e-5)


def test_a_stopped_comparison_shows_the_rows_that_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(digits(), Config(kernel="deterministic", updates=2), tmp_path / "run", quiet=True)
    whole = Comparison.rows

    def stopped(self: Comparison, calls: int) -> Iterator[dict[str, Any]]:
        yield from itertools.islice(whole(self, calls), 1)
        raise KeyboardInterrupt

    monkeypatch.setattr(Comparison, "rows", stopped)
    result = CliRunner().invoke(cli, ["compare", str(tmp_path / "run"), "--calls", "1,2", "--n", "128", "--out", str(tmp_path / "out")])
    assert isinstance(result.exception, Interrupted)
    assert "1 rows are kept" in str(result.exception)
    assert [row["sampler"] for row in json.loads((tmp_path / "out" / "compare.json").read_text())["rows"]] == ["plain decoder"]
    assert (tmp_path / "out" / "compare.html").exists()


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    train(load(rows), Config(kernel="gaussian", updates=2), tmp_path / "rows", quiet=True)
    train(digits(), Config(kernel="gaussian", updates=2), tmp_path / "g", quiet=True)
    train(digits(), Config(levels=2, updates=2), tmp_path / "fixed", quiet=True)

    def said(*runs: str, options: tuple[str, ...] = ()) -> str:
        places = [str(tmp_path / run) for run in runs]
        result = CliRunner().invoke(cli, ["compare", *places, *options, "--out", str(tmp_path / "out")])
        assert result.exit_code != 0
        return f"{result.output} {result.exception}"

    places = [tmp_path / "vector", tmp_path / "other"]
    for place, attributes in zip(places, (rows[:, 0], rows), strict=True):
        np.savez(place, images=rows, attributes=attributes)
        train(load(f"{place}.npz", condition="attributes"), Config(condition="attributes", updates=2, width=8), place, quiet=True)
    assert "holds other conditions than those that" in said("vector", "other")
    assert "does not say where its data are" in said("rows")
    assert "other data" in said("rows", options=("--data", "digits"))
    assert "the same network" in said("g", "g")
    assert "other data" in said("g", "rows")
    assert "is not among --calls 1,2" in said("g", options=("--calls", "1,2", "--oracle", "4"))
    assert "no run has a sampler named DIM; expected names among" in said("g", options=("--sampler", "DIM"))
    assert "no run takes part at 3 calls, since all have fixed levels" in said("fixed", options=("--calls", "3"))
    for calls in ("all", "1,0", "few"):
        assert "numbers of calls from 1 up" in said("g", options=("--calls", calls))


def test_names_that_mean_something_to_others_are_shown_as_they_are(tmp_path: Path) -> None:
    """Two models that only their folders tell apart, so that these are in every table, curve and line of progress."""
    names = ["a[/b]", "$\\frac$ [bold]\x1b[31m"]
    for updates, name in enumerate(names, 1):
        train(digits(), Config(kernel="gaussian", updates=updates), tmp_path / name, quiet=True)
    options = ("--calls", "1", "--n", "128", "--sampler", "DDIM", "--out", "out\x1b[31m")
    done = saltus("compare", *names, *options, cwd=tmp_path)
    assert done.code == 0, done.stderr
    for name in ("any step, a[/b]: DDIM", r"any step, $\frac$ [bold]\x1b[31m: DDIM"):
        assert name in done.stdout
    assert r", $\frac$ [bold]\x1b[31m, DDIM, 1 calls" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "a[/b]" in (tmp_path / "out\x1b[31m" / "compare.html").read_text()

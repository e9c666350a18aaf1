"""Options and names of a user that cannot be: one sentence on stderr, the exit code of a wrong call or a failure, nothing written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from saltus.cli import main as command
from saltus.terminal import in_one_line, shown, shown_json
from saltus.training import Config
from saltus.training import build as building
from tests.helpers.terminal import saltus

TRAIN = "train --data rows.npz --out new --updates 2 --batch 8 --latent 1"
SAMPLE = "sample rows --n 2 --out new"

WRONG: list[tuple[str, int, str]] = [
    # paths
    ("train --data rows.npz --out=", 2, "'' names no file or folder; give its name, or . for the current folder"),
    ("train --data= --out new", 2, "'' names no file or folder"),
    ("sample rows --n 2 --out=", 2, "'' names no file or folder"),
    ("sample nowhere --n 2 --out new", 1, "nowhere is not there; give the folder of a training run"),
    ("sample rows.npz --n 2 --out new", 1, "rows.npz is a file; give the folder of a training run"),
    ("sample ~no-such-user/run --n 2 --out new", 1, "~no-such-user/run is not there"),
    ("sample a\0b --n 2 --out new", 2, r"'a\x00b' names no file or folder"),
    ("evaluate rows --out=", 2, "'' names no file or folder"),
    ("plan rows --out=", 2, "'' names no file or folder"),
    ("compare rows --calls 2 --out=", 2, "'' names no file or folder"),
    ("study collapse --out=", 2, "'' names no file or folder"),
    ("demo --out=", 2, "'' names no file or folder"),
    # what a terminal would act on
    ("sample \x1b[31mred --n 2 --out new", 1, r"\x1b[31mred is not there"),
    ("sample two\nlines --n 2 --out new", 1, r"two\nlines is not there"),
    ("sample \udcff --n 2 --out new", 1, r"\udcff is not there"),
    ("sample \u202eslorn --n 2 --out new", 1, r"\u202eslorn is not there"),
    ("sample a[/b] --n 2 --out new", 1, "a[/b] is not there"),
    (r"sample $\frac$ --n 2 --out new", 1, r"$\frac$ is not there"),
    ("train --data \x9b31mred --out new", 1, r"\x9b31mred: there is no such file or folder"),
    (f"{TRAIN} --kernel \x1b]0;x", 2, r"there is no kernel '\x1b]0;x'"),
    (f"{TRAIN} --\x1b[31mred", 2, r"\x1b[31mred"),
    # sizes
    (f"{TRAIN} --width 1048577", 2, "option width was given as '1048577': expected less than or equal to 1048576"),
    (f"{TRAIN} --levels 100000000", 2, "option levels was given as '100000000'"),
    (f"{TRAIN} --batch 1000000000000", 2, "option batch was given as '1000000000000'"),
    (f"{TRAIN} --updates {'9' * 5000}", 2, "option updates was given as '999"),
    (f"{TRAIN} --importance-samples 1000000000000", 2, "option importance_samples was given as"),
    (f"{TRAIN} --network-channels 1000000000,2", 2, "option channels.0 was given as"),
    (f"{TRAIN} --times 0,1e-300,3", 2, "expected times that are at least 1e-10 apart"),
    (f"{SAMPLE} --calls 1000000000000", 1, "L = 1000000000000; expected at least one level, and at most 10,000"),
    ("sample rows --n 1000000000000 --out new", 2, "1000000000000 is not in the range"),
    (f"{SAMPLE} --guidance 1e300", 1, "guidance = 1e+300 was given; expected a number from 0 up to 10000"),
    (f"{SAMPLE} --temperature 1e300", 1, "temperature = 1e+300 was given; expected a positive number up to 10000"),
    (f"compare rows --calls {'9' * 5000} --out new", 2, "was given where numbers of calls from 1 up were expected"),
    # what does not go together
    (f"{TRAIN} --architecture unet", 1, "items have shape (2,); convolutions take images (C, H, W): take architecture mlp"),
    (f"{TRAIN.removesuffix(' --latent 1')} --ladder last", 1, "items have shape (2,); a ladder takes images"),
    (f"{TRAIN} --kernel gaussian", 2, "latent is for the vae kernel, and the kernel is gaussian; leave it out"),
    (f"{TRAIN} --set self=1", 2, "--set NAME=VALUE is now an option for each name"),
    (f"{TRAIN} --options self=1", 2, "the vae kernel has no option of its own named self"),
    (f"{TRAIN} --weights self=1", 2, "expected weights from 0 up of kl"),
    (f"{TRAIN} --learning-rate 1e400", 2, "option learning_rate was given as '1e400': expected a finite number"),
    (f"{TRAIN} --device meta", 1, "device meta cannot be used here"),
    (f"{SAMPLE} --device meta", 1, "device meta cannot be used here"),
    (f"{SAMPLE} --condition 7", 1, "class 7 was given; expected one of 2 classes"),
    (f"{SAMPLE} --condition 99999999999999999999", 1, "class 99999999999999999999 was given"),
    (f"{SAMPLE} --condition nan", 1, "class nan was given"),
    (f"{SAMPLE} --condition ~/nothing.npy", 1, "the condition ~/nothing.npy cannot be read"),
]


@pytest.mark.parametrize(("line", "code", "says"), WRONG, ids=[f"{number} {line[:40]!r}" for number, (line, _, _) in enumerate(WRONG)])
def test_a_call_that_cannot_be_is_one_sentence(line: str, code: int, says: str, runs: Path) -> None:
    done = saltus(*line.split(" "), cwd=runs)
    assert done.code == code
    assert says in done.stderr.splitlines()[-1], done.stderr
    assert done.stdout == ""
    assert all(letter.isprintable() or letter == "\n" for letter in done.stderr)
    assert not (runs / "new").exists()


def test_networks_that_memory_cannot_hold_are_not_built(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "memory", lambda: 1e9)
    made: list[int] = []
    fill = torch.nn.init.kaiming_uniform_
    monkeypatch.setattr(torch.nn.init, "kaiming_uniform_", lambda tensor, **options: made.append(tensor.numel()) or fill(tensor, **options))
    done = saltus(*f"{TRAIN} --width 100000".split(), cwd=runs)
    assert done.code == 1
    assert "the networks have more than the 3.12e+07 parameters that can be trained in the 1 GB of memory here; take" in done.stderr
    assert sum(made) < 3.2e7
    assert not (runs / "new").exists()


def test_memory_that_runs_out_is_one_sentence(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: x"),
    ):

        def full(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr("saltus.chain.Chain.sample", full)
        done = saltus(*SAMPLE.split(), cwd=runs)
        assert done.code == 1
        assert "there is not enough memory for this" in done.stderr
    monkeypatch.setattr("saltus.chain.Chain.sample", lambda *_, **__: torch.zeros(1)[5:6].reshape(3))
    with pytest.raises(RuntimeError, match="shape"):  # an error of ours is not hidden
        saltus(*SAMPLE.split(), cwd=runs)


@pytest.mark.parametrize("json", [(), ("--json",)])
def test_an_output_without_room_is_one_sentence(json: tuple[str, ...], runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def full(words: str, *, result: bool = False) -> None:
        if result:
            raise OSError(28, "No space left on device")
        told.append(words)

    monkeypatch.setattr("saltus.cli.common.tell", full)
    monkeypatch.setattr(command, "tell", full)
    done = saltus("sample", "rows", "--n", "2", "--out", str(tmp_path / "out"), *json, cwd=runs)
    assert (done.code, done.stdout) == (1, "")
    assert told == ["saltus: the output: No space left on device; give another place, or make room or way there"]


def test_the_users_home_is_found_in_every_path(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "run").symlink_to(runs / "rows")
    (tmp_path / "rows.npz").symlink_to(runs / "rows.npz")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert saltus("sample", "~/run", "--n", "2", "--out", "~/out", cwd=elsewhere).code == 0
    assert (tmp_path / "out" / "samples.npz").exists()
    done = saltus("train", "--data", "~/rows.npz", "--out=~/new", "--updates", "1", "--width", "8", "--batch", "8", cwd=elsewhere)
    assert done.code == 0, done.stderr
    assert (tmp_path / "new" / "chain.json").exists()
    assert list(elsewhere.iterdir()) == []


def test_what_a_terminal_would_act_on_is_written_out(runs: Path, tmp_path: Path) -> None:
    """In results too, in words and as JSON, where the escape is JSON's own."""
    place = str(tmp_path / "out\x1b[31m\x9b\u202e")
    done = saltus("sample", "rows", "--n", "2", "--out", place, cwd=runs)
    assert done.code == 0
    assert r"out\x1b[31m\x9b\u202e/samples.npz" in done.stdout
    again = saltus("sample", "rows", "--n", "2", "--out", f"{place}2", "--json", cwd=runs)
    assert again.json["files"] == [f"{place}2/samples.npz"]
    assert again.stdout.rstrip("\n").isprintable()


def test_shown() -> None:
    assert shown("zwölf 数字\tand\nmore") == "zwölf 数字\tand\nmore"
    assert in_one_line("zwölf 数字\tand\nmore") == r"zwölf 数字\tand\nmore"
    assert shown("a\x00\x1b\x7f\x9b\u200b\u202e\udcff") == r"a\x00\x1b\x7f\x9b\u200b\u202e\udcff"
    assert shown_json('{"a": "ü\x9b\u202e"}') == r'{"a": "ü\u009b\u202e"}'


def test_warnings_are_lines_of_their_own(runs: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder) -> None:
    import warnings

    def warn(*_: object, **__: object) -> None:
        warnings.simplefilter("always")
        warnings.warn("the file \x1b[31mred was passed over", stacklevel=1)
        raise KeyboardInterrupt

    monkeypatch.setattr("saltus.cli.sample.run_folder", warn)
    done = saltus(*SAMPLE.split(), cwd=runs)
    assert done.stderr.split("\n") == [r"saltus: the file \x1b[31mred was passed over", "", "saltus: stopped", ""]
    assert not recwarn


def test_the_module_is_no_command_until_it_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    monkeypatch.setattr(sys, "argv", ["host", "--nonsense"])
    sys.modules.pop("saltus.__main__", None)
    importlib.import_module("saltus.__main__")


def test_limits_leave_room(recwarn: pytest.WarningsRecorder) -> None:
    """The twin: the largest values that are allowed."""
    told: Callable[..., Config] = Config
    assert told(batch=2**20, updates=10**9 - 1, width=2**20, importance_samples=1).batch == 2**20
    assert told(times=(0, 1e-9, 3)).levels == 2
    assert not recwarn

"""The command line as a whole: help at every width, exit codes, JSON, and one sentence for every mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from saltus.training import Config
from tests.helpers.terminal import saltus

COMMANDS = [
    "",
    "compare",
    "convert",
    "data",
    "demo",
    "evaluate",
    "impute",
    "plan",
    "push",
    "sample",
    "score",
    "study",
    "study collapse",
    "train",
]


@pytest.mark.parametrize("columns", [80, 110])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_fits_the_terminal(command: str, columns: int, tmp_path: Path) -> None:
    done = saltus(*command.split(), "--help", cwd=tmp_path, columns=columns)
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: saltus {command}")
    assert max(map(len, done.stdout.splitlines())) <= columns
    assert "..." not in done.stdout.partition("Commands:")[2]  # no sentence is cut off


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in ("", "study")])
def test_every_option_is_described(command: str, tmp_path: Path) -> None:
    """In a terminal so wide that an option and its description share a line unless the option is long."""
    text = saltus(*command.split(), "--help", cwd=tmp_path, columns=110).stdout
    options = text.partition("Options:")[2].splitlines()
    for line, after in zip(options, [*options[1:], ""], strict=True):
        if line.startswith("  -"):
            words = line[34:] if len(line) > 34 else after
            assert words.strip() or "  " in line.strip(), line


def test_the_help_of_train_lists_every_option_of_a_training_once_by_kernel(tmp_path: Path) -> None:
    text = saltus("train", "--help", cwd=tmp_path, columns=110).stdout
    flags = [{"channels": "network-channels"}.get(name, name.replace("_", "-")) for name in Config.model_fields]
    assert [text.count(f"  --{flag} ") for flag in flags] == [1] * len(flags)
    assert text.count("  --channels [1|3|4] ") == 1  # of images
    common, _, kernels = text.partition("Training with the vae kernel:")
    vae, _, gaussian = kernels.partition("Training with the gaussian kernel:")
    assert "--updates INTEGER" in common
    assert "[default: 5000]" in common
    assert "--encoder-input [z_s|y]" in vae
    assert "--variance [posterior|transition|optimal]" in gaussian


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ("nonsense", 2, "No such command 'nonsense'"),
        ("train --data digits --out x --steps 3", 2, "the option --steps is now --updates; give that one"),
        ("sample any --n 1 --out x --last mean", 2, "the option --last is now --final; give that one"),
        (
            "train --data digits --out x --channels 32,64",
            2,
            "32,64 channels were given where 1, 3 or 4 were expected; those of a network are",
        ),
        ("train --data digits --out x --size 0", 2, "the size '0' was given where pixels from 1 to 8192 were expected"),
        ("evaluate any --latents 4", 2, "the option --latents is now --importance-samples; give that one"),
        ("train --data digits --out x --update 3", 2, "No such option"),
        ("sample any --n 1 --out x --eta nan", 2, "nan is no share; expected a number from 0 to 1"),
        ("sample any --n 1 --out x --eta 1.5", 2, "1.5 is no share"),
        ("sample any --n 1 --out x --temperature nan", 2, "nan is no temperature; expected a number above 0"),
        ("sample any --n 1 --out x --temperature 0", 2, "0.0 is no temperature"),
        ("sample any --n 1 --out x --guidance -1", 2, "-1.0 is no weight; expected a number from 0 up"),
        ("sample any --n 1 --out x --guidance inf", 2, "inf is no weight"),
        ("sample any --n 1 --out x --seed -1", 2, "-1 is no seed; expected a whole number from 0 to 2**63 - 1"),
        ("sample any --n 1 --out x --seed 9223372036854775808", 2, "9223372036854775808 is no seed"),
        ("sample any --n 1 --out any/chain.json", 1, "any/chain.json: File exists; give another place"),
    ],
)
def test_a_mistake_is_one_sentence_and_no_traceback(arguments: str, code: int, says: str, home: Path) -> None:
    done = saltus(*arguments.split(), cwd=home)
    assert done.code == code
    assert says in done.stderr
    assert done.stdout == ""
    assert not (home / "x").exists()
    again = saltus(*arguments.split(), "--json", cwd=home)
    assert again.code == code
    assert says in again.json["error"]


def test_it_is_started_as_a_module_and_as_a_script(tmp_path: Path) -> None:
    """In interpreters of their own: exit codes reach the shell."""
    script = Path(sys.executable).parent / "saltus"
    for start in ([sys.executable, "-m", "saltus"], [str(script)]):
        done = subprocess.run([*start, "--nonsense"], cwd=tmp_path, capture_output=True, text=True, check=False, env={**os.environ})
        assert done.returncode == 2
        assert "--nonsense" in done.stderr


def test_a_stopped_command_ends_with_the_code_of_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("saltus.cli.demo.run_demo", stop)
    done = saltus("demo", "--json", cwd=tmp_path)
    assert done.code == 130
    assert json.loads(done.stdout) == {"error": "stopped"}

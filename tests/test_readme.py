"""Every command and every example of the README, and of the page of examples in Python, runs as a new user would run it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


PYTHON = (ROOT / "docs" / "python.md").read_text()


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


COMMANDS = [line for block in blocks("bash") for line in block.splitlines() if line]


def run(command: list[str], cwd: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


FEWER = {"500": "20", "400": "130", "1,2,4": "1,4"}
"""Updates, samples and calls: whether a command runs does not depend on how many there are."""


def _fewer(word: str) -> str:
    return FEWER.get(word, word)


def test_the_readme_shows_what_it_should() -> None:
    assert {shlex.split(command)[0] for command in COMMANDS} == {"make", "pip", "saltus"}
    assert (ROOT / "docs" / "samples.png").is_file()
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / link).exists(), link


def test_saltus_commands_run_in_their_order(tmp_path: Path) -> None:
    commands = [shlex.split(command) for command in COMMANDS if command.startswith("saltus")]
    assert ["saltus", "demo"] in commands
    for command in commands:
        run([*map(_fewer, command), *["--quick"] * (command[1] in ("demo", "study"))], tmp_path)
    assert {"summary.json", "samples.png", "levels.png"} <= {file.name for file in (tmp_path / "demo").iterdir()}
    for name in ("my-samples", "my-threes", "first-digits", "first-clothes", "two-calls"):
        assert (tmp_path / name / "samples.png").is_file()
    assert (tmp_path / "any-run" / "plan.png").is_file()
    assert (tmp_path / "my-comparison" / "compare.html").is_file()
    assert (tmp_path / "my-study" / "index.html").is_file()


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("make")])
def test_make_targets_are_there(command: str) -> None:
    """A dry run: the tests cannot run `make test`, and `make demo` is the demo that runs above."""
    run(["make", "--dry-run", *shlex.split(command)[1:]], ROOT)


def test_pip_install_puts_saltus_on_the_path(tmp_path: Path) -> None:
    """The README's `pip install '.[all]'`, with what it needs taken from this environment."""
    assert "pip install '.[all]'" in COMMANDS
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--no-deps", "--no-build-isolation", "--target", str(tmp_path / "site"), str(ROOT)], tmp_path)
    assert (tmp_path / "site" / "bin" / "saltus").is_file()
    assert (tmp_path / "site" / "saltus" / "py.typed").is_file()
    assert (tmp_path / "site" / "saltus" / "kernels" / "vae.py").is_file()


EXAMPLES = [*blocks("python"), *blocks("python", PYTHON)]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_python_examples_run(number: int, tmp_path: Path) -> None:
    run([sys.executable, "-c", EXAMPLES[number]], tmp_path)

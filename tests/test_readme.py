"""Every command and every example of the README runs as a new user would run it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.pages import blocks, fewer

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [line for block in blocks("bash", README) for line in block.splitlines() if line]
MOST_LINES = 95
"""One screen and a half."""


def run(command: list[str], cwd: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_readme_shows_what_it_should() -> None:
    assert {shlex.split(command)[0] for command in COMMANDS} == {"pip", "saltus"}
    assert len(README.splitlines()) <= MOST_LINES
    assert (ROOT / "docs" / "samples.png").is_file()
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / link).exists(), link


def test_saltus_commands_run_in_their_order(tmp_path: Path) -> None:
    for command in (shlex.split(command) for command in COMMANDS if command.startswith("saltus")):
        run([*map(fewer, command)], tmp_path)
    for name in ("first-mnist", "my-threes"):
        assert (tmp_path / name / "samples.png").is_file()


def test_pip_install_puts_saltus_on_the_path(tmp_path: Path) -> None:
    """The README's `pip install '.[all]'`, with what it needs taken from this environment."""
    assert "pip install '.[all]' pandas" in COMMANDS
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--no-deps", "--no-build-isolation", "--target", str(tmp_path / "site"), str(ROOT)], tmp_path)
    assert (tmp_path / "site" / "bin" / "saltus").is_file()
    assert (tmp_path / "site" / "saltus" / "py.typed").is_file()
    assert (tmp_path / "site" / "saltus" / "kernels" / "vae.py").is_file()


EXAMPLES = blocks("python", README)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_python_examples_run(number: int, tmp_path: Path) -> None:
    run([sys.executable, "-c", EXAMPLES[number]], tmp_path)

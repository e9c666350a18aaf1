"""Pages whose commands and examples are run: as one program, in their order, with fewer updates and samples."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["FEWER", "blocks", "fewer", "play", "program", "strangers"]

ROOT = Path(__file__).parents[2]
FEWER = {"500": "20", "400": "130", "300": "20", "200": "20", "1,2,4": "1,4", "5s": "1s", "60s": "1s"}
"""Updates, samples, calls and seconds: whether a command runs does not depend on how many there are."""
_LINK = re.compile(r"\]\((?:docs/)?((?:results|decisions)/[\w.-]+\.md)(?:#[\w-]*)?\)")
_DECIMAL, _NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*\.\d+(?!\.?\w)"), re.compile(r"\d[\d,]*(?:\.\d+)?")
_BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def blocks(language: str, text: str) -> list[str]:
    """The code of a page in that language."""
    return [code for kind, code in _BLOCK.findall(text) if kind == language]


def fewer(word: str) -> str:
    """A word of a command, with less to do."""
    return FEWER.get(word, word)


def program(text: str) -> str:
    """All Python and all commands of saltus of a page, in one program; other commands are left out."""
    lines = ["from saltus.cli.main import cli as _cli"]
    for kind, code in _BLOCK.findall(text):
        if kind == "python":
            lines.append(re.sub(r'(time="|updates=)(\d+s?)', lambda found: found[1] + fewer(found[2]), code))
        elif kind == "bash":
            commands = [shlex.split(line, comments=True) for line in code.replace("\\\n", " ").splitlines()]
            lines += [_called(words[1:]) for words in commands if words and words[0] == "saltus"]
    return "\n".join(lines)


def _called(words: list[str]) -> str:
    quick = ["--quick"] * (words[0] in ("demo", "study"))
    return f"_cli({[*map(fewer, words), *quick]}, standalone_mode=False)"


def play(text: str, folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a page in a folder; what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", program(text)],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def strangers(text: str, linked: Mapping[str, str]) -> list[str]:
    """Decimal numbers that a page quotes in a paragraph, or in the table after it, and that no page has that the paragraph links.

    Args:
        text: of the page.
        linked: texts of pages by their places in docs/.
    """
    parts: list[str] = []
    for part in re.split(r"\n\s*\n", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if part.startswith("|") and parts:
            parts[-1] += f"\n{part}"
        else:
            parts.append(part)
    found = []
    for part in parts:
        if pages := [linked[place] for place in _LINK.findall(part)]:
            known = [_value(number) for page in pages for number in _NUMBER.findall(page)]
            quoted = [(number, 10.0 ** -len(number.partition(".")[2])) for number in _DECIMAL.findall(part)]
            found += [number for number, unit in quoted if all(abs(_value(number) - other) > 0.501 * unit for other in known)]
    return found


def _value(number: str) -> float:
    return float(number.replace(",", ""))

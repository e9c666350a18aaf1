"""The oldest versions that pyproject.toml allows, as constraints for pip, so that its floors are what `make oldest` tests.

    python tools/oldest.py > oldest.txt
    pip install --constraint oldest.txt .[dev]

A requirement is written as name>=version; one with an extra of saltus itself has no version.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["floors", "main", "requirements"]

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
_FLOOR = re.compile(r"([A-Za-z0-9_.-]+)>=([0-9.]+)")


def requirements(document: dict[str, Any]) -> list[str]:
    """Every requirement of a pyproject.toml, extras included, without those that name the project itself."""
    project = document["project"]
    groups = [project["dependencies"], *project.get("optional-dependencies", {}).values()]
    return [one for group in groups for one in group if not one.startswith(f"{project['name']}[")]


def floors(lines: Iterable[str]) -> dict[str, str]:
    """The lowest version of each package.

    Raises:
        ValueError: for a requirement that is not name>=version, or two floors of one package.
    """
    found: dict[str, str] = {}
    for line in lines:
        floor = _FLOOR.fullmatch(line)
        if floor is None:
            raise ValueError(f"{line!r} has no single floor; expected name>=version")
        name, version = floor.groups()
        if found.setdefault(name, version) != version:
            raise ValueError(f"{name} has the floors {found[name]} and {version}; expected one")
    return found


def main() -> None:
    """Print one constraint a line."""
    for name, version in sorted(floors(requirements(tomllib.loads(PROJECT.read_text()))).items()):
        print(f"{name}=={version}")


if __name__ == "__main__":
    main()

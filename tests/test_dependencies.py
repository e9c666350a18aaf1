"""Every library that saltus imports is declared, in the core or in the extra that the import names; floors and pins agree."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.version import Version

from oldest import floors, requirements
from saltus.extras import PACKAGES

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "saltus"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FILES = sorted(SOURCE.rglob("*.py"))
NAMES = PACKAGES | {"PIL": "pillow", "pydantic_core": "pydantic", "markupsafe": "jinja2", "starlette": "gradio"}
"""Names of packages, and for a part of a library that is a package of its own, that library's."""
DEVELOPMENT = {"test", "docs", "dev"}
"""Extras whose tools saltus does not import."""


def imports(code: str) -> set[str]:
    """The libraries that a file imports itself, at whatever depth of it, but not for types alone."""
    found: set[str] = set()
    for node in running(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    libraries = {name.partition(".")[0] for name in found}
    return {NAMES.get(name, name) for name in libraries - set(sys.stdlib_module_names) - {"saltus"}}


def running(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those under `if TYPE_CHECKING`."""
    if not (isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
        yield node
        for child in ast.iter_child_nodes(node):
            yield from running(child)


def needed(code: str) -> set[tuple[str, str]]:
    """The library and the extra of every `needs(module, extra=...)` of a file."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "needs":
            (module,), (extra,) = node.args, node.keywords
            assert isinstance(module, ast.Constant)
            assert isinstance(extra.value, ast.Constant)
            library = str(module.value).partition(".")[0]
            found.add((NAMES.get(library, library), str(extra.value.value)))
    return found


def extra(name: str) -> set[str]:
    """The libraries of an extra, with those of the extras that it names."""
    found: set[str] = set()
    for requirement in PROJECT["optional-dependencies"][name]:
        if requirement.startswith("saltus["):
            found |= set().union(*(extra(other) for other in requirement[len("saltus[") : -1].split(",")))
        else:
            found |= set(floors([requirement]))
    return found


CORE = set(floors(PROJECT["dependencies"]))
APART = {"studio"}
"""Extras that `all` leaves out: they need another library to be older than its newest version (docs/decisions/0061-studio.md)."""
EXTRAS = [name for name in PROJECT["optional-dependencies"] if name not in DEVELOPMENT]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_a_file_imports_the_core_only_and_asks_for_the_rest(file: Path) -> None:
    assert imports(file.read_text()) <= CORE
    for library, name in needed(file.read_text()):
        assert library in extra(name), f"{library} is not in the extra {name}"


def test_wrong_imports_are_seen() -> None:
    assert imports("import os\ndef f():\n    from PIL import Image\n    import ot.sliced") == {"pillow", "ot"}
    assert imports("if TYPE_CHECKING:\n    import matplotlib\nelse:\n    import jinja2") == set()
    assert needed('x = needs("sklearn.metrics", extra="unet")') == {("scikit-learn", "unet")}
    assert "scikit-learn" not in extra("unet")


def test_what_is_declared_is_used() -> None:
    code = [file.read_text() for file in FILES]
    assert set().union(*map(imports, code)) == CORE
    used = {library for text in code for library, _ in needed(text)}
    assert used == set().union(*(extra(name) for name in EXTRAS))


def test_all_is_all() -> None:
    assert extra("all") == set().union(*(extra(name) for name in EXTRAS if name not in APART))
    assert not any(extra(name) <= extra("all") for name in APART)
    assert extra("all") < extra("test") < extra("dev")
    assert extra("evaluate") < extra("compare") == extra("study")


def test_pins_are_at_or_above_the_floors() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.lower().split("==") for line in lines if not line.startswith("#"))
    for name, floor in floors(requirements({"project": PROJECT})).items():
        assert Version(pins[name.lower()]) >= Version(floor), name


def test_floors_are_read_from_the_requirements() -> None:
    project = {"name": "p", "dependencies": ["a>=1.2"], "optional-dependencies": {"x": ["b-c>=3"], "all": ["p[x]", "a>=1.2"]}}
    assert floors(requirements({"project": project})) == {"a": "1.2", "b-c": "3"}
    for wrong in (["a"], ["a>=1,<2"], ["a==1"], ["a>=1", "a>=2"]):
        with pytest.raises(ValueError, match="expected"):
            floors(wrong)

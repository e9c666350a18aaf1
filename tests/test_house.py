"""The house: imports go one way, files stay small, `import saltus` costs nothing, and nothing is pickled."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "saltus"

GROUND = {"errors", "registry", "storage", "storage_format1", "machine", "pretrained"}
"""Small modules that anything may use."""

ROOMS = {
    "process": set(),
    "levels": {"process"},
    "oracles": {"process"},
    "networks": set(),
    "kernels": {"process", "oracles", "networks"},
    "chain": {"process", "levels", "oracles", "kernels"},
    "data": {"process", "levels", "oracles", "networks", "kernels", "chain"},
    "training": {"process", "levels", "oracles", "networks", "kernels", "chain", "data"},
    "evaluation": {"process", "levels", "oracles", "networks", "kernels", "chain", "data"},
    "integrations": {"process", "levels", "oracles", "networks", "kernels", "chain", "data", "training", "evaluation"},
    "studies": {"process", "levels", "oracles", "networks", "kernels", "chain", "data", "training", "evaluation", "integrations"},
    "cli": {"process", "levels", "oracles", "networks", "kernels", "chain", "data", "training", "evaluation", "integrations", "studies"},
}
"""For each room the rooms that it may import from, besides the ground floor and itself."""

FRONT_DOORS = {"__init__", "__main__"}
"""The package's own names, loaded lazily, and `python -m saltus`."""

FILES = sorted(SOURCE.rglob("*.py"))
MOST_LINES = 300


def imported_rooms(code: str) -> set[str]:
    """The first part after `saltus.` of everything that a file imports, at whatever depth of it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            modules = [node.module or ""]
            if node.module == "saltus":
                modules = [f"saltus.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {module.split(".")[1] for module in modules if module.startswith("saltus.")}
    return found


def private_names(code: str) -> list[str]:
    """Names with an underscore that a file imports from saltus."""
    return [
        alias.name
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("saltus")
        for alias in node.names
        if alias.name.startswith("_")
    ]


def room_of(file: Path) -> str:
    return file.relative_to(SOURCE).parts[0].removesuffix(".py")


def test_every_room_is_on_the_list() -> None:
    assert {room_of(file) for file in FILES} == set(ROOMS) | GROUND | FRONT_DOORS


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_imports_follow_the_arrows(file: Path) -> None:
    room, code = room_of(file), file.read_text()
    if room not in FRONT_DOORS:
        allowed = GROUND | ROOMS.get(room, set()) | {room}
        assert imported_rooms(code) <= allowed
    assert not private_names(code)


def test_the_arrows_have_no_circle() -> None:
    seen: set[str] = set()
    for room, allowed in ROOMS.items():  # listed from the ground up
        assert allowed <= seen
        seen.add(room)


def test_a_wrong_arrow_is_seen() -> None:
    assert imported_rooms("def f():\n    from saltus.training import train") == {"training"}
    assert imported_rooms("from saltus import chain\nimport saltus.cli.main") == {"chain", "cli"}
    assert private_names("from saltus.chain.chain import _noised") == ["_noised"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_files_are_small_documented_and_unpickled(file: Path) -> None:
    code = file.read_text()
    assert len(code.splitlines()) <= MOST_LINES
    assert ast.get_docstring(ast.parse(code))
    assert "pickle" not in {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}


def test_importing_saltus_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'numpy', 'diffusers', 'matplotlib', 'pydantic', 'sklearn', 'ot'}"
    code = f"import sys, saltus, saltus.cli.main; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    import saltus

    assert all(getattr(saltus, name) is not None for name in saltus.__all__)
    assert set(dir(saltus)) == set(saltus.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        saltus.nothing  # noqa: B018

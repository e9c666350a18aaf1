"""The house: imports go one way, between rooms and between files; files stay small; tests mirror them; `import saltus` costs nothing."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SOURCE = TESTS.parent / "src" / "saltus"

GROUND = {
    "arguments",
    "budget",
    "errors",
    "exclusive",
    "files",
    "registry",
    "storage",
    "storage_format1",
    "tensors",
    "words",
    "extras",
    "machine",
    "pretrained",
    "processes",
    "launched",
    "terminal",
}
"""Small modules that anything may use."""

BELOW = {
    "process": (),
    "levels": ("process",),
    "oracles": ("process",),
    "likelihoods": ("process",),
    "networks": (),
    "kernels": ("likelihoods", "oracles", "networks"),
    "chain": ("levels", "kernels"),
    "data": ("likelihoods", "oracles", "networks"),
    "training": ("chain", "data"),
    "evaluation": ("chain", "data"),
    "estimators": ("training", "evaluation"),
    "integrations": ("estimators",),
    "studies": ("integrations",),
    "studio": ("studies",),
    "cli": ("studio",),
}
"""For each room those right below it, from the ground up: it may import from them, and from all that they may import from."""

FRONT_DOORS = {"__init__", "__main__"}
"""The package's own names, loaded lazily, and `python -m saltus`."""

FILES = sorted(SOURCE.rglob("*.py"))
EACH_FILE = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
MOST_LINES = 300

OF_SEVERAL_FILES = {
    "chain/test_conditions.py",
    "chain/test_conventions.py",
    "chain/test_eta.py",
    "data/test_errors.py",
    "evaluation/test_growth.py",
    "faults/test_chain_files.py",
    "faults/test_data_files.py",
    "faults/test_options.py",
    "faults/test_run_files.py",
    "faults/test_stored_files.py",
    "faults/test_table_inputs.py",
    "faults/test_table_rows.py",
    "kernels/test_export.py",
    "kernels/test_vae_bound.py",
    "kernels/test_vae_objective.py",
    "oracles/test_conditions.py",
    "oracles/test_oracles.py",
    "studies/test_collapse_page.py",
    "studies/test_compare_page.py",
    "studies/test_vae_closes_gap.py",
    "test_benchmarks.py",
    "test_dependencies.py",
    "test_docs.py",
    "test_house.py",
    "test_mixed_tables.py",
    "test_older_figures.py",
    "test_older_files.py",
    "test_plugin.py",
    "test_readme.py",
    "test_scale.py",
    "test_site.py",
    "training/test_optimiser.py",
}
"""Tests that are of no one file of the source."""


def allowed(room: str) -> set[str]:
    """The rooms that one may import from, besides the ground floor and itself."""
    below = set(BELOW.get(room, ()))
    return below.union(*map(allowed, below))


def imported(code: str, modules: set[str]) -> set[str]:
    """The modules of saltus that a file imports, at whatever depth of it, for types too: the file itself where one is named."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in modules else str(node.module))
    return {module for module in found if module == "saltus" or module.startswith("saltus.")}


def name_of(file: Path) -> str:
    """As it is imported; a package by its `__init__`."""
    parts = file.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(file: Path) -> str:
    return file.relative_to(SOURCE).parts[0].removesuffix(".py")


MODULES = {name_of(file): file.read_text() for file in FILES}


def imported_rooms(code: str) -> set[str]:
    return {module.split(".")[1] for module in imported(code, set(MODULES)) if module != "saltus"}


def private_names(code: str) -> list[str]:
    """Names with an underscore that a file imports from saltus."""
    return [
        alias.name
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("saltus")
        for alias in node.names
        if alias.name.startswith("_")
    ]


def circle(modules: Mapping[str, str]) -> list[str]:
    """The files of a circle of imports, each of which imports the one before it; none if there is no circle."""
    graph = {name: imported(code, set(modules)) - {name} for name, code in modules.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def test_every_room_is_on_the_list() -> None:
    assert {room_of(file) for file in FILES} == set(BELOW) | GROUND | FRONT_DOORS


@EACH_FILE
def test_imports_follow_the_arrows(file: Path) -> None:
    room, code = room_of(file), file.read_text()
    if room not in FRONT_DOORS:
        assert imported_rooms(code) <= GROUND | allowed(room) | {room}
        assert "saltus" not in imported(code, set(MODULES)), "the package's own names are for users"
    assert not private_names(code)


def test_the_arrows_have_no_circle() -> None:
    seen: set[str] = set()
    for room, below in BELOW.items():  # listed from the ground up
        assert set(below) <= seen
        seen.add(room)


def test_a_wrong_arrow_is_seen() -> None:
    assert imported_rooms("def f():\n    from saltus.training import train") == {"training"}
    assert imported_rooms("from saltus import chain\nimport saltus.cli.main") == {"chain", "cli"}
    assert imported("from saltus import Chain", set(MODULES)) == {"saltus"}
    assert private_names("from saltus.chain.chain import _noised") == ["_noised"]
    assert "chain" in allowed("training")
    assert not {"chain", "training"} & allowed("data")


def test_files_import_each_other_in_no_circle() -> None:
    assert circle(MODULES) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("saltus.chain.prior", "from saltus.chain.chain import Chain"),
        ("saltus.process.noise", "def f():\n    from saltus.training.run import train"),
        ("saltus.levels.cosine", "if TYPE_CHECKING:\n    from saltus.levels import Levels"),
        ("saltus.networks.backbones", "import saltus.kernels.vae"),
    ],
    ids=["in a room", "in a function", "of its own room, for types", "from below"],
)
def test_a_circle_is_seen(file: str, line: str) -> None:
    planted = MODULES | {file: f"{MODULES[file]}\n{line}"}
    found = circle(planted)
    assert file in found
    assert found[0] == found[-1]
    assert all(first in imported(planted[then], set(MODULES)) for first, then in pairwise(found))


@EACH_FILE
def test_files_are_small_documented_and_unpickled(file: Path) -> None:
    code = file.read_text()
    tree = ast.parse(code)
    assert len(code.splitlines()) <= MOST_LINES
    assert ast.get_docstring(tree)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    used |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not used & {"pickle", "dill", "joblib"}
    for public in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and not node.name.startswith("_")):
        assert ast.get_docstring(public), public.name


ELSEWHERE = re.compile(r"\bproblems? [123]\b|\bthe specification\b|\bthe exam\b", re.IGNORECASE)


@EACH_FILE
def test_files_explain_themselves(file: Path) -> None:
    """They cite nothing that a reader does not have."""
    assert not ELSEWHERE.search(" ".join(file.read_text().split()))


def test_what_a_reader_does_not_have_is_seen() -> None:
    for text in ("as Problem 3 asks", "the specification's encoder", "of the exam."):
        assert ELSEWHERE.search(text)
    assert not ELSEWHERE.search("for example, a problem of 3 dimensions; the specifications of a machine")


HEAVY = ("torch", "numpy", "diffusers", "matplotlib", "pydantic", "sklearn", "jinja2", "gradio")


def loaded(code: str) -> list[str]:
    """The heavy libraries that an interpreter has after it has run some code."""
    code = f"import sys\n{code}\nprint(*sorted({set(HEAVY)} & set(sys.modules)))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_importing_saltus_imports_nothing_heavy() -> None:
    assert loaded("import saltus, saltus.cli.main") == []
    assert "torch" in loaded("import saltus; saltus.Noise")  # the twin


def test_every_public_name_is_there() -> None:
    import saltus

    assert all(getattr(saltus, name) is not None for name in saltus.__all__)
    assert set(dir(saltus)) == set(saltus.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        saltus.nothing  # noqa: B018


def test_tests_mirror_the_source() -> None:
    tests = {file.relative_to(TESTS) for file in TESTS.rglob("test_*.py")}
    homeless = set()
    for test in tests:
        name, home = test.stem.removeprefix("test_"), SOURCE / test.parent
        inside = [*home.iterdir(), *home.glob("*/*.py")] if home.is_dir() else []
        if not any(place.stem == name for place in inside):
            homeless.add(str(test))
    assert homeless == OF_SEVERAL_FILES


def test_what_tests_share_is_in_helpers() -> None:
    outside = {file for file in TESTS.rglob("*.py") if file.parent.name != "helpers" and not file.name.startswith("test_")}
    assert {file.name for file in outside} <= {"__init__.py", "conftest.py"}

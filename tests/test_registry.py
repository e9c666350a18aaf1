"""Objects are described by short class names and made again; names find what plugins add."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from saltus.errors import SaltusError
from saltus.levels import Levels
from saltus.registry import Configurable, Registry, build, describe, find
from tests.helpers.checks import assert_one_sentence


class Parcel(Configurable):
    """Holds anything."""

    def __init__(self, content: Any, *, more: Any = None) -> None:
        self.content, self.more = content, more


class Strict(Configurable):
    """Says what it takes."""

    def __init__(
        self,
        number: float,
        levels: Levels | None = None,
        sizes: Sequence[int] = (),
        pair: tuple[float, ...] = (),
        word: str = "",
        tensor: Tensor | None = None,
        names: dict[str, int] | None = None,
    ) -> None:
        self.given = (number, levels, sizes, pair, word, tensor, names)


class Brick(Configurable, nn.Module):
    """A module of one weight."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(size))


def again(thing: Configurable) -> Any:
    description, tensors = describe(thing)
    return build(json.loads(json.dumps(description, allow_nan=False)), tensors)


@pytest.mark.parametrize(
    "content",
    [
        None,
        True,
        3,
        0.1,
        -0.0,
        "word",
        2**60,
        [1, [2.5, "a"]],
        {"class": "Levels", "arguments": {"times": [0, 1]}},
        {"same": 0},
        {"tensor": "a", "number": ["nan"]},
        {"mapping": {"mapping": {}}},
        Levels([0, 0.1, 3]),
    ],
    ids=repr,
)
def test_what_is_described_is_made_again(content: Any) -> None:
    made = again(Parcel(content))
    assert type(made) is Parcel
    assert made.content == content
    assert type(made.content) is type(content)
    assert describe(made) == describe(Parcel(content))


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_numbers_that_json_does_not_have_are_made_again(number: float) -> None:
    made = again(Parcel([number])).content[0]
    assert made == number or (math.isnan(made) and math.isnan(number))


def test_what_is_shared_stays_shared() -> None:
    tensor, inner = torch.arange(3.0), Parcel(1)
    description, tensors = describe(Parcel([tensor, tensor, inner], more={"again": inner}))
    assert len(tensors) == 1
    made = build(description, tensors)
    assert made.content[0] is made.content[1]
    assert made.content[2] is made.more["again"]


def test_a_description_is_short() -> None:
    assert describe(Parcel(Levels([0, 1]))) == (
        {
            "class": "Parcel",
            "arguments": {"content": {"class": "Levels", "arguments": {"times": [0, 1]}}, "more": None},
        },
        {},
    )


@pytest.mark.parametrize("content", [object(), {1: 2}, {1, 2}, [lambda: None], nn.Linear(1, 1), 1j])
def test_what_cannot_be_written_down_is_told(content: object) -> None:
    with pytest.raises(TypeError, match="expected JSON values, tensors or Configurables"):
        describe(Parcel(content))


def test_two_classes_of_one_name_are_an_error_and_a_class_that_is_defined_again_is_not() -> None:
    def define(place: str) -> type[Configurable]:
        return type("Doubled", (Configurable,), {"__module__": place})

    define("one")
    latest = define("one")
    assert find("Doubled") is latest
    with pytest.raises(ValueError, match=r"one\.Doubled and two\.Doubled.*rename one"):
        define("two")
    assert find("Doubled") is latest


def test_modules_are_made_without_memory_where_that_is_asked_for() -> None:
    description, tensors = describe(Parcel([Brick(2)], more=torch.ones(1)))
    assert build(description, tensors, meta=True).content[0].weight.is_meta
    assert not build(description, tensors, meta=True).more.is_meta
    assert not build(description, tensors).content[0].weight.is_meta


FITTING = [
    {"number": 1},
    {"number": 0.5, "levels": None, "tensor": None},
    {"number": 2**62, "sizes": [1, 2], "pair": [1, 2.5], "word": "a"},
    {"number": 1, "levels": {"class": "Levels", "arguments": {"times": [0, 1]}}},
    {"number": 1, "tensor": {"tensor": "a"}},
    {"number": 1, "names": {"mapping": {"a": 1}}},
]


@pytest.mark.parametrize("arguments", FITTING)
def test_arguments_of_the_right_kind_are_taken(arguments: dict[str, Any]) -> None:
    tensors = {"a": torch.zeros(1)} if isinstance(arguments.get("tensor"), dict) else {}
    assert isinstance(build({"class": "Strict", "arguments": arguments}, tensors), Strict)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number", "1"),
        ("number", None),
        ("number", [1]),
        ("number", True),
        ("number", {"number": "nan"}),
        ("number", 2**63),
        ("sizes", [1, True]),
        ("sizes", [1, 2.0]),
        ("levels", 1),
        ("levels", [0, 1]),
        ("levels", {"class": "Parcel", "arguments": {"content": 1}}),
        ("sizes", "12"),
        ("sizes", [1, "2"]),
        ("sizes", {"mapping": {}}),
        ("pair", 1),
        ("pair", [None]),
        ("word", 1),
        ("tensor", 1),
        ("names", [1]),
    ],
)
def test_arguments_of_the_wrong_kind_are_an_error(name: str, value: Any) -> None:
    with pytest.raises(SaltusError) as caught:
        build({"class": "Strict", "arguments": {"number": 1} | {name: value}}, {})
    assert_one_sentence(caught.value, name, "Strict")


def test_a_registry_gives_things_by_name_and_names_them_all() -> None:
    registry: Registry[int] = Registry("colour")
    registry.register("red", 1)
    registry.register("red", 1)
    registry.register("blue", 2)
    assert registry.get("blue") == 2
    assert registry.names() == ("red", "blue")
    with pytest.raises(ValueError, match="colour are named red"):
        registry.register("red", 2)
    with pytest.raises(SaltusError) as caught:
        registry.get("green")
    assert_one_sentence(caught.value, "colour", "'green'", "red, blue")


# ------------------------------------------------------------------------------------------- plugins

PLUGIN = """
import saltus.levels
from saltus.registry import Configurable

class PluginThing(Configurable):
    def __init__(self, number: int) -> None:
        self.number = number

saltus.levels.loaded = getattr(saltus.levels, "loaded", 0) + 1
"""

LOOK = """
import sys
from saltus.registry import Registry, build
print("plugin_of_a_test" in sys.modules)
print(build({"class": "PluginThing", "arguments": {"number": 3}}, {}).number)
registry = Registry("colour")
for name in ("Unheard", "Unseen"):
    try:
        build({"class": name, "arguments": {}}, {})
    except ValueError as error:
        print(error)
import saltus.levels
print(saltus.levels.loaded, registry.names())
"""


def look(folder: Path) -> list[str]:
    """What a process finds that has this folder among its packages."""
    path = os.pathsep.join([str(folder), *sys.path])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOOK], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    return [*done.stdout.splitlines(), *done.stderr.splitlines()[-1:]]


def install(folder: Path, name: str, code: str) -> None:
    (folder / f"{name}.py").write_text(code)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[saltus.plugins]\n{name} = {name}\n")


def test_a_class_of_an_installed_package_is_found_without_its_import(tmp_path: Path) -> None:
    install(tmp_path, "broken_plugin_of_a_test", "import nothing_of_this_name")
    install(tmp_path, "plugin_of_a_test", PLUGIN)
    before, number, *errors, names = look(tmp_path)
    assert (before, number, names) == ("False", "3", "1 ()")
    for error in errors:  # a plugin that fails hides no other, and is named
        assert_one_sentence(SaltusError(error), "Un", "broken_plugin_of_a_test", "nothing_of_this_name")


def test_without_the_package_it_is_an_error(tmp_path: Path) -> None:
    last = look(tmp_path)[-1]
    assert "SaltusError: the class 'PluginThing' is not known here; install or import the package that defines it" in last

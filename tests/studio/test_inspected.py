"""What `saltus data` says is shown without markup; the equivalent command and Python do the same, for data and for a training."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from saltus.cli.main import cli
from saltus.errors import SaltusError
from saltus.studio.views.inspected import (
    COLOURS,
    DataSettings,
    TrainSettings,
    as_page,
    equivalent,
    inspection,
    training,
    training_equivalent,
)
from saltus.training import load_config
from tests.helpers.checks import assert_one_sentence
from tests.helpers.watched import write_rows


def said(arguments: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(CliRunner().invoke(cli, [*arguments, "--json"], catch_exceptions=False).stdout)
    return found


@pytest.fixture
def shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder of images of two sizes and two classes."""
    monkeypatch.chdir(tmp_path)
    numbers = np.random.default_rng(0)
    for k in range(60):
        place = tmp_path / "shapes" / ("cats" if k % 2 else "dogs") / f"{k}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(numbers.integers(0, 256, (8, 8 + k % 2), dtype=np.uint8)).save(place)
    return "shapes"


def test_a_table_is_shown_without_markup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "rows.csv")
    found = said(inspection("rows.csv", DataSettings(size=8, crop=True)))  # which are of images alone
    page = as_page(found, ["<i>it is kept as rows.csv</i>"])
    assert "<script" not in page
    assert "<b>" not in page
    assert "<i>" not in page
    for text in ("&lt;b&gt;city&lt;/b&gt;", "=cmd|x", "A training learns rows of 3 columns"):
        assert text in page
    assert "{" not in page


def test_images_are_shown_as_they_would_be_learned(shapes: str, tmp_path: Path) -> None:
    with pytest.raises(SaltusError, match="give --size 8"):
        said(inspection(shapes, DataSettings()))
    found = said(inspection(shapes, DataSettings(8, crop=True, labels=True), "items.png"))
    page = as_page(found, [], (tmp_path / "items.png").read_bytes())
    assert "2 classes: cats: 30, dogs: 30" in page
    assert 'download="items.png"' in page


@pytest.mark.parametrize(
    "settings", [DataSettings(8), DataSettings(8, crop=True), DataSettings(8, labels=True), DataSettings(8, channels=3)]
)
def test_the_command_and_the_python_say_what_the_page_says(settings: DataSettings, shapes: str) -> None:
    same = equivalent(shapes, settings)
    assert shlex.split(same.command)[1:] == inspection(shapes, settings)
    found, space = said(inspection(shapes, settings)), dict[str, Any]()
    exec(same.python, space)
    for name in ("items", "least", "greatest", "classes", "becomes"):
        assert found[name] == getattr(space["found"], name)
    assert (space["data"].conditioned_on == "labels") == settings.labels


def test_grey_and_colour_images_are_read_as_one_of_them(shapes: str, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / shapes / "cats" / "1.png")
    with pytest.raises(SaltusError, match="--channels 3"):
        said(inspection(shapes, DataSettings(8)))
    for colours, channels in COLOURS.items():
        if channels:
            found = said(inspection(shapes, DataSettings.chosen(8, False, colours, False)))
            assert found["shape"] == [8, 8, *[3] * (channels == 3)]
    with pytest.raises(SaltusError) as caught:
        DataSettings.chosen(8, False, "purple", False)
    assert_one_sentence(caught.value, "'purple' were given", "grey")


def test_classes_are_folders_of_images(shapes: str, tmp_path: Path) -> None:
    assert DataSettings(labels=True).lack(tmp_path / shapes) == DataSettings().lack(tmp_path / shapes / "cats") == ""
    lack = DataSettings(labels=True).lack(tmp_path / shapes / "cats")
    assert_one_sentence(SaltusError(lack), "cats has no classes")


def test_the_command_and_the_python_train_the_same_run(shapes: str, tmp_path: Path) -> None:
    """As far as a budget of time lets two runs be the same: in all that they were asked for, and with a model at the end."""
    settings, train = DataSettings(8, labels=True), TrainSettings(minutes=0.02, levels=2, seed=3)
    arguments = training(shapes, "runs/shapes", settings, train)
    same = training_equivalent(shapes, "runs/shapes", settings, train)
    assert shlex.split(same.command)[1:] == arguments
    CliRunner().invoke(cli, arguments, catch_exceptions=False)
    (tmp_path / "python").mkdir()
    exec(same.python.replace("runs/shapes", "python/shapes"), {})
    one, other = (load_config(folder / "shapes") for folder in (tmp_path / "runs", tmp_path / "python"))
    assert one == other
    assert (one.time, one.levels, one.seed, one.condition) == (1.0, 2, 3, "labels")
    assert {file.name for file in (tmp_path / "runs" / "shapes").iterdir()} == {
        file.name for file in (tmp_path / "python" / "shapes").iterdir()
    }


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DataSettings(7), "from 8 to 128"),
        (lambda: DataSettings(129), "from 8 to 128"),
        (lambda: TrainSettings(0), "more than 0"),
        (lambda: TrainSettings(float("nan")), "more than 0"),
        (lambda: TrainSettings(1, 17), "from 1 to 16"),
        (lambda: TrainSettings(1, 0, -1), "from 0 to"),
    ],
)
def test_settings_out_of_range_are_refused(make: Any, words: str) -> None:
    with pytest.raises(SaltusError) as caught:
        make()
    assert_one_sentence(caught.value, words)

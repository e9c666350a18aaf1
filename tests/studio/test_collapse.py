"""What the tab of the collapse shows: small trainings, their figures, and the same by the command and by Python."""

from __future__ import annotations

import math
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from saltus.cli.main import cli
from saltus.data import digits
from saltus.errors import SaltusError
from saltus.studio.views.collapse import CollapseSettings, as_page, collapsed, equivalent, sentences
from tests.helpers.checks import assert_one_sentence
from tests.helpers.markup import pictures

SMALL = CollapseSettings(last=20.0, levels=2, updates=20, width=8, n=3)


def test_the_optimum_collapses_from_a_late_time_and_its_bridge_does_not() -> None:
    found = collapsed(SMALL)
    final = found.paths["exact optimum"][0]
    assert torch.allclose(final, final[:1].expand_as(final), atol=1e-4)
    mean = digits().fitting_items.double().mean(0)
    assert torch.allclose(found.paths["exact optimum"][1], mean.expand_as(final), atol=1e-4)
    assert found.diversity["exact optimum"] < 1e-3
    assert found.diversity["bridge step around the optimum"] > 0.5
    assert "one image again and again" in sentences(found)[0]


def test_it_does_not_from_an_early_time() -> None:
    found = collapsed(replace(SMALL, last=0.3))
    assert found.diversity["exact optimum"] > 0.5
    assert "still tells" in sentences(found)[0]


def test_all_start_from_the_same_noise() -> None:
    found = collapsed(SMALL)
    first = found.paths["exact optimum"][-1]
    assert all(torch.allclose(path[-1].double(), first.double()) for path in found.paths.values())
    assert found.spreads["bridge step"][-1] == pytest.approx(1, abs=5 / math.sqrt(2 * first.numel()))


def test_the_page_has_a_picture_of_each_way() -> None:
    found = collapsed(SMALL)
    page = as_page(found)
    assert len(pictures(page)) == len(found.paths) == 5
    assert "real items" in page
    assert "1.00" in page


@pytest.mark.parametrize(
    "values", [{"last": 21.0}, {"last": math.nan}, {"levels": 0}, {"updates": 10**6}, {"width": 145}, {"n": 13}, {"seed": -1}]
)
def test_values_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(SaltusError) as caught:
        CollapseSettings(**values)  # type: ignore[arg-type]
    assert_one_sentence(caught.value, "expected")


def test_the_command_and_the_python_give_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = replace(SMALL, last=8.0, seed=3)
    found, same = collapsed(settings), equivalent(settings)
    shown = pictures(as_page(found))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, shlex.split(same.command)[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    for name, pixels in zip(found.sheets(), shown, strict=True):
        assert np.array_equal(np.asarray(Image.open(tmp_path / "collapse" / f"{name}.png")), pixels), name
    space: dict[str, dict[str, torch.Tensor]] = {}
    exec(same.python, space)
    assert space["paths"].keys() == found.paths.keys()
    for name, path in found.paths.items():
        assert torch.allclose(space["paths"][name], path[:, : settings.n], atol=1e-5), name

"""Two samplers at equal calls: what they draw and what it costs; and the same by the command and by Python."""

from __future__ import annotations

import re
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
from saltus.estimators import Model
from saltus.studio.runs import Run, Runs
from saltus.studio.views.compare import OWN, Drawn, Side, as_page, compared, equivalent, figures, sampler_names
from saltus.studio.views.leaps import LeapSettings
from saltus.training import Config, train
from tests.helpers.checks import assert_one_sentence
from tests.helpers.markup import pictures

RUNS = Runs(["digits", "mnist", "fashion-mnist"])
SETTINGS = LeapSettings(n=4, seed=1)


def sides(a: LeapSettings = SETTINGS, b: LeapSettings = SETTINGS, first: str = "digits", second: str = "digits") -> tuple[Side, Side]:
    return Side(first, RUNS[first], a), Side(second, RUNS[second], b)


def test_the_same_sampler_draws_the_same() -> None:
    found = compared(*sides())
    one, other = found.drawn
    assert torch.equal(one.y, other.y)
    assert one.distance == other.distance
    hot = compared(*sides(b=LeapSettings(n=4, seed=1, temperature=1.5))).drawn[1]
    assert not torch.equal(hot.y, one.y)
    assert hot.diversity is not None
    assert one.diversity is not None
    assert hot.diversity > one.diversity


def test_figures_stand_beside_their_floor() -> None:
    headings, rows = figures(compared(*sides()))
    assert [row[0] for row in rows] == ["A: digits", "B: digits", "floor: digits, real items"]
    assert re.fullmatch(r"0\.\d+ ± 0\.\d+", rows[2][4])
    assert len(headings) == len(rows[2])
    assert rows[0][1:3] == ["4", f"{RUNS['digits'].multiply_adds:,}"]
    hot = compared(*sides(b=LeapSettings(n=1, seed=1, temperature=1.5, final="mean")))
    assert figures(hot)[1][1][0] == "B: digits, temperature 1.5, final mean"
    assert float(rows[2][5]) == pytest.approx(1, abs=0.05), "real items are as diverse as real items"


def test_without_data_nothing_is_measured() -> None:
    found = compared(*sides(first="mnist", second="fashion-mnist"))
    assert all(drawn.distance is None for drawn in found.drawn)
    assert found.floors == (None, None)
    assert "The data of mnist, fashion-mnist are not here" in as_page(found)


def test_distances_to_all_classes_are_not_shown_for_one() -> None:
    settings = LeapSettings(n=1, condition="3")
    found = compared(*sides(settings, settings))
    assert [drawn.distance for drawn in found.drawn] == [None, None]
    assert found.floors == (None, None)
    assert "none is measured for one class" in as_page(found)
    assert "seed 0, class 3." in as_page(found)


def test_calls_must_be_equal() -> None:
    with pytest.raises(SaltusError) as caught:
        compared(*sides(second="mnist"))
    assert_one_sentence(caught.value, "4 network calls", "1")


def test_a_sampler_that_is_not_there_is_refused() -> None:
    a, _ = sides()
    with pytest.raises(SaltusError) as caught:
        compared(a, Side("digits", RUNS["digits"], SETTINGS, "UniPC"))
    assert_one_sentence(caught.value, "UniPC", OWN)


@pytest.fixture(scope="module")
def any_step(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run for any number of calls, whose network other samplers take."""
    folder = tmp_path_factory.mktemp("runs") / "any"
    train(digits(), Config(kernel="gaussian", updates=5, width=8, architecture="mlp"), folder, quiet=True)
    return Runs([folder])["any"]


def test_other_samplers_around_one_network(any_step: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("diffusers")
    assert "DDIM" in sampler_names(any_step)
    assert sampler_names(RUNS["digits"]) == [OWN]
    settings = LeapSettings(n=3, calls=2)
    a, b = Side("any", any_step, settings), Side("any", any_step, settings, "DDIM")
    found, same = compared(a, b), equivalent(a, b)
    assert [drawn.calls for drawn in found.drawn] == [2, 2]
    assert not torch.equal(found.drawn[0].y, found.drawn[1].y)
    check_same(found.drawn, pictures(as_page(found)), same, tmp_path, monkeypatch)
    with pytest.raises(SaltusError, match="A makes 4 network calls and B makes 3"):
        compared(*(Side("any", any_step, replace(settings, calls=4), sampler) for sampler in (OWN, "Heun")))
    assert compared(*(Side("any", any_step, replace(settings, calls=3), sampler) for sampler in (OWN, "Heun"))).drawn[1].calls == 3
    for name, value in (("temperature", 1.5), ("eta", 0.5), ("final", "mean"), ("condition", "3"), ("guidance", 2.0)):
        with pytest.raises(SaltusError, match=f"{name} = .* has no such setting"):
            compared(a, Side("any", any_step, replace(settings, **{name: value}), "DDIM"))  # type: ignore[arg-type]


def test_the_command_and_the_python_give_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = sides(LeapSettings(n=3, condition="3", guidance=0.0), LeapSettings(n=3, condition="3", guidance=0.0, eta=0.0, final="mean"))
    found = compared(a, b)
    check_same(found.drawn, pictures(as_page(found)), equivalent(a, b), tmp_path, monkeypatch)


def check_same(drawn: tuple[Drawn, Drawn], shown: list[np.ndarray], same: object, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(cli, shlex.split(same.command)[1:], catch_exceptions=False)  # type: ignore[attr-defined]
    assert done.exit_code == 0, done.output
    space: dict[str, torch.Tensor] = {}
    exec(same.python, space)  # type: ignore[attr-defined]
    for letter, one, pixels in zip("ab", drawn, shown, strict=True):
        assert np.array_equal(np.asarray(Image.open(folder / "compared" / f"{letter}.png")), pixels)
        assert torch.equal(space[letter], one.y)


def test_a_model_in_memory_may_be_compared() -> None:
    one = Run("digits", Model.load("digits"))
    assert torch.equal(compared(Side("a", one, SETTINGS), Side("b", one, SETTINGS)).drawn[0].y, compared(*sides()).drawn[0].y)

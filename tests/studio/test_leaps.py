"""What the tab of leaps shows: paths, what steps expect, one latent again; and the same by the command and by Python."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from saltus.chain import Chain, StandardNormal
from saltus.cli.main import cli
from saltus.errors import SaltusError
from saltus.estimators import Model
from saltus.kernels import DeterministicKernel, OracleDenoiser, OracleKernel
from saltus.levels import Levels
from saltus.oracles import FiniteData
from saltus.studio.runs import Run, Runs
from saltus.studio.views.leaps import LeapSettings, allowed_calls, allowed_classes, allowed_starts, another_latent, leap
from saltus.studio.views.leaps_page import as_page, equivalent, latent_equivalent, latent_page
from tests.helpers.checks import assert_one_sentence
from tests.helpers.markup import pictures

RUNS = Runs(["digits", "mnist"])
DIGITS, MNIST = RUNS["digits"], RUNS["mnist"]


def test_the_path_ends_in_what_the_command_samples() -> None:
    found = leap(DIGITS, LeapSettings(n=3, seed=2))
    assert found.path.shape == (5, 3, 1, 8, 8)
    assert torch.equal(found.path[0], DIGITS.model.chain.sample(3, seed=2))
    assert found.calls == 4
    assert found.multiply_adds == DIGITS.multiply_adds
    assert found.seconds > 0


def test_the_last_step_expects_what_it_draws() -> None:
    """At s = 0 the mean of the step is yhat itself: rounded to grey values it is the sample, whose last step takes the mode."""
    found = leap(DIGITS, LeapSettings(n=4))
    assert all(y is not None for y in found.expected)
    last = found.expected[0]
    assert last is not None
    assert float((last.clamp(-1, 1) - found.path[0]).abs().max()) <= 1 / 16 + 1e-6
    noisy = found.expected[-1]
    assert noisy is not None
    assert float((noisy - found.path[0]).abs().max()) > 1 / 16


def test_guidance_takes_two_forwards() -> None:
    settings = LeapSettings(n=1, condition="3", guidance=2.0)
    found = leap(DIGITS, settings)
    assert found.multiply_adds == 2 * DIGITS.multiply_adds
    assert "2 x 4 (guidance)" in as_page({"digits": (DIGITS, found)}, settings)


def test_the_page_and_its_files_say_which_settings_they_are_of() -> None:
    settings = LeapSettings(n=1, seed=3, condition="3", guidance=2.0, temperature=1.2)
    page = as_page({"digits": (DIGITS, leap(DIGITS, settings))}, settings)
    assert "seed 3, class 3, guidance 2.0, temperature 1.2." in page
    assert 'download="samples-digits-seed3-class3.png"' in page


def test_a_mixture_may_start_from_noise() -> None:
    found = leap(MNIST, LeapSettings(n=2, start="noise"))
    assert found.calls == 1
    assert found.path.shape[0] == 3
    closed = found.expected[-1]
    assert closed is not None, "the closed form expects something too"
    assert float(found.path[-1].std()) == pytest.approx(1, abs=0.1)
    with pytest.raises(SaltusError, match="starts from noise"):
        leap(DIGITS, LeapSettings(start="mixture"))


def test_what_runs_allow_together() -> None:
    assert allowed_calls([DIGITS], 64) == [4]
    assert allowed_calls([DIGITS, MNIST], 64) == allowed_calls([], 64) == []
    assert allowed_starts([MNIST]) == ["mixture", "noise"]
    assert allowed_starts([DIGITS, MNIST]) == ["noise"]
    assert allowed_classes([DIGITS, MNIST]) == [*"0123456789"]


def test_another_latent_changes_one_image() -> None:
    settings = LeapSettings(n=3, seed=1)
    found = another_latent(DIGITS, settings, 2, 4, draws=4)
    assert found.shape == (4, 1, 8, 8)
    assert torch.allclose(found[0], leap(DIGITS, settings).path[0, 2], atol=1e-5), "the first is the image itself"
    assert len({tuple(image.flatten().tolist()) for image in found}) == 4
    again = another_latent(DIGITS, settings, 2, 4, draws=4)
    assert torch.equal(found, again)


def test_without_a_latent_it_is_refused() -> None:
    chain = Chain(StandardNormal(), Levels([0, 1]), OracleKernel(FiniteData(DIGITS.examples)), encoding=DIGITS.model.encoding)
    with pytest.raises(SaltusError, match="has no latent"):
        another_latent(Run("closed", Model(chain)), LeapSettings(), 0, 1)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n": 0}, "images"),
        ({"n": 17}, "images"),
        ({"seed": -1}, "seed"),
        ({"calls": 3}, "calls"),
        ({"calls": 65}, "calls"),
        ({"condition": "ten"}, "class"),
        ({"guidance": -1.0}, "guidance"),
        ({"temperature": -1.0}, "temperature"),
        ({"eta": 2.0}, "eta"),
        ({"final": "all"}, "final"),
    ],
)
def test_what_a_run_does_not_allow_is_refused(settings: dict[str, float], words: str) -> None:
    with pytest.raises(SaltusError) as caught:
        leap(DIGITS, LeapSettings(**settings))  # type: ignore[arg-type]
    assert_one_sentence(caught.value, words)


@pytest.mark.parametrize(("item", "level"), [(8, 1), (-1, 1), (0, 0), (0, 5)])
def test_another_image_or_level_is_refused(item: int, level: int) -> None:
    with pytest.raises(SaltusError) as caught:
        another_latent(DIGITS, LeapSettings(), item, level)
    assert_one_sentence(caught.value, "expected")


@pytest.mark.parametrize(
    "settings",
    [LeapSettings(n=5, seed=3), LeapSettings(n=2, condition="3", guidance=1.5, temperature=1.5, eta=0.5, final="mean", calls=4)],
    ids=["plain", "everything"],
)
def test_the_command_and_the_python_give_what_the_page_shows(
    settings: LeapSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, same = leap(DIGITS, settings), equivalent({"digits": DIGITS}, settings)
    samples, path, expected = pictures(as_page({"digits": (DIGITS, found)}, settings))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, shlex.split(same.command)[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    for name, pixels in (("samples", samples), ("path", path), ("expected", expected)):
        assert np.array_equal(np.asarray(Image.open(tmp_path / "leaps-digits" / f"{name}.png")), pixels), name
    space: dict[str, dict[str, torch.Tensor]] = {}
    exec(same.python, space)
    assert torch.equal(space["paths"]["digits"], found.path)
    assert path.shape != samples.shape


def test_the_command_starts_from_noise_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = LeapSettings(n=2, start="noise")
    found, same = leap(MNIST, settings), equivalent({"mnist": MNIST}, settings)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, shlex.split(same.command)[1:], catch_exceptions=False)
    assert "1 network calls" in done.output
    samples, *_ = pictures(as_page({"mnist": (MNIST, found)}, settings))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "leaps-mnist" / "samples.png")), samples)


def test_a_latent_is_drawn_again_by_the_command_and_by_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = LeapSettings(n=2, seed=5, temperature=1.2, eta=0.0, guidance=0.0, condition="3")
    y, same = another_latent(DIGITS, settings, 1, 3), latent_equivalent("digits", DIGITS, settings, 1, 3)
    (shown,) = pictures(latent_page(DIGITS, y, 1, 3))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, shlex.split(same.command)[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert np.array_equal(np.asarray(Image.open(tmp_path / "latent" / "another_latent.png")), shown)
    space: dict[str, torch.Tensor] = {}
    exec(same.python, space)
    assert torch.equal(space["images"], y)


def test_the_plain_decoder_expects_its_own_step() -> None:
    """Its step to z_s is its prediction of y."""
    optimum = OracleDenoiser(FiniteData(DIGITS.examples))
    chain = Chain(StandardNormal(), Levels([0, 1, 2]), DeterministicKernel(optimum), encoding=DIGITS.model.encoding)
    found = leap(Run("closed", Model(chain)), LeapSettings(n=2))
    for level, y in enumerate(found.expected, 1):
        assert y is not None
        assert torch.allclose(y, found.path[level - 1])

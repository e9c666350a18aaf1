"""What the tab of the noise process shows: the formulas derived another way, and the same by the command and by Python."""

from __future__ import annotations

import math
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from saltus.cli.main import cli
from saltus.errors import SaltusError
from saltus.levels import Levels
from saltus.studio.runs import Runs
from saltus.studio.views.noise import LAST, NoiseSettings, as_page, curve, equivalent, noised
from tests.helpers.checks import assert_one_sentence
from tests.helpers.markup import pictures

RUN = Runs(["digits"])["digits"]


def test_the_figures_are_those_of_the_formulas() -> None:
    t, s = 0.7, 0.3
    found = noised(RUN.item(0), NoiseSettings(t, s, alpha=0.8, N=7)).figures
    variance_s, variance_t, v = (1 - math.exp(-2 * time) for time in (s, t, t - s))
    expected = {
        "alpha": math.exp(-t),
        "sigma": math.sqrt(variance_t),
        "log-SNR": math.log(math.exp(-2 * t) / variance_t),
        "A": math.exp(-(t - s)) * variance_s / variance_t,
        "B": math.exp(-s) * v / variance_t,
        "S": v * variance_s / variance_t,
        "level at constant alpha": math.log(math.exp(-t)) / math.log(0.8),
        "level at N per unit time": 4.9,
    }
    assert found == pytest.approx(expected)


def test_the_bridge_goes_from_z_t_to_the_item() -> None:
    y = RUN.item(1)
    there, back = noised(y, NoiseSettings(0.5, 0.5)), noised(y, NoiseSettings(0.5, 0.0))
    assert torch.allclose(there.z_s, there.z_t)
    assert torch.allclose(back.z_s, y, atol=1e-6)
    assert not torch.allclose(noised(y, NoiseSettings(0.5, 0.0, seed=1)).z_t, back.z_t)


def test_noise_has_the_variance_of_the_marginal() -> None:
    """Over many seeds, within five standard errors; the variance of another time is not."""
    y, t, n = RUN.item(2), 0.4, 300
    residual = torch.stack([noised(y, NoiseSettings(t, 0.1, seed)).z_t - math.exp(-t) * y for seed in range(n)])
    expected, error = 1 - math.exp(-2 * t), (1 - math.exp(-2 * t)) * math.sqrt(2 / residual.numel())
    assert float(residual.square().mean()) == pytest.approx(expected, abs=5 * error)
    assert abs(float(residual.square().mean()) - (1 - math.exp(-2 * 1.2 * t))) > 5 * error


@pytest.mark.parametrize(
    "values", [{"t": 9.0}, {"t": 0.1, "s": 0.2}, {"s": -0.1}, {"t": math.nan}, {"alpha": 1.0}, {"N": 0}, {"N": 10**9}, {"seed": -1}]
)
def test_values_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(SaltusError) as caught:
        NoiseSettings(**values)  # type: ignore[arg-type]
    assert_one_sentence(caught.value, "expected")


@pytest.mark.parametrize("t", [0.0, LAST])
def test_the_ends_of_the_slider_are_shown(t: float) -> None:
    settings = NoiseSettings(t, 0.0)
    page = as_page(RUN.item(0), noised(RUN.item(0), settings), settings, RUN.model.chain.levels, RUN.shown)
    assert len(pictures(page)) == 4
    assert page.count("<svg") == 1


def test_the_curve_has_the_levels_of_the_run() -> None:
    figure = curve(NoiseSettings(alpha=math.exp(-2), N=1), Levels([0, 0.5, 3]))
    drawn = [line.get_xdata().tolist() for line in figure.axes[0].lines[1:4] if hasattr(line.get_xdata(), "tolist")] or [
        list(line.get_xdata()) for line in figure.axes[0].lines[1:4]
    ]
    assert drawn[0] == [0.5, 3.0]
    assert drawn[1] == pytest.approx([2, 4, 6, 8])
    assert drawn[2] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_the_command_and_the_python_give_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, item = NoiseSettings(0.62, 0.17, seed=4, alpha=0.85, N=3), 5
    y = RUN.item(item)
    found = noised(y, settings)
    shown = pictures(as_page(y, found, settings, RUN.model.chain.levels, RUN.shown))
    same = equivalent(RUN, item, settings)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, shlex.split(same.command)[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    for name, pixels in zip(("y", "z_t", "bridge_mean", "z_s"), shown, strict=True):
        assert np.array_equal(np.asarray(Image.open(tmp_path / "noise" / f"{name}.png")), pixels), name
    space: dict[str, torch.Tensor] = {}
    exec(same.python, space)
    assert torch.equal(space["y"], y)
    for name, value in (("z_t", found.z_t), ("mean", found.mean), ("z_s", found.z_s)):
        assert torch.equal(space[name], value), name


def test_the_python_of_an_image_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (20, 30), "white").save("my picture.png")
    same = equivalent(RUN, "my picture.png", NoiseSettings())
    space: dict[str, torch.Tensor] = {}
    exec(same.python, space)
    assert torch.equal(space["y"], torch.ones(1, 1, 8, 8))
    assert CliRunner().invoke(cli, shlex.split(same.command)[1:], catch_exceptions=False).exit_code == 0

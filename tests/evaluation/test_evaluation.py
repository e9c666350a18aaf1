"""Distances against closed forms, diversity, the collapse of Problem 2, and that pictures are pictures."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from PIL import Image
from scipy.stats import wasserstein_distance_nd

from saltus import FiniteData, GaussianMixture, Levels
from saltus.data import digits
from saltus.evaluation import (
    diversity,
    draw_levels,
    draw_rows,
    exact_decoder_path,
    mean_pairwise_distance,
    measure_collapse,
    save_grid,
    sliced_wasserstein,
    spread,
)


def test_sliced_wasserstein_of_a_shift_is_the_shift_seen_from_a_random_direction() -> None:
    """W_2 of a set and its shift by m is |<direction, m>| in each direction: root mean square |m| / sqrt(d)."""
    d, x = 6, torch.randn(50, 2, 3, generator=torch.Generator().manual_seed(0))
    shift = torch.full((2, 3), 0.5)
    expected = float(shift.norm()) / math.sqrt(d)
    # <direction, m>^2 d / |m|^2 has variance 2 (d - 1) / (d + 2): the standard error over 1000 directions, halved by the root
    error = expected * math.sqrt(2 * (d - 1) / (d + 2) / 1000) / 2
    assert abs(sliced_wasserstein(x, x + shift) - expected) < 4 * error
    assert abs(sliced_wasserstein(x, x + 1.2 * shift) - expected) > 4 * error


def test_sliced_wasserstein_in_one_dimension_sorts() -> None:
    x, y = (torch.randn(40, 1, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    expected = (x.sort(0).values - y.sort(0).values).double().square().mean().sqrt()
    assert sliced_wasserstein(x, y) == pytest.approx(float(expected), rel=1e-6)
    assert sliced_wasserstein(x, x) == 0
    assert wasserstein_distance_nd(x.numpy(), y.numpy()) <= sliced_wasserstein(x, y) + 1e-6  # W_1 <= W_2


def test_sliced_wasserstein_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        sliced_wasserstein(torch.zeros(4, 2), torch.zeros(4, 3))


def test_diversity_is_one_for_a_copy_and_zero_for_one_image() -> None:
    real = torch.randn(30, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    assert diversity(real, real) == 1
    assert diversity(real[:1].expand(30, -1, -1, -1), real) == 0
    assert mean_pairwise_distance(torch.tensor([[0.0], [3.0], [6.0]])) == pytest.approx((3 + 3 + 6) / 3)


@pytest.mark.parametrize("levels", [Levels.cosine(4, 20.0), Levels.constant(math.exp(-5), 4)])
def test_the_exact_decoder_collapses(levels: Levels) -> None:
    """Problem 2(a), (b): z_{L-1} = E y, and all samples coincide."""
    y = digits().train[:400]
    found = measure_collapse(exact_decoder_path(FiniteData(y), levels, 8, seed=0), y.double().mean(0))
    assert found.first_from_mean < 1e-5
    assert found.between_samples < 1e-5


def test_the_exact_decoder_does_not_collapse_while_z_L_tells_of_y() -> None:
    y = digits().train[:400]
    path = exact_decoder_path(FiniteData(y), Levels.cosine(4, 1.0), 8, seed=0)
    assert measure_collapse(path, y.double().mean(0)).between_samples > 0.1
    assert spread(path)[-1] == pytest.approx(1, abs=0.2)


def test_final_samples_coincide_but_need_not_be_the_mean() -> None:
    oracle = GaussianMixture(torch.tensor([0.3, 0.7]), torch.tensor([[-1.0], [1.0]]), torch.full((2, 1, 1), 0.01))
    found = measure_collapse(exact_decoder_path(oracle, Levels.cosine(6, 20.0), 8, seed=0), torch.tensor([0.4]))
    assert found.first_from_mean < 1e-5
    assert found.between_samples < 1e-5
    assert found.final_from_mean > 0.1


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_grid_shows_every_image(channels: int, tmp_path: Path) -> None:
    y = torch.linspace(-1, 1, 5)[:, None, None, None].expand(5, channels, 9, 12)
    save_grid(y, tmp_path / "grid.png", shown=(-1, 1))
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.mode == {1: "L", 2: "L", 3: "RGB", 4: "RGBA"}[channels]
        assert picture.width / picture.height == pytest.approx((3 * 13 + 1) / (2 * 10 + 1))
        greys = {pixel if isinstance(pixel, int) else pixel[0] for _, pixel in picture.getcolors() or []}
    assert greys == {0, 64, 128, 191, 255}


def test_charts_are_drawn(tmp_path: Path) -> None:
    draw_rows({"a": torch.zeros(3, 1, 8, 8), "b": torch.ones(2, 1, 8, 8)}, tmp_path / "rows.png", shown=(-1, 1))
    draw_levels([0.0, 0.5, 3.0], {"one": [3.0, 1.0], "two": [2.0, 1.0]}, {"two": [0.5, 0.1]}, tmp_path / "levels.png")
    for name in ("rows.png", "levels.png"):
        with Image.open(tmp_path / name) as picture:
            assert len(picture.convert("L").getcolors() or []) > 10

"""Pictures show every image, and charts are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from saltus.evaluation import draw_levels, draw_maps, draw_rows, save_grid


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
    maps = np.linspace(-9, 9, 9 * 64).reshape(9, 8, 8)
    draw_maps(torch.zeros(9, 3, 8, 8), maps, ["1.0"] * 9, tmp_path / "maps.png", shown=(-1, 1))
    for name in ("rows.png", "levels.png", "maps.png"):
        with Image.open(tmp_path / name) as picture:
            assert len(picture.convert("L").getcolors() or []) > 10

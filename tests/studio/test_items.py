"""An image of the reader's own: brought to the size of the run's, and refused where it is none or a bomb."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from saltus.errors import SaltusError
from saltus.studio.items import read_image
from saltus.studio.runs import Runs
from tests.helpers.checks import assert_one_sentence
from tests.helpers.studio import huge_png

RUNS = Runs(["digits", "mnist"])
DIGITS, MNIST = (RUNS[name].model.encoding for name in RUNS.names)


def test_an_image_gets_the_size_and_the_values_of_the_run(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 255, 60).astype(np.uint8), (40, 1))
    Image.fromarray(np.stack([ramp] * 3, 2)).save(tmp_path / "ramp.png")
    for encoding, size, values in ((DIGITS, 8, 17), (MNIST, 28, 256)):
        y = read_image(tmp_path / "ramp.png", encoding)
        assert y.shape == (1, 1, size, size)
        assert bool((y.diff(dim=-1) >= 0).all()), "still a ramp, cut around its centre"
        assert torch.allclose(y, encoding.encode(encoding.decode(y)))
        assert torch.allclose((y + 1) / 2 * (values - 1), ((y + 1) / 2 * (values - 1)).round(), atol=1e-4)


@pytest.mark.parametrize(("shade", "value"), [(0, -1.0), (255, 1.0)])
def test_black_is_black(shade: int, value: float, tmp_path: Path) -> None:
    Image.new("L", (28, 28), shade).save(tmp_path / "one.png")
    assert torch.equal(read_image(tmp_path / "one.png", MNIST), torch.full((1, 1, 28, 28), value))


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    place = tmp_path / ("x" * 200 + "\n.png")
    place.write_bytes(b"\x89PNG not at all")
    with pytest.raises(SaltusError) as caught:
        read_image(place, DIGITS)
    assert_one_sentence(caught.value, "cannot be read")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("side", [5_000, 50_000])
def test_a_header_of_a_large_image_is_refused(side: int, tmp_path: Path) -> None:
    """Below Pillow's own limit and above it."""
    (tmp_path / "bomb.png").write_bytes(huge_png(side, side))
    with pytest.raises(SaltusError) as caught:
        read_image(tmp_path / "bomb.png", DIGITS)
    assert_one_sentence(caught.value, "pixels", "smaller")

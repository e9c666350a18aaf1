"""Pictures in a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from saltus.studio.sheet import Sheet, write_sheets


def test_sheets_are_written_by_their_names(tmp_path: Path) -> None:
    y = torch.linspace(-1, 1, 2 * 64).reshape(2, 1, 8, 8)
    files = write_sheets({"a": Sheet(y, "two"), "b": Sheet(y, "a row", 2)}, tmp_path / "out", (-1, 1))
    assert [file.name for file in files] == ["a.png", "b.png"]
    assert np.array_equal(np.asarray(Image.open(files[1])), np.asarray(Sheet(y, "", 2).image((-1, 1))))
    assert [file.name for file in (tmp_path / "out").iterdir() if file.name.startswith(".")] == []

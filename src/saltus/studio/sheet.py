"""Pictures of a tab: what a command writes, and what the page shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from saltus.evaluation import grid_image
from saltus.files import atomically

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Sheet", "write_sheets"]


@dataclass(frozen=True, eq=False)
class Sheet:
    """Images in one picture.

    Attributes:
        y: (n, C, H, W), n >= 1.
        words: what they show.
        columns: of the grid; about square unless given.
    """

    y: Tensor
    words: str
    columns: int | None = None

    def image(self, shown: tuple[float, float]) -> Image:
        """The picture; `shown` are the values that are black and white."""
        return grid_image(self.y, shown=shown, columns=self.columns)


def write_sheets(sheets: Mapping[str, Sheet], folder: Path, shown: tuple[float, float]) -> list[Path]:
    """Each sheet as a PNG of its name in a folder, which is made where it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{name}.png" for name in sheets]
    for file, sheet in zip(files, sheets.values(), strict=True):
        with atomically(file) as place:
            sheet.image(shown).save(place, "PNG")
    return files

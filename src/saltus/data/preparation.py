"""How the items of a file or folder are preprocessed, as a user asks for it.

A run keeps it, so that its data are read in the same way again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from saltus.data.declared import Declared, declarations
from saltus.errors import SaltusError

__all__ = ["AS_GIVEN", "Preparation"]

_CHANNELS = (1, 3, 4)
_MOST_PIXELS = 8192  # a side


@dataclass(frozen=True)
class Preparation:
    """What is done to the items of files before they are encoded.

    Args:
        size: height and width in pixels that every image gets: (height, width), "HEIGHTxWIDTH", or one number for both.
        crop: whether images are cut to the proportions of `size` around their centre first; without it they are stretched.
        channels: 1 for grey, 3 for colours, 4 for colours and alpha, of 8 bits each, that every image gets.
        recursive: whether a folder that has images of its own gives those in the folders inside too, all without classes.
        array: the array of an .npz file, or the column of a data set, that holds the items.
        columns: what is said of the columns of a table, a mapping or a file: see `saltus.data.declared`.

    Raises:
        SaltusError: if one of them is none of these.
    """

    size: tuple[int, int] | None = None
    crop: bool = False
    channels: int | None = None
    recursive: bool = False
    array: str | None = None
    columns: Mapping[str, Any] | str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", _size(self.size))
        object.__setattr__(self, "columns", declarations(self.columns))
        if self.channels is not None and (self.channels not in _CHANNELS or isinstance(self.channels, bool)):
            raise SaltusError(
                f"{self.channels!r} channels were asked for; expected 1 for grey, 3 for colours or 4 with alpha: give one of them"
            )
        if not (isinstance(self.crop, bool) and isinstance(self.recursive, bool) and isinstance(self.array, str | None)):
            raise SaltusError(
                f"{self} is no preparation; expected crop and recursive to be true or false, and array to be a name: give these"
            )
        if self.crop and self.size is None:
            raise SaltusError(
                "images were to be cropped and no size was given; expected the size that they get: give it too, such as --size 32"
            )

    @classmethod
    def of(cls, given: Any) -> Preparation:
        """From what `changed` gave.

        Raises:
            SaltusError: if it is something else.
        """
        known = {field.name for field in fields(cls)}
        if not isinstance(given, Mapping) or not given.keys() <= known:
            raise SaltusError(
                f"{given!r:.80} is no preparation of data; expected {', '.join(sorted(known))}: train again, or mend the file"
            )
        return cls(**given)

    @property
    def changed(self) -> dict[str, Any]:
        """What is not as it is by default, for JSON."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        said["columns"] = {name: kind.plain for name, kind in self.kinds.items()}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in said.items() if value}

    @property
    def kinds(self) -> dict[str, Declared]:
        """What is said of columns, by their names."""
        return declarations(self.columns)

    @property
    def of_images(self) -> bool:
        """Whether images in files are to be preprocessed."""
        return self.size is not None or self.channels is not None or self.recursive


def _size(given: Any) -> tuple[int, int] | None:
    if given is None:
        return None
    parts: Any = given.lower().split("x") if isinstance(given, str) else [given] if isinstance(given, int) else given
    try:
        sides = [int(part) for part in parts]
    except (TypeError, ValueError):
        sides = []
    if not 1 <= len(sides) <= 2 or isinstance(given, bool) or not all(1 <= side <= _MOST_PIXELS for side in sides):
        raise SaltusError(
            f"the size {given!r} was given where pixels from 1 to {_MOST_PIXELS} were expected; "
            "write it as 32, or as 48x32 for height and width"
        )
    return sides[0], sides[-1]


AS_GIVEN = Preparation()
"""Nothing is done."""

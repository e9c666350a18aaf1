"""Data sets of Hugging Face's `datasets`: saved in a folder, or on the hub by a name such as hf:ylecun/mnist.

They are Arrow files that are mapped into memory and read row by row.  Images on the hub whose number its card tells are streamed: their
pixels are kept, and nothing else.  A column of images gives the items; where there is none, columns of
numbers give a table.  A column of classes gives the labels.  The splits train, validation and test are the parts.
"""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from saltus.data.checks import reason
from saltus.data.parts import PARTS, Parts
from saltus.data.preparation import Preparation
from saltus.data.stacking import Label, Stream, stack
from saltus.data.tables import table_parts
from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.pretrained.hub import HUB
from saltus.terminal import in_one_line

__all__ = ["HUB", "is_saved", "read_hub"]

_SAVED = ("dataset_dict.json", "state.json")
_PART_OF = {part: part for part in PARTS} | dict.fromkeys(("valid", "val", "dev"), "validation")


def is_saved(folder: Path) -> bool:
    """Whether a folder is what `save_to_disk` wrote."""
    return any(os.path.isfile(folder / name) for name in _SAVED)


def read_hub(place: str | Path, preparation: Preparation, condition: str | None = None) -> Parts:
    """The items of a data set.

    Args:
        place: a folder, or hf:NAME, or hf:NAME:CONFIGURATION.
        preparation: how images are preprocessed, and the column that holds them.
        condition: "labels" if a table has to hold them.

    Raises:
        SaltusError: if it cannot be read, or it is not clear which column holds the images.
    """
    splits, notes = _splits(place)
    features = splits["train"].features
    images, labels = ([name for name in features if type(features[name]).__name__ == kind] for kind in ("Image", "ClassLabel"))
    column, label = _chosen(images, preparation.array), labels[0] if labels else None
    if column is None and preparation.of_images:
        raise SaltusError("--size, --crop, --channels and --recursive are for images, and there is no column of them; leave them out")
    parts = _table(splits, label, condition, preparation) if column is None else _images(splits, column, label, preparation, place)
    unused = [] if column is None else [in_one_line(name) for name in features if name not in (column, label)]
    if unused:
        notes += (f"the column{'s' * (len(unused) > 1)} {', '.join(unused)} {'are' if len(unused) > 1 else 'is'} not used",)
    return replace(parts, notes=(*parts.notes, *notes))


def _splits(place: str | Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The data sets of the parts, and a sentence about others."""
    library = needs("datasets", extra="hub")
    try:
        if isinstance(place, Path):
            found = library.load_from_disk(str(place))
        else:
            name, _, configuration = place.removeprefix(HUB).partition(":")
            builder = library.load_dataset_builder(name, configuration or None)
            found = _streamed(builder) or library.load_dataset(name, configuration or None)
    except Exception as error:  # of the network, of files, and of the library
        raise SaltusError(f"this data set cannot be loaded ({reason(error)}); check the name, the network and the files") from error
    if not isinstance(found, Mapping):
        return {"train": found}, ()
    if len(found) == 1:
        return {"train": next(iter(found.values()))}, ()
    parts = {_PART_OF[name]: split for name, split in found.items() if name in _PART_OF}
    if "train" not in parts:
        raise SaltusError(
            f"the splits are {', '.join(map(in_one_line, found))}; expected train among them: save the data set with that name"
        )
    others = [in_one_line(name) for name in found if name not in _PART_OF]
    return parts, tuple(f"the split {name} is not used" for name in others)


def _streamed(builder: Any) -> dict[str, _Streamed]:
    """The splits of images, to be read from where they are; none where the data set's card does not say how many there are, or they are in
    the cache of the library already."""
    counts = {name: split.num_examples for name, split in (builder.info.splits or {}).items()}
    images = any(type(feature).__name__ == "Image" for feature in (builder.info.features or {}).values())
    if not (images and counts and all(counts.values())) or os.path.isdir(builder.cache_dir):
        return {}
    return {name: _Streamed(rows, counts[name], f"{builder.hash} {name}") for name, rows in builder.as_streaming_dataset().items()}


class _Streamed:
    """A split whose rows come one after the other, as often as they are asked for, and are not kept."""

    def __init__(self, rows: Any, n: int, mark: str) -> None:
        self._rows, self._n, self._fingerprint, self.features = rows, n, mark, rows.features

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from itertools.islice(self._rows, self._n)
        except (OSError, ValueError) as error:  # of the network, and of files that are no longer what they were
            raise SaltusError(f"this data set cannot be read to its end ({reason(error)}); check the network, and try again") from error

    def select_columns(self, names: list[str]) -> _Streamed:
        return _Streamed(self._rows.select_columns(names), self._n, self._fingerprint)

    def cast_column(self, name: str, feature: Any) -> _Streamed:
        return _Streamed(self._rows.cast_column(name, feature), self._n, self._fingerprint)


def _chosen(images: list[str], asked: str | None) -> str | None:
    """The column of images."""
    if asked is not None and asked not in images:
        raise SaltusError(f"there is no column of images named {asked}; expected {', '.join(images) or 'none'}: give that with --array")
    if asked is None and len(images) > 1:
        raise SaltusError(f"the columns {' and '.join(images)} hold images; say which with --array, such as --array {images[0]}")
    return asked or next(iter(images), None)


def _images(splits: Mapping[str, Any], column: str, label: str | None, preparation: Preparation, place: str | Path) -> Parts:
    image = needs("datasets", extra="hub").Image(decode=False)
    raw = {
        part: split.select_columns([column, *[label] * (label is not None)]).cast_column(column, image) for part, split in splits.items()
    }
    classes = splits["train"].features[label].names if label is not None else ()
    streams = {part: Stream(len(split), partial(_rows, split, part, column, label)) for part, split in raw.items()}
    return stack(streams, preparation, lambda: (str(place), column, [split._fingerprint for split in splits.values()]), classes)


def _rows(split: Any, part: str, column: str, label: str | None) -> Iterator[tuple[str, Path | io.BytesIO, Label]]:
    for index, row in enumerate(split):
        found = row[column] or {}
        content, path = found.get("bytes"), found.get("path")
        file = io.BytesIO(content or b"") if content or not path else Path(path)
        number = None if label is None else row[label]
        yield f"{part} {index}", file, None if number is None or number < 0 else number  # -1 is none


def _table(splits: Mapping[str, Any], label: str | None, condition: str | None, preparation: Preparation) -> Parts:
    whole = {part: split.with_format("arrow")[:] for part, split in splits.items()}
    tables = [whole[part].drop_columns([label] * (label is not None)) if part in whole else None for part in PARTS]
    what = [f"the split {part}" for part in PARTS]
    found = table_parts(tables, what, condition if label is None else None, declared=preparation.kinds)
    if label is None:
        return found
    numbers = [whole[part].column(label).to_numpy() if part in whole else None for part in PARTS]
    if any(part is not None and (part.dtype.kind == "f" or part.min() < 0) for part in numbers):
        return replace(
            found, notes=(*found.notes, f"the column {in_one_line(label)} has rows without a class, so that labels are not used")
        )
    train, validation, test = (None if part is None else part.astype(np.int64) for part in numbers)
    assert train is not None  # there are always training items
    return replace(found, labels=Parts(train, validation, test), classes=tuple(splits["train"].features[label].names))

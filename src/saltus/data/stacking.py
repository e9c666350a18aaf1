"""Images that come one after the other become arrays of raw items, with their labels: in memory, or in the cache where they are many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from saltus.data.checks import checked
from saltus.data.conditions import read_labels
from saltus.data.images import ImageReader
from saltus.data.kept import MOST_UNPACKED, Allocate, in_memory, kept, key_of
from saltus.data.layout import Array
from saltus.data.parts import PARTS, Parts
from saltus.data.preparation import Preparation

__all__ = ["Label", "Stream", "stack"]

Label = str | int | None
"""The class of an image, by its name or its number."""


@dataclass(frozen=True)
class Stream:
    """The images of one part.

    Attributes:
        n: number of items.
        images: gives the name of each, the file, and the label; from the beginning each time.
    """

    n: int
    images: Callable[[], Iterator[tuple[str, Path | BinaryIO, Label]]]


def stack(streams: Mapping[str, Stream], preparation: Preparation, made_of: Callable[[], Any], classes: Sequence[str] = ()) -> Parts:
    """The images of all parts, by the names of the parts.

    Args:
        streams: of the training part at least.
        preparation: how images are preprocessed.
        made_of: tells everything that the images follow from, so that what was unpacked is known again.
        classes: the names of the labels 0, 1, ...; labels that are text name themselves.

    Raises:
        SaltusError: if too many images cannot be read, two differ in size or kind, or there is no room for them.
    """
    make = partial(_unpacked, streams, preparation, classes)
    nbytes = sum(stream.n for stream in streams.values()) * _size(streams["train"], preparation)
    if nbytes <= MOST_UNPACKED:
        return make(in_memory)
    return kept(key_of(preparation.changed, version("pillow"), made_of()), nbytes, make)


def _size(stream: Stream, preparation: Preparation) -> int:
    """The bytes of the first image that can be read."""
    reader = ImageReader(preparation)
    return next((pixels.nbytes for name, file, _ in stream.images() if (pixels := reader.read(file, name)) is not None), 0)


def _unpacked(streams: Mapping[str, Stream], preparation: Preparation, classes: Sequence[str], allocate: Allocate) -> Parts:
    reader = ImageReader(preparation)
    arrays, labels = dict[str, Array](), dict[str, list[Label]]()
    for part, stream in streams.items():
        arrays[part], labels[part] = _stacked(stream, reader, partial(allocate, part))
    items = Parts(arrays["train"], arrays.get("validation"), arrays.get("test"), notes=reader.notes)
    without = sum(label is None for part in labels.values() for label in part)
    if without:
        said = f"{without:,} images have no label, so that labels are not used"
        return items if without == sum(map(len, labels.values())) else replace(items, notes=(*items.notes, said))
    given = [np.array(labels[part]) if part in labels else None for part in PARTS]
    numbers, names = read_labels(items, given, [f"the labels of the {part} images" for part in PARTS])
    return replace(items, labels=numbers, classes=tuple(classes) or names)


def _stacked(stream: Stream, reader: ImageReader, room: Callable[[Sequence[int], np.dtype[Any]], Array]) -> tuple[Array, list[Label]]:
    """The images of a part as one array, and their labels."""
    items, labels = np.empty(0), list[Label]()
    for name, file, label in stream.images():
        pixels = reader.read(file, name)
        if pixels is not None:
            if not labels:
                items = room((stream.n, *pixels.shape), pixels.dtype)
            items[len(labels)] = pixels
            labels.append(label)
    reader.check()
    return checked(items[: len(labels)], "the images"), labels

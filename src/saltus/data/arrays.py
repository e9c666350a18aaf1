"""Arrays of raw items from .npy and .npz files, checked as they come in.  Nothing is unpickled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from saltus.data.checks import reason
from saltus.data.conditions import read_attributes, read_labels
from saltus.data.kept import MOST_UNPACKED
from saltus.data.layout import Array
from saltus.data.parts import Parts, together
from saltus.data.zipped import Zipped
from saltus.errors import SaltusError
from saltus.words import listed

__all__ = ["read_arrays"]

Names = tuple[str, str | None, str | None]  # of training, validation and test arrays

_VALIDATION = ("validation", "val", "valid")
_FAMILIES = (("{}_images", "{}_labels"), ("x_{}", "y_{}"), ("{}", "{}_labels"))
"""What the arrays of items are called, and those of their labels."""
_WHOLES = ("images", "data", "x", "samples")
_TARGETS = ("labels", "label", "targets", "target", "y")
_SHOWN = 10  # names in a note


def read_arrays(path: Path, condition: str | None = None, array: str | None = None) -> Parts:
    """The parts in a .npy or .npz file.

    Args:
        path: of the file.
        condition: "labels" or "attributes" if the file has to hold them; labels are taken along anyway, if they fit.
        array: the name of the items in an .npz file, or of the training items; needed where several could be meant.

    Raises:
        SaltusError: if the file cannot be read, its names are not known or several could be meant, an array is none of numbers, or what
            has to be there is not.
    """
    try:
        if array is not None and path.suffix.lower() == ".npy":
            raise SaltusError(f"the array {array} was asked for, and this file holds one array without a name; leave --array out")
        if path.suffix.lower() == ".npy" and path.stat().st_size > MOST_UNPACKED:
            return together([np.load(path, mmap_mode="r", allow_pickle=False)], ["the array"])
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            return together([loaded], ["the array"]) if isinstance(loaded, np.ndarray) else _parts(Zipped(path, loaded), condition, array)
    except SaltusError:
        raise
    except Exception as error:  # numpy, zipfile, zlib and lzma each have their own
        why = "it holds Python objects, or is another kind of file" if "pickle" in str(error) else reason(error)
        raise SaltusError(f"this cannot be read as arrays of numbers ({why}); write it again with numpy.save or numpy.savez") from error


def _parts(file: Zipped, condition: str | None, array: str | None) -> Parts:
    names, labels, attributes = _chosen(list(file), array)
    parts = together([None if name is None else file[name] for name in names], _told(names))
    columns = _columns(file, parts.train)
    parts = replace(parts, columns=columns)
    used = {*names, *(["columns"] if columns else [])}
    try:
        found, classes = read_labels(parts, _beside(file, labels, names), _told(labels))
        parts = replace(parts, labels=found, classes=classes)
        used |= _used(labels, names)
    except SaltusError:
        if condition == "labels":
            raise
    if condition == "attributes":
        parts = replace(parts, attributes=read_attributes(parts, _beside(file, attributes, names), _told(attributes)))
        used |= _used(attributes, names)
    return replace(parts, notes=(*file.notes, *_note([name for name in file if name not in used])))


def _chosen(names: list[str], asked: str | None) -> tuple[Names, Names, Names]:
    """The names of the items' arrays, and what those of their labels and their attributes are called."""
    if asked is not None and asked not in names:
        raise SaltusError(f"there is no array {asked}; expected one of {listed(names, _SHOWN)}: give that with --array")
    families = {items.format("train"): (items, labels) for items, labels in _FAMILIES if items.format("train") in names}
    known = [*families, *(name for name in _WHOLES if name in names)]
    if asked is None and len(known) > 1:
        raise SaltusError(f"the arrays {' and '.join(known)} could all be the items; say which with --array, such as --array {known[0]}")
    chosen = asked or next(iter(known or (names if len(names) == 1 else [])), None)
    if chosen is None:
        expected = ", ".join([items.format("train") for items, _ in _FAMILIES] + list(_WHOLES))
        raise SaltusError(
            f"the names of the arrays are {listed(names, _SHOWN) or 'missing'}; expected {expected}, or a single array: "
            "say which with --array NAME"
        )
    if asked is None and not known and (chosen in _TARGETS or "label" in chosen):
        raise SaltusError(f"the only array is {chosen}, as labels are named; if these are the items, give --array {chosen}")
    if chosen in families:
        return _divided(*families[chosen], names)
    labels = next((name for name in _TARGETS if name in names and name != chosen), _TARGETS[0])
    return (chosen, None, None), (labels, None, None), ("attributes", None, None)


def _divided(items: str, labels: str, names: list[str]) -> tuple[Names, Names, Names]:
    """The names of arrays in parts; those of validation items may be short."""
    word = next((word for word in _VALIDATION if items.format(word) in names), _VALIDATION[0])
    words = ("train", word, "test")
    train, *others = (items.format(part) for part in words)
    validation, test = (name if name in names else None for name in others)
    own: Names = tuple(labels.format(part) for part in words)  # type: ignore[assignment]
    told: Names = tuple(f"{part}_attributes" for part in words)  # type: ignore[assignment]
    if validation is None and test is None:
        return (train, None, None), _alone(own, "labels", names), _alone(told, "attributes", names)
    return (train, validation, test), own, told


def _alone(own: Names, plain: str, names: list[str]) -> Names:
    """Beside training items alone, the plain name will do."""
    return (plain, None, None) if plain in names and own[0] not in names else own


def _told(names: Names) -> list[str]:
    return [f"the array {name}" for name in names]


def _beside(file: Mapping[str, Array], names: Names, items: Names) -> list[Array | None]:
    """What belongs to the items that are there; arrays of Python objects raise SaltusError."""
    found: list[Array | None] = []
    for name, item in zip(names, items, strict=True):
        try:
            found.append(None if name is None or item is None else file.get(name))
        except ValueError as error:
            raise SaltusError(f"the array {name} holds Python objects where numbers or text were expected; convert it") from error
    return found


def _used(names: Names, items: Names) -> set[str | None]:
    return {name for name, item in zip(names, items, strict=True) if item is not None}


def _columns(file: Mapping[str, Array], train: Array) -> tuple[str, ...]:
    """The names of a table's columns, if they are there and are text; only messages need them."""
    try:
        names = file["columns"]
    except (KeyError, ValueError):  # none, or pickled
        return ()
    return tuple(map(str, names)) if names.shape == train.shape[1:] else ()


def _note(unused: Sequence[str]) -> tuple[str, ...]:
    if not unused:
        return ()
    return (f"the array {unused[0]} is not used",) if len(unused) == 1 else (f"the arrays {listed(unused, _SHOWN)} are not used",)

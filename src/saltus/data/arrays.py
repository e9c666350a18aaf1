"""Arrays of raw items from .npy and .npz files, checked as they come in.  Nothing is unpickled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from saltus.data.checks import checked, reason
from saltus.data.layout import Array
from saltus.errors import SaltusError

__all__ = ["Parts", "read_arrays"]

_LABELS = ("train_labels", "validation_labels", "test_labels")
_SPLITS = {
    ("train_images", "validation_images", "test_images"): _LABELS,
    ("x_train", "x_val", "x_test"): ("y_train", "y_val", "y_test"),
    ("train", "validation", "test"): _LABELS,
}
_WHOLES = ("images", "data", "x", "samples")
_LABELS_OF_A_WHOLE = ("labels",)


@dataclass(frozen=True, eq=False)
class Parts:
    """Raw items (N, ...) as a file divides them: all in `train` if it does not.

    Attributes:
        columns: the names of a table's columns.
        labels: the classes of the items, int64 (N,), divided as they are.
    """

    train: Array
    validation: Array | None = None
    test: Array | None = None
    columns: tuple[str, ...] = ()
    labels: Parts | None = None

    def given(self) -> list[Array]:
        """The parts that the file has."""
        return [part for part in (self.train, self.validation, self.test) if part is not None]


def read_arrays(path: Path) -> Parts:
    """The parts in a .npy or .npz file.

    Raises:
        SaltusError: if the file cannot be read, its names are not known, or an array is none of numbers.
    """
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            return Parts(checked(loaded, "the array")) if isinstance(loaded, np.ndarray) else _parts(loaded)
    except SaltusError:
        raise
    except Exception as error:  # numpy, zipfile, zlib and lzma each have their own
        why = "it holds Python objects, or is another kind of file" if "pickle" in str(error) else reason(error)
        raise SaltusError(f"this cannot be read as arrays of numbers ({why}); write it again with numpy.save or numpy.savez") from error


def _parts(file: Mapping[str, Array]) -> Parts:
    (name, *others), labels = _chosen(list(file))
    train = checked(file[name], f"the array {name}")
    validation, test = (
        None if other is None else _like(train, name, checked(file[other], f"the array {other}"), other) for other in others
    )
    return Parts(train, validation, test, _columns(file, train), _labels(file, labels, (train, validation, test)))


def _like(train: Array, name: str, part: Array, other: str) -> Array:
    if part.shape[1:] != train.shape[1:] or part.dtype != train.dtype:
        raise SaltusError(
            f"the arrays {name} and {other} hold {train.dtype} items of shape {train.shape[1:]} and {part.dtype} items of shape "
            f"{part.shape[1:]}, where one type and shape was expected; convert one of them"
        )
    return part


def _chosen(names: list[str]) -> tuple[tuple[str, str | None, str | None], Sequence[str]]:
    """The names of (train, validation, test), and what their labels would be called."""
    for (train, validation, test), labels in _SPLITS.items():
        if train in names:
            return (train, validation if validation in names else None, test if test in names else None), labels
    wholes = [name for name in _WHOLES if name in names] or (names if len(names) == 1 else [])
    if wholes:
        return (wholes[0], None, None), _LABELS_OF_A_WHOLE
    expected = ", ".join([train for train, _, _ in _SPLITS] + list(_WHOLES))
    raise SaltusError(
        f"the names of the arrays are {', '.join(names) or 'missing'}; expected one of {expected}, or a single array: rename yours"
    )


def _columns(file: Mapping[str, Array], train: Array) -> tuple[str, ...]:
    """The names of a table's columns, if they are there and are text; only messages need them."""
    try:
        names = file["columns"]
    except (KeyError, ValueError):  # none, or pickled
        return ()
    return tuple(map(str, names)) if names.shape == train.shape[1:] else ()


def _labels(file: Mapping[str, Array], names: Sequence[str], parts: Sequence[Array | None]) -> Parts | None:
    """The labels, if every part that is there has them, one integer for each item."""
    found: list[Array | None] = [None, None, None]
    for place, part in enumerate(parts):
        if part is None:
            continue
        try:
            labels = file[names[place]]
        except (KeyError, ValueError):  # none, or pickled
            return None
        if labels.shape != (len(part),) or labels.dtype.kind not in "bui":
            return None
        found[place] = labels.astype(np.int64)
    train, validation, test = found
    return None if train is None else Parts(train, validation, test)

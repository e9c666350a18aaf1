"""Where data come from: arrays, array files, folders of images, and the embedded digits.

How values are encoded is told in `saltus.data.rule`.

An .npz file gives `train_images`, `validation_images` and `test_images`; or `x_train`, `x_val` and `x_test`; or
`train`, `validation` and `test`; or everything in `images`, `data` or `x`, or in its only array.  `val` and `valid` are
validation too.  What it does not divide is divided by `saltus.data.split`.  `samples` is a whole too, as `saltus sample` writes it.

Labels are taken along where each array has them, one integer or text an item: `train_labels`, `validation_labels` and
`test_labels`; or `y_train`, `y_val` and `y_test` for `x_train`; or `labels`, `targets` or `y` for a whole.  Of a folder without images of
its own, the folders inside are classes.  Attributes are `train_attributes`, `validation_attributes` and `test_attributes`,
or `attributes` for a whole.  What labels and attributes may be is told in `saltus.data.conditions`.

`columns` names the columns of a table in messages.  All other arrays are passed over, with a note.  Raw units are those of
the file, also if it was standardised before.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from torch import Tensor

from saltus.data.arrays import read_arrays
from saltus.data.bins import Binned
from saltus.data.dataset import DataSet
from saltus.data.encoding import Encoding
from saltus.data.images import EXTENSIONS, read_folder
from saltus.data.layout import Array, Layout
from saltus.data.mixture import DIGITS_MIXTURE, digits_mixture
from saltus.data.parts import Parts
from saltus.data.preparation import AS_GIVEN, Preparation
from saltus.data.table_files import TABLES, table_ending
from saltus.data.tables import read_table
from saltus.errors import SaltusError

__all__ = ["digits", "load", "read_items"]

_DIGITS = "digits"
_ARRAYS = (".npy", ".npz")


def digits(condition: str | None = None) -> DataSet:
    """The 1797 handwritten digits of scikit-learn, 8x8 pixels with 17 values: data that need no file.

    Args:
        condition: "labels" to condition a model on the digit.

    Raises:
        SaltusError: if the condition is another.
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    parts = Parts(found.images.astype(np.uint8), labels=Parts(found.target.astype(np.int64)))
    return DataSet.from_parts(parts, condition, name=_DIGITS, source=_DIGITS, encoding=Binned(Layout.GRAY, (8, 8), 0, 16, "uint8"))


def load(
    place: str | Path | Array | Tensor,
    *,
    condition: str | None = None,
    encoding: Encoding | None = None,
    preparation: Preparation = AS_GIVEN,
) -> DataSet:
    """The data set of a file, a folder of images, or an array of raw items, by the rules above.

    Two need no file: "digits", and "digits-mixture", which is drawn from a known distribution that looks like them.

    Args:
        place: a path, one of these names, or an array; `DataSet.from_arrays` takes arrays in parts, and labels.
        condition: "labels" or "attributes" to condition a model on them.
        encoding: of a file's or folder's values, in place of the one that the rules give.
        preparation: how the items of a file or folder are made alike.

    Raises:
        SaltusError: if there is nothing there that can be used; the sentence names the file.
    """
    if isinstance(place, np.ndarray | Tensor):
        return DataSet.from_arrays(place, condition=condition)
    if place == _DIGITS:
        return digits(condition)
    if place == DIGITS_MIXTURE:
        return digits_mixture(digits(), condition)
    path = Path(place).expanduser()
    with _naming(path):
        parts = _read(path, condition, preparation)
        whole = path.resolve()
        name = whole.name if whole.is_dir() else whole.name[: -len(table_ending(whole))] if table_ending(whole) else whole.stem
        return DataSet.from_parts(parts, condition, name=name, source=str(whole), encoding=encoding, preparation=preparation)


def read_items(path: str | Path, *, preparation: Preparation = AS_GIVEN, columns: Sequence[str] = ()) -> Array:
    """The raw items (N, ...) of a file or a folder of images, such as samples: of a file in parts the first.

    Args:
        path: of the file or folder.
        preparation: how the items of a file or folder are made alike.
        columns: of a table, by their names, in the order that they are wanted in; all in their own order unless given.

    Raises:
        SaltusError: as `load`, though any number of items and any values will do.
    """
    place = Path(path).expanduser()
    with _naming(place):
        return read_table(place, wanted=columns).train if table_ending(place) else _read(place, None, preparation).train


@contextmanager
def _naming(place: Path) -> Iterator[None]:
    try:
        yield
    except SaltusError as error:
        raise SaltusError(f"{place}: {error}") from error


def _read(place: Path, condition: str | None, preparation: Preparation) -> Parts:
    if os.path.isdir(place):  # of os.path: pathlib raises where a path cannot be
        return read_folder(place)
    if not os.path.exists(place):
        raise SaltusError(
            f"there is no such file or folder; expected a .npy, .npz, .csv or .parquet file, a folder of images, "
            f'"{_DIGITS}" or "{DIGITS_MIXTURE}": check the path'
        )
    if place.suffix.lower() in EXTENSIONS:
        raise SaltusError("one image is not a data set; expected the folder that holds many: give that folder")
    if table_ending(place):
        return read_table(place, condition)
    if place.suffix.lower() not in _ARRAYS:
        raise SaltusError(
            f"files of the type {place.suffix or 'none'} are not read; expected one of {', '.join((*_ARRAYS, *TABLES))}, or a folder of "
            "images: convert it"
        )
    return read_arrays(place, condition)

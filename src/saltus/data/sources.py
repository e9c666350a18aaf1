"""Where data come from: arrays, files, folders of images, and the embedded digits.

How files are read is told in `saltus.data.readers`, and how values are encoded in `saltus.data.rule`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from saltus.data.bins import Binned
from saltus.data.column_cells import Expected
from saltus.data.dataset import DataSet
from saltus.data.encoding import Encoding
from saltus.data.hub import HUB
from saltus.data.layout import Array, Layout
from saltus.data.mixture import DIGITS_MIXTURE, digits_mixture
from saltus.data.parts import Parts
from saltus.data.preparation import AS_GIVEN, Preparation
from saltus.data.readers import naming, read_place
from saltus.data.table_files import table_ending
from saltus.data.tables import read_table

__all__ = ["BUILT_IN", "digits", "load", "made", "read_items", "read_parts"]

_DIGITS = "digits"


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


BUILT_IN: Mapping[str | Path, Callable[[str | None], DataSet]] = {
    _DIGITS: digits,
    DIGITS_MIXTURE: lambda condition: digits_mixture(digits(), condition),
}
"""Data that need no file."""


def load(
    place: str | Path | Array | Tensor,
    *,
    condition: str | None = None,
    encoding: Encoding | None = None,
    preparation: Preparation = AS_GIVEN,
    columns: Mapping[str, Any] | str | Path | None = None,
) -> DataSet:
    """The data set of a file, a folder of images, or an array of raw items, by the rules above.

    Two need no file: "digits", and "digits-mixture", which is drawn from a known distribution that looks like them.

    Args:
        place: a path, one of these names, or an array; `DataSet.from_arrays` takes arrays in parts, and labels.
        condition: "labels" or "attributes" to condition a model on them.
        encoding: of a file's or folder's values, in place of the one that the rules give.
        preparation: how the items of a file or folder are preprocessed.
        columns: what the columns of a table are, in place of what is detected: a mapping, or a file of TOML (`saltus.data.declared`).

    Raises:
        SaltusError: if there is nothing there that can be used; the sentence names the file.
    """
    preparation = preparation if columns is None else replace(preparation, columns=columns)
    if isinstance(place, np.ndarray | Tensor):
        return DataSet.from_arrays(place, condition=condition, columns=preparation.kinds)
    if place in BUILT_IN:
        return BUILT_IN[place](condition)
    return made(read_place(place, condition, preparation), place, condition, encoding=encoding, preparation=preparation)


def read_parts(place: str | Path, condition: str | None = None, preparation: Preparation = AS_GIVEN) -> Parts:
    """The raw items of a place, as it divides them, with what comes with them; arguments as for `load`.

    Raises:
        SaltusError: if it cannot be read.
    """
    if place not in BUILT_IN:
        return read_place(place, condition, preparation)
    data = BUILT_IN[place](condition)
    train, validation, test = (data.encoding.decode(part) for part in (data.fitting_items, data.validation, data.test))
    assert data.labels is not None  # all that are built in have them
    labels = Parts(data.labels.train.numpy(), data.labels.validation.numpy(), data.labels.test.numpy())
    return Parts(train, validation, test, labels=labels, classes=data.labels.names)


def made(
    parts: Parts,
    place: str | Path,
    condition: str | None = None,
    *,
    encoding: Encoding | None = None,
    preparation: Preparation = AS_GIVEN,
) -> DataSet:
    """The data set of the parts of a place; arguments as for `load`.

    Raises:
        SaltusError: if they cannot be learned from.
    """
    if place in BUILT_IN:
        return BUILT_IN[place](condition)
    with naming(place):
        if str(place).startswith(HUB):
            name = str(place).removeprefix(HUB).replace("/", "-")
            return DataSet.from_parts(parts, condition, name=name, source=str(place), encoding=encoding, preparation=preparation)
        path = Path(place).expanduser()
        whole, ending = path.resolve(), table_ending(path)
        name = whole.name if whole.is_dir() else whole.name[: -len(ending)] if ending else whole.stem
        return DataSet.from_parts(parts, condition, name=name, source=str(whole), encoding=encoding, preparation=preparation)


def read_items(path: str | Path, *, preparation: Preparation = AS_GIVEN, columns: Mapping[str, Expected] | None = None) -> Array:
    """The raw items (N, ...) of a file or a folder of images, such as samples: of a file in parts the first.

    Args:
        path: of the file or folder.
        preparation: how the items of a file or folder are preprocessed.
        columns: of a table, by their names, in the order that they are wanted in, and what each has to be; all in their own order unless
            given.

    Raises:
        SaltusError: as `load`, though any number of items and any values will do.
    """
    place = Path(path).expanduser()
    if place.is_file() and table_ending(place):
        with naming(place):
            return read_table(place, wanted=columns or {}, declared=preparation.kinds).train
    return read_place(place, None, preparation).train

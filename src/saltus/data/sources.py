"""Where data come from: the embedded digits, an array file, or a folder of images.

| the raw values | become |
|---|---|
| bool | `Binned` 0 to 1 |
| uint8 | `Binned` 0 to 255 |
| another integer type, images whose values span at most 256 integers | `Binned` from the least to the greatest |
| other integers, and floats | `Standardised` by the training items: a table by columns, images by one mean |

An array of two axes (N, d) is a table, one of three is grey images (N, H, W), one of four is images with 1 to 4
channels, last or first.  Images have at least 8x8 pixels.

An .npz file gives `train_images`, `validation_images` and `test_images`; or `x_train`, `x_val` and `x_test`; or
`train`, `validation` and `test`; or everything in `images`, `data` or `x`, or in its only array.  What it does
not divide is divided by `saltus.data.dataset.split`.  `samples` is a whole too, as `saltus sample` writes it.

Classes are taken along where each array has them, one integer an item: `train_labels`, `validation_labels` and
`test_labels`; or `y_train`, `y_val` and `y_test` for `x_train`; or `labels` for a whole.  Labels of another kind, and
all other arrays, are passed over, but `columns` names the columns of a table in messages.  Raw units are those of the
file, also if it was standardised before.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from saltus.data.arrays import Parts, read_arrays
from saltus.data.dataset import DataSet, Labels, places
from saltus.data.encoding import Binned, Encoding, Standardised
from saltus.data.images import EXTENSIONS, read_folder
from saltus.data.layout import Array, Layout
from saltus.data.mixture import DIGITS_MIXTURE, digits_mixture
from saltus.errors import SaltusError

__all__ = ["digits", "load", "read_items"]

_DIGITS = "digits"
_ARRAYS = (".npy", ".npz")
_MOST_LEVELS = 256


def digits() -> DataSet:
    """The 1797 handwritten digits of scikit-learn, 8x8 pixels with 17 values: data that need no file."""
    from sklearn.datasets import load_digits

    found = load_digits()
    parts = Parts(found.images.astype(np.uint8), labels=Parts(found.target.astype(np.int64)))
    return _dataset(_DIGITS, _DIGITS, parts, Binned(Layout.GRAY, (8, 8), 0, 16, "uint8"))


def load(path: str | Path) -> DataSet:
    """The data set of a .npy or .npz file or a folder of images, by the rules above.

    Two need no file: "digits", and "digits-mixture", which is drawn from a known law that looks like them.

    Raises:
        SaltusError: if there is nothing there that can be used; the sentence names the file.
    """
    if path == _DIGITS:
        return digits()
    if path == DIGITS_MIXTURE:
        return digits_mixture(digits())
    place = Path(path).expanduser()
    with _naming(place):
        parts = _read(place)
        whole = place.resolve()
        return _dataset(whole.name if whole.is_dir() else whole.stem, str(whole), parts)


def read_items(path: str | Path) -> Array:
    """The raw items (N, ...) of a .npy or .npz file or a folder of images, such as samples: of a file in parts the first.

    Raises:
        SaltusError: as `load`, though any number of items and any values will do.
    """
    place = Path(path).expanduser()
    with _naming(place):
        return _read(place).train


@contextmanager
def _naming(place: Path) -> Iterator[None]:
    try:
        yield
    except SaltusError as error:
        raise SaltusError(f"{place}: {error}") from error


def _read(place: Path) -> Parts:
    if os.path.isdir(place):  # of os.path: pathlib raises where a path cannot be
        return read_folder(place)
    if not os.path.exists(place):
        raise SaltusError(
            f"there is no such file or folder; expected a .npy or .npz file, a folder of images, "
            f'"{_DIGITS}" or "{DIGITS_MIXTURE}": check the path'
        )
    if place.suffix.lower() in EXTENSIONS:
        raise SaltusError("one image is not a data set; expected the folder that holds many: give that folder")
    if place.suffix.lower() not in _ARRAYS:
        raise SaltusError(
            f"files of the type {place.suffix or 'none'} are not read; expected a .npy or .npz file, or a folder of images: convert it"
        )
    return read_arrays(place)


def _dataset(name: str, source: str, parts: Parts, encoding: Encoding | None = None) -> DataSet:
    layout = Layout.of(parts.train.shape)
    if parts.train.min() == parts.train.max():
        raise SaltusError(f"every value of the training items is {parts.train.min()}; expected values that vary: give other data")
    divided = places(parts.train, validation=parts.validation is None, test=parts.test is None)
    raw = divided.divide(parts.train, validation=parts.validation, test=parts.test)
    encoding = encoding or _encoding(layout, raw[0], parts)
    train, validation, test = (encoding.encode(part) for part in raw)
    labels = None
    if (given := parts.labels) is not None:
        whole = divided.divide(given.train, validation=given.validation, test=given.test)
        labels = Labels(*(torch.from_numpy(part) for part in whole))
    return DataSet(name, encoding, train, validation, test, labels=labels, source=source)


def _encoding(layout: Layout, train: Array, parts: Parts) -> Encoding:
    """By the table above; only the range is that of all parts, since a value outside it could have no likelihood."""
    shape, dtype = train.shape[1:], train.dtype
    if dtype == np.bool_:
        return Binned(layout, shape, 0, 1, dtype.name)
    if dtype == np.uint8:
        return Binned(layout, shape, 0, 255, dtype.name)
    if dtype.kind in "iu" and layout.is_image:
        low, high = min(int(part.min()) for part in parts.given()), max(int(part.max()) for part in parts.given())
        if high - low < _MOST_LEVELS:
            return Binned(layout, shape, low, high, dtype.name)
    return Standardised.fit(layout, train, parts.columns)

"""Which encoding raw values get.

| the raw values | become |
|---|---|
| a table | `Columns`, each column by its own values (`saltus.data.detect`) |
| images of bool | `Binned` 0 to 1 |
| uint8 images of more than 128 different values | `Binned` 0 to 255 |
| other integer images of at most 256 different values | `Binned` from the least to the greatest, `Listed` where half of these never occur |
| float images of at most 256 evenly spaced values, such as pixels over 255 | `Listed` |
| images of other integers, and floats | `Standardised` by one mean and one deviation of the training items |

An array of two axes (N, d) is a table, one of three is grey images (N, H, W), one of four is images with 1 to 4
channels, last or first.  Images have at least 8x8 pixels.
"""

from __future__ import annotations

import numpy as np
import torch

from saltus.data.bins import Binned, Listed
from saltus.data.detect import columns_of
from saltus.data.encoding import Encoding, Standardised
from saltus.data.layout import Array, Layout
from saltus.data.parts import Parts
from saltus.data.values import EXACT
from saltus.errors import SaltusError

__all__ = ["check_items", "encoding_for"]

_MOST_LEVELS = 256
_CHUNK = 1024  # items looked at in one go
_EVEN = 0.01  # of the distance of two values: how far off a multiple one may be


def check_items(parts: Parts) -> None:
    """Whether items can be learned from.

    Raises:
        SaltusError: if no layout fits, or values do not vary.
    """
    Layout.of(parts.train.shape)
    if parts.train.min() == parts.train.max():
        raise SaltusError(f"every value of the training items is {parts.train.min()}; expected values that vary: give other data")


def encoding_for(parts: Parts, train: Array) -> Encoding:
    """By the table above.

    Args:
        parts: the items as they are given; the range is that of all parts, since a value outside it could have no likelihood.
        train: the items to train on, which alone set the scaling.

    Raises:
        SaltusError: if no layout fits, or values are too huge.
    """
    layout, shape, dtype = Layout.of(train.shape), train.shape[1:], train.dtype
    if not layout.is_image:
        categories = {j: names for j, names in enumerate(parts.categories) if names}
        declared = {j: said for j, said in enumerate(parts.declared) if said is not None}
        return columns_of(parts.given, train, parts.columns, categories, declared)
    if dtype == np.bool_:
        return Binned(layout, shape, 0, 1, dtype.name)
    most = _MOST_LEVELS // 2 if dtype == np.uint8 else _MOST_LEVELS
    values = _values(parts, most)
    if dtype == np.uint8 and values is None:
        return Binned(layout, shape, 0, 255, dtype.name)
    if values is not None and dtype.kind in "iu":
        low, high = int(values[0]), int(values[-1])
        if high - low < _MOST_LEVELS and 2 * len(values) > high - low:
            return Binned(layout, shape, low, high, dtype.name)
        if abs(low) < EXACT and abs(high) < EXACT:
            return Listed(layout, shape, torch.from_numpy(values), dtype.name)
    if values is not None and dtype.kind == "f" and (even := _evenly_spaced(values)) is not None:
        return Listed(layout, shape, torch.from_numpy(even), dtype.name)
    return Standardised.fit(layout, train)


def _values(parts: Parts, most: int) -> Array | None:
    """The different values of all parts, increasing, float64; None for more than `most`."""
    found = np.empty(0)
    for part in parts.given:
        for start in range(0, len(part), _CHUNK):
            found = np.unique(np.concatenate([found, np.unique(part[start : start + _CHUNK]).astype(np.float64)]))
            if len(found) > most:
                return None
    return found


def _evenly_spaced(values: Array) -> Array | None:
    """All values from the first to the last that are as far apart as the nearest two, or where more than half of these never occur
    those that do; None if they do not lie evenly, or are more than 256."""
    with np.errstate(over="ignore", invalid="ignore"):
        places = (values - values[0]) / np.diff(values).min()
    if not np.isfinite(places).all() or np.abs(places - np.rint(places)).max() > _EVEN or places[-1] >= _MOST_LEVELS:
        return None
    spanned = round(float(places[-1])) + 1
    if spanned > 2 * len(values):
        return values
    evenly: Array = values[0] + (values[-1] - values[0]) * np.arange(spanned) / (spanned - 1)
    return evenly

"""Which encoding raw values get.

| the raw values | become |
|---|---|
| bool | `Binned` 0 to 1 |
| uint8 | `Binned` 0 to 255 |
| another integer type, images whose values span at most 256 integers | `Binned` from the least to the greatest |
| other integers, and floats | `Standardised` by the training items: a table by columns, images by one mean |

An array of two axes (N, d) is a table, one of three is grey images (N, H, W), one of four is images with 1 to 4
channels, last or first.  Images have at least 8x8 pixels.
"""

from __future__ import annotations

import numpy as np

from saltus.data.encoding import Binned, Encoding, Standardised
from saltus.data.layout import Array, Layout
from saltus.data.parts import Parts
from saltus.errors import SaltusError

__all__ = ["check_items", "encoding_for"]

_MOST_LEVELS = 256


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
        SaltusError: if no layout fits, or a column does not vary.
    """
    layout, shape, dtype = Layout.of(train.shape), train.shape[1:], train.dtype
    if dtype == np.bool_:
        return Binned(layout, shape, 0, 1, dtype.name)
    if dtype == np.uint8:
        return Binned(layout, shape, 0, 255, dtype.name)
    if dtype.kind in "iu" and layout.is_image:
        low, high = min(int(part.min()) for part in parts.given), max(int(part.max()) for part in parts.given)
        if high - low < _MOST_LEVELS:
            return Binned(layout, shape, low, high, dtype.name)
    return Standardised.fit(layout, train, parts.columns)

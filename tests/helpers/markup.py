"""The pictures in pages."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from PIL import Image

from saltus.data.layout import Array

__all__ = ["pictures"]


def pictures(page: str) -> list[Array]:
    """The pixels of the pictures in markup."""
    found = re.findall(r'<img alt="[^"]*" src="data:image/png;base64,([^"]+)"', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(each)))) for each in found]

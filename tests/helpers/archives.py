"""Zips as they are made to do harm, or not."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

__all__ = ["packed", "png"]


def png(size: int = 8) -> bytes:
    written = io.BytesIO()
    Image.new("L", (size, size), 200).save(written, "PNG")
    return written.getvalue()


def packed(file: Path, contents: Mapping[str, bytes], kind: int = stat.S_IFREG) -> Path:
    """A zip whose names are as they are given."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            info = zipfile.ZipInfo("placeholder")
            info.filename, info.external_attr, info.compress_type = name, (kind | 0o644) << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return file

"""A page that would ask another machine for something is a warning, and so ends the build: the site is read without a network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.util import logging

__all__ = ["outside", "setup"]

_TAG = re.compile(r"<(?:script|img|iframe|source|video|audio|link|object|embed)\b[^>]*>", re.IGNORECASE)
_PLACE = re.compile(r"""\b(?:src|srcset|href|data)\s*=\s*["']?\s*((?:https?:)?//[^"'\s>]+)""", re.IGNORECASE)


def outside(page: str) -> list[str]:
    """The addresses that a browser would ask for when it shows a page; links that a reader follows are none."""
    return [place for tag in _TAG.findall(page) for place in _PLACE.findall(tag)]


def _check(app: Any, failed: Exception | None) -> None:
    if failed is None and app.builder.format == "html":
        for file in sorted(Path(app.outdir).rglob("*.html")):
            if "_downloads" not in file.parts and (found := outside(file.read_text(encoding="utf-8"))):
                logging.getLogger(__name__).warning("%s asks for %s", file.relative_to(app.outdir), ", ".join(found))


def setup(app: Any) -> dict[str, bool]:
    app.connect("build-finished", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

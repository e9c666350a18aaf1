"""Pages of HTML that a command wrote are part of the site: a link to one opens it in the browser, where Sphinx would offer a download."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

__all__ = ["PAGES", "linked", "setup"]

PAGES = ("results/collapse_digits/index.html",)
"""Those pages, in this folder and in the site."""
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]*)\)")


def linked(text: str) -> str:
    """Markdown whose links to such pages are links of HTML, which Sphinx leaves as they are."""

    def found(link: re.Match[str]) -> str:
        words, place = link.groups()
        if not any(place.endswith(name.removeprefix("results/")) for name in PAGES):
            return link[0]
        return f'<a href="{place}">{words}</a>'

    return _LINK.sub(found, text)


def _read(_app: Any, _name: str, source: list[str]) -> None:
    source[0] = linked(source[0])


def _copied(app: Any, failed: Exception | None) -> None:
    if failed is None and app.builder.format == "html":
        for name in PAGES:
            place = Path(app.outdir) / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(app.srcdir) / name, place)


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", _read)
    app.connect("build-finished", _copied)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

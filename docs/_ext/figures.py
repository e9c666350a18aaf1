"""Plots of tutorials as SVG inside of the page: black is the colour of the page's text, so that they are read on a dark page too.

The kernel that runs a tutorial draws SVG by a profile of its own, which a build writes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from docutils import nodes

from saltus.studies.pages import inlined

__all__ = ["setup"]

PROFILE = """c = get_config()
c.InlineBackend.figure_formats = {"svg"}
c.InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Date": None}}
c.InlineBackend.rc = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "svg.hashsalt": "saltus",
    "image.interpolation": "none",
}
c.HistoryManager.enabled = False
"""


def _configure(app: Any) -> None:
    folder = Path(app.srcdir) / "_build" / "ipython"
    file = folder / "profile_default" / "ipython_kernel_config.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(PROFILE)
    os.environ["IPYTHONDIR"] = str(folder)


def _inline(app: Any, doctree: nodes.document) -> None:
    """Before Sphinx collects the files of images."""
    for node in list(doctree.findall(nodes.image)):
        file = Path(app.srcdir) / node["uri"].lstrip("/")
        if "jupyter_execute" in file.parts and file.suffix == ".svg":
            figure = f'<figure class="plot">{inlined(file.read_text(encoding="utf-8"))}</figure>'
            node.replace_self(nodes.raw("", figure, format="html"))


def setup(app: Any) -> dict[str, bool]:
    app.connect("builder-inited", _configure)
    app.connect("doctree-read", _inline, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

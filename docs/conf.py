"""How Sphinx builds the site of `docs/`: `make site`."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

project = "saltus"
author = project_copyright = "The saltus authors"
_declared = tomllib.loads((HERE.parent / "pyproject.toml").read_text())
release = version = _declared["project"]["version"]

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "docstrings",
    "figures",
    "mathml",
    "offline",
    "pages",
    "reference",
    "sources",
]
exclude_patterns = ["_build"]
root_doc = "index"

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / "notebooks")
# Seconds of a cell; each takes a few on a machine of its own.
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
default_role = "code"
# A word of a docstring that is the name of several attributes.
suppress_warnings = ["ref.python"]
python_use_unqualified_type_names = True

# To list every method beside each page would take half of the build.
toc_object_entries = False

html_theme = "furo"
html_title = f"saltus {release}"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False


LISTED = ("decisions/", "results/")
"""Folders whose pages are reached by the list of their README alone."""


def setup(app: Any) -> None:
    def listed(app: Any, _: Any) -> None:
        name = app.env.docname
        if name.startswith(LISTED) and not name.endswith("README"):
            app.env.metadata[name]["orphan"] = True

    # After the metadata of the page itself.
    app.connect("doctree-read", listed, priority=900)

"""Links to Python files of the repository lead to a page of this site: the file, highlighted, at the function that the link names.

[test_the_step](../tests/kernels/test_gaussian.py)    becomes    sources/tests/kernels/test_gaussian.html#test_the_step

Without this a browser would download the file, and show no line of it.  A link whose text is no name of a file's leads to its top; one
whose text looks like a test that the file does not have is a warning, and so ends the build.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import download_reference
from sphinx.util import logging

__all__ = ["definitions", "highlighted", "setup"]

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "sources"
"""Where the pages are."""
_SEEN = "python files"
"""What a page's metadata call the files that it links to."""


def definitions(code: str) -> dict[str, int]:
    """The functions and classes of a file by name, and the line where each starts, its decorators included."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = (node for node in ast.parse(code).body if isinstance(node, kinds))
    return {node.name: min(part.lineno for part in (node, *node.decorator_list)) for node in found}


def highlighted(code: str, highlighter: Any) -> str:
    """A file as HTML, with an anchor of its name at each function and class."""
    before, body = highlighter.highlight_block(code, "python", linenos="inline").split("<pre>", 1)
    lines = body.splitlines(keepends=True)
    for name, line in definitions(code).items():
        lines[line - 1] = f'<span id="{name}" class="target"></span>{lines[line - 1]}'
    return f"{before}<pre>{''.join(lines)}"


def _link(app: Any, doctree: nodes.document) -> None:
    """Before Sphinx collects what is downloaded."""
    here = app.env.docname
    for node in list(doctree.findall(download_reference)):
        file = (Path(app.srcdir) / Path(here).parent / node["reftarget"]).resolve()
        if file.suffix != ".py" or not file.is_relative_to(ROOT) or not file.is_file():
            continue
        name, path = node.astext(), file.relative_to(ROOT).as_posix()
        known = name in definitions(file.read_text())
        if name.startswith("test_") and not known and name != file.name:
            logging.getLogger(__name__).warning("%s has no %s", path, name, location=node)
        app.env.metadata[here].setdefault(_SEEN, set()).add(path)
        place = app.builder.get_relative_uri(here, f"{FOLDER}/{path.removesuffix('.py')}")
        link = nodes.reference("", "", *node.children, refuri=f"{place}#{name}" if known else place, internal=True)
        node.replace_self(link)


def _pages(app: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    seen = set().union(*(told.get(_SEEN, ()) for told in app.env.metadata.values()))
    for path in sorted(seen):
        shown = highlighted((ROOT / path).read_text(), app.builder.highlighter)
        title = f'<h1 class="file">{path}</h1>'
        yield f"{FOLDER}/{path.removesuffix('.py')}", {"title": path, "body": f'{title}<div class="source">{shown}</div>'}, "page.html"


def setup(app: Any) -> dict[str, bool]:
    app.connect("doctree-read", _link, priority=100)
    app.connect("html-collect-pages", _pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Formulas as MathML, which browsers draw themselves: a page needs no script, no font and no network for them.

The conversion is that of docutils, with which Sphinx comes; Sphinx's own renderers need MathJax, or a LaTeX.  A formula that it does not
know is a warning, and so ends the build.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

__all__ = ["setup"]

REWRITTEN = {
    r"\\dots\b": r"\\ldots",
    r"\\texttt\b": r"\\mathtt",
    r"\\[bB]ig[lr]?(?![a-zA-Z])": "",  # delimiters grow by themselves
    r"\\[ct]?frac\s*([^{\s\\])\s*([^{\s\\])": r"\\frac{\1}{\2}",
    r"\\,\\\|\\,": r"\\parallel ",  # between two distributions, where a fence would grow with the line
    r"\\cfrac\b": r"\\frac",
    r"\\operatorname\*?\{(\w+)\}": r"\\,\\mathrm{\1}",
    r"\\(ln|exp)\b(?!\s*(\(|\\left))": r"\\,\\\1\\,",  # browsers put no space around the name of a function
}
"""What docutils knows otherwise, as regular expressions."""


NORM = re.compile(r"(?<!\\left)(?<!\\right)\\\|")
FENCES = {
    '<mo class="mathopen">‖</mo>': '<mo form="prefix" stretchy="false">‖</mo>',
    "<mo>‖</mo>": '<mo form="postfix" stretchy="false">‖</mo>',
}
"""The bars of a norm, as docutils writes them and as they are of one size; browsers take neither for a fence in the middle of a row."""


def converted(formula: str, *, block: bool) -> str:
    """MathML of a formula; several aligned lines need no environment."""
    for found, written in REWRITTEN.items():
        formula = re.sub(found, written, formula)
    sides = itertools.cycle((r"\lVert ", r"\rVert "))
    formula = NORM.sub(lambda _: next(sides), formula)
    if block and r"\begin" not in formula and (r"\\" in formula or "&" in formula):
        formula = rf"\begin{{aligned}}{formula}\end{{aligned}}"
    text = str(tex2mathml(formula, as_block=block))
    for found, written in FENCES.items():
        text = text.replace(found, written)
    return text


def _visit(self: Any, node: nodes.Element, *, block: bool) -> None:
    try:
        found = converted(node.astext(), block=block)
    except (AttributeError, MathError, SyntaxError, TypeError) as error:
        logging.getLogger(__name__).warning("a formula is not converted: %s (%s)", node.astext(), error, location=node)
        found = ""
    ids = "".join(f'<span id="{name}"></span>' for name in node["ids"])
    self.body.append(f'{ids}<div class="formula">{found}</div>' if block else found)
    raise nodes.SkipNode


def visit_inline(self: Any, node: nodes.Element) -> None:
    _visit(self, node, block=False)


def visit_block(self: Any, node: nodes.Element) -> None:
    _visit(self, node, block=True)


def setup(app: Any) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}

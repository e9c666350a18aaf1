"""Docstrings use Markdown's formulas and tables, as they are read in an editor; autodoc reads reStructuredText.

$$ ... $$       .. math::
$ ... $         :math:`...`
| a | b |       .. list-table::
(B, *E), |x|    with a backslash, since neither is markup
words:          words::  (of a module, where an indented block follows, or names in columns)
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["rewritten", "setup"]

_BLOCK = re.compile(r"^( *)\$\$(.*?)\$\$", re.DOTALL | re.MULTILINE)
_FORMULA = re.compile(r"(?<!\$)\$(?!\$)([^$]+?)\$(?!\$)")
_KEPT = re.compile(r"^( *)\.\. math::.*?(?=^\1\S|\Z)|^ *>>>.*?(?=^ *$|\Z)|:math:`[^`]*`|``.*?``|`[^`\n]*`", re.DOTALL | re.MULTILINE)
_TABLE = re.compile(r"(?:^ *\|.*\|$\n?){2,}", re.MULTILINE)
_INDENTED = re.compile(r"^(?!\.\.)([^ \n].*)\n+((?: {2,}\S.*\n*)+)", re.MULTILINE)
_ALIGNED = re.compile(r"^\S.*[^. ] {2,}\S", re.MULTILINE)
_SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Yields):$")


def rewritten(lines: list[str], *, module: bool = False) -> list[str]:
    """The lines of a docstring as reStructuredText; those of a module have indented blocks that are code."""
    text = "\n".join(lines)
    text = "\n\n".join(map(_columns, text.split("\n\n")))
    if module:
        text = _INDENTED.sub(_code, text)
    text = _FORMULA.sub(lambda found: f":math:`{' '.join(found[1].split())}`", _BLOCK.sub(_math, text))
    kept: list[str] = []

    def put_away(found: re.Match[str]) -> str:
        kept.append(found[0].rstrip("\n"))
        return f"\0{len(kept) - 1}\0{found[0][len(kept[-1]) :]}"

    text = _KEPT.sub(put_away, text)
    text = re.sub(r"(?<![*\\])\*(?=[^\s*])", r"\\*", text)
    tables = _TABLE.findall(text)
    rest = [part.replace("|", r"\|") for part in _TABLE.split(text)]
    text = rest[0] + "".join(_table(table) + part for table, part in zip(tables, rest[1:], strict=True))
    while "\0" in text:
        text = re.sub("\0(\\d+)\0", lambda found: kept[int(found[1])], text)
    return text.split("\n")


def _math(found: re.Match[str]) -> str:
    indent = found[1]
    body = "\n".join(f"{indent}    {line.strip()}" for line in found[2].strip().splitlines())
    return f"\n{indent}.. math::\n\n{body}\n\n"


def _table(text: str) -> str:
    """A list of the cells; without a line below the first row there is no heading."""
    indent = text[: len(text) - len(text.lstrip(" "))]
    rows = [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in text.strip("\n").splitlines()]
    ruled = [not "".join(row).strip("-: ") for row in rows]
    made = ["", f"{indent}.. list-table::", f"{indent}    :header-rows: {1 if any(ruled) else 0}", ""]
    for row, rule in zip(rows, ruled, strict=True):
        if not rule:
            made += [f"{indent}    {'  -' if place else '* -'} {cell}" for place, cell in enumerate(row)]
    return "\n".join([*made, "", ""])


def _columns(paragraph: str) -> str:
    """A paragraph of names and what they mean, side by side, as it is."""
    if len(_ALIGNED.findall(paragraph)) < 2 or re.search(r"\$|^\.\. |^\|", paragraph, re.MULTILINE):
        return paragraph
    return "::\n\n" + "\n".join(f"    {line}" for line in paragraph.splitlines())


def _code(found: re.Match[str]) -> str:
    """An indented block below a line, as it is; but not one that reStructuredText knows, and no section of a docstring."""
    above, block = found.groups()
    if above.endswith("::") or _SECTION.search(above) or "$$" in above or re.match(r"[*-] ", above):
        return found[0]
    lead = f"{above}:" if above.endswith(":") else f"{above}\n\n::"
    return f"{lead}\n\n{block.rstrip()}\n\n"


def _process(_app: Any, what: str, _name: str, _thing: Any, _options: Any, lines: list[str]) -> None:
    lines[:] = rewritten(lines, module=what == "module")


def setup(app: Any) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", _process, priority=100)  # before napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}

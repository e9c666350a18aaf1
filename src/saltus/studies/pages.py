"""Pages of HTML that need no other file and no network: text, tables, plots as SVG, images as PNG inside."""

from __future__ import annotations

import base64
import html
import io
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from saltus.evaluation import save_grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Raw", "image", "page", "paragraph", "plot", "section", "table"]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 64rem; margin: 2rem auto; padding: 0 1rem }
h1, h2 { line-height: 1.2; font-weight: 600 }
h2 { margin-top: 2.5rem }
p { max-width: 44rem }
figure { margin: 1rem 0; overflow-x: auto }
figure svg { max-width: 100%; height: auto }
figcaption { color: #555; max-width: 44rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.9rem }
th, td { padding: 0.25rem 0.7rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap }
th:first-child, td:first-child { text-align: left }
td img { width: 9rem; image-rendering: pixelated; display: block }
"""


class Raw(str):
    """Text that is HTML already; every other text is escaped."""


def page(title: str, parts: Iterable[Raw]) -> str:
    """The whole page."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body><h1>{html.escape(title)}</h1>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def section(title: str) -> Raw:
    """A heading."""
    return Raw(f"<h2>{html.escape(title)}</h2>")


def paragraph(text: str) -> Raw:
    """A paragraph."""
    return Raw(f"<p>{_escaped(text)}</p>")


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Raw:
    """A table; the first column names the row."""
    head = "".join(f"<th>{_escaped(cell)}</th>" for cell in headings)
    body = "".join("<tr>" + "".join(f"<td>{_escaped(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return Raw(f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')


def plot(figure: Figure, caption: str) -> Raw:
    """A figure of matplotlib, as SVG."""
    text = io.StringIO()
    figure.savefig(text, format="svg")
    svg = text.getvalue()
    return Raw(f"<figure>{svg[svg.index('<svg') :]}<figcaption>{_escaped(caption)}</figcaption></figure>")


def image(y: Tensor, *, shown: tuple[float, float], alt: str) -> Raw:
    """Images (n, C, H, W) as one grid."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "grid.png"
        save_grid(y, file, shown=shown)
        data = base64.b64encode(file.read_bytes()).decode()
    return Raw(f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">')


def _escaped(text: str) -> str:
    return text if isinstance(text, Raw) else html.escape(text)

"""Pages of HTML that need no other file and no network: tables, plots as SVG, images as PNG inside.

Templates are in the folder `templates`: `base.html` is the frame of every page and `macros.html` has its parts.  Every text
is escaped; only what `svg` returns is markup.  A page forbids itself by its content security policy to fetch or run anything.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from saltus.evaluation import save_grid
from saltus.extras import needs

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup
    from matplotlib.figure import Figure

__all__ = ["MARKERS", "PALETTE", "Picture", "Table", "inlined", "literal", "markup", "picture", "render", "svg"]

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
"""Colours of Okabe and Ito that colour-blind readers tell apart, without black and a yellow that white paper swallows."""
MARKERS = "osD^vPX"
"""Marks to go with them; their number has no factor in common with that of the colours, so pairs do not recur early."""

_INK = "#000000"  # text and axes
_REFERENCE = re.compile(r'(?<= id=")|(?<=href="#)|(?<=url\(#)')


@dataclass(frozen=True)
class Picture:
    """Images of a page.

    Attributes:
        source: their pixels, as a data URL.
        words: what they show, for readers who do not see them.
    """

    source: str
    words: str


@dataclass(frozen=True)
class Table:
    """A table of texts or pictures; the first column names the row unless it holds a picture."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str | Picture]]


def render(template: str, **context: Any) -> str:
    """A page of one of the templates.

    Args:
        template: name of a file of the folder `templates`.
        context: what the template asks for; all of it, and at least `title`.
    """
    return _environment().get_template(template).render(context)


@cache
def _environment() -> Environment:
    jinja2 = needs("jinja2", extra="compare")
    environment: Environment = jinja2.Environment(
        loader=jinja2.PackageLoader("saltus.studies"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment


def markup(text: str) -> Markup:
    """A text that is markup already: it is not escaped."""
    found: Markup = needs("markupsafe", extra="compare").Markup(text)
    return found


def svg(figure: Figure, *, letters: bool = False) -> Markup:
    """A figure of matplotlib as markup: black is the colour of the page's text, and nothing lies behind the figure.

    Names inside are this figure's own, so that a page may have several figures that differ.

    Args:
        figure: what is drawn.
        letters: whether words stay words, in a font of the reader's, and do not become outlines.
    """
    written = io.StringIO()
    settings = {"svg.hashsalt": "saltus", "svg.fonttype": "none" if letters else "path"}  # the same figure gives the same markup
    fixed = needs("matplotlib", extra="compare").rc_context(settings)
    with warnings.catch_warnings(), fixed:
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a run may have any name; the tables show it
        figure.savefig(written, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return inlined(written.getvalue())


def inlined(text: str) -> Markup:
    """A file of SVG that matplotlib wrote as markup: black is the colour of the page's text, and names inside are its own."""
    text = text[text.index("<svg") :].replace(_INK, "currentColor")
    prefix = f"f{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}-"
    return markup(_REFERENCE.sub(prefix, text))


def picture(y: Tensor, *, shown: tuple[float, float], words: str) -> Picture:
    """Images (n, C, H, W) as one grid; `shown` are the values that are black and white."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "grid.png"
        save_grid(y, file, shown=shown)
        pixels = base64.b64encode(file.read_bytes()).decode()
    return Picture(f"data:image/png;base64,{pixels}", words)


def literal(text: str) -> str:
    r"""A text as a label of matplotlib that shows it as it is: `$` is no formula, and `_` at the start does not hide it.

    >>> literal("a $x$ run")
    'a \\$x\\$ run'
    """
    escaped = text.replace("$", r"\$")
    return f"\N{ZERO WIDTH SPACE}{escaped}" if escaped.startswith("_") else escaped

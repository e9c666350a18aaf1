"""What tabs show, as markup: images and plots that have words for readers who do not see them and can be saved, and tables.

Every text is escaped; pictures are data inside, so that a page fetches nothing for them.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.studies.pages import svg
from saltus.studio.sheet import Sheet

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

__all__ = ["heading", "images", "marked", "mistaken", "page", "paragraph", "picture", "plot", "side", "table"]

_FEW = 3  # columns of a table that a phone shows side by side


def marked(template: str, *values: object) -> Markup:
    """A template of markup, its places {} filled with texts, which are escaped."""
    found: Markup = needs("markupsafe", extra="studio").Markup(template).format(*values)
    return found


def page(parts: Iterable[Markup], words: str) -> str:
    """The parts of what a tab shows, one below the other, as a region that screen readers name."""
    return str(marked('<div class="studio" role="region" aria-label="{}">{}</div>', words, marked("").join(parts)))


def heading(text: str) -> Markup:
    """A heading inside a tab."""
    return marked("<h3>{}</h3>", text)


def paragraph(text: str) -> Markup:
    """A paragraph."""
    return marked("<p>{}</p>", text)


def mistaken(mistake: SaltusError) -> str:
    """What a part of the page shows in place of what cannot be shown."""
    return str(paragraph(f"This cannot be shown: {mistake}."))


def side(parts: Iterable[Markup], *, large: bool = False) -> Markup:
    """Parts side by side, as far as there is room: two on a phone, or one that is large."""
    return marked('<div class="side{}">{}</div>', " large" if large else "", marked("").join(parts))


def images(sheet: Sheet, *, shown: tuple[float, float], file: str) -> Markup:
    """A sheet as one picture that can be saved; its words stand below it, and are for readers who do not see it.

    Args:
        sheet: of images.
        shown: the values that are black and white.
        file: its name when it is saved, without an ending.
    """
    written = io.BytesIO()
    sheet.image(shown).save(written, "PNG")
    return picture(written.getvalue(), sheet.words, f"{file}.png")


def picture(png: bytes, words: str, file: str) -> Markup:
    """A PNG that can be saved under a name; its words stand below it, and are for readers who do not see it."""
    source = _data("image/png", png)
    return marked('<figure><img alt="{}" src="{}"><figcaption>{} {}</figcaption></figure>', words, source, words, _saved(source, file))


def plot(figure: Figure, *, words: str, file: str) -> Markup:
    """A plot whose lines and letters have the colour of the page's text."""
    drawn = str(svg(figure, letters=True))
    source = _data("image/svg+xml", drawn.encode())
    named = marked('<svg role="img" aria-label="{}" ', words) + marked(drawn.removeprefix("<svg ").replace("{", "{{").replace("}", "}}"))
    framed = marked('<div class="plot" tabindex="0" role="group" aria-label="{}">{}</div>', words, named)
    return marked("<figure>{}<figcaption>{} {}</figcaption></figure>", framed, words, _saved(source, f"{file}.svg"))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], words: str) -> Markup:
    """A table of texts with a caption for screen readers; the first cell of a row names it."""
    top = marked("").join(marked('<th scope="col">{}</th>', text) for text in headings)
    body = marked("").join(marked('<tr><th scope="row">{}</th>{}</tr>', row[0], _cells(headings[1:], row[1:])) for row in rows)
    return marked(
        '<div class="wide" tabindex="0" role="group" aria-label="{}"><table{}><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>',
        words,
        marked(' class="many"') if len(headings) > _FEW else "",
        top,
        body,
    )


def _cells(headings: Sequence[str], cells: Sequence[str]) -> Markup:
    """Each knows its heading, which a phone shows beside it where there are many columns; an empty one is left out there."""
    named = zip(headings, cells, strict=True)
    return marked("").join(marked('<td data-heading="{}">{}</td>', name, cell) for name, cell in named)


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _saved(source: str, file: str) -> Markup:
    return marked('<a download="{}" href="{}" aria-label="Save {}">Save</a>', file, source, file)

"""Pages of HTML: their parts are well formed, fetch nothing, and show every name as it is."""

from __future__ import annotations

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from jinja2 import UndefinedError
from matplotlib.figure import Figure
from PIL import Image

from saltus.studies.pages import MARKERS, PALETTE, literal, picture, render, svg
from tests.helpers.html import HOSTILE, Page, check, outside


@pytest.mark.parametrize(
    "wrong",
    [
        '<img src="https://example.org/a.png">',
        '<a href="other.html">x</a>',
        "<script>1</script>",
        "<p onclick='x()'>x</p>",
        "<style>@import 'a.css';</style>",
        "<p style='background: url(a.png)'>x</p>",
    ],
)
def test_a_request_is_seen(wrong: str) -> None:
    """The twin of every check of a whole page."""
    assert outside(wrong)
    assert not outside('<a href="#here">x</a><img src="data:,">')


@pytest.mark.parametrize("wrong", ["<p>a</b>", "<div><p>a</div></p>", "<table><tr></table>", "<p>"])
def test_a_fault_of_the_structure_is_seen(wrong: str) -> None:
    assert Page(wrong).faults
    assert not Page("<div><p>a</p><br></div>").faults


# parts


def plotted(label: str = "line", text: str = "") -> Figure:
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    axes.plot([1, 2], color="black", label=literal(label))
    axes.set_title(literal(text))
    axes.legend()
    return figure


def test_a_plot_is_markup_of_one_element_that_has_the_colour_of_the_text() -> None:
    markup = svg(plotted())
    root = ElementTree.fromstring(str(markup))
    assert root.tag.endswith("svg")
    assert "#000000" not in markup
    assert "currentColor" in markup
    assert "<metadata" not in markup
    assert markup == svg(plotted())
    assert markup.__html__() == str(markup)


def test_letters_of_a_plot_stay_words_where_they_are_asked_for() -> None:
    found = Page(str(svg(plotted("a line", "<b>held-out</b>"), letters=True)))
    assert "a line" in found.text
    assert "<b>held-out</b>" in found.text
    assert found.count("b") == 0
    assert "a line" not in Page(str(svg(plotted("a line")))).text  # the twin: they are outlines


def test_plots_of_one_page_share_no_names() -> None:
    one, other = (set(re.findall(r' id="([^"]*)"', svg(plotted(label)))) for label in ("a", "b"))
    assert len(one) == len(other) > 10
    assert not one & other


@pytest.mark.parametrize("name", HOSTILE)
def test_a_plot_shows_any_name(name: str) -> None:
    """No formula is read from it, it is in the legend, and as a comment of the drawing it does no harm."""
    markup = svg(plotted(name, name))
    ElementTree.fromstring(str(markup))
    page = Page(markup)
    assert page.faults == []
    assert page.count("script") == page.count("table") == 0
    drawn = plotted(name)
    assert [text.get_text() for text in drawn.axes[0].get_legend().get_texts()] == [literal(name)]


def test_a_name_in_dollars_is_a_formula_unless_it_is_literal() -> None:
    """Drawn letter by letter: the twin of the test above."""

    def drawn(label: str) -> bytes:
        figure = Figure(figsize=(3, 1))
        figure.text(0, 0.5, label)
        written = io.BytesIO()
        figure.savefig(written, format="png")
        return written.getvalue()

    assert drawn(literal("$x$")) != drawn("$x$")
    assert drawn(literal("x")) == drawn("x")
    with pytest.raises(ValueError, match="Parse"):
        drawn(r"$\nothing{$")
    drawn(literal(r"$\nothing{$"))


def test_a_picture_has_its_pixels_inside() -> None:
    found = picture(torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 4, 4), shown=(-1.0, 1.0), words="two")
    head, _, pixels = found.source.partition(",")
    assert head == "data:image/png;base64"
    values = np.unique(np.asarray(Image.open(io.BytesIO(base64.b64decode(pixels)))))
    assert {0, 255} <= set(values.tolist())
    assert found.words == "two"


def test_every_pair_of_colour_and_mark_is_another_one() -> None:
    pairs = [(PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)]) for i in range(30)]
    assert len(set(pairs)) == len(pairs)


def test_a_template_that_lacks_something_is_no_page() -> None:
    with pytest.raises(UndefinedError):
        render("base.html")
    assert check(render("base.html", title="<a & b>")).text.count("<a & b>") == 2

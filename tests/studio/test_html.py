"""Markup: every text is escaped, and what is shown has words and can be saved."""

from __future__ import annotations

import re

import pytest
import torch
from matplotlib.figure import Figure

from saltus.studio.html import heading, images, page, paragraph, plot, side, table
from saltus.studio.sheet import Sheet
from tests.helpers.markup import pictures

HOSTILE = "<script>alert(1)</script>\"' onerror=x {0} ${1}"


@pytest.mark.parametrize(
    "markup",
    [
        heading(HOSTILE),
        paragraph(HOSTILE),
        table([HOSTILE, HOSTILE], [[HOSTILE, HOSTILE]], HOSTILE),
        images(Sheet(torch.zeros(1, 1, 8, 8), HOSTILE), shown=(-1, 1), file=HOSTILE),
        plot(Figure(), words=HOSTILE, file=HOSTILE),
        page([paragraph("x")], HOSTILE),
    ],
    ids=["heading", "paragraph", "table", "images", "plot", "page"],
)
def test_texts_are_escaped(markup: str) -> None:
    text = str(markup)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert not re.search(r"<[^>]*\"[^>=]*' onerror=", text), "no attribute ends early"
    assert "{0}" in text


def test_images_are_shown_and_saved() -> None:
    text = str(side([images(Sheet(torch.ones(4, 1, 8, 8), "four", 4), shown=(-1, 1), file="white")]))
    (pixels,) = pictures(text)
    assert pixels.shape[1] > 3 * pixels.shape[0], "one row"
    assert pixels.max() == 255
    assert 'download="white.png"' in text
    assert 'alt="four"' in text


def test_plots_have_the_colour_of_the_page() -> None:
    figure = Figure()
    figure.subplots().plot([1, 2])
    text = str(plot(figure, words="a line", file="line"))
    assert 'role="img" aria-label="a line"' in text
    assert "currentColor" in text
    assert 'download="line.svg"' in text
    assert text.count("</svg>") == 1

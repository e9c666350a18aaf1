"""Pages of HTML read back: what is on them, whether they are well formed, and whether a browser would fetch or run anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

HOSTILE = (
    "a $x$ run",
    "one $ only",
    r"\frac{$x$}",
    "$unclosed_{",
    "[bold]name[/bold]",
    "[/]",
    "<script>alert(1)</script>",
    "</table></svg>",
    "\"quoted' & named",
    "_hidden",
    "{{ 7 * 7 }} {% raw %}",
    "--> out",
    "#000000",
    "数字 🙂",
    "two\nlines",
    "http://example.org/x.png",
)
"""Names that a folder of a run can have, and that some language of a page gives a meaning."""

VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """What is on a page: texts, elements with their attributes, and whether every element that opens is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.text, self.open, self.faults = "", list[str](), list[str]()
        self.feed(text)
        self.close()
        self.faults += self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "td":
            self.cells.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data
        if "td" in self.open:
            self.cells[-1] += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)

    def attributes(self, *names: str) -> Iterator[str]:
        for _, attributes in self.elements:
            yield from (value or "" for name, value in attributes.items() if name in names)


def outside(text: str) -> list[str]:
    """Everything on a page that a browser would fetch or run."""
    page = Page(text)
    fetched = [
        value for value in page.attributes("src", "href", "xlink:href", "data", "action", "srcset") if not re.match("data:|#", value)
    ]
    styles = re.findall(r"url\((?!#)[^)]*\)|@import[^;]*", text)
    run = [tag for tag, _ in page.elements if tag in ("script", "iframe", "object", "embed", "base", "form")]
    return fetched + styles + run + [name for _, attributes in page.elements for name in attributes if name.startswith("on")]


def check(text: str) -> Page:
    """A page that is well formed, whose names are its own and lead somewhere, and that needs nothing else."""
    page = Page(text)
    assert page.faults == []
    assert outside(text) == []
    names = list(page.attributes("id"))
    assert len(names) == len(set(names))
    led = {value.removeprefix("#") for value in page.attributes("href", "xlink:href") if value.startswith("#")}
    assert led | set(re.findall(r"url\(#([^)]*)\)", text)) <= set(names)
    assert page.count("h1") == page.count("title") == page.count("main") == 1
    return page

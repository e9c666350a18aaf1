"""The page of a chain: what is in its folder, and, where there is a browser, that it draws."""

from __future__ import annotations

import functools
import http.server
import json
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from saltus.chain import Chain
from saltus.errors import SaltusError
from saltus.integrations import Request, write_page
from saltus.integrations.web_page import LIBRARY, MACHINE, RUNTIME
from saltus.pretrained import run_folder
from tests.helpers.exported import pictures, started
from tests.helpers.studio import BROWSER, browser
from tests.integrations.test_exporting import rows

pytest.importorskip("onnxruntime")

DIST = Path(os.environ.get("ONNXRUNTIME_WEB", "node_modules/onnxruntime-web/dist"))
"""The runtime, where `make page` puts it."""


def request(chain: Chain, name: str = "run", runtime: Path | None = None) -> Request:
    return Request(Path(name), chain, chain.sampling, runtime)


def test_the_folder_is_static_and_says_what_it_lacks(tmp_path: Path) -> None:
    out = tmp_path / "page"
    written = write_page(request(started(), "a <b>"), out)
    assert sorted(file.name for file in out.iterdir()) == ["index.html", "model.onnx"]
    assert all(word in written.remark for word in (RUNTIME, LIBRARY, MACHINE, "sha512-", "http.server"))
    text = (out / "index.html").read_text()
    assert "a &lt;b&gt;" in text
    assert not re.findall(r"__[A-Z]+__", text)
    assert not re.findall(r"(?:src|href)=\"https?:", text), "nothing is loaded from elsewhere"
    found = re.search(r'<script id="description" type="application/json">(.*?)</script>', text)
    assert found is not None
    assert json.loads(found[1])["classes"]["names"] == ["a", "b"]


def test_a_class_cannot_end_the_script(tmp_path: Path) -> None:
    chain = pictures(labels=[0, 0, 1], classes="ab")
    condition = chain.condition
    assert condition is not None
    condition.names = ("</script>", "b")  # type: ignore[attr-defined]
    write_page(request(chain), tmp_path / "page")
    assert (tmp_path / "page" / "index.html").read_text().count("</script>") == 2


def test_the_runtime_is_copied(tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    with pytest.raises(SaltusError, match="holds no"):
        write_page(request(started(), runtime=tmp_path / "dist"), tmp_path / "page")
    assert not (tmp_path / "page").exists()
    for name in (LIBRARY, MACHINE):
        (tmp_path / "dist" / name).write_text(name)
    write_page(request(started(), runtime=tmp_path / "dist"), tmp_path / "page")
    assert (tmp_path / "page" / MACHINE).read_text() == MACHINE


def test_what_a_page_cannot_show_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SaltusError, match="draws images"):
        write_page(request(rows()), tmp_path / "page")
    assert not (tmp_path / "page").exists()


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Of the page of the digits, handed out by a server without code of its own."""
    write_page(request(Chain.load(run_folder("digits")), "digits", DIST), tmp_path / "page")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "page"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None or not (DIST / MACHINE).exists(), reason="needs Chromium and onnxruntime-web: make page")
@pytest.mark.filterwarnings("ignore")
def test_the_page_draws_in_a_browser(address: str) -> None:
    """By the keyboard alone, at the width of a phone, in light and dark; the same seed draws the same."""
    pixels = "document.getElementById('canvas').toDataURL()"
    with browser() as chromium:
        drawn = []
        for scheme in ("light", "dark"):
            page = chromium.new_page(viewport={"width": 320, "height": 640}, color_scheme=scheme)
            problems: list[str] = []
            page.on("console", lambda message, said=problems: said.append(message.text))
            page.on("pageerror", lambda error, said=problems: said.append(str(error)))
            page.goto(address)
            page.wait_for_selector("#canvas[aria-label^='16 samples of seed 0']", timeout=60_000)
            drawn.append(page.evaluate(pixels))
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.id") == "class"
            page.keyboard.type("7")
            page.keyboard.press("Tab")
            page.keyboard.type("5")
            page.keyboard.press("Enter")
            page.wait_for_selector("#canvas[aria-label='16 samples of seed 5, class 7']", timeout=60_000)
            assert page.evaluate(pixels) != drawn[-1]
            assert "16 samples in" in page.inner_text("#status")
            assert page.evaluate("document.documentElement.scrollWidth") <= 320
            assert page.locator("label:has(input), label:has(select)").count() == 2
            assert problems == []
        assert drawn[0] == drawn[1]

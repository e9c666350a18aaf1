"""A studio that is served while a test runs, and a browser that looks at it."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
)
SHOTS = Path(__file__).parents[2] / "studio-screenshots"
"""Where pictures of the page are kept, which git ignores."""
NAMELESS = """[...document.querySelectorAll('input, select, textarea, button, [role=slider]')].filter(field =>
  field.checkVisibility() && field.type !== 'file' && !field.closest('.cm-editor')
  && !field.ariaLabel && !field.getAttribute('aria-labelledby') && !(field.labels && field.labels.length) && !field.title
  && !field.innerText.trim()).map(field => field.outerHTML.slice(0, 200))"""
"""Fields and buttons that a screen reader has no name for."""
IN_BROWSER = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium: make studio"),
    pytest.mark.filterwarnings("ignore"),
]
"""Of tests that need a browser."""
WIDTHS = {"desktop": (1280, 800), "phone": (390, 844)}


_GUARD = """
import os, socket, sys
connect = socket.socket.connect
def watched(own, address):
    if own.family != socket.AF_UNIX and str(address[0]) not in ("127.0.0.1", "127.0.0.2", "::1", "localhost"):
        print("outside", address, file=sys.stderr, flush=True)
    return connect(own, address)
socket.socket.connect = watched
found = socket.getaddrinfo
def asked(host, *others, **more):
    if host not in (None, "127.0.0.1", "127.0.0.2", "::1", "localhost"):
        print("outside", host, file=sys.stderr, flush=True)
    return found(host, *others, **more)
socket.getaddrinfo = asked
from saltus.cli.main import main
main()
"""
"""The command line, which tells on stderr where it goes beyond this machine."""


@dataclass
class Served:
    """A studio that is served.

    Attributes:
        address: of the page.
        process: that serves it.
        log: what it says on stderr.
    """

    address: str
    process: subprocess.Popen[str]
    log: Path


@contextmanager
def served(folder: Path, *arguments: str, **environment: str) -> Iterator[Served]:
    """`saltus studio` with these arguments, started in a folder."""
    log = folder / "studio.log"
    here = {**os.environ, **environment}
    with log.open("w") as told:
        command = [sys.executable, "-c", _GUARD, "studio", "--port", "0", *arguments]
        process = subprocess.Popen(command, cwd=folder, env=here, text=True, stdout=subprocess.PIPE, stderr=told)
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found, log.read_text()
        yield Served(found[0], process, log)
    finally:
        process.terminate()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as tool:
        found = tool.chromium.launch(executable_path=BROWSER, args=list(QUIET))
        yield found
        found.close()


class Watched:
    """A page, and what it asked for and complained of."""

    def __init__(self, found: Any, address: str, *, width: str = "desktop", scheme: str = "light") -> None:
        across, down = WIDTHS[width]
        self.page = found.new_page(viewport={"width": across, "height": down}, color_scheme=scheme)
        self.asked: list[str] = []
        self.problems: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.problems.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.goto(address)
        self.page.get_by_role("tab", name="Noise").wait_for(timeout=60_000)

    @property
    def outside(self) -> list[str]:
        """What was asked of anything but this machine."""
        return [url for url in self.asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))]

    def open(self, tab: str) -> None:
        """Open a tab."""
        found = self.page.get_by_role("tab", name=tab, exact=True)
        if not found.is_visible():  # on a phone the last ones are in a menu
            self.page.locator(".overflow-menu > button").click()
            found = self.page.locator(".overflow-dropdown button", has_text=tab)
        found.click()

    def press(self, button: str, region: str) -> None:
        """Press a button, and wait for what it makes."""
        self.page.get_by_role("button", name=button, exact=True).click()
        self.page.get_by_role("region", name=region).wait_for(timeout=60_000)


def huge_png(width: int, height: int) -> bytes:
    """The header of a PNG that says it is large, and next to nothing after it."""

    def part(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", zlib.compress(b"\0" * 100)) + part(b"IEND", b"")


def raw_call(address: str, endpoint: str, values: list[Any]) -> str:
    """What the API answers to values that no client of its own would send."""
    port = int(address.rstrip("/").rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", f"/gradio_api/call/{endpoint}", json.dumps({"data": values}), {"Content-Type": "application/json"})
    event = json.loads(connection.getresponse().read())["event_id"]
    connection.request("GET", f"/gradio_api/call/{endpoint}/{event}")
    answer = connection.getresponse().read().decode()
    connection.close()
    return answer

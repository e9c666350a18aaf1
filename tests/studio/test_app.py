"""The page in a browser and through its API; who may reach it."""

from __future__ import annotations

import asyncio
import http.client
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from saltus.errors import SaltusError
from saltus.pretrained import run_folder
from saltus.studio.app import _Guarded, _hosts, _is_own, check_access, is_loopback
from tests.helpers.checks import assert_one_sentence
from tests.helpers.markup import pictures
from tests.helpers.studio import IN_BROWSER, NAMELESS, SHOTS, WIDTHS, Served, Watched, browser, huge_png, raw_call, served

OWN = "the run's own"

TABS = {
    "Noise": (None, "the noise process at t = 0.5"),
    "Collapse": ("Train and follow", "the collapse from t_L = 8"),
    "Leaps": ("Sample", "samples of digits"),
    "Compare": ("Compare", "two samplers at equal calls"),
    "Run": ("Show the run", "the run digits"),
}
HOSTILE = ("<img src=x onerror=alert(1)>", "${7*7}{{7*7}}")


@pytest.mark.parametrize(
    ("host", "inside"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("a.example", False)]
)
def test_this_machine_is_told_from_others(host: str, inside: bool) -> None:
    assert is_loopback(host) == inside


def test_another_address_needs_a_password() -> None:
    check_access("127.0.0.1", "")
    check_access("0.0.0.0", "long enough")
    for host, password in (("0.0.0.0", ""), ("127.0.0.1", "short"), ("192.168.0.1", "short")):
        with pytest.raises(SaltusError) as caught:
            check_access(host, password)
        assert_one_sentence(caught.value, "password")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "127.0.0.1:7860"}, 200),
        ({"host": "127.0.0.1:7860", "origin": "http://127.0.0.1:7860"}, 200),
        ({"host": "[::1]:7860", "origin": "http://[::1]:7860"}, 200),
        ({"host": "elsewhere.example:7860"}, 421),
        ({"host": "127.0.0.1:7860", "origin": "http://elsewhere.example"}, 403),
        ({"host": "127.0.0.1:7860", "origin": "http://127.0.0.1.elsewhere.example"}, 403),
        ({"host": "127.0.0.1:7860", "origin": "null"}, 403),
        ({"host": "127.0.0.1:7860", "origin": "http://127.0.0.1:9999"}, 403),
        ({"host": "127.0.0.1:7860", "origin": "http://localhost:7860"}, 403),
        ({"host": "127.0.0.1:7860", "sec-fetch-site": "same-site"}, 403),
        ({"host": "127.0.0.1:7860", "sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:7860"}, 200),
    ],
)
def test_other_pages_reach_nothing(headers: dict[str, str], status: int) -> None:
    sent: list[dict[str, Any]] = []

    async def page(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asked = {"type": "http", "method": "POST", "headers": [(name.encode(), value.encode()) for name, value in headers.items()]}
    asyncio.run(_Guarded(page, _hosts("127.0.0.1"))(asked, None, send))
    assert sent[0]["status"] == status


def test_behind_another_server_only_its_own_page_starts_anything() -> None:
    """Whose name this one does not know: the browser says whether a request is of the page."""
    for own, headers in (
        (True, {"sec-fetch-site": "same-origin", "origin": "https://a.example"}),
        (True, {}),
        (True, {"origin": "http://studio:7860"}),
        (False, {"sec-fetch-site": "cross-site", "origin": "https://b.example"}),
        (False, {"origin": "http://b.example"}),
    ):
        sent = [(name.encode(), value.encode()) for name, value in {"host": "studio:7860", **headers}.items()]
        assert _is_own({"method": "POST", "headers": sent}) == own, headers


class TestBrowser:
    pytestmark = IN_BROWSER

    @pytest.fixture(scope="class")
    def studio(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
        """One with the shipped models, and one whose name is markup."""
        folder = tmp_path_factory.mktemp("studio")
        for name in HOSTILE:
            shutil.copytree(run_folder("digits"), folder / name)
        with served(folder, "digits", "mnist", *HOSTILE) as found:
            yield found

    @pytest.fixture(scope="class")
    def chromium(self) -> Iterator[Any]:
        with browser() as found:
            yield found

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", WIDTHS)
    def test_every_tab_at_every_width(self, width: str, scheme: str, studio: Served, chromium: Any) -> None:
        """Each shows what it should, nothing overflows, nothing fails, and nothing is asked of another machine."""
        SHOTS.mkdir(exist_ok=True)
        watched = Watched(chromium, studio.address, width=width, scheme=scheme)
        for tab, (button, region) in TABS.items():
            watched.open(tab)
            if button:
                watched.press(button, region)
            watched.page.get_by_role("region", name=region).wait_for(timeout=60_000)
            watched.page.wait_for_timeout(300)
            watched.page.screenshot(path=SHOTS / f"{tab.lower()}-{width}-{scheme}.png", full_page=True)
            assert watched.page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width][0]
        assert watched.outside == []
        assert watched.problems == []
        assert len(watched.asked) > 10
        assert "outside" not in studio.log.read_text()

    def test_the_browser_refuses_other_machines(self, studio: Served, chromium: Any) -> None:
        """The twin: a request to another machine is seen, and the page's policy blocks it."""
        watched = Watched(chromium, studio.address)
        blocked = watched.page.evaluate("fetch('http://a.example/').then(() => 'went', error => 'blocked')")
        assert blocked == "blocked"
        assert any("Content Security Policy" in problem for problem in watched.problems)

    def test_a_page_elsewhere_cannot_reach_it_by_a_name_of_its_own(self, studio: Served) -> None:
        for host, status in (("a.example", 421), ("127.0.0.1", 200), ("localhost:1", 200)):
            port = int(studio.address.rstrip("/").rpartition(":")[2])
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/", headers={"Host": host})
            assert connection.getresponse().status == status
            connection.close()

    def test_files_of_the_machine_are_not_handed_out(self, studio: Served) -> None:
        """Neither those of the system nor those of the folder that it was started in; the page itself is."""
        port = int(studio.address.rstrip("/").rpartition(":")[2])
        here = str(studio.log)
        for path, found in (("/etc/hostname", False), (here, False), ("", True)):
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", f"/gradio_api/file={path}" if path else "/")
            assert (connection.getresponse().status == 200) == found, path
            connection.close()

    def test_files_and_addresses_of_others_are_no_uploads(self, studio: Served) -> None:
        """What a client names and has not uploaded is neither read nor fetched."""
        before = studio.log.read_text().count("outside")
        for given in ({"path": "/etc/hostname"}, {"path": "http://a.example/x.json", "url": "http://a.example/x.json"}):
            file = {**given, "meta": {"_type": "gradio.FileData"}}
            assert "event: error" in raw_call(studio.address, "comparison", [None, file, "sliced_wasserstein"])
        assert studio.log.read_text().count("outside") == before

    def test_by_the_keyboard_alone(self, studio: Served, chromium: Any) -> None:
        """A slider moves the page, and a tab opens; everything that takes input has a name."""
        watched = Watched(chromium, studio.address)
        page = watched.page
        page.get_by_label("range slider for Time t").focus()
        page.keyboard.press("ArrowRight")
        page.get_by_role("region", name="the noise process at t = 0.501").wait_for(timeout=60_000)
        page.get_by_role("tab", name="Noise", exact=True).focus()
        page.keyboard.press("Tab")
        page.get_by_role("tab", name="Leaps", exact=True).focus()
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Sample", exact=True).focus()
        page.keyboard.press("Enter")
        page.get_by_role("region", name="samples of digits").wait_for(timeout=60_000)
        for tab in TABS:
            watched.open(tab)
            assert page.evaluate(NAMELESS) == [], tab

    def test_names_are_no_markup(self, studio: Served, chromium: Any) -> None:
        watched = Watched(chromium, studio.address)
        watched.open("Leaps")
        for name in HOSTILE:
            watched.page.get_by_role("checkbox", name=name).check()
        watched.page.get_by_role("checkbox", name="digits", exact=True).uncheck()
        watched.press("Sample", f"samples of {HOSTILE[0]}, {HOSTILE[1]}")
        assert [heading.inner_text() for heading in watched.page.locator(".studio h3").all()] == [*HOSTILE]
        assert watched.problems == []

    def test_a_mistake_is_a_sentence_and_the_page_goes_on(self, studio: Served, chromium: Any, tmp_path: Path) -> None:
        bomb = tmp_path / "<b>bomb.png"
        bomb.write_bytes(huge_png(50_000, 50_000))
        watched = Watched(chromium, studio.address)
        watched.page.locator("input[type=file]").first.set_input_files(bomb)
        toast = watched.page.get_by_test_id("toast-body")
        toast.wait_for(timeout=60_000)
        assert "unpacks to more than" in toast.inner_text()
        assert toast.locator("b").count() == 0
        assert watched.problems == []
        watched.open("Leaps")
        watched.press("Sample", "samples of digits")

    def test_the_api_gives_what_the_command_gives(self, studio: Served, tmp_path: Path) -> None:
        client = pytest.importorskip("gradio_client").Client(studio.address, verbose=False)
        named = client.view_api(return_format="dict")["named_endpoints"]
        assert {"/noise", "/collapse", "/leaps", "/latent", "/compare", "/comparison"} <= set(named)
        page, command, _ = client.predict(["digits"], 4, 5, OWN, "3", OWN, 1, 0, api_name="/leaps")
        done = subprocess.run([sys.executable, "-m", *shlex.split(command)], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        written = np.asarray(Image.open(tmp_path / "leaps-digits" / "samples.png"))
        assert np.array_equal(pictures(page)[0], written)

    def test_the_api_refuses_what_the_page_does_not_offer(self, studio: Served) -> None:
        client = pytest.importorskip("gradio_client").Client(studio.address, verbose=False)
        for arguments in ((["digits"], 17, 0), (["digits"], 4, -1), (["nothing"], 4, 0)):
            with pytest.raises(Exception, match=r"expected|not in the list|than m(ax|in)imum"):
                client.predict(*arguments, OWN, "any", OWN, 1, 0, api_name="/leaps")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_password_is_asked_for(tmp_path: Path) -> None:
    """Of everybody, where another machine may ask."""
    pytest.importorskip("gradio")
    client = pytest.importorskip("gradio_client")
    with served(tmp_path, "digits", "--host", "127.0.0.2", SALTUS_STUDIO_PASSWORD="a long password") as studio:
        connection = http.client.HTTPConnection("127.0.0.2", int(studio.address.rstrip("/").rpartition(":")[2]))
        connection.request("GET", "/config")
        assert connection.getresponse().status == 401
        connection.close()
        assert "a long password" not in " ".join(studio.process.args)
        found = client.Client(studio.address, auth=("saltus", "a long password"), verbose=False)
        assert "/leaps" in found.view_api(return_format="dict")["named_endpoints"]

"""A reader's own data on the page and through its API: sent, looked at, trained on, used; hostile files are sentences."""

from __future__ import annotations

import gc
import gzip
import io
import re
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from saltus.studio.app import build_app
from saltus.studio.commands import PROGRAM
from saltus.studio.limits import Limits
from saltus.studio.runs import Runs
from saltus.studio.workspace import Workspace
from tests.helpers.archives import packed, png
from tests.helpers.studio import IN_BROWSER, NAMELESS, SHOTS, WIDTHS, Served, Watched, browser, huge_png, served
from tests.helpers.watched import HOSTILE, trained_rows, write_rows

pytestmark = IN_BROWSER

LONG = 120_000  # milliseconds, on a busy machine
PLAIN = (0, False, "as they are", False)
"""Size, crop, colours and labels as they are at first."""


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("studio"), "digits") as found:
        yield found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.fixture
def client(studio: Served) -> Any:
    return pytest.importorskip("gradio_client").Client(studio.address, verbose=False)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Squares and crosses in a zip, with a page beside them."""
    numbers, contents = np.random.default_rng(0), {"shapes/page.html": b"<script>alert(1)</script>"}
    for k in range(200):
        pixels, (i, j) = np.zeros((8, 8), np.uint8), numbers.integers(0, 6, 2)
        pixels[i + 1, j : j + 3] = pixels[i : i + 3, j + 1] = 255
        pixels[i : i + 3, j : j + 3] |= np.uint8(255 * (k % 2))
        written = io.BytesIO()
        Image.fromarray(pixels).save(written, "PNG")
        contents[f"shapes/{'square' if k % 2 else 'cross'}/{k}.png"] = written.getvalue()
    return packed(tmp_path_factory.mktemp("shapes") / "shapes.zip", contents)


def send(watched: Watched, file: Path, region: str) -> None:
    watched.page.locator("input[type=file][accept*='.parquet']").set_input_files(file)
    watched.page.get_by_role("region", name=region).wait_for(timeout=LONG)


def train(watched: Watched, minutes: float, run: str) -> None:
    watched.page.get_by_label("number input for Minutes of training").fill(str(minutes))
    watched.page.get_by_role("button", name="Start a training").click()
    watched.page.get_by_role("region", name=f"the run {run}").wait_for(timeout=LONG)


def until(watched: Watched, words: str) -> None:
    watched.page.wait_for_function(f"document.body.innerText.includes({words!r})", timeout=LONG)


def shot(watched: Watched, name: str) -> None:
    SHOTS.mkdir(exist_ok=True)
    watched.page.wait_for_timeout(500)
    watched.page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


def test_images_are_sent_trained_on_watched_and_taken_home(studio: Served, chromium: Any, shapes: Path, tmp_path: Path) -> None:
    watched = Watched(chromium, studio.address)
    watched.open("Your data")
    send(watched, shapes, "what is in shapes")
    assert "passed over in the zip: 1 .html" in watched.page.inner_text("body")
    train(watched, 0.2, "shapes")
    until(watched, "shapes has finished")
    watched.page.get_by_role("button", name="Make a zip of the model").click()
    with watched.page.expect_download(timeout=LONG) as download:
        watched.page.locator("a[download='shapes-model.zip']").first.click(timeout=LONG)
    download.value.save_as(tmp_path / "model.zip")
    assert {"shapes/chain.json", "shapes/config.json"} <= set(zipfile.ZipFile(tmp_path / "model.zip").namelist())
    assert watched.page.evaluate(NAMELESS) == []
    shot(watched, "your-images-desktop-light")
    watched.open("Run")
    watched.page.get_by_label("Run to watch").click()
    watched.page.get_by_role("option", name="yours: shapes").click(timeout=LONG)
    watched.page.get_by_role("region", name="the run shapes").first.wait_for(timeout=LONG)
    watched.page.get_by_role("button", name="Measure the floors").click()
    until(watched, "mixture")
    shot(watched, "your-run-desktop-light")
    assert watched.problems == []
    assert watched.outside == []


@pytest.mark.parametrize(("width", "scheme"), [("phone", "dark"), ("desktop", "light")])
def test_a_table_is_sent_trained_on_and_used(width: str, scheme: str, studio: Served, chromium: Any, tmp_path: Path) -> None:
    watched = Watched(chromium, studio.address, width=width, scheme=scheme)
    watched.open("Your data")
    send(watched, write_rows(tmp_path / "rows.csv"), "what is in rows.csv")
    train(watched, 0.1, "rows")
    until(watched, "rows has finished")
    for section, button, region in (
        ("New rows", "Draw rows", "rows that were made"),
        ("Fill missing cells", "Fill the cells", "rows that were made"),
        ("Strange rows", "Rank the rows", "strange rows"),
        ("Quality report", "Write the report", "the quality report"),
    ):
        watched.page.get_by_role("button", name=section).click()
        if section == "New rows":
            watched.page.get_by_label("Conditions, one a line").fill(f"{HOSTILE[0]}==1+1\nage=30:40")
        watched.page.get_by_role("button", name=button, exact=True).click()
        watched.page.get_by_role("region", name=region).last.wait_for(timeout=LONG)
    text = watched.page.inner_text("body")
    assert "cells start with =, +, - or @" in text
    assert "30 missing cells in 300 rows are filled" in text
    assert HOSTILE[2] in text
    assert watched.page.locator("iframe.report").get_attribute("sandbox") == ""
    assert watched.page.frame_locator("iframe.report").locator("h1").count() == 1
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width][0]
    assert watched.page.evaluate(NAMELESS) == []
    shot(watched, f"your-table-{width}-{scheme}")
    assert watched.problems == []
    assert watched.outside == []


def test_a_training_is_stopped_and_gone_on_with_after_the_page_was_loaded_anew(studio: Served, chromium: Any, tmp_path: Path) -> None:
    watched = Watched(chromium, studio.address)
    watched.open("Your data")
    send(watched, write_rows(tmp_path / "again.csv", 1500), "what is in again.csv")  # fewer rows would be learned in seconds
    train(watched, 5, "again")
    until(watched, "items a second")
    watched.page.get_by_role("button", name="Stop", exact=True).click()
    until(watched, "again was stopped; go on where it was")
    watched.page.reload()
    watched.page.get_by_role("tab", name="Noise").wait_for(timeout=LONG)
    watched.open("Your data")
    watched.page.get_by_label("Your run").click()
    watched.page.get_by_role("option", name="again").click(timeout=LONG)
    until(watched, "again was stopped; go on where it was")
    watched.page.get_by_role("button", name="Go on", exact=True).click()
    until(watched, "again is being trained")
    watched.page.get_by_role("button", name="Stop", exact=True).click()
    until(watched, "again was stopped")
    assert watched.problems == []


def hostile_files(folder: Path) -> dict[str, tuple[Path, str]]:
    """Files that are made to do harm, and what is said of each."""
    texts = {
        "wide.csv": (b"1," * 10**7, "more than 10,000 columns"),
        "bomb.csv.gz": (gzip.compress(b"1\n" * 2**28), "unpacks to more than"),
        "empty.csv": (b"\n", "empty"),
        "names.csv": (b"a,b\n", "no rows"),
        "text.parquet": (b"a,b\n1,2\n", "cannot be read as Parquet"),
        "nul.csv": (b"\x89PNG\0\0\n", "NUL bytes"),
        "no.zip": (b"a,b\n1,2\n", "no zip"),
        "<img src=x onerror=alert(1)>.csv": (b"a,b\n1,2\n", "there is one row"),
    }
    zips = {
        "slip.zip": ({"../../x.png": png()}, "leads out of its folder"),
        "huge.zip": ({"1.png": huge_png(10**5, 10**5)}, "unpacks to more than 16,777,216 pixels"),
        "bomb.zip": ({"1.png": bytes(2**26)}, "times its size"),
        "texts.zip": ({"<b>1</b>.txt": b"1"}, "holds no image"),
        "broken.zip": ({f"{k}.png": b"<script>" for k in range(60)}, "cannot be read"),
    }
    for name, (content, _) in texts.items():
        (folder / name).write_bytes(content)
    for name, (contents, _) in zips.items():
        packed(folder / name, contents)
    return {name: (folder / name, words) for name, (_, words) in {**texts, **zips}.items()}


def test_hostile_files_are_sentences_and_the_page_goes_on(studio: Served, client: Any, chromium: Any, tmp_path: Path) -> None:
    handle = pytest.importorskip("gradio_client").handle_file
    for name, (file, words) in hostile_files(tmp_path).items():
        try:
            page = client.predict("hostile", handle(str(file)), *PLAIN, api_name="/send")[1]
        except Exception as error:  # the client has several
            page = str(error)
        assert words in page, (name, page)
        assert not re.search(r"<(img|script|b)\b(?! alt=)", page), name
        assert str(tmp_path) not in page
    watched = Watched(chromium, studio.address)
    watched.open("Your data")
    watched.page.locator("input[type=file][accept*='.parquet']").set_input_files(tmp_path / "slip.zip")
    toast = watched.page.get_by_test_id("toast-body")
    toast.wait_for(timeout=LONG)
    assert "leads out of its folder" in toast.inner_text()
    assert watched.problems == []


def test_a_file_over_the_limit_is_refused(client: Any, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b"1\n" * 2**25 + b"1\n")
    handle = pytest.importorskip("gradio_client").handle_file
    with pytest.raises(Exception, match=r"(?i)large|size|413"):
        client.predict("a key", handle(str(tmp_path / "rows.csv")), *PLAIN, api_name="/send")


def test_what_is_refused_does_not_take_the_name_of_what_is_sent_after_it(client: Any, tmp_path: Path) -> None:
    """But what can be read by a field of the page is kept, to be looked at again."""
    handle, file = pytest.importorskip("gradio_client").handle_file, tmp_path / "rows.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(Exception, match="there is one row"):
        client.predict("mends", handle(str(file)), *PLAIN, api_name="/send")
    data, page, _, _ = client.predict("mends", handle(str(write_rows(file))), *PLAIN, api_name="/send")
    assert (data["value"], data["choices"]) == ("rows.csv", [["rows.csv", "rows.csv"]])
    assert "it is kept as" not in page
    sizes = packed(tmp_path / "sizes.zip", {f"{k}.png": png(8 + k % 2) for k in range(60)})
    data, page, _, _ = client.predict("mends", handle(str(sizes)), *PLAIN, api_name="/send")
    assert data["value"] == "sizes"
    assert "Size of images" in page
    assert "A training" in client.predict("mends", "sizes", 8, False, "grey", False, api_name="/look")[1]
    assert "would refuse this: sizes has no classes" in client.predict("mends", "sizes", 8, False, "grey", True, api_name="/look")[1]
    with pytest.raises(Exception, match="sizes has no classes"):
        client.predict("mends", "sizes", 8, False, "grey", True, 1, 0, 0, api_name="/train")


def test_uploads_and_what_was_made_do_not_stay(tmp_path: Path) -> None:
    """While the studio runs uploads are in its workspace, where they are counted; another studio does not get it."""
    gradio, home = pytest.importorskip("gradio_client"), tmp_path / "kept"
    with served(tmp_path, "--workspace", str(home)) as studio:
        client = gradio.Client(studio.address, verbose=False)
        client.predict(
            "a key", gradio.handle_file(str(packed(tmp_path / "a.zip", {f"{k}.png": png() for k in range(60)}))), *PLAIN, api_name="/send"
        )
        assert [*home.glob("studio/uploads/*/a.zip")]
        assert [*home.glob("*/a")]
        assert [*home.glob("*/made/*")] == []
        assert home.stat().st_mode & 0o777 == 0o700
        other = subprocess.run([*PROGRAM, "studio", "--port", "0", "--workspace", str(home)], capture_output=True, text=True, check=False)
        assert "another studio keeps its files" in other.stderr
    assert [*home.glob("studio/uploads")] == []
    assert [*home.glob("*/a")]


def test_one_training_runs_at_a_time_over_all_readers(client: Any, tmp_path: Path) -> None:
    handle = pytest.importorskip("gradio_client").handle_file
    named = client.view_api(return_format="dict")["named_endpoints"]
    own = {"send", "look", "train", "stop", "resume", "watch", "model", "rows", "impute", "score", "report", "remove", "run", "run_floors"}
    assert {f"/{name}" for name in own} <= set(named)
    for key in ("one", "two"):
        client.predict(key, handle(str(write_rows(tmp_path / "rows.csv"))), *PLAIN, api_name="/send")
    _, page, command, _ = client.predict("one", "rows.csv", *PLAIN, 2, 0, 0, api_name="/train")
    assert command == "saltus train --data rows.csv --out runs/rows --time 120s --seed 0"
    with pytest.raises(Exception, match="another training runs"):
        client.predict("two", "rows.csv", *PLAIN, 2, 0, 0, api_name="/train")
    with pytest.raises(Exception, match="there is no run named"):
        client.predict("two", "rows", api_name="/stop")
    with pytest.raises(Exception, match="there is no run named"):
        client.predict("two", "../rows", api_name="/model")
    client.predict("one", "rows", api_name="/stop")
    end = time.monotonic() + LONG / 1000
    while "was stopped" not in (page := client.predict("one", "rows", api_name="/watch")):
        assert time.monotonic() < end, page
        time.sleep(1)


def test_a_reader_removes_what_was_sent(client: Any, tmp_path: Path) -> None:
    """One thing, or all of it; what others have stays."""
    handle = pytest.importorskip("gradio_client").handle_file
    for key in ("leaves", "stays"):
        client.predict(key, handle(str(write_rows(tmp_path / "rows.csv"))), *PLAIN, api_name="/send")
    data, _, said = client.predict("leaves", "the chosen data", "rows.csv", None, api_name="/remove")
    assert data["choices"] == []
    assert "rows.csv is removed" in said
    with pytest.raises(Exception, match="there are no data named"):
        client.predict("leaves", "the chosen data", "rows.csv", None, api_name="/remove")
    client.predict("leaves", handle(str(write_rows(tmp_path / "rows.csv"))), *PLAIN, api_name="/send")
    data, runs, _ = client.predict("leaves", "all that I sent and made", None, None, api_name="/remove")
    assert data["choices"] == runs["choices"] == []
    assert "rows.csv" in client.predict("stays", "rows.csv", *PLAIN, api_name="/look")[1]


def test_a_run_of_a_table_that_the_studio_was_given_is_used(tmp_path: Path) -> None:
    """The tabs of images say that there is none."""
    run = trained_rows(tmp_path)
    with served(tmp_path, str(run)) as studio:
        gradio = pytest.importorskip("gradio_client")
        client = gradio.Client(studio.address, verbose=False)
        assert not {"/noise", "/leaps"} & set(client.view_api(return_format="dict")["named_endpoints"])
        page, file, command, _ = client.predict("a key", "given: run", 5, "age=30:40", 0, api_name="/rows")
        assert command == f"saltus sample {run} --n 5 --where=age=30:40 --seed 0 --out made/samples"
        assert "5 rows under age=30:40" in page
        assert len(Path(file["value"] if isinstance(file, dict) else file).read_text().splitlines()) == 6
        client.predict("a key", gradio.handle_file(str(tmp_path / "rows.csv")), *PLAIN, api_name="/send")
        assert "30 missing cells in 300 rows" in client.predict("a key", "given: run", "rows.csv", 0, api_name="/impute")[0]
        assert "the run run" in client.predict("a key", "given: run", api_name="/watch")
        for job in ("/stop", "/resume", "/model"):
            with pytest.raises(Exception, match="was given to the studio"):
                client.predict("a key", "given: run", api_name=job)
        with pytest.raises(Exception, match="was given to the studio"):
            client.predict("a key", "the chosen run", None, "given: run", api_name="/remove")
        with pytest.raises(Exception, match=r"there is no run named .*expected one of given: run"):
            client.predict("a key", "given: ../run", 5, "", 0, api_name="/rows")


def test_a_name_that_is_no_run_is_told_once(tmp_path: Path) -> None:
    """On the page, whatever tab it was given in, and not beside it every few seconds."""
    pytest.importorskip("gradio")
    app = build_app(Runs(["digits"]), Limits(), workspace=Workspace(tmp_path))
    ticks = [event.fn for event in app.fns.values() if any(trigger == "tick" for _, trigger in event.targets)]
    assert len(ticks) == 2
    for tick in ticks:
        page = tick("a reader", "<b>nothing</b>", "")[-1]
        assert "This cannot be shown" in page
        assert "<b>" not in page
        assert tick("a reader", "<b>nothing</b>", page)[-1] == page
    del app, ticks, tick
    gc.collect()  # what the library leaves open is closed while its warnings are ignored

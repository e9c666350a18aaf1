"""`saltus report` as a user meets it: a page and figures of a tiny run, and one sentence for every mistake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from saltus.data import load
from saltus.evaluation.quality.boosting import Effort
from saltus.training import Config, train
from tests.helpers.compared import cells, write_csv
from tests.helpers.html import check
from tests.helpers.terminal import saltus

NAMES = ("size", "<script>alert(1)</script>", "weight", "day", "kept")


@pytest.fixture(scope="module")
def table_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("home")
    write_csv(folder / "own.csv", cells(300, 0), NAMES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SALTUS_CACHE", str(folder / "cache"))
        for name in ("_WHOLE", "_ALONE"):
            patch.setattr(f"saltus.evaluation.quality.boosting.{name}", Effort(trees=4, leaves=4, draws=1))
        train(load(folder / "own.csv"), Config(updates=10, batch=16), folder / "run", quiet=True)
        yield folder


def test_a_page_is_written_and_its_finding_told(table_home: Path) -> None:
    done = saltus("report", "run", "own.csv", "--n", "60", "--out", "pages/a.html", cwd=table_home)
    assert done.code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Boosted trees tell synthetic from held-out rows in ")
    assert lines[2].startswith("None of 60 synthetic rows is a copy of a training row")
    assert lines[-1] == "the page is pages/a.html"
    assert "60 synthetic rows" in done.stderr
    page = check((table_home / "pages" / "a.html").read_text())
    assert "Synthetic rows of run, beside own.csv" in page.text
    assert NAMES[1] in page.text
    assert page.count("script") == 0
    assert "nats a row" in page.text
    assert lines[0].replace(" ", "\N{NO-BREAK SPACE}") in page.text.replace(" ", "\N{NO-BREAK SPACE}")


def test_figures_are_json_and_follow_from_the_seed(table_home: Path) -> None:
    call = ("report", "run", "own.csv", "--n", "40", "--seed", "3", "--target", "size", "--json")
    found, again = (saltus(*call, "--out", name, cwd=table_home).json for name in ("0.html", "1.html"))
    assert (found["page"], found["seed"]) == ("0.html", 3)
    assert found["utility"]["target"] == "size"
    assert found["bound"]["rows"] == found["rows"]["held_out"]
    assert len(found["columns"]) == 5
    for name in ("finding", "two_sample", "columns", "pairs", "privacy", "utility", "bound"):
        assert found[name] == again[name]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("run", "own.csv", "--target", "price", "--out", "b.html"), 1, "there is no column 'price' to predict"),
        (("run", "none.csv", "--out", "b.html"), 1, "none.csv is not there"),
        (("own.csv", "own.csv", "--out", "b.html"), 1, "own.csv is no training run"),
        (("run", "own.csv", "--out", "b.png"), 1, "expected one that ends in .html"),
        (("run", "own.csv", "--out", "there.html"), 1, "there.html is already there"),
        (("run", "own.csv", "--n", "3"), 2, "3 is not in the range 20<=x<=20000"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_no_page(table_home: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    (table_home / "there.html").write_text("mine")
    done = saltus("report", *arguments, cwd=table_home)
    assert done.code == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (table_home / "b.html").exists()
    assert (table_home / "there.html").read_text() == "mine"

"""Runs as the page watches them: whose they are, those that are still to begin, and floors that are measured once."""

from __future__ import annotations

import gc
import json
import shutil
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from saltus.errors import SaltusError
from saltus.pretrained import run_folder
from saltus.studio import watching as module
from saltus.studio.limits import Limits
from saltus.studio.runs import Runs
from saltus.studio.tab import Studio
from saltus.studio.trainings import Trainings
from saltus.studio.watching import MINE, Watching
from saltus.studio.workspace import Session, Workspace
from saltus.training.folds import Folds
from tests.helpers.checks import assert_one_sentence
from tests.helpers.watched import with_metrics

KEY = "a reader"
METRICS = [{"update": k, "loss": 1.0, "seconds": float(k), "items_per_second": 9.0, "skipped": 0} for k in (1, 2)]


@pytest.fixture
def watching(tmp_path: Path) -> Watching:
    shutil.copytree(run_folder("digits"), tmp_path / "mine")
    (tmp_path / "mine" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in METRICS))
    runs, limits = Runs(["digits", str(tmp_path / "mine")]), Limits()
    return Studio(runs, limits, Workspace(tmp_path / "all"), Trainings(limits), key=None).watching


def session(tmp_path: Path) -> Session:
    return Workspace(tmp_path / "all").session(KEY)


def begin(tmp_path: Path, name: str, code: int | None) -> Path:
    run = session(tmp_path).new_run(name)
    run.with_name(f"{name}.json").write_text(json.dumps({"arguments": [], "minutes": 1, "code": code}))
    run.with_name(f"{name}.log").write_text("saltus: rows.csv is <b>empty</b>; give another\n")
    return run


def test_a_run_with_metrics_is_the_first_to_be_watched(watching: Watching) -> None:
    assert watching.first == "mine"
    page, same = watching.look(None, "mine")
    assert "2 of" in page
    assert "saltus show run" in same.command
    page, _ = watching.look(None, "digits")
    assert "without its metrics" in page


def test_runs_of_a_reader_are_the_readers_alone(watching: Watching, tmp_path: Path) -> None:
    begin(tmp_path, "rows", 0)
    assert watching.names(KEY) == ["digits", "mine", f"{MINE}rows"]
    assert watching.names("another") == watching.names(None) == ["digits", "mine"]
    for key, name in (("another", f"{MINE}rows"), (KEY, f"{MINE}../rows"), (KEY, "rows"), (None, f"{MINE}rows")):
        with pytest.raises(SaltusError) as caught:
            watching.look(key, name)
        assert_one_sentence(caught.value)


def test_how_a_training_stands_is_told_before_its_first_update_too(watching: Watching, tmp_path: Path) -> None:
    begin(tmp_path, "rows", 1)
    page, same = watching.look(KEY, f"{MINE}rows")
    assert "the training of rows failed: rows.csv is &lt;b&gt;empty&lt;/b&gt;; give another" in page
    assert same.command == ""
    with_metrics(begin(tmp_path, "more", 130), METRICS, updates=9)
    page, same = watching.look(KEY, f"{MINE}more")
    assert "more was stopped; go on where it was" in page
    assert "use it as it is" not in page
    assert same.command == "saltus show run runs/more --out watched"


def test_the_last_line_of_a_training_stands_under_its_state(watching: Watching, tmp_path: Path) -> None:
    run = begin(tmp_path, "rows", None)
    run.mkdir()
    with FileLock(run / ".lock"):
        page, _ = watching.look(KEY, f"{MINE}rows")
    assert "It says: rows.csv is &lt;b&gt;empty&lt;/b&gt;; give another" in page


def test_why_few_rows_ended_early_is_told(watching: Watching, tmp_path: Path) -> None:
    run = with_metrics(begin(tmp_path, "rows", 0), METRICS, updates=9)
    words = Folds(3, 0.1, (), ()).words
    run.with_name("rows.log").write_text(f"rows: 30 rows\n{words}\nthe run is in runs/rows\n")
    page, _ = watching.look(KEY, f"{MINE}rows")
    assert f"rows has finished. It says: {words}" in page


def test_a_page_is_drawn_anew_where_something_has_changed(watching: Watching, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, as_page = list[int](), module.run_page.as_page
    monkeypatch.setattr(module.run_page, "as_page", lambda found, *rest: drawn.append(len(found.updates)) or as_page(found, *rest))
    for _ in range(3):
        watching.look(None, "mine")
    with (tmp_path / "mine" / "metrics.jsonl").open("a") as lines:
        lines.write(json.dumps(METRICS[0] | {"update": 3, "seconds": 3.0}) + "\n")
    assert "3 of" in watching.look(None, "mine")[0]
    assert drawn == [2, 3]


def test_floors_are_measured_once_by_a_process_of_its_own(watching: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[list[str]]()

    def answered(arguments: list[str], *_: Any) -> dict[str, Any]:
        asked.append(arguments)
        return {"floors": {"one Gaussian": {"total": 12.5, "bits_per_dim": 0.25, "per_level": [1.0, 2.0, 3.0, 4.0]}}}

    monkeypatch.setattr(module, "result_of", answered)
    assert "12.5" not in watching.look(None, "digits")[0]
    for _ in range(2):
        page, same = watching.look(None, "digits", measure=True)
        assert "12.5" in page
        assert "--floors" in same.command
    assert "12.5" in watching.look(None, "digits")[0]
    assert asked == [["show", "run", str(run_folder("digits").resolve()), "--floors"]]


def test_floors_of_one_run_do_not_wait_for_another(watching: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    other = threading.Event()

    def answered(arguments: list[str], *_: Any) -> dict[str, Any]:
        if arguments[2].endswith("mine"):
            assert other.wait(60)
        else:
            other.set()
        return {"floors": {}}

    monkeypatch.setattr(module, "result_of", answered)
    slow = threading.Thread(target=watching.look, args=(None, "mine"), kwargs={"measure": True})
    slow.start()
    watching.look(None, "digits", measure=True)
    slow.join(60)
    assert not slow.is_alive()


def test_a_studio_has_one_for_all_its_tabs(tmp_path: Path) -> None:
    runs, limits = Runs(["digits"]), Limits()
    one, another = (Studio(runs, limits, Workspace(tmp_path), Trainings(limits), key=None) for _ in range(2))
    assert one.watching is one.watching
    assert one.watching is not another.watching
    place = weakref.ref(one)
    del one
    gc.collect()
    assert place() is None

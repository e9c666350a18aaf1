"""Readers' folders: no name leads out of them, none is taken twice, and there is an end to what is kept."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from saltus.data import BUILT_IN
from saltus.errors import SaltusError
from saltus.studio import commands
from saltus.studio.commands import started
from saltus.studio.limits import Limits
from saltus.studio.workspace import Session, Workspace, safe_name
from tests.helpers.checks import assert_one_sentence


def put(session: Session, name: str) -> Path:
    """Some data."""
    session.folder.mkdir(exist_ok=True)
    (session.folder / name).write_text("x")
    return session.folder / name


@pytest.mark.parametrize(
    "name",
    ["../../a.csv", "/etc/passwd", "..", ".", "", "-rf", "--out", "a\0b", "a/b\\c.zip", "<img src=x>.csv", "x" * 500, "=1+1.csv", "\n"],
)
def test_names_lead_nowhere_and_are_no_options(name: str) -> None:
    found = safe_name(name)
    assert found
    assert len(found) <= 60
    assert found[0] not in ".-_"
    assert not set(found) & set("/\\<>=\0\n \"'")


def test_letters_of_other_languages_stay() -> None:
    assert safe_name("Größe données.csv.gz") == "Größe_données"


@pytest.mark.parametrize("key", ["../../x", "/", "..", "a" * 200, "\ud800", "runs"])
def test_every_key_has_a_folder_of_its_own_inside(key: str, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "all")
    session = workspace.session(key)
    assert session.folder.parent == tmp_path / "all"
    assert session.folder == workspace.session(key).folder
    assert session.folder != workspace.session("another").folder


@pytest.mark.parametrize("key", ["", None, "a" * 201])
def test_no_key_has_no_folder(key: str | None, tmp_path: Path) -> None:
    with pytest.raises(SaltusError) as caught:
        Workspace(tmp_path).session(key)
    assert_one_sentence(caught.value, "key")


def test_one_reader_does_not_see_what_another_has(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    put(workspace.session("a"), "rows.csv")
    assert workspace.session("a").check_data("rows.csv") == "rows.csv"
    with pytest.raises(SaltusError) as caught:
        workspace.session("b").check_data("rows.csv")
    assert_one_sentence(caught.value, "send data first")


@pytest.mark.parametrize("name", ["../rows.csv", "/etc/passwd", "runs", "made", "..", "", None, "rows.csv/../rows.csv"])
def test_only_names_that_are_there_are_taken(name: str | None, tmp_path: Path) -> None:
    session = Workspace(tmp_path).session("a")
    put(session, "rows.csv")
    session.new_run("r")
    session.new_made("m")
    for check in (session.check_data, session.check_run):
        with pytest.raises(SaltusError) as caught:
            check(name)
        assert_one_sentence(caught.value, "expected" if check == session.check_data else "start a training")


def test_names_are_taken_once(tmp_path: Path) -> None:
    session = Workspace(tmp_path).session("a")
    for expected in ("rows.csv", "rows-2.csv", "rows-3.csv"):
        place = session.new_data("rows.csv", ".csv")
        assert place.name == expected
        place.touch()
    assert session.new_data("runs.csv").name == "runs-2"
    run = session.new_run("rows")
    run.with_name("rows.json").write_text(json.dumps({}))
    assert session.new_run("rows").name == "rows-2"
    assert session.runs == ["rows"]
    assert session.data == ["rows-2.csv", "rows-3.csv", "rows.csv"]


def test_data_are_removed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    session, other = workspace.session("a"), workspace.session("b")
    for each in (session, other):
        (each.folder / "images" / "cats").mkdir(parents=True)
        (each.folder / "rows.csv").touch()
    for name in ("../rows.csv", "runs", None):
        with pytest.raises(SaltusError) as caught:
            session.remove_data(name)
        assert_one_sentence(caught.value, "there are no data named")
    for name in ("images", "rows.csv"):
        session.remove_data(name)
    assert session.data == []
    assert other.data == ["images", "rows.csv"]


def test_the_name_of_a_run_that_was_removed_is_not_given_again(tmp_path: Path) -> None:
    """As the page knows of runs by their place; another reader may have it."""
    workspace = Workspace(tmp_path)
    session = workspace.session("a")
    session.removed.add(session.new_run("rows"))
    assert workspace.session("a").new_run("rows").name == "rows-2"
    assert workspace.session("b").new_run("rows").name == "rows"


def test_an_archive_of_one_folder_is_that_folder(tmp_path: Path) -> None:
    session = Workspace(tmp_path).session("a")
    for name in ("1.png", "cats/1.png"):
        place = session.folder / "images" / "all" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    assert session.check_data("images") == "images/all"


@pytest.mark.parametrize("name", BUILT_IN)
def test_data_of_a_name_that_means_others_are_not_taken_for_them(tmp_path: Path, name: str) -> None:
    assert Workspace(tmp_path).session("a").new_data(f"{name}.zip").name == f"{name}-2"


def test_there_is_an_end_to_what_is_kept(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, replace(Limits(), workspace_bytes=1000))
    place = put(workspace.session("a"), "rows.csv")
    place.write_bytes(bytes(1000))
    workspace.check_room()
    for more, n in ((1, 1000), (0, 1001)):
        place.write_bytes(bytes(n))
        with pytest.raises(SaltusError) as caught:
            workspace.check_room(more=more)
        assert_one_sentence(caught.value, "start the studio on an empty one")


def test_one_reader_may_not_fill_it_all(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, replace(Limits(), workspace_bytes=1000))
    session = workspace.session("a")
    for n in (250, 251):
        put(session, "rows.csv").write_bytes(bytes(n))
        workspace.check_room(workspace.session("b"))
        if n == 250:
            workspace.check_room(session)
    with pytest.raises(SaltusError) as caught:
        workspace.check_room(session)
    assert_one_sentence(caught.value, "kept for one reader")


def test_uploads_count(tmp_path: Path) -> None:
    with Workspace(tmp_path, replace(Limits(), workspace_bytes=1000)) as workspace:
        workspace.uploads.mkdir()
        (workspace.uploads / "x").write_bytes(bytes(1001))
        with pytest.raises(SaltusError):
            workspace.check_room()
    assert not workspace.uploads.exists()


def test_who_only_looks_makes_no_folder(tmp_path: Path) -> None:
    session = Workspace(tmp_path).session("a")
    assert session.data == session.runs == []
    assert [*tmp_path.iterdir()] == []


def test_a_new_one_is_for_its_owner_alone(tmp_path: Path) -> None:
    assert Workspace(tmp_path / "all").folder.stat().st_mode & 0o777 == 0o700


def test_one_studio_at_a_time_has_it(tmp_path: Path) -> None:
    """Also of another process; one that was killed has it no more, and what was uploaded to it goes."""
    code = "import sys; from pathlib import Path; from saltus.studio.workspace import Workspace\nwith Workspace(Path(sys.argv[1])) as w:\n"
    code += " w.uploads.mkdir(); print('has it', flush=True); sys.stdin.read()"
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdin is not None
    assert other.stdout.readline() == "has it\n"
    with pytest.raises(SaltusError) as caught, Workspace(tmp_path):
        pass
    assert_one_sentence(caught.value, "another studio keeps its files")
    other.kill()
    other.wait()
    other.stdout.close()
    other.stdin.close()
    with Workspace(tmp_path) as workspace:
        assert not workspace.uploads.exists()


def test_what_works_in_it_is_ended_before_it_goes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And nothing else."""
    monkeypatch.setattr(commands, "PROGRAM", (sys.executable, "-I", "-c", "import time; time.sleep(60)"))
    with Workspace() as workspace:
        session = workspace.session("a")
        put(session, "rows.csv")
        process = started([], session.folder, Limits(), subprocess.DEVNULL, subprocess.DEVNULL)
        other = started([], tmp_path, Limits(), subprocess.DEVNULL, subprocess.DEVNULL)
        assert process.poll() is None
        begun = time.monotonic()
    assert process.poll() is not None
    assert time.monotonic() - begun < 30
    assert other.poll() is None
    commands.end_in(tmp_path)
    assert other.poll() is not None


def test_a_model_is_packed_without_what_only_a_training_needs(tmp_path: Path) -> None:
    with Workspace(tmp_path) as workspace:
        run = workspace.session("a").new_run("rows")
        with pytest.raises(SaltusError) as caught:
            workspace.packed(run)
        assert_one_sentence(caught.value, "no model yet")
        for name in ("chain.json", "config.json", ".lock", "checkpoints/000000001.json"):
            (run / name).parent.mkdir(parents=True, exist_ok=True)
            (run / name).write_text(name)
        packed = workspace.packed(run)
        assert zipfile.ZipFile(packed).namelist() == ["rows/chain.json", "rows/config.json"]
        made = workspace.session("a").new_made("rows", ".csv")
        made.write_text("a")
        given = workspace.given_out(made)
        assert given.read_text() == "a"
        assert given.name == "rows.csv"
        assert not made.exists()
        assert workspace.uploads in given.parents
    assert not given.exists()
    assert run.exists()


def test_a_temporary_one_goes(tmp_path: Path) -> None:
    with Workspace() as workspace:
        put(workspace.session("a"), "x")
    assert not workspace.folder.exists()
    before = {*Path(tempfile.gettempdir()).glob("saltus-*")}
    forgotten = Workspace()
    assert {*Path(tempfile.gettempdir()).glob("saltus-*")} - before == {forgotten.folder}
    place = forgotten.folder
    del forgotten
    gc.collect()
    assert not place.exists()
    (tmp_path / "file").touch()
    with pytest.raises(SaltusError) as caught:
        Workspace(tmp_path / "file")
    assert_one_sentence(caught.value, "give another folder")

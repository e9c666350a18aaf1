"""Readers' folders: no name leads out of them, none is taken twice, and there is an end to what is kept."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from saltus.data import BUILT_IN
from saltus.errors import SaltusError
from saltus.studio.limits import Limits
from saltus.studio.workspace import Workspace, safe_name
from tests.helpers.checks import assert_one_sentence


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
    (workspace.session("a").folder / "rows.csv").write_text("x")
    assert workspace.session("a").check_data("rows.csv") == "rows.csv"
    with pytest.raises(SaltusError) as caught:
        workspace.session("b").check_data("rows.csv")
    assert_one_sentence(caught.value, "send data first")


@pytest.mark.parametrize("name", ["../rows.csv", "/etc/passwd", "runs", "made", "..", "", None, "rows.csv/../rows.csv"])
def test_only_names_that_are_there_are_taken(name: str | None, tmp_path: Path) -> None:
    session = Workspace(tmp_path).session("a")
    (session.folder / "rows.csv").write_text("x")
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
    place = workspace.session("a").folder / "rows.csv"
    place.write_bytes(bytes(1000))
    workspace.check_room()
    place.write_bytes(bytes(1001))
    with pytest.raises(SaltusError) as caught:
        workspace.check_room()
    assert_one_sentence(caught.value, "start the studio on an empty one")


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
        given = workspace.given_out(run / "chain.json")
        assert given.read_text() == "chain.json"
        assert tmp_path not in given.parents
    assert not given.exists()
    assert run.exists()


def test_a_temporary_one_goes(tmp_path: Path) -> None:
    with Workspace() as workspace:
        (workspace.session("a").folder / "x").touch()
    assert not workspace.folder.exists()
    (tmp_path / "file").touch()
    with pytest.raises(SaltusError) as caught:
        Workspace(tmp_path / "file")
    assert_one_sentence(caught.value, "give another folder")
